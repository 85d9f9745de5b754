"""THE TABLE: one record per builtin, in the files named here."""

from __future__ import annotations

from typing import Final

from loma.ir.prims.arithmetic import ARITHMETIC
from loma.ir.prims.bits import BITS
from loma.ir.prims.choice import CHOICE
from loma.ir.prims.elementary import ELEMENTARY
from loma.ir.prims.gradient import GRADIENT
from loma.ir.prims.math import MATH
from loma.ir.prims.record import Prim
from loma.ir.prims.rounding import ROUNDING

TABLE: Final[dict[str, Prim]] = {
    p.name: p for p in (*ARITHMETIC, *BITS, *MATH, *ELEMENTARY, *ROUNDING, *CHOICE, *GRADIENT)
}
FUNCTIONS: Final[dict[str, Prim]] = {p.name: p for p in TABLE.values() if p.surface}
