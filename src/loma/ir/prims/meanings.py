"""What elementary functions mean: real numbers as in IEEE 754, complex ones by their analytic
continuation, so that tests can take complex steps.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from loma.ir.prims.record import Meaning

Number: TypeAlias = complex | float | int

ROOT_PI: Final = math.sqrt(math.pi)
TERMS: Final = 120


def smooth(
    real: Callable[..., float], analytic: Callable[..., complex], *, pole: float = math.nan
) -> Meaning:
    """The function whose values are `real` on floats and `analytic` on complex numbers.

    It is -infinity at `pole`, infinite where it is too large, and nan outside its domain.
    """

    def meaning(*args: complex) -> complex:
        if any(isinstance(a, complex) for a in args):
            return analytic(*args)
        try:
            return real(*args)
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf if args[0] == pole else math.nan

    return meaning


def real_sinh(x: float) -> float:
    """sinh, infinite where it is too large."""
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def complex_cbrt(z: complex) -> complex:
    """The root near the real one."""
    return -complex_cbrt(-z) if z.real < 0 else z ** (1 / 3)


def complex_atan2(y: complex, x: complex) -> complex:
    """The angle of (x, y)."""
    if abs(y.real) > abs(x.real):
        return math.copysign(math.pi / 2, y.real) - cmath.atan(x / y)
    turned = math.copysign(math.pi, y.real) if x.real < 0 else 0.0
    return turned + cmath.atan(y / x)


def complex_erf(z: complex) -> complex:
    """The error function, by the series all of whose terms have one sign on the real line."""
    term = total = 2 * z / ROOT_PI * cmath.exp(-z * z)
    for n in range(1, TERMS):
        term *= 2 * z * z / (2 * n + 1)
        total += term
    return total


def fused(x: Number, y: Number, z: Number) -> Number:
    """x * y + z, of floats rounded once."""
    if any(isinstance(a, complex) for a in (x, y, z)):
        return x * y + z
    plain = x * y + z
    assert not isinstance(plain, complex), "operands are real"
    try:
        exact = Fraction(x.real) * Fraction(y.real) + Fraction(z.real)
        return float(exact) if exact else plain
    except (OverflowError, ValueError):  # infinite or nan, on the way or at the end
        return plain


def magnitude(x: Number) -> Number:
    """The absolute value of a real number, and its continuation."""
    if isinstance(x, complex):
        return -x if x.real < 0 else x
    return abs(x)


def least(x: Number, y: Number) -> Number:
    """The smaller number; the first of equal ones, nan if either is."""
    return y if y.real < x.real or y != y else x


def greatest(x: Number, y: Number) -> Number:
    """The larger number; the first of equal ones, nan if either is."""
    return y if y.real > x.real or y != y else x


def signum(x: Number) -> Number:
    """-1, 0 or 1; 0 keeps its sign, nan stays nan."""
    r = x.real
    if r != r or r == 0:
        return r
    return math.copysign(1.0, r) if isinstance(r, float) else (r > 0) - (r < 0)


def signed(x: Number, y: Number) -> Number:
    """|x| with the sign of y."""
    if isinstance(x, complex):
        return magnitude(x) * math.copysign(1.0, y.real)
    return math.copysign(x, y.real)


def to_whole(rule: Callable[[float], float]) -> Meaning:
    """A rounding rule on floats; what is infinite or nan stays so, zeros keep their sign."""

    def meaning(x: complex) -> complex:
        r = float(x.real)
        return math.copysign(float(rule(r)), r) if math.isfinite(r) else r

    return meaning


def half_away(x: float) -> float:
    """The nearest integer; halves away from zero."""
    whole = math.floor(abs(x))
    return math.copysign(whole + (abs(x) - whole >= 0.5), x)


def remainder(x: complex, y: complex) -> complex:
    """x - n y for the integer n = x / y truncated."""
    n = math.trunc(x.real / y.real)
    return x - n * y
