"""Elementary functions beyond `math`: trigonometric, hyperbolic, exponential, error functions."""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING, Final

from loma.ir.prims import libm
from loma.ir.prims import math as M
from loma.ir.prims.meanings import (
    ROOT_PI,
    complex_atan2,
    complex_cbrt,
    complex_erf,
    real_sinh,
    smooth,
)
from loma.ir.prims.record import Operands, Prim, Result

if TYPE_CHECKING:
    from loma.ir.prims.record import Expand, Meaning, Partials

LN2: Final = math.log(2.0)
LN10: Final = math.log(10.0)


def _one(  # one record's worth of what differs between the functions of one operand
    name: str,
    meaning: Meaning,
    partials: Partials,
    *,
    domain: tuple[float, float] = (-2.0, 2.0),
    singular: bool = False,
    expand: Expand | None = None,
) -> Prim:
    return Prim(
        name,
        1,
        Operands.FLOAT,
        Result.SAME,
        meaning,
        partials,
        domain=domain,
        singular=singular,
        cost=20,
        surface=True,
        expand=expand,
    )


TAN: Final[Prim] = _one(
    "tan",
    smooth(math.tan, cmath.tan),
    lambda b, out, x: (b.add(b.one(out), b.mul(out, out)),),
    domain=(-1.2, 1.2),
)
ASIN: Final[Prim] = _one(
    "asin",
    smooth(math.asin, cmath.asin),
    lambda b, out, x: (b.div(b.one(out), libm.cosine(b, x)),),
    domain=(-0.9, 0.9),
    singular=True,
)
ACOS: Final[Prim] = _one(
    "acos",
    smooth(math.acos, cmath.acos),
    lambda b, out, x: (b.div(b.minus_one(out), libm.cosine(b, x)),),
    domain=(-0.9, 0.9),
    singular=True,
)
ATAN: Final[Prim] = _one(
    "atan",
    smooth(math.atan, cmath.atan),
    lambda b, out, x: (b.div(b.one(out), b.add(b.one(out), b.mul(x, x))),),
)
SINH: Final[Prim] = _one(
    "sinh",
    smooth(real_sinh, cmath.sinh),
    lambda b, out, x: (b.apply(COSH, x),),
    singular=True,
)
COSH: Final[Prim] = _one(
    "cosh",
    smooth(math.cosh, cmath.cosh),
    lambda b, out, x: (b.apply(SINH, x),),
    singular=True,
)
TANH: Final[Prim] = _one(
    "tanh",
    smooth(math.tanh, cmath.tanh),
    lambda b, out, x: (b.sub(b.one(out), b.mul(out, out)),),
    expand=libm.tanh,
)
EXP2: Final[Prim] = _one(
    "exp2",
    smooth(math.exp2, lambda z: cmath.exp(z * LN2)),
    lambda b, out, x: (b.mul(out, b.number(LN2, out)),),
    singular=True,
)
EXPM1: Final[Prim] = _one(
    "expm1",
    smooth(math.expm1, lambda z: cmath.exp(z) - 1),
    lambda b, out, x: (b.add(out, b.one(out)),),
    singular=True,
)
LOG2: Final[Prim] = _one(
    "log2",
    smooth(math.log2, lambda z: cmath.log(z) / LN2, pole=0.0),
    lambda b, out, x: (b.div(b.number(1 / LN2, out), x),),
    domain=(0.1, 4.0),
    singular=True,
)
LOG10: Final[Prim] = _one(
    "log10",
    smooth(math.log10, lambda z: cmath.log(z) / LN10, pole=0.0),
    lambda b, out, x: (b.div(b.number(1 / LN10, out), x),),
    domain=(0.1, 4.0),
    singular=True,
    expand=libm.log10,
)
LOG1P: Final[Prim] = _one(
    "log1p",
    smooth(math.log1p, lambda z: cmath.log(1 + z), pole=-1.0),
    lambda b, out, x: (b.div(b.one(out), b.add(b.one(out), x)),),
    domain=(-0.8, 4.0),
    singular=True,
)
CBRT: Final[Prim] = _one(
    "cbrt",
    smooth(math.cbrt, complex_cbrt),
    lambda b, out, x: (b.div(b.div(b.number(1 / 3, out), out), out),),
    domain=(0.1, 4.0),
    singular=True,
    expand=libm.cbrt,
)
ERF: Final[Prim] = _one(
    "erf",
    smooth(math.erf, complex_erf),
    lambda b, out, x: (b.mul(b.number(2 / ROOT_PI, out), b.apply(M.EXP, b.neg(b.mul(x, x)))),),
)
ERFC: Final[Prim] = _one(
    "erfc",
    smooth(math.erfc, lambda z: 1 - complex_erf(z)),
    lambda b, out, x: (b.mul(b.number(-2 / ROOT_PI, out), b.apply(M.EXP, b.neg(b.mul(x, x)))),),
    expand=libm.erfc,
)
HYPOT: Final[Prim] = Prim(  # at the origin both partials are 0 by convention
    "hypot",
    2,
    Operands.FLOAT,
    Result.SAME,
    smooth(math.hypot, lambda x, y: cmath.sqrt(x * x + y * y)),
    partials=lambda b, out, x, y: libm.direction(b, out, x, y),
    domain=(0.3, 2.0),
    choice=True,
    cost=20,
    surface=True,
)
ATAN2: Final[Prim] = Prim(  # at the origin both partials are 0 by convention
    "atan2",
    2,
    Operands.FLOAT,
    Result.SAME,
    smooth(math.atan2, complex_atan2),
    partials=lambda b, out, y, x: libm.turn(b, y, x, b.apply(HYPOT, x, y)),
    domain=(0.3, 2.0),
    singular=True,
    choice=True,
    cost=20,
    surface=True,
)

ELEMENTARY: Final[tuple[Prim, ...]] = (
    TAN,
    ASIN,
    ACOS,
    ATAN,
    ATAN2,
    SINH,
    COSH,
    TANH,
    EXP2,
    EXPM1,
    LOG2,
    LOG10,
    LOG1P,
    CBRT,
    HYPOT,
    ERF,
    ERFC,
)
