"""Several indices, rows and slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.expr import ExpressionChecker
from loma.frontend.check.shapes import (
    Shape,
    add,
    as_view,
    compare,
    flat_index,
    leaf,
    literal,
    multiply,
    number,
    product,
    shape_of,
    subtract,
    whole_shape,
)
from loma.frontend.codes import arrays as codes
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import types as type_codes
from loma.ir.prims import arithmetic as prims
from loma.ir.types import BOOL, I32, I64, ArrayType, Scalar, StructType, type_text

OUTSIDE = "a slice is outside of its array"


class Views(ExpressionChecker):
    """Checks what is written in brackets."""

    def index(self, e: surface.Index) -> typed.Expr | None:
        """base[index], and array.shape[k]."""
        if isinstance(e.base, surface.Member) and e.base.field == "shape":
            array = self.expr(e.base.base)
            if array is None or isinstance(array.type, ArrayType):
                return None if array is None else self._dimension(e, array)
        base, index = self.in_order((e.base, e.index))
        if base is not None and isinstance(base.type, StructType):
            return self.subscript(e, base, (index,))
        index = self._whole(e, e.index, index)
        if base is None or index is None:
            return None
        return self.indexed(e, base, [index])

    def several(self, e: surface.Subscript) -> typed.Expr | None:
        """base[items]."""
        items = [i for i in e.items if not isinstance(i, surface.Slice)]
        last = e.items[-1]
        limits = (last.low, last.high) if isinstance(last, surface.Slice) else ()
        written = [b for b in limits if b is not None]
        base, *found = self.in_order((e.base, *items, *written))
        if base is not None and isinstance(base.type, StructType) and len(items) == len(e.items):
            return self.subscript(e, base, found)
        for item in e.items[:-1]:
            if isinstance(item, surface.Slice):
                self.report(codes.slice_position(e, item.span))
                base = None
        whole = [self._whole(e, i, v) for i, v in zip((*items, *written), found, strict=True)]
        known = [i for i in whole if i is not None]
        if base is None or len(known) < len(whole):
            return None
        indices, bounds = known[:len(items)], iter(known[len(items):])
        part = self.indexed(e, base, indices) if indices else base
        if part is None or not limits:
            return part
        low, high = (None if b is None else next(bounds) for b in limits)
        return self._slice(e, part, low, high)

    def _whole(
        self, e: surface.Node, index: surface.Expr, found: typed.Expr | None
    ) -> typed.Expr | None:
        """An index or a bound: an integer."""
        if found is None:
            return None
        if isinstance(found.type, Scalar) and not found.type.is_float:
            return self.settled(found, I32 if found.type is BOOL else found.type)
        self.report(type_codes.index_not_int(e, index.span, self.types.text(found.type)))
        return None

    def indexed(
        self, e: surface.Index | surface.Subscript, base: typed.Expr, indices: list[typed.Expr]
    ) -> typed.Expr | None:
        """The element, or row, at some indices."""
        first, dimensions, given = base, 0, len(indices)
        while indices:
            if not isinstance(base.type, ArrayType):
                if base is first:
                    self.report(type_codes.not_an_array(
                        e, e.base.span, self.types.text(base.type)))
                else:
                    self.report(codes.too_many_indices(e, e.span, self.shown(first), dimensions))
                return None
            shape = shape_of(base, e.span)
            here, indices = indices[:len(shape)], indices[len(shape):]
            dimensions += len(shape)
            here = [from_end(i, n) for i, n in zip(here, shape, strict=False)]
            if not all(self._inside(i, n) for i, n in zip(here, shape, strict=False)):
                return None
            base = self.element(base, here, shape, e.span)
        assert given, "an index is written"
        return base

    def _inside(self, index: typed.Expr, size: typed.Expr | None) -> bool:
        value, most = literal(index), literal(size)
        if value is not None and (value < 0 or (most is not None and value >= most)):
            self.report(type_codes.index_outside(index.span, most))
            return False
        return True

    def element(
        self, base: typed.Expr, indices: Sequence[typed.Expr], shape: Shape, span: Span
    ) -> typed.Expr:
        """The element, or row, at as many indices as there are sizes, or fewer."""
        assert isinstance(base.type, ArrayType), "arrays are indexed"
        at = tuple([(i, n) for i, n in zip(indices, shape, strict=False) if n is not None])
        element, rest = base.type.element, shape[len(indices):]
        flat = flat_index(indices, shape, span)
        if not isinstance(base, typed.View):
            known = isinstance(base, typed.Name) and bool(base.symbol.shape)
            if not rest:
                return typed.Index(base, flat, element, at if known else (), span=span)
            base = as_view(base, span)
        whole = [n for n in rest if n is not None]
        base, start = _moved(base, multiply(flat, product(whole, span), span), span)
        at = (*base.at, *at)
        if rest:
            return replace(base, start=start, shape=rest, at=at, span=span)
        return typed.Index(base.base, start, element, at, span=span)

    def _slice(
        self, e: surface.Subscript, part: typed.Expr,
        low: typed.Expr | None, high: typed.Expr | None,
    ) -> typed.Expr | None:
        if not isinstance(part.type, ArrayType):
            self.report(type_codes.not_an_array(e, e.base.span, self.types.text(part.type)))
            return None
        if isinstance(part, typed.Name) and part.symbol.growable:
            self.report(codes.no_view(e, e.base.span, self.shown(part)))
            return None
        view, span = as_view(part, e.span), e.span
        size, *inner = view.shape
        low = number(0, span) if low is None else from_end(low, size)
        high = size if high is None else from_end(high, size)
        length = None if high is None else subtract(high, low, span)
        conditions = self._bounds(low, high, size, length, span)
        if conditions is None:
            return None
        known = [n for n in inner if n is not None]
        view, start = _moved(view, multiply(low, product(known, span), span), span)
        if conditions:
            assert isinstance(start.type, Scalar), "an index is a number"
            start = typed.Checked(start, tuple((c, OUTSIDE) for c in conditions), start.type,
                                  span=span)
        return replace(view, start=start, shape=(length, *inner), span=span)

    def _bounds(
        self, low: typed.Expr, high: typed.Expr | None, size: typed.Expr | None,
        length: typed.Expr | None, span: Span,
    ) -> list[typed.Expr] | None:
        """What must hold for a slice; None where it certainly does not."""
        pairs: list[tuple[typed.Expr, typed.Expr]] = [(number(0, span), low)]
        if high is not None and length is not None:
            known = literal(length) is not None
            pairs.append((number(0, span), length) if known else (low, high))
            pairs += [] if size is None else [(high, size)]
        if any((literal(a) or 0) > most for a, b in pairs
               if literal(a) is not None and (most := literal(b)) is not None):
            self.report(type_codes.index_outside(span, literal(size)))
            return None
        found = [compare(prims.LE, a, b, span) for a, b in pairs]
        return [c for c in found if c is not None]

    def integer(self, e: surface.Expr, what: str) -> typed.Expr | None:
        """A bound of a range or the length of an array."""
        value = self.expr(e)
        if value is None:
            return None
        if isinstance(value.type, Scalar) and value.type in (I32, I64):
            return self.settled(value, value.type)
        self.report(type_codes.bound_not_int(e.span, what, self.types.text(value.type)))
        return None

    # Sizes.

    def shown(self, e: typed.Expr) -> str:
        """The type of an array with its shape."""
        if not isinstance(e.type, ArrayType) or shape_of(e, e.span) == (None,):
            return self.types.text(e.type)
        return shape_text(e.type, whole_shape(e, e.span), self.context.float_type)

    def length(self, e: surface.Call) -> typed.Expr | None:
        """len(array)."""
        found = self._one_array(e)
        return None if found is None else self._known(e, found, 0)

    def flat(self, e: surface.Call) -> typed.Expr | None:
        """flat(array): all elements in one dimension."""
        found = self._one_array(e)
        if found is None:
            return None
        shape = whole_shape(found, e.span)
        sizes = [n for n in shape if n is not None]
        if len(sizes) < len(shape) and len(shape) > 1:
            self.report(codes.no_length(e, e.args[0].span, self.shown(found)))
            return None
        view = as_view(found, e.span)
        whole = product(sizes, e.span) if sizes else None
        return replace(view, type=ArrayType(leaf(view.type.element)), shape=(whole,), span=e.span)

    def _one_array(self, e: surface.Call) -> typed.Expr | None:
        """The operand of a builtin that takes an array."""
        found = [self.expr(a) for a in e.args]
        if len(found) != 1:
            self.report(call_codes.arity(e, 1, len(found), f"{e.function}(array)"))
            return None
        if found[0] is None or isinstance(found[0].type, ArrayType):
            return found[0]
        self.report(codes.no_length(e, e.args[0].span, self.types.text(found[0].type)))
        return None

    def _dimension(self, e: surface.Index, array: typed.Expr) -> typed.Expr | None:
        """array.shape[k]."""
        shape = whole_shape(array, e.span)
        match e.index:
            case surface.Number(int() as k) if 0 <= k < len(shape):
                return self._known(e, array, k)
            case _:
                self.report(codes.too_many_indices(e, e.span, self.shown(array), len(shape)))
                return None

    def _known(self, e: surface.Node, array: typed.Expr, k: int) -> typed.Expr | None:
        size = whole_shape(array, e.span)[k]
        if size is None:
            self.report(codes.no_length(e, array.span, self.shown(array)))
        return size


def from_end(index: typed.Expr, size: typed.Expr | None) -> typed.Expr:
    """An index; one that is a negative number counts from the end of an array with a size."""
    value, most = literal(index), literal(size)
    if value is None or value >= 0 or size is None or (most is not None and value < -most):
        return index
    return subtract(size, number(-value, index.span), index.span)


def _moved(
    view: typed.View, by: typed.Expr, span: Span
) -> tuple[typed.View, typed.Expr]:
    """A part of an array, and where one begins that lies further on by some elements."""
    base = view.base.type
    assert isinstance(base, ArrayType), "parts of arrays are arrays"
    if view.type.element == base.element:
        return view, add(view.start, by, span)
    inner = replace(view, at=())
    return replace(view, base=inner, start=number(0, span)), by


def shape_text(t: ArrayType, shape: Shape, float_type: Scalar) -> str:
    """The type of an array with sizes as far as they have names or are numbers."""
    sizes = []
    for n in shape:
        value = literal(n)
        sizes.append(f'"{n.symbol.name}"' if isinstance(n, typed.Name)
                     else "..." if value is None else str(value))
    return f"Array[{type_text(leaf(t.element), float_type)}, {', '.join(sizes)}]"
