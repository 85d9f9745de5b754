"""Named sizes: of the arguments of a function, and of the operands of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.shapes import (
    Shape,
    as_view,
    compare,
    inner_sizes,
    literal,
    number,
    shape_of,
    whole_shape,
)
from loma.frontend.check.types import Types
from loma.frontend.check.views import Views
from loma.frontend.codes import arrays as codes
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import types as type_codes
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.prims import arithmetic as prims
from loma.ir.signature_text import argument_type_text
from loma.ir.types import I32, ArrayType, Scalar, TapeType, Type

Names = tuple[str | int, ...]


# Signatures.


def shaped(e: surface.ShapedTypeExpr, types: Types) -> tuple[ArrayType, Names] | None:
    """The type and the sizes of an argument; None once it has been reported."""
    element = types.resolve(e.element)
    sizes: list[str | int] = []
    for size in e.sizes:
        match size:
            case surface.SizeName(name):
                sizes.append(name)
            case surface.Number(int() as value) if not isinstance(value, bool) and value >= 1:
                sizes.append(value)
            case surface.Bad():
                element = None
            case _:
                types.findings.append(codes.size_computed(size.span))
                element = None
    if isinstance(element, TapeType):
        types.findings.append(type_codes.misplaced_type(
            e.element.span, "a `Tape`", "an element of an array", "use one tape"))
        return None
    return None if element is None else (ArrayType(element), tuple(sizes))


def hidden_sizes(f: surface.Function, types: Types) -> list[Argument]:
    """The named sizes that are no arguments of their own, in order, as hidden arguments."""
    others = {a.name: a for a in f.args}
    found: dict[str, Argument] = {}
    for size in _named(f):
        other = others.get(size.name)
        if other is None:
            found.setdefault(size.name, Argument(size.name, I32, span=size.span, hidden=True))
        elif not is_size(other):
            types.findings.append(codes.size_taken(size.span, size.name, other.span))
    return list(found.values())


def _named(f: surface.Function) -> list[surface.SizeName]:
    return [size for a in f.args if isinstance(a.type, surface.ShapedTypeExpr)
            for size in a.type.sizes if isinstance(size, surface.SizeName)]


def is_size(a: surface.Arg) -> bool:
    """Whether an argument can be the size of an array."""
    int_ = isinstance(a.type, surface.NamedType) and a.type.name in ("int", "i32")
    return int_ and a.direction is Direction.IN


def size_symbols(signature: Signature) -> dict[str, typed.Symbol]:
    """The variables that the named sizes of a function are in its body."""
    wanted = {n for a in signature.arguments for n in a.shape if isinstance(n, str)}
    return {a.name: typed.Symbol(a.name, a.type, a.span)
            for a in signature.arguments if a.name in wanted}


def shape_expressions(
    shape: Names, symbols: dict[str, typed.Symbol], span: Span
) -> tuple[typed.Expr, ...]:
    """The sizes of an argument as expressions of the body."""
    return tuple([number(n, span) if isinstance(n, int) else typed.Name(symbols[n], span=span)
                  for n in shape])


# Calls.


@dataclass(slots=True)
class _Told:
    """What the operands of a call say about named sizes: an expression for each."""

    sizes: dict[str, typed.Expr] = field(default_factory=dict)
    missing: dict[str, tuple[Span, str]] = field(default_factory=dict)


class Sized(Views):
    """Checks arrays that are passed to functions."""

    def wanted(self, a: Argument) -> str:
        """The type of an argument, for messages."""
        if a.shape:
            return argument_type_text(a, self.context.float_type)
        return self.named(a.type, a.growable)

    def named(self, t: Type | None, growable: bool) -> str:
        """A type, for messages."""
        text = self.types.text(t)
        return f"{text[:-1]}, ...]" if growable else text

    def array_operand(
        self, e: surface.Call, value: typed.Expr, argument: Argument
    ) -> typed.Expr | None:
        """An array as an argument wants it."""
        wanted, found = argument.type, value.type
        assert isinstance(wanted, ArrayType) and isinstance(found, ArrayType), "both are arrays"
        shape = _wanted_shape(argument, value.span)
        given = whole_shape(value, value.span)
        depth = len(shape) - len(inner_sizes(wanted.element, value.span))
        rest = len(given) - len(shape)
        peeled = _peeled(found.element, len(shape_of(value, value.span)), depth)
        if rest or peeled != wanted.element or self._unsure(shape, given):
            self._mismatch(e, value, argument)
            return None
        conditions = self._literals(e, value, argument, shape, given)
        if conditions is None:
            return None
        if conditions or not self._plain(value, wanted):
            view = as_view(value, value.span)
            value = replace(view, type=ArrayType(wanted.element, wanted.size), shape=given[:depth])
        return self.guarded(value, conditions)

    def _plain(self, value: typed.Expr, wanted: ArrayType) -> bool:
        """Whether an array can be passed as it is."""
        assert isinstance(value.type, ArrayType), "an array"
        same = value.type.element == wanted.element and wanted.size in (None, value.type.size)
        return same and not isinstance(value, typed.View)

    def _unsure(self, shape: Shape, given: Shape) -> bool:
        """Whether a size that must be a certain number is not known at all."""
        return any(n is not None and g is None and literal(n) is not None
                   for n, g in zip(shape, given, strict=True))

    def _mismatch(self, e: surface.Call, value: typed.Expr, argument: Argument) -> None:
        assert isinstance(argument.type, ArrayType), "an array"
        named = isinstance(value, typed.Name) and value.symbol.shape
        if not (argument.shape or named or isinstance(value, typed.View)):
            self.report(call_codes.mismatch(
                e, value.span, argument.name, self.types.text(argument.type),
                self.types.text(value.type)))
            return
        self.report(codes.shape_mismatch(
            e, value.span, argument.name, argument_type_text(argument, self.context.float_type),
            self.shown(value)))

    def _literals(
        self, e: surface.Call, value: typed.Expr, argument: Argument, shape: Shape, given: Shape
    ) -> list[tuple[typed.Expr, str]] | None:
        """The conditions under which an operand has the sizes that are numbers."""
        found: list[tuple[typed.Expr, str]] = []
        for n, g in zip(shape, given, strict=True):
            want, have = literal(n), literal(g)
            if want is None or g is None or n is None:
                continue
            if have is not None and have != want:
                self._mismatch(e, value, argument)
                return None
            condition = compare(prims.EQ, g, n, value.span)
            if condition is not None:
                found.append((condition, f"an operand of {e.function} must have the size {want}"))
        return found

    def guarded(
        self, value: typed.Expr, conditions: Sequence[tuple[typed.Expr, str]]
    ) -> typed.Expr:
        """An array that is checked before it is passed."""
        if not conditions:
            return value
        view = as_view(value, value.span)
        assert isinstance(view.start.type, Scalar), "an index is a number"
        start = typed.Checked(view.start, tuple(conditions), view.start.type, span=value.span)
        return replace(view, start=start)

    def with_sizes(
        self, e: surface.Call, signature: Signature, args: tuple[typed.Expr, ...]
    ) -> tuple[typed.Expr, ...] | None:
        """The operands of a call, whose named sizes agree, with the hidden ones."""
        told = _Told()
        for a, x in zip(signature.written, args, strict=True):
            if isinstance(a.type, Scalar) and a.direction is Direction.IN:
                told.sizes[a.name] = x
        checked = [self._told(e, a, x, told) if a.shape else x
                   for a, x in zip(signature.written, args, strict=True)]
        done = [x for x in checked if x is not None]
        for a in signature.sizes:
            if a.name in told.sizes:
                done.append(told.sizes[a.name])
            elif a.name in told.missing:
                span, argument = told.missing[a.name]
                self.report(codes.size_unknown(e, span, e.function, a.name, argument))
        return tuple(done) if len(done) == len(signature.arguments) else None

    def _told(
        self, e: surface.Call, a: Argument, x: typed.Expr, told: _Told
    ) -> typed.Expr | None:
        """One operand, checked against what the others say."""
        conditions: list[tuple[typed.Expr, str]] = []
        for name, size in zip(a.shape, shape_of(x, x.span), strict=True):
            if isinstance(name, int):
                continue
            if size is None:
                told.missing.setdefault(name, (x.span, a.name))
                continue
            other = told.sizes.setdefault(name, size)
            have, want = literal(size), literal(other)
            if have is not None and want is not None and have != want:
                self.report(codes.sizes_differ(e, x.span, e.function, name, have, want))
                return None
            condition = compare(prims.EQ, size, other, x.span)
            if condition is not None:
                message = f"the size {name} of {a.name} in {e.function} differs from what it was"
                conditions.append((condition, message))
        return self.guarded(x, conditions)


def _wanted_shape(a: Argument, span: Span) -> Shape:
    """The sizes of an argument that are numbers; None for the others."""
    assert isinstance(a.type, ArrayType), "an array"
    outer = a.shape or (a.type.size,)
    sizes = tuple([number(n, span) if isinstance(n, int) else None for n in outer])
    return (*sizes, *inner_sizes(a.type.element, span))


def _peeled(element: Type, given: int, wanted: int) -> Type | None:
    """The elements of an array that is seen as one of so many dimensions."""
    for _ in range(wanted - given):
        if not isinstance(element, ArrayType) or element.size is None:
            return None
        element = element.element
    return element if wanted >= given else None

