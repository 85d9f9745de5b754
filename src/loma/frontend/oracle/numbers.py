"""The oracle's arithmetic: real numbers, and a tower of dual numbers with rules of its own.

A `Dual` carries the slopes of a value along any number of directions; its parts may be duals of
older tags. Tags only grow, and the newest is outermost, so that nested derivatives never confuse
their directions.
"""

from __future__ import annotations

import importlib
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, TypeAlias

from loma.frontend.oracle import builtins as newer
from loma.ir.types import Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Dual:
    """value + sum of slopes[k] * e_k; a direction that is absent has slope exactly 0."""

    tag: int
    value: Number
    slopes: Mapping[int, Number]


Number: TypeAlias = float | Dual
Rule: TypeAlias = Callable[..., Number]


def real(x: Number) -> float:
    """The number without any infinitesimal part."""
    while isinstance(x, Dual):
        x = x.value
    return x


def is_zero(x: Number) -> bool:
    """Whether the number is exactly 0, its slopes included."""
    if isinstance(x, Dual):
        return is_zero(x.value) and all(is_zero(s) for s in x.slopes.values())
    return bool(x == 0)


def value_at(x: Number, tag: int) -> Number:
    """The number without its slopes of that tag."""
    return x.value if isinstance(x, Dual) and x.tag == tag else x


def slope_at(x: Number, tag: int, direction: int) -> Number:
    """The slope of that tag along a direction."""
    if isinstance(x, Dual) and x.tag == tag:
        return x.slopes.get(direction, 0.0)
    return 0.0


class Numbers:
    """A precision: 'f64' (doubles throughout), 'exact' (f32 is rounded) or a count of digits."""

    def __init__(self, precision: str | int) -> None:
        self._rounds = precision == "exact"
        self._functions: Mapping[str, Callable[..., float]] = DOUBLES
        self._leaf: Callable[[Any], float] = float
        if isinstance(precision, int):
            context = importlib.import_module("mpmath").mp.clone()
            context.dps = precision
            self._leaf = context.mpf
            self._functions = {
                name: _real_only(getattr(context, spelling), context)
                for name, spelling in MPMATH.items()
            } | {
                name: _real_only(function, context)
                for name, function in newer.many_digits(context).items()
            }
        self._newest = 0

    def fresh_tag(self) -> int:
        """A tag that no number has."""
        self._newest += 1
        return self._newest

    def leaf(self, x: float) -> float:
        """A plain number at this precision."""
        return self._leaf(x)

    def plain(self, x: Number) -> float:
        """The number without any infinitesimal part."""
        return real(x)

    def rounded(self, x: Number, type: Scalar) -> Number:
        """The number as memory of that type holds it, if this precision rounds at all."""
        if not self._rounds or type is not Scalar.F32:
            return x
        if isinstance(x, Dual):
            return Dual(x.tag, self.rounded(x.value, type), x.slopes)
        return to_f32(x)

    def apply(self, name: str, *args: Number) -> Number:
        """The primitive's value, with slopes by the oracle's own rules."""
        tag = max((a.tag for a in args if isinstance(a, Dual)), default=0)
        if tag == 0:
            return self._plain(name, args)
        values = tuple(value_at(a, tag) for a in args)
        out = self.apply(name, *values)
        slopes: dict[int, Number] = {}
        for rule, arg in zip(RULES[name], args, strict=True):
            if not isinstance(arg, Dual) or arg.tag != tag:
                continue
            partial: Number | None = None
            for direction, slope in arg.slopes.items():
                if is_zero(slope):
                    continue
                if partial is None:
                    partial = rule(self, out, *values)
                term = self.mul(partial, slope)
                slopes[direction] = (
                    self.add(slopes[direction], term) if direction in slopes else term
                )
        return Dual(tag, out, slopes) if slopes else out

    def _plain(self, name: str, args: tuple[Number, ...]) -> float:
        x, *rest = (real(a) for a in args)
        match name, rest:
            case "add", [y]:
                return x + y
            case "sub", [y]:
                return x - y
            case "mul", [y]:
                return x * y
            case "strong_mul", [y]:
                return 0.0 if y == 0 else x * y
            case "div", [y]:
                return _divide(x, y)
            case "pow_log", [y]:
                power = self._plain("pow", args)
                return power * self._plain("log", args[:1]) if power != 0 else 0.0
            case "neg", []:
                return -x
            case _:
                return self._functions[name](x, *rest)

    def add(self, x: Number, y: Number) -> Number:
        """x + y."""
        return self.apply("add", x, y)

    def mul(self, x: Number, y: Number) -> Number:
        """x * y, exactly 0 where either is."""
        if is_zero(x) or is_zero(y):
            return 0.0
        return self.apply("mul", x, y)


