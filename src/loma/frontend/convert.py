"""Conversions between scalars, and literals that take the type of their neighbours."""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from loma.diagnostics import Span
from loma.frontend import typed
from loma.ir.types import BOOL, F32, F64, I32, I64, Scalar

RANK: Final = (BOOL, I32, I64, F32, F64)
LIMITS: Final = {I32: 2**31, I64: 2**63}
FOLDED: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow,
}


@dataclass(frozen=True, slots=True, eq=False)
class Weak(typed.Literal):
    """A literal as written: not rounded yet, and of whatever type its neighbour has.

    Never left in a finished tree: `coerce` turns it into a plain literal.
    """


def weak(value: float | int | bool, float_type: Scalar, span: Span) -> typed.Literal:
    """The literal of a number as written; truth values have their type for good."""
    if isinstance(value, bool):
        return typed.Literal(value, BOOL, span=span)
    if isinstance(value, float):
        return Weak(value, float_type, span=span)
    return Weak(value, I32 if -LIMITS[I32] <= value < LIMITS[I32] else I64, span=span)


def common(left: typed.Expr, right: typed.Expr, float_type: Scalar) -> Scalar:
    """The type in which two scalars meet."""
    a, b = left.type, right.type
    assert isinstance(a, Scalar) and isinstance(b, Scalar), "operands are scalars"
    match isinstance(left, Weak), isinstance(right, Weak):
        case True, False:
            return _beside(b, a, float_type)
        case False, True:
            return _beside(a, b, float_type)
        case _:
            return max(a, b, key=RANK.index)


def _beside(strong: Scalar, literal: Scalar, float_type: Scalar) -> Scalar:
    if literal.is_float:
        return strong if strong.is_float else float_type
    return literal if strong is BOOL else strong


def rounded(value: float | int | bool, to: Scalar) -> float | int | bool | None:
    """The value that a literal has in type `to`; None when it does not fit."""
    try:
        if to is BOOL:
            return bool(value)
        if to.is_int:
            whole = int(value)
            return whole if -LIMITS[to] <= whole < LIMITS[to] else None
        number = float(value)
        if to is F32:
            number = struct.unpack("f", struct.pack("f", number))[0]
        return number if math.isfinite(number) or not math.isfinite(value) else None
    except (OverflowError, ValueError):
        return None


def fits_in(value: float | int | bool, to: Scalar) -> bool:
    """Whether a number may stand for a value of type `to`: no fraction is lost."""
    if to is BOOL:
        return isinstance(value, bool)
    return to.is_float or not isinstance(value, float)


def coerce(e: typed.Expr, to: Scalar) -> typed.Expr | None:
    """The expression in type `to`; None for a literal that does not fit."""
    if isinstance(e, typed.Literal):
        value = rounded(e.value, to)
        return None if value is None else typed.Literal(value, to, span=e.span)
    return e if e.type is to else typed.Convert(e, to, span=e.span)


def folded(symbol: str, left: typed.Expr, right: typed.Expr, span: Span) -> Weak | None:
    """Arithmetic on two literals, one of them a float: a literal again, rounded only once."""
    if not (isinstance(left, Weak) and isinstance(right, Weak)) or symbol not in FOLDED:
        return None
    if not (left.type.is_float or right.type.is_float):
        return None
    try:
        value = FOLDED[symbol](float(left.value), float(right.value))
    except (OverflowError, ZeroDivisionError):
        return None
    if isinstance(value, complex) or not math.isfinite(value):
        return None
    return Weak(value, left.type if left.type.is_float else right.type, span=span)
