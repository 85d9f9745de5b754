"""Rounding to integers, remainders, signs carried over, and products rounded once.

A function that is constant between jumps has the derivative 0, also at its jumps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from loma.ir.prims import arithmetic as A
from loma.ir.prims.meanings import fused, half_away, remainder, signed, smooth, to_whole
from loma.ir.prims.record import Operands, Prim, Result

if TYPE_CHECKING:
    from loma.ir.prims.record import Meaning


def _step(name: str, meaning: Meaning) -> Prim:
    return Prim(
        name, 1, Operands.FLOAT, Result.SAME, meaning, lambda b, out, x: (None,), flat=True,
        surface=True,
    )


FLOOR: Final[Prim] = _step("floor", to_whole(math.floor))
CEIL: Final[Prim] = _step("ceil", to_whole(math.ceil))
TRUNC: Final[Prim] = _step("trunc", to_whole(math.trunc))
ROUND: Final[Prim] = _step("round", to_whole(half_away))  # halves away from zero, as in C
FMOD: Final[Prim] = Prim(  # x - n y where n = trunc(x / y): n is what the rounded quotient is near
    "fmod",
    2,
    Operands.FLOAT,
    Result.SAME,
    smooth(math.fmod, remainder),
    partials=lambda b, out, x, y: (
        b.one(out),
        b.neg(b.apply(ROUND, b.div(b.sub(x, out), y))),
    ),
    domain=(0.3, 2.0),
    cost=20,
    surface=True,
)
COPYSIGN: Final[Prim] = Prim(
    "copysign",
    2,
    Operands.FLOAT,
    Result.SAME,
    signed,
    partials=lambda b, out, x, y: (
        b.select(
            b.apply(A.EQ, x, b.number(0.0, x)),
            b.number(0.0, x),
            b.select(
                b.apply(
                    A.EQ,
                    b.apply(A.LT, x, b.number(0.0, x)),
                    b.apply(A.LT, out, b.number(0.0, x)),
                ),
                b.one(x),
                b.minus_one(x),
            ),
        ),
        None,
    ),
    choice=True,
    surface=True,
)
FMA: Final[Prim] = Prim(
    "fma",
    3,
    Operands.FLOAT,
    Result.SAME,
    fused,
    partials=lambda b, out, x, y, z: (y, x, b.one(out)),
    surface=True,
)

ROUNDING: Final[tuple[Prim, ...]] = (FLOOR, CEIL, TRUNC, ROUND, FMOD, COPYSIGN, FMA)
