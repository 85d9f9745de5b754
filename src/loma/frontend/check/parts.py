"""Parts of arrays in statements: names for them, and assignments of all their elements."""

from __future__ import annotations

from collections.abc import Callable

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.infer import Inference
from loma.frontend.check.scope import Entry
from loma.frontend.check.shapes import (
    Shape,
    as_view,
    compare,
    literal,
    multiply,
    number,
    product,
    shape_of,
    whole_shape,
)
from loma.frontend.codes import arrays as codes
from loma.frontend.codes import types as type_codes
from loma.frontend.lower.scan import base_of
from loma.ir.prims import arithmetic as prims
from loma.ir.types import I32, I64, ArrayType, Scalar, Type

MOST = (1 << 31) - 1


class Parts(Inference):
    """Checks statements about parts of arrays."""

    # Names.

    def named_part(self, s: surface.Assign, name: str, value: typed.Expr | None) -> bool:
        """name = a part of an array; whether the statement is such a one."""
        if value is None or not is_part(s.value, value):
            return False
        base, member = value, False
        while isinstance(base, typed.View | typed.Index | typed.Member):
            pointer = isinstance(base.type, ArrayType) and base.type.size is None
            member = member or (isinstance(base, typed.Member) and pointer)
            base = base.base
        if member:
            self.scope.declare(name, Entry(None, s))
            self.report(codes.view_through_struct(s, s.value.span))
            return True
        view = self.kept_view(as_view(value, value.span))
        self.scope.declare(name, Entry(None, s, view=view))
        return True

    # Local arrays.

    def dimensions(
        self, e: surface.ShapedTypeExpr
    ) -> tuple[ArrayType, typed.Expr, tuple[typed.Expr, ...]] | None:
        """The type, the number of elements and the sizes of a local array."""
        element = self.types.resolve(e.element)
        found: list[typed.Expr | None] = []
        for size in e.sizes:
            if isinstance(size, surface.SizeName):
                self.report(codes.size_misplaced(size.span, size.name))
                found.append(None)
            else:
                found.append(self.integer(size, "the size of an array"))
        ready = [n for n in found if n is not None]
        if element is None or len(ready) < len(found):
            return None
        sizes = tuple([self.kept(n, "size") for n in ready])
        if any((literal(n) or 0) < 0 for n in sizes):
            self.report(type_codes.array_size(e.span))
            return None
        return ArrayType(element), self.count_of(sizes, e.span), sizes

    def count_of(self, sizes: tuple[typed.Expr, ...], span: Span) -> typed.Expr:
        """The number of elements: no size is negative, and an index can count them."""
        zero = number(0, span)
        conditions = [c for n in sizes if (c := compare(prims.LE, zero, n, span)) is not None]
        whole: typed.Expr = number(1, span, I64)
        for n in sizes:
            whole = multiply(whole, typed.Convert(n, I64, span=span), span)
        few = compare(prims.LE, whole, number(MOST, span, I64), span)
        conditions += [] if few is None else [few]
        checks = tuple([(c, "the size of a local array is negative or too large")
                        for c in conditions])
        return typed.Checked(product(sizes, span), checks, I32, span=span)

    def same_size(self, size: typed.Expr, wanted: typed.Expr, span: Span) -> typed.Expr:
        """A size that is another one, or the program stops."""
        same = compare(prims.EQ, size, wanted, span)
        if same is None:
            return size
        checks = ((same, "a list is given to an array of another size"),)
        return self.kept(typed.Checked(size, checks, I32, span=span), "size")

    # Elements.

    def copied_part(
        self, s: surface.Assign, target: typed.Expr, value: typed.Expr
    ) -> typed.Stmt | None:
        """All elements of a part of an array get those of another, or one number."""
        assert isinstance(target.type, ArrayType), "an array"
        to = self.kept_view(as_view(target, s.target.span))
        if isinstance(value.type, Scalar):
            return self._filled_part(s, to, value)
        if not isinstance(value.type, ArrayType):
            return self._uncopied(s, target, value)
        of = self.kept_view(as_view(value, s.value.span))
        shape = self._common(s, to, of)
        if shape is None:
            return self._uncopied(s, target, value)
        element = self._element_of(s, of, shape)
        t = element.type
        if t is None or t != self._element_of(s, to, shape).type or isinstance(t, ArrayType):
            return self._uncopied(s, target, value)
        if _may_meet(to, of):
            of = self._copy(s, of, t, shape)
        return self._each(s, to, shape, lambda at: self._at(s, of, at))

    def copy_of(self, s: surface.Assign, value: typed.Expr) -> typed.Expr:
        """The elements of a part as they are now; the part itself where they cannot be copied."""
        of = self.kept_view(as_view(value, value.span))
        shape = tuple([n for n in whole_shape(of, s.span) if n is not None])
        if len(shape) < len(whole_shape(of, s.span)):
            return value
        t = self._element_of(s, of, shape).type
        return value if t is None or isinstance(t, ArrayType) else self._copy(s, of, t, shape)

    def _copy(
        self, s: surface.Assign, of: typed.View, t: Type, shape: tuple[typed.Expr, ...]
    ) -> typed.View:
        """A local array with the elements of a part."""
        held = typed.Symbol("copy", ArrayType(t), s.span, shape=shape)
        self.ahead.append(typed.Declare(held, None, product(shape, s.span), span=s.span))
        copy = as_view(typed.Name(held, span=s.span), s.span)
        self.ahead.append(self._each(s, copy, shape, lambda at: self._at(s, of, at)))
        return copy

    def _uncopied(
        self, s: surface.Assign, target: typed.Expr, value: typed.Expr
    ) -> typed.Stmt | None:
        self.report(codes.copied_elements(
            s, s.value.span, self.shown(target), self.shown(value)))
        return None

    def _filled_part(
        self, s: surface.Assign, to: typed.View, value: typed.Expr
    ) -> typed.Stmt | None:
        shape = tuple([n for n in whole_shape(to, s.span) if n is not None])
        if len(shape) < len(whole_shape(to, s.span)):
            self.report(codes.no_length(s, s.target.span, self.shown(to)))
            return None
        element = self._element_of(s, to, shape)
        if not isinstance(element.type, Scalar):
            return self._uncopied(s, to, value)
        given = self.settled(value, element.type)
        if given is None:
            return None
        symbol = typed.Symbol("value", element.type, value.span)
        self.ahead.append(typed.Declare(symbol, given, span=value.span))
        return self._each(s, to, shape, lambda at: typed.Name(symbol, span=value.span))

    def _common(
        self, s: surface.Assign, to: typed.View, of: typed.View
    ) -> tuple[typed.Expr, ...] | None:
        """The sizes of two parts; where they may differ, the program checks them."""
        left, right = whole_shape(to, s.span), whole_shape(of, s.span)
        if len(left) != len(right):
            return None
        found: list[typed.Expr] = []
        for a, b in zip(left, right, strict=True):
            size = a if a is not None else b
            if size is None:
                return None
            if a is not None and b is not None:
                if literal(a) is not None and literal(b) is not None and literal(a) != literal(b):
                    return None
                same = compare(prims.EQ, a, b, s.span)
                if same is not None:
                    checks = ((same, "elements are assigned to a part of another size"),)
                    size = self.kept(typed.Checked(a, checks, I32, span=s.span), "size")
            found.append(size)
        return tuple(found)

    def _element_of(
        self, s: surface.Assign, view: typed.View, shape: Shape
    ) -> typed.Expr:
        return self._at(s, view, [number(0, s.span) for _ in shape])

    def _at(self, s: surface.Assign, view: typed.Expr, at: list[typed.Expr]) -> typed.Expr:
        """An element of a part."""
        while at:
            shape = shape_of(view, s.span)
            here, at = at[:len(shape)], at[len(shape):]
            view = self.element(view, here, shape, s.span)
        return view

    def _each(
        self, s: surface.Assign, to: typed.View, shape: tuple[typed.Expr, ...],
        value: Callable[[list[typed.Expr]], typed.Expr],
    ) -> typed.Stmt:
        """A loop over all elements of a part."""
        symbols = [typed.Symbol("k", I32, s.span) for _ in shape]
        at: list[typed.Expr] = [typed.Name(k, span=s.span) for k in symbols]
        done: typed.Stmt = typed.Assign(self._at(s, to, at), value(at), span=s.span)
        for k, size in reversed(list(zip(symbols, shape, strict=True))):
            done = typed.For(k, number(0, s.span), self._bound(size), 1, (done,), span=s.span)
        return done

    def _bound(self, size: typed.Expr) -> typed.Expr:
        return size if size.type is I32 else typed.Convert(size, I32, span=size.span)


def _may_meet(to: typed.View, of: typed.View) -> bool:
    """Whether two parts may be of one array."""
    (a, a_crossed), (b, b_crossed) = base_of(to), base_of(of)
    return a is b or (a_crossed and b_crossed)


def is_part(e: surface.Expr, value: typed.Expr) -> bool:
    """Whether an expression is a row or a slice of an array."""
    return isinstance(value.type, ArrayType) and isinstance(e, surface.Index | surface.Subscript)


def is_pointed(target: typed.Expr, value: typed.Expr) -> bool:
    """Whether both are arrays of unknown length: then there are no elements to assign."""
    pointers = [isinstance(x.type, ArrayType) and shape_of(x, x.span) == (None,)
                for x in (target, value)]
    return all(pointers)