def to_f32(x: float) -> float:
    """The nearest single-precision number."""
    try:
        return float(struct.unpack("f", struct.pack("f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def _divide(x: float, y: float) -> float:
    if y != 0:
        return x / y
    if x == 0 or math.isnan(x):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _guarded(
    function: Callable[..., float], fallback: Callable[..., float]
) -> Callable[..., float]:
    def safe(*args: float) -> float:
        try:
            return function(*args)
        except (ValueError, OverflowError):
            return fallback(*args)

    return safe


def _real_only(function: Callable[..., Any], context: ModuleType) -> Callable[..., float]:
    def safe(*args: float) -> float:
        out = function(*args)
        result: float = context.nan if isinstance(out, context.mpc) else out
        return result

    return safe


def _wild_pow(x: float, y: float) -> float:
    odd = y == int(y) and int(y) % 2 == 1 if math.isfinite(y) else False
    if x < 0 and y != int(y):
        return math.nan
    return math.copysign(math.inf, x) if odd else math.inf


MPMATH: Final[Mapping[str, str]] = {
    "sin": "sin",
    "cos": "cos",
    "sqrt": "sqrt",
    "exp": "exp",
    "log": "log",
    "pow": "power",
}
DOUBLES: Final[Mapping[str, Callable[..., float]]] = {
    **newer.DOUBLES,
    "sin": _guarded(math.sin, lambda x: math.nan),
    "cos": _guarded(math.cos, lambda x: math.nan),
    "sqrt": _guarded(math.sqrt, lambda x: math.nan),
    "exp": _guarded(math.exp, lambda x: math.inf),
    "log": _guarded(math.log, lambda x: -math.inf if x == 0 else math.nan),
    "pow": _guarded(math.pow, _wild_pow),
}


def _pow_by_base(n: Numbers, out: Number, x: Number, y: Number) -> Number:
    return 0.0 if is_zero(y) else n.mul(y, n.apply("pow", x, n.add(y, -1.0)))


def _pow_by_exponent(n: Numbers, out: Number, x: Number, y: Number) -> Number:
    return n.apply("pow_log", x, y)


def _pow_log_by_base(n: Numbers, out: Number, x: Number, y: Number) -> Number:
    power = n.apply("pow", x, n.add(y, -1.0))
    return 0.0 if is_zero(power) else n.mul(power, n.add(n.mul(y, n.apply("log", x)), 1.0))


RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    **newer.RULES,
    "add": (lambda n, out, x, y: 1.0, lambda n, out, x, y: 1.0),
    "sub": (lambda n, out, x, y: 1.0, lambda n, out, x, y: -1.0),
    "mul": (lambda n, out, x, y: y, lambda n, out, x, y: x),
    "strong_mul": (lambda n, out, x, y: y, lambda n, out, x, y: x),
    "div": (
        lambda n, out, x, y: n.apply("div", 1.0, y),
        lambda n, out, x, y: n.apply("neg", n.apply("div", x, n.apply("mul", y, y))),
    ),
    "neg": (lambda n, out, x: -1.0,),
    "sin": (lambda n, out, x: n.apply("cos", x),),
    "cos": (lambda n, out, x: n.apply("neg", n.apply("sin", x)),),
    "sqrt": (lambda n, out, x: n.apply("div", 1.0, n.apply("add", out, out)),),
    "exp": (lambda n, out, x: out,),
    "log": (lambda n, out, x: n.apply("div", 1.0, x),),
    "pow": (_pow_by_base, _pow_by_exponent),
    "pow_log": (
        _pow_log_by_base,
        lambda n, out, x, y: 0.0 if is_zero(out) else n.mul(out, n.apply("log", x)),
    ),
}


def wrapped(x: int, t: Scalar) -> int:
    """The integer modulo the size of its type."""
    half = 1 << (8 * t.bytes - 1)
    return (int(x) + half) % (2 * half) - half


def shifted(name: str, x: int, count: int, t: Scalar) -> int:
    """x times or by 2 to the count, rounded down; a count that makes no sense moves all bits
    out.
    """
    outside = not 0 <= count < 8 * t.bytes
    if name == "shr":
        return (-1 if x < 0 else 0) if outside else x // 2**count
    return 0 if outside else wrapped(x * 2**count, t)


def saturated(x: float, t: Scalar) -> int:
    """The float truncated toward zero, kept within the integer type; nan gives 0."""
    half = 1 << (8 * t.bytes - 1)
    if math.isnan(x):
        return 0
    if not -half <= x < half:
        return half - 1 if x > 0 else -half
    return int(x)


COMPARISONS: Final[Mapping[str, Callable[..., bool]]] = {
    **newer.COMPARISONS,
    "lt": lambda x, y: bool(x < y),
    "le": lambda x, y: bool(x <= y),
    "gt": lambda x, y: bool(x > y),
    "ge": lambda x, y: bool(x >= y),
    "eq": lambda x, y: bool(x == y),
    "ne": lambda x, y: bool(x != y),
    "not": lambda x: not x,
    "and": lambda x, y: bool(x and y),
    "or": lambda x, y: bool(x or y),
}
INTEGERS: Final[Mapping[str, Callable[..., int]]] = {
    **newer.INTEGERS,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "neg": lambda x: -x,
    "bit_and": lambda x, y: x & y,
    "bit_or": lambda x, y: x | y,
    "bit_xor": lambda x, y: x ^ y,
    "bit_not": lambda x: ~x,
}
