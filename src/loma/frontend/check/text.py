"""What programs show, checked: structs and arrays become their scalars with text around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from loma.frontend import surface, typed
from loma.frontend.codes import seeing as codes
from loma.frontend.lower.scan import subexpressions
from loma.ir.shown import merged
from loma.ir.types import I32, ArrayType, Scalar, StructType, TapeType, Type

if TYPE_CHECKING:
    from loma.frontend.check.stmt import FunctionChecker

MOST: Final = 64
"""Numbers of an array that are shown."""


def text(to: FunctionChecker, pieces: surface.Text) -> typed.Text | None:
    """The text with every value as its scalars; None once something is reported."""
    written = [p for p in pieces if not isinstance(p, str)]
    values = iter(to.in_order(written))
    found: list[typed.Expr | str] = []
    wrong = False
    for piece in pieces:
        if isinstance(piece, str):
            found.append(piece)
            continue
        shown = _value(to, piece, next(values))
        wrong = wrong or shown is None
        found += shown or ()
    return None if wrong else merged(found)


def asserted(to: FunctionChecker, s: surface.Assert) -> typed.Stmt | None:
    """An assertion; its message is evaluated only if it fails."""
    test = to.condition(s.cond)
    with to.without_steps():
        shown = text(to, s.message)
    if test is None or shown is None:
        return None
    return typed.Assert(test, shown, span=s.span)


def _value(
    to: FunctionChecker, e: surface.Expr, value: typed.Expr | None
) -> list[typed.Expr | str] | None:
    if value is None:
        return None
    if isinstance(value.type, Scalar):
        done = to.settled(value, value.type)
        return None if done is None else [done]
    found = _whole(to, value, e)
    if isinstance(found, str):
        to.report(codes.not_shown(e.span, found))
        return None
    return found


def _whole(
    to: FunctionChecker, value: typed.Expr, e: surface.Expr
) -> list[typed.Expr | str] | str:
    """A struct or array as text, or what is not shown."""
    t = value.type
    if t is None or isinstance(t, TapeType):
        return "a tape"
    if isinstance(t, ArrayType) and t.size is None:
        return "an array of unknown length"
    if any(isinstance(x, typed.Call | typed.Conditional) for x in subexpressions(value)):
        held = typed.Symbol("shown", t, e.span)
        to.ahead.append(typed.Declare(held, value, span=e.span))
        value = typed.Name(held, span=e.span)
    found = list(_parts(to, value, t))
    if sum(not isinstance(p, str) for p in found) > MOST:
        return f"a value of more than {MOST} numbers"
    return found


def _parts(to: FunctionChecker, e: typed.Expr, t: Type) -> Iterator[typed.Expr | str]:
    match t:
        case StructType(name):
            bare = to.types.tuples.is_tuple(name)
            yield "(" if bare else f"{name}("
            for k, (member, inner) in enumerate(to.types.members(name).items()):
                yield f"{', ' * (k > 0)}{'' if bare else f'{member}='}"
                yield from _parts(to, typed.Member(e, member, inner, span=e.span), inner)
            yield ")"
        case ArrayType(_, None):
            yield "[...]"
        case ArrayType(element, int() as size):
            yield "["
            for k in range(min(size, MOST + 1)):
                yield ", " * (k > 0)
                at = typed.Literal(k, I32, span=e.span)
                yield from _parts(to, typed.Index(e, at, element, span=e.span), element)
            yield "]"
        case _:
            yield e
