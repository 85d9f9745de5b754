"""Choices among operands, signs, and questions about floats.

The convention at kinks: |x|' = 0 at x = 0, and of equal operands min, max and clamp choose the
first. What is not chosen contributes nothing, also where its own tangent is infinite. A nan
operand is chosen; |nan|' = 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from loma.ir.prims import arithmetic as A
from loma.ir.prims.libm import FABS
from loma.ir.prims.meanings import greatest, least, magnitude, signum
from loma.ir.prims.record import Operands, Prim, Result
from loma.ir.types import F32, F64

if TYPE_CHECKING:
    from loma.ir.builder import Builder
    from loma.ir.nodes import Operand


def _is_float(x: Operand) -> bool:
    return x.type in (F32, F64)


def _below(b: Builder, x: Operand, y: Operand) -> Operand:
    """x < y, or x is nan."""
    less = b.apply(A.LT, x, y)
    return b.apply(A.OR, less, b.apply(A.NE, x, x)) if _is_float(x) else less


def _above(b: Builder, x: Operand, y: Operand) -> Operand:
    """x > y, or x is nan."""
    more = b.apply(A.GT, x, y)
    return b.apply(A.OR, more, b.apply(A.NE, x, x)) if _is_float(x) else more


def _by_sign(b: Builder, x: Operand, zero: Operand) -> Operand:
    """-1 below 0, `zero` at 0, else 1."""
    nought = b.number(0.0, x)
    above = b.select(b.apply(A.EQ, x, nought), zero, b.one(x))
    return b.select(b.apply(A.LT, x, nought), b.minus_one(x), above)


def _abs(b: Builder, x: Operand) -> Operand:
    if _is_float(x):
        return b.apply(FABS, x)
    return b.select(b.apply(A.LT, x, b.number(0.0, x)), b.neg(x), x)


def _sign(b: Builder, x: Operand) -> Operand:
    nought = b.number(0.0, x)
    above = b.select(b.apply(A.GT, x, nought), b.one(x), x)
    return b.select(b.apply(A.LT, x, nought), b.minus_one(x), above)


def _pair(b: Builder, second: Operand, like: Operand) -> tuple[Operand, Operand]:
    zero, one = b.number(0.0, like), b.one(like)
    return b.select(second, zero, one), b.select(second, one, zero)


def _clamp_partials(
    b: Builder, x: Operand, low: Operand, high: Operand
) -> tuple[Operand, Operand, Operand]:
    raised = _above(b, low, x)
    cut = _below(b, high, b.select(raised, low, x))
    by_x, by_low = _pair(b, raised, x)
    zero, one = b.number(0.0, x), b.one(x)
    return b.select(cut, zero, by_x), b.select(cut, zero, by_low), b.select(cut, one, zero)


ABS: Final[Prim] = Prim(
    "abs",
    1,
    Operands.NUMBER,
    Result.SAME,
    magnitude,
    partials=lambda b, out, x: (_by_sign(b, x, b.number(0.0, x)),),
    choice=True,
    surface=True,
    expand=_abs,
)
MIN: Final[Prim] = Prim(
    "min",
    2,
    Operands.NUMBER,
    Result.SAME,
    least,
    partials=lambda b, out, x, y: _pair(b, _below(b, y, x), x),
    choice=True,
    cost=2,
    surface=True,
    expand=lambda b, x, y: b.select(_below(b, y, x), y, x),
)
MAX: Final[Prim] = Prim(
    "max",
    2,
    Operands.NUMBER,
    Result.SAME,
    greatest,
    partials=lambda b, out, x, y: _pair(b, _above(b, y, x), x),
    choice=True,
    cost=2,
    surface=True,
    expand=lambda b, x, y: b.select(_above(b, y, x), y, x),
)
CLAMP: Final[Prim] = Prim(  # min(max(x, low), high): high wins where the bounds cross
    "clamp",
    3,
    Operands.NUMBER,
    Result.SAME,
    lambda x, low, high: least(greatest(x, low), high),
    partials=lambda b, out, x, low, high: _clamp_partials(b, x, low, high),
    choice=True,
    cost=4,
    surface=True,
    expand=lambda b, x, low, high: b.apply(MIN, b.apply(MAX, x, low), high),
)
SIGN: Final[Prim] = Prim(  # a zero keeps its sign, nan stays nan; the derivative is 0 everywhere
    "sign",
    1,
    Operands.NUMBER,
    Result.SAME,
    signum,
    partials=lambda b, out, x: (None,),
    flat=True,
    cost=2,
    surface=True,
    expand=_sign,
)
ISNAN: Final[Prim] = Prim(
    "isnan",
    1,
    Operands.FLOAT,
    Result.BOOL,
    lambda x: x != x,
    surface=True,
    expand=lambda b, x: b.apply(A.NE, x, x),
)
ISINF: Final[Prim] = Prim(
    "isinf",
    1,
    Operands.FLOAT,
    Result.BOOL,
    lambda x: x.real in (math.inf, -math.inf),
    cost=2,
    surface=True,
    expand=lambda b, x: b.apply(A.EQ, b.apply(FABS, x), b.number(math.inf, x)),
)

CHOICE: Final[tuple[Prim, ...]] = (ABS, MIN, MAX, CLAMP, SIGN, ISNAN, ISINF)
