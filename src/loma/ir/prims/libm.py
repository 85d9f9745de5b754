"""Elementary functions of which the C library's are off by more than two units in the last place,
in terms of others; and expressions that partial derivatives share.

`X_LIBM` is the C library's function, as it is: only expansions use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from loma.ir.prims import arithmetic as A
from loma.ir.prims import math as M
from loma.ir.prims.meanings import complex_cbrt, magnitude, smooth
from loma.ir.prims.record import Operands, Prim, Result
from loma.ir.prims.rounding import COPYSIGN
from loma.ir.types import F32, F64

if TYPE_CHECKING:
    from loma.ir.builder import Builder
    from loma.ir.nodes import Operand
    from loma.ir.prims.record import Meaning


def _plain(name: str, meaning: Meaning, cost: int = 20, loma: str = "") -> Prim:
    """The C library's function of that name; `loma` is the builtin that printed text shows."""
    return Prim(
        f"{name}_libm",
        1,
        Operands.FLOAT,
        Result.SAME,
        meaning,
        cost=cost,
        spelling={"c": name, "llvm": name, "loma": loma or name},
    )


FABS: Final[Prim] = _plain("fabs", magnitude, cost=1, loma="abs")
CBRT_LIBM: Final[Prim] = _plain("cbrt", smooth(math.cbrt, complex_cbrt))
LOG10_LIBM: Final[Prim] = _plain("log10", smooth(math.log10, lambda z: z, pole=0.0))
ERFC_LIBM: Final[Prim] = _plain("erfc", smooth(math.erfc, lambda z: z))

LIBM: Final[tuple[Prim, ...]] = (FABS, CBRT_LIBM, LOG10_LIBM, ERFC_LIBM)

# Partial derivatives.


def cosine(b: Builder, x: Operand) -> Operand:
    """sqrt(1 - x x) without cancellation at the ends."""
    one = b.one(x)
    return b.apply(M.SQRT, b.mul(b.sub(one, x), b.add(one, x)))


def direction(b: Builder, r: Operand, *xs: Operand) -> tuple[Operand, ...]:
    """Each coordinate over the distance from the origin; 0 there, and no quotient that is nan."""
    zero = b.number(0.0, r)
    origin = b.apply(A.EQ, r, zero)
    away = b.select(origin, b.one(r), r)
    return tuple(b.select(origin, zero, b.div(x, away)) for x in xs)


def turn(b: Builder, y: Operand, x: Operand, r: Operand) -> tuple[Operand, Operand]:
    """How the angle of (x, y), at distance r, changes with y and with x; 0 at the origin."""
    zero = b.number(0.0, r)
    origin = b.apply(A.EQ, r, zero)
    by_y, by_x = b.div(b.div(x, r), r), b.neg(b.div(b.div(y, r), r))
    return b.select(origin, zero, by_y), b.select(origin, zero, by_x)


# Expansions.


def polynomial(b: Builder, x: Operand, coefficients: Sequence[float]) -> Operand:
    """The polynomial with these coefficients, highest power first."""
    value: Operand = b.number(coefficients[0], x)
    for c in coefficients[1:]:
        value = b.add(b.mul(value, x), b.number(c, x))
    return value


# tanh x = x + x s P(s) / Q(s) with s = x x below this; a ratio of polynomials that is equal to
# the function within 1e-17 (Cody and Waite).
_TANH_SMALL: Final = 0.625
_TANH_P: Final = (-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3)
_TANH_Q: Final = (
    1.0,
    1.12811678491632931402e2,
    2.23548839060100448583e3,
    4.84406305325125486048e3,
)


def tanh(b: Builder, x: Operand) -> Operand:
    """A ratio of polynomials near 0, 1 - 2 / (exp(2 |x|) + 1) elsewhere."""
    size, s = b.apply(FABS, x), b.mul(x, x)
    ratio = b.div(polynomial(b, s, _TANH_P), polynomial(b, s, _TANH_Q))
    near = b.add(x, b.mul(b.mul(x, s), ratio))
    e = b.apply(M.EXP, b.add(size, size))
    far = b.sub(b.one(x), b.div(b.number(2.0, x), b.add(e, b.one(x))))
    small = b.apply(A.LT, size, b.number(_TANH_SMALL, x))
    return b.apply(COPYSIGN, b.select(small, near, far), x)


def log10(b: Builder, x: Operand) -> Operand:
    """In double precision always."""
    kind = F32 if x.type is F32 else F64
    return b.cast(b.apply(LOG10_LIBM, b.cast(x, F64)), kind)


def cbrt(b: Builder, x: Operand) -> Operand:
    """In double precision one step of Newton's method after the C library's."""
    y = b.apply(CBRT_LIBM, x)
    if x.type is F32:
        return y
    step = b.div(b.sub(y, b.div(x, b.mul(y, y))), b.number(3.0, x))
    small = b.apply(A.LT, b.apply(FABS, step), b.number(math.inf, x))
    return b.select(small, b.sub(y, step), y)  # at 0 and infinity there is no step


# erfc(9/8 + t) for |t| <= 1/8.
_ERFC_MIDDLE: Final = 1.125
_ERFC_ENDS: Final = (1.0, 1.25)
_ERFC: Final = (
    -4.9455696834570095e-05,
    0.0001415583990117997,
    0.0001769550878579247,
    -0.0011532673547020597,
    0.0003601919898013683,
    0.006031260883106729,
    -0.009606894225829976,
    -0.015536835449762896,
    0.061323683605665806,
    -0.027973297133856677,
    -0.16245233298476766,
    0.35805820331336546,
    -0.3182739585007693,
    0.11161176829829224,
)


def erfc(b: Builder, x: Operand) -> Operand:
    """In double precision a polynomial from 1 to 5/4, where the C library's is worst."""
    y = b.apply(ERFC_LIBM, x)
    if x.type is F32:
        return y
    low, high = (b.number(c, x) for c in _ERFC_ENDS)
    middle = b.apply(A.AND, b.apply(A.GT, x, low), b.apply(A.LT, x, high))
    near = polynomial(b, b.sub(x, b.number(_ERFC_MIDDLE, x)), _ERFC)
    return b.select(middle, near, y)
