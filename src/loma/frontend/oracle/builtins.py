"""The oracle's own account of the newer builtins: values on real numbers, and slopes.

A rule is called with the numbers `n`, the result and the operands, any of which may be dual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from loma.frontend.oracle.numbers import Number, Numbers, Rule

    Value = Callable[..., Any]


# Values, on doubles and on numbers of many digits.


def _guarded(function: Value, pole: float = math.nan) -> Value:
    """Infinite where it is too large, -infinity at its pole, nan outside its domain."""

    def safe(*args: float) -> float:
        try:
            return float(function(*args))
        except OverflowError:
            return math.copysign(math.inf, args[0]) if function is math.sinh else math.inf
        except ValueError:
            return -math.inf if args[0] == pole else math.nan

    return safe


def _whole(step: Callable[[Any, int], int]) -> Value:
    """A rounding rule from the truncated number and what it adds to it."""

    def rule(x: float) -> float:
        if not abs(x) < math.inf:
            return x
        n = int(x)
        n += step(x, n)
        return n + x * 0 if n else x * 0

    return rule


def _fmod(x: float, y: float) -> float:
    if not y or not abs(x) < math.inf:
        return math.nan
    return math.fmod(x, y) if isinstance(x, float) else x - y * int(x / y)


def _copysign(x: float, y: float) -> float:
    return math.copysign(x, y) if isinstance(x, float) else abs(x) * (-1 if y < 0 else 1)


def _fma(x: float, y: float, z: float) -> float:
    plain = x * y + z
    if not isinstance(plain, float) or not math.isfinite(plain) or not plain:
        return plain
    return float(Fraction(x) * Fraction(y) + Fraction(z))


def _lesser(x: float, y: float) -> float:
    return y if y < x or y != y else x


def _greater(x: float, y: float) -> float:
    return y if y > x or y != y else x


def _sign(x: float) -> float:
    return x / abs(x) if 0 < abs(x) < math.inf else 1.0 if x > 0 else -1.0 if x < 0 else x


SHARED: Final[Mapping[str, Value]] = {
    "floor": _whole(lambda x, n: -(n > x)),
    "ceil": _whole(lambda x, n: n < x),
    "trunc": _whole(lambda x, n: 0),
    "round": _whole(lambda x, n: (x - n >= 0.5) - (n - x >= 0.5)),
    "fmod": _fmod,
    "copysign": _copysign,
    "fma": _fma,
    "abs": abs,
    "min": _lesser,
    "max": _greater,
    "clamp": lambda x, low, high: _lesser(_greater(x, low), high),
    "sign": _sign,
    "stop_gradient": lambda x: x.real,
}
DIGITS: Final = (
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "expm1",
    "log10",
    "log1p",
    "hypot",
    "erf",
    "erfc",
)
DOUBLES: Final[Mapping[str, Value]] = {
    **SHARED,
    **{
        name: _guarded(getattr(math, name))
        for name in (*DIGITS, "exp2", "cbrt")
    },
    "log2": _guarded(math.log2, 0.0),
    "log10": _guarded(math.log10, 0.0),
    "log1p": _guarded(math.log1p, -1.0),
}


def many_digits(context: ModuleType) -> Mapping[str, Value]:
    """The values in a context of mpmath."""
    return {
        **SHARED,
        **{name: getattr(context, name) for name in DIGITS},
        "exp2": lambda x: context.power(2, x),
        "log2": lambda x: context.log(x, 2),
        "cbrt": lambda x: -context.cbrt(-x) if x < 0 else context.cbrt(x),
    }


INTEGERS: Final[Mapping[str, Callable[..., int]]] = {
    "stop_gradient": lambda x: x,
    "abs": abs,
    "min": min,
    "max": max,
    "clamp": lambda x, low, high: min(max(x, low), high),
    "sign": lambda x: (x > 0) - (x < 0),
}
COMPARISONS: Final[Mapping[str, Callable[..., bool]]] = {
    "isnan": lambda x: bool(x != x),
    "isinf": lambda x: bool(abs(x) == math.inf),
}

# Slopes.


def _over(n: Numbers, x: Number, y: Number) -> Number:
    return n.apply("div", x, y)


def _square(n: Numbers, x: Number) -> Number:
    return n.apply("mul", x, x)


def _inverse_arc(n: Numbers, x: Number) -> Number:
    return _over(n, 1.0, n.apply("sqrt", n.apply("sub", 1.0, _square(n, x))))


def _circle(n: Numbers, out: Number, part: Number, x: Number, y: Number) -> Number:
    """part / (x x + y y), 0 at the origin."""
    if n.plain(x) == 0 and n.plain(y) == 0:
        return 0.0
    r = n.apply("hypot", x, y)
    return _over(n, _over(n, part, r), r)


def _per_log(n: Numbers, x: Number, base: float) -> Number:
    return _over(n, _over(n, 1.0, n.apply("log", n.leaf(base))), x)


def _bell(n: Numbers, x: Number, factor: float) -> Number:
    root_pi = n.apply("sqrt", n.apply("mul", 4.0, n.apply("atan", n.leaf(1.0))))
    falling = n.apply("exp", n.apply("neg", _square(n, x)))
    return n.apply("mul", _over(n, factor, root_pi), falling)


def _arm(n: Numbers, out: Number, x: Number) -> Number:
    return 0.0 if n.plain(out) == 0 else _over(n, x, out)


def _turns(n: Numbers, out: Number, x: Number, y: Number) -> Number:
    """How often the divisor was taken away."""
    if not n.plain(y):
        return math.nan
    return -round((n.plain(x) - n.plain(out)) / n.plain(y)) * 1.0


def _toward(n: Numbers, x: Number, sign: float) -> float:
    """`sign` times the sign of x, 0 at 0."""
    at = n.plain(x)
    return -sign if at < 0 else 0.0 if at == 0 else sign


def _second(n: Numbers, x: Number, y: Number, sign: int) -> bool:
    """Whether min (sign 1) or max (sign -1) is its second operand."""
    a, b = n.plain(x), n.plain(y)
    return sign * b < sign * a or b != b


def _clamped(n: Numbers, x: Number, low: Number, high: Number) -> int:
    """Which operand of clamp is its value."""
    raised = _second(n, x, low, -1)
    return 2 if _second(n, low if raised else x, high, 1) else int(raised)


def _flat(n: Numbers, out: Number, x: Number) -> Number:
    return 0.0


RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "stop_gradient": (lambda n, out, x: 0.0,),
    "tan": (lambda n, out, x: _over(n, 1.0, _square(n, n.apply("cos", x))),),
    "asin": (lambda n, out, x: _inverse_arc(n, x),),
    "acos": (lambda n, out, x: n.apply("neg", _inverse_arc(n, x)),),
    "atan": (lambda n, out, x: _over(n, 1.0, n.apply("add", 1.0, _square(n, x))),),
    "atan2": (
        lambda n, out, y, x: _circle(n, out, x, x, y),
        lambda n, out, y, x: _circle(n, out, n.apply("neg", y), x, y),
    ),
    "sinh": (lambda n, out, x: n.apply("cosh", x),),
    "cosh": (lambda n, out, x: n.apply("sinh", x),),
    "tanh": (lambda n, out, x: _over(n, 1.0, _square(n, n.apply("cosh", x))),),
    "exp2": (lambda n, out, x: n.apply("mul", n.apply("log", n.leaf(2.0)), out),),
    "expm1": (lambda n, out, x: n.apply("exp", x),),
    "log2": (lambda n, out, x: _per_log(n, x, 2.0),),
    "log10": (lambda n, out, x: _per_log(n, x, 10.0),),
    "log1p": (lambda n, out, x: _over(n, 1.0, n.apply("add", x, 1.0)),),
    "cbrt": (lambda n, out, x: _over(n, 1.0, n.apply("mul", 3.0, _square(n, out))),),
    "hypot": (lambda n, out, x, y: _arm(n, out, x), lambda n, out, x, y: _arm(n, out, y)),
    "erf": (lambda n, out, x: _bell(n, x, 2.0),),
    "erfc": (lambda n, out, x: _bell(n, x, -2.0),),
    "floor": (_flat,),
    "ceil": (_flat,),
    "trunc": (_flat,),
    "round": (_flat,),
    "sign": (_flat,),
    "fmod": (lambda n, out, x, y: 1.0, _turns),
    "copysign": (
        lambda n, out, x, y: _toward(n, x, math.copysign(1.0, n.plain(out))),
        lambda n, out, x, y: 0.0,
    ),
    "fma": (
        lambda n, out, x, y, z: y,
        lambda n, out, x, y, z: x,
        lambda n, out, x, y, z: 1.0,
    ),
    "abs": (lambda n, out, x: _toward(n, x, 1.0),),
    "min": (
        lambda n, out, x, y: float(not _second(n, x, y, 1)),
        lambda n, out, x, y: float(_second(n, x, y, 1)),
    ),
    "max": (
        lambda n, out, x, y: float(not _second(n, x, y, -1)),
        lambda n, out, x, y: float(_second(n, x, y, -1)),
    ),
    "clamp": (
        lambda n, out, *args: float(_clamped(n, *args) == 0),
        lambda n, out, *args: float(_clamped(n, *args) == 1),
        lambda n, out, *args: float(_clamped(n, *args) == 2),
    ),
}
