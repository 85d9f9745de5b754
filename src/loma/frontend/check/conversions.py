"""Conversions between numbers that are written as calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.frontend import surface, typed
from loma.frontend.codes import calls as codes
from loma.ir.types import I32, Scalar

if TYPE_CHECKING:
    from loma.frontend.check.call import CallChecker


def int2float(c: CallChecker, e: surface.Call) -> typed.Expr | None:
    """int2float(x)."""
    value = _given(c, e, False, "int")
    return None if value is None else converted(c, value, c.context.float_type, e)


def float2int(c: CallChecker, e: surface.Call) -> typed.Expr | None:
    """float2int(x)."""
    value = _given(c, e, True, "float")
    return None if value is None else converted(c, value, I32, e)


def _given(c: CallChecker, e: surface.Call, is_float: bool, kind: str) -> typed.Expr | None:
    """The operand of a conversion from floats, or from ints and bools."""
    values = c.scalars(e, f"{e.function}(x : {kind})", 1)
    if values is None:
        return None
    if isinstance(values[0].type, Scalar) and values[0].type.is_float is not is_float:
        wanted = f"{'a' if is_float else 'an'} `{kind}`"
        c.report(codes.not_a_number(e, e.args[0].span, c.types.text(values[0].type), wanted))
        return None
    return values[0]


def cast(c: CallChecker, e: surface.Call, to: Scalar) -> typed.Expr | None:
    """float(x), i64(x) ..."""
    values = c.scalars(e, f"{e.function}(x)", 1)
    return None if values is None else converted(c, values[0], to, e)


def converted(c: CallChecker, value: typed.Expr, to: Scalar, e: surface.Call) -> typed.Expr | None:
    """A value in another type; a literal takes it."""
    if isinstance(value, typed.Literal):
        return c.settled(value, to)
    return typed.Convert(value, to, span=e.span)
