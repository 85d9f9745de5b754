"""The shapes of arrays: sizes as expressions, and arithmetic on them that folds literals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from loma.diagnostics import Span
from loma.frontend import typed
from loma.frontend.convert import coerce
from loma.ir.prims import arithmetic as prims
from loma.ir.prims.record import Prim
from loma.ir.types import BOOL, I32, I64, ArrayType, Scalar, Type

Shape: TypeAlias = tuple[typed.Expr | None, ...]


def number(value: int, span: Span, t: Scalar = I32) -> typed.Literal:
    """An integer literal."""
    return typed.Literal(value, t, span=span)


def literal(e: typed.Expr | None) -> int | None:
    """The value of an integer literal."""
    if isinstance(e, typed.Literal) and isinstance(e.value, int):
        return int(e.value)
    return None


def _meet(x: typed.Expr, y: typed.Expr) -> tuple[typed.Expr, typed.Expr, Scalar]:
    t = I64 if I64 in (x.type, y.type) else I32
    a, b = coerce(x, t), coerce(y, t)
    assert a is not None and b is not None, "sizes fit into their types"
    return a, b, t


def _apply(prim: Prim, x: typed.Expr, y: typed.Expr, span: Span) -> typed.Expr:
    a, b, t = _meet(x, y)
    return typed.Apply(prim, (a, b), t, span=span)


def add(x: typed.Expr, y: typed.Expr, span: Span) -> typed.Expr:
    """x + y."""
    a, b = literal(x), literal(y)
    if a == 0 or b == 0:
        return y if a == 0 else x
    if a is not None and b is not None:
        return number(a + b, span)
    return _apply(prims.ADD, x, y, span)


def subtract(x: typed.Expr, y: typed.Expr, span: Span) -> typed.Expr:
    """x - y; what was added to y to give x, where that shows."""
    a, b = literal(x), literal(y)
    if b == 0:
        return x
    if a is not None and b is not None:
        return number(a - b, span)
    match x:
        case typed.Apply(prims.ADD, (first, second)) if alike(first, y):
            return second
        case _ if alike(x, y):
            return number(0, span)
        case _:
            return _apply(prims.SUB, x, y, span)


def multiply(x: typed.Expr, y: typed.Expr, span: Span) -> typed.Expr:
    """x * y."""
    a, b = literal(x), literal(y)
    if a == 0 or b == 0:
        return number(0, span)
    if a == 1 or b == 1:
        return y if a == 1 else x
    if a is not None and b is not None:
        return number(a * b, span)
    return _apply(prims.MUL, x, y, span)


def product(sizes: Sequence[typed.Expr], span: Span) -> typed.Expr:
    """The product of sizes."""
    found: typed.Expr = number(1, span)
    for size in sizes:
        found = multiply(found, size, span)
    return found


def flat_index(indices: Sequence[typed.Expr], shape: Shape, span: Span) -> typed.Expr:
    """The number of the element, or part, at some indices: row by row."""
    found: typed.Expr = number(0, span)
    for k, index in enumerate(indices):
        size = shape[k]
        if k:
            assert size is not None, "only the first size can be unknown"
            found = multiply(found, size, span)
        found = add(found, index, span)
    return found


def compare(prim: Prim, x: typed.Expr, y: typed.Expr, span: Span) -> typed.Expr | None:
    """x <= y or x == y as a condition; None where it certainly holds."""
    a, b = literal(x), literal(y)
    if alike(x, y) or (a is not None and b is not None and (a == b or prim is prims.LE and a < b)):
        return None
    left, right, _ = _meet(x, y)
    return typed.Apply(prim, (left, right), BOOL, span=span)


def alike(a: object, b: object) -> bool:
    """Whether two expressions certainly have one value."""
    match a, b:
        case typed.Literal(value=x), typed.Literal(value=y):
            return x == y
        case typed.Name(symbol=x), typed.Name(symbol=y):
            return x is y
        case str(), str():
            return a == b
        case typed.Apply(), typed.Apply():
            return a.prim is b.prim and all(map(alike, a.args, b.args))
        case typed.Convert(), typed.Convert():
            return a.type is b.type and alike(a.value, b.value)
        case _:
            return a is b


# Shapes of places.


def shape_of(e: typed.Expr, span: Span) -> Shape:
    """The sizes of an array's dimensions; those of its elements are not among them."""
    match e:
        case typed.View(shape=shape):
            return shape
        case typed.Name(symbol) if symbol.shape:
            return symbol.shape
        case _:
            assert isinstance(e.type, ArrayType), "arrays have shapes"
            return (None if e.type.size is None else number(e.type.size, span),)


def inner_sizes(t: Type, span: Span) -> tuple[typed.Expr, ...]:
    """The sizes of the arrays of known length that a type is made of, outermost first."""
    found: list[typed.Expr] = []
    while isinstance(t, ArrayType) and t.size is not None:
        found.append(number(t.size, span))
        t = t.element
    return tuple(found)


def leaf(t: Type) -> Type:
    """What the arrays of known length in a type hold in the end."""
    while isinstance(t, ArrayType) and t.size is not None:
        t = t.element
    return t


def whole_shape(e: typed.Expr, span: Span) -> Shape:
    """The sizes of all dimensions of an array, those of its elements included."""
    assert isinstance(e.type, ArrayType), "arrays have shapes"
    return (*shape_of(e, span), *inner_sizes(e.type.element, span))


def as_view(e: typed.Expr, span: Span) -> typed.View:
    """An array as a part of itself: all of it."""
    if isinstance(e, typed.View):
        return e
    assert isinstance(e.type, ArrayType), "parts of arrays are arrays"
    whole = ArrayType(e.type.element)
    return typed.View(e, number(0, span), whole, shape_of(e, span), span=span)
