"""Tuples: structs without a name, made by `a, b` and taken apart by `u, v = ...`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loma.frontend import surface, typed
from loma.frontend.codes import methods as codes
from loma.frontend.codes import types as type_codes
from loma.frontend.convert import Weak
from loma.ir.types import ArrayType, Scalar, StructType, TapeType, Type

if TYPE_CHECKING:
    from loma.frontend.check.assign import Assignments
    from loma.frontend.check.expr import ExpressionChecker

IGNORED: Final = "_"


@dataclass(frozen=True, slots=True, eq=False)
class TupleValue(typed.Call):
    """A tuple as written: its elements may still take other types, as literals do.

    To everyone else it is a call that makes a tuple of the elements' own types.
    """

    elements: tuple[typed.Expr, ...] = ()


def tuple_value(
    c: ExpressionChecker, e: surface.Tuple, wanted: Type | None = None
) -> typed.Expr | None:
    """a, b; in the type wanted, if it can be, else in that of its elements."""
    found = c.in_order(e.elements)
    elements = [x for x in found if x is not None]
    types = [t for x in elements if (t := _element_type(c, x)) is not None]
    if len(types) < len(found):
        return None
    if wanted is not None:
        found_as = shaped(c, TupleValue("", (), wanted, tuple(elements), span=e.span), wanted)
        if not isinstance(found_as, TupleValue):
            return found_as
    t = c.types.tuples.type_of(types)
    made = shaped(c, TupleValue("", (), t, tuple(elements), span=e.span), t)
    if not isinstance(made, typed.Call):
        return None
    return TupleValue(made.function, made.args, t, tuple(elements), span=e.span)


def _element_type(c: ExpressionChecker, e: typed.Expr) -> Type | None:
    t = e.type
    if t is None or isinstance(t, TapeType) or isinstance(t, ArrayType) and t.size is None:
        c.report(codes.tuple_element(e.span, c.types.text(t)))
        return None
    return t


def shaped(c: ExpressionChecker, value: typed.Expr | None, wanted: Type | None) -> (
    typed.Expr | None
):
    """The value; one that is written as a tuple is made in the type wanted, if it can be."""
    if not isinstance(value, TupleValue) or not isinstance(wanted, StructType):
        return value
    types = c.types.tuples.elements(wanted)
    if types is None or len(types) != len(value.elements):
        return value
    args: list[typed.Expr] = []
    for x, t in zip(value.elements, types, strict=True):
        done = c.settled(x, t) if isinstance(x.type, Scalar) and isinstance(t, Scalar) else (
            shaped(c, x, t))
        if done is None:
            return None
        if done.type != t:
            return value
        args.append(done)
    function = c.context.maker("make", wanted)
    c.called.add(function)
    return typed.Call(function, tuple(args), wanted, span=value.span)


def element(
    c: ExpressionChecker, e: surface.Index, base: typed.Expr, index: typed.Expr | None
) -> typed.Expr | None:
    """base[k] of a tuple: k is known."""
    types = c.types.tuples.elements(base.type)
    if types is None or index is None:
        return None
    if not (isinstance(index, typed.Literal) and isinstance(index.value, int)):
        c.report(codes.tuple_index(e, e.index.span))
        return None
    k = index.value + (len(types) if index.value < 0 else 0)
    if not 0 <= k < len(types):
        c.report(type_codes.index_outside(e.index.span, len(types)))
        return None
    return typed.Member(base, c.types.tuples.member(k), types[k], span=e.span)


# Unpacking.


def unpack(c: Assignments, s: surface.Assign, target: surface.Tuple) -> typed.Stmt | None:
    """u, v = value: every value is evaluated before the first target is written."""
    value = s.value
    if not isinstance(value, surface.Tuple) or len(value.elements) != len(target.elements):
        return unpack_value(c, s, target, c.right_side(value))
    parts = c.in_order(value.elements, c.right_side)
    if not all(_is_fresh(c, t) for t in target.elements):
        parts = [None if p is None else _kept(c, s, t, p)
                 for t, p in zip(target.elements, parts, strict=True)]
    return _written(c, s, target, parts, value.elements)


def unpack_value(
    c: Assignments, s: surface.Assign, target: surface.Tuple, value: typed.Expr | None
) -> typed.Stmt | None:
    """u, v = a value that is checked already."""
    return _written(c, s, target, _parts(c, s, target, value), (s.value,) * len(target.elements))


def _written(
    c: Assignments, s: surface.Assign, target: surface.Tuple, parts: list[typed.Expr | None],
    sources: Sequence[surface.Expr],
) -> typed.Stmt | None:
    """The assignments, the last of which comes back; the others go ahead of it."""
    last: typed.Stmt | None = None
    for t, part, source in zip(target.elements, parts, sources, strict=True):
        if last is not None:
            c.ahead.append(last)
        step = surface.Assign(t, source, span=s.span)
        c.unpacked.add(step)
        last = c.assigned(step, part)
    return last


def _parts(
    c: Assignments, s: surface.Assign, target: surface.Tuple, whole: typed.Expr | None
) -> list[typed.Expr | None]:
    """The elements of a tuple that is evaluated once; None for each if there are none."""
    count = len(target.elements)
    if whole is None:
        return [None] * count
    types = c.types.tuples.elements(whole.type)
    if types is None or len(types) != count:
        c.report(codes.unpacked(s, s.value.span, count, None if types is None else len(types),
                                c.types.text(whole.type)))
        return [None] * count
    base = _held(c, whole)
    return [typed.Member(base, c.types.tuples.member(k), t, span=whole.span)
            for k, t in enumerate(types)]


def _kept(
    c: Assignments, s: surface.Assign, target: surface.Expr, value: typed.Expr
) -> typed.Expr:
    """The value as it is now, for a target that is written after others."""
    if isinstance(value.type, ArrayType) and isinstance(target, surface.Index | surface.Subscript):
        return c.copy_of(s, value)
    return _held(c, value)


def _held(c: Assignments, value: typed.Expr) -> typed.Expr:
    """The value in a variable of its own; a number as written stays one."""
    if isinstance(value, Weak) or value.type is None or isinstance(value.type, ArrayType):
        return value
    symbol = typed.Symbol("t", value.type, value.span)
    c.ahead.append(typed.Declare(symbol, value, span=value.span))
    return typed.Name(symbol, span=value.span)


def _is_fresh(c: Assignments, target: surface.Expr) -> bool:
    """Whether a target is a name that nothing on the right can mean."""
    return isinstance(target, surface.Name) and c.scope.find(target.name) is None


def is_ignored(c: Assignments, target: surface.Expr) -> bool:
    """Whether a target is `_`, which takes a value that nobody wants."""
    return (isinstance(target, surface.Name) and target.name == IGNORED
            and c.scope.find(IGNORED) is None)
