"""Functions that make structs, and the default values of members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loma.diagnostics import NOWHERE, Span
from loma.frontend import typed
from loma.frontend.check.types import Types
from loma.ir.nodes import Argument, Signature
from loma.ir.prims import arithmetic as prims
from loma.ir.prims import bits, gradient
from loma.ir.prims.record import Prim
from loma.ir.types import BOOL, I32, ArrayType, Scalar, StructType, Type


def maker(
    name: str, struct: str, members: Mapping[str, Type], span: Span = NOWHERE
) -> typed.Function:
    """The function that makes a struct from its members; `span` is where the class is named."""
    params = tuple([typed.Symbol(m, t, span) for m, t in members.items()])
    made = typed.Symbol("made", StructType(struct), span)
    body: list[typed.Stmt] = [typed.Declare(made, span=span)]
    for p in params:
        place = typed.Member(typed.Name(made, span=span), p.name, p.type, span=span)
        body.append(typed.Assign(place, typed.Name(p, span=span), span=span))
    body.append(typed.Return(typed.Name(made, span=span), span=span))
    signature = Signature(tuple([Argument(p.name, p.type, span=span) for p in params]), made.type)
    return typed.Function(name, params, signature, tuple(body), span=span)


def default_maker(name: str, struct: str, types: Types, span: Span = NOWHERE) -> typed.Function:
    """The function that makes a struct as its declaration does."""
    made = typed.Symbol("made", StructType(struct), span)
    place = typed.Name(made, span=span)
    filled = fill(place, made.type, types, span)
    body = (typed.Declare(made, span=span), *filled, typed.Return(place, span=span))
    return typed.Function(name, (), Signature((), made.type), body, span=span)


def integer_power(name: str, t: Scalar) -> typed.Function:
    """The function that raises an integer to a power that is not negative, by squaring."""
    base, exponent, out = (typed.Symbol(n, t) for n in ("base", "exponent", "power"))
    zero, one = typed.Literal(0, t), typed.Literal(1, t)
    x, n, result = typed.Name(base), typed.Name(exponent), typed.Name(out)

    def test(prim: Prim, left: typed.Expr, right: typed.Expr) -> typed.Expr:
        return typed.Apply(prim, (left, right), BOOL)

    def step(target: typed.Expr, prim: Prim, by: typed.Expr) -> typed.Stmt:
        return typed.Assign(target, typed.Apply(prim, (target, by), t))

    odd = test(prims.EQ, typed.Apply(bits.BIT_AND, (n, one), t), one)
    body = (
        typed.Assert(test(prims.GE, n, zero), ("an integer to a negative power",)),
        typed.Declare(out, one),
        typed.While(test(prims.GT, n, zero), (
            typed.If(odd, (step(result, prims.MUL, x),), ()),
            step(x, prims.MUL, x),
            step(n, bits.SHR, one),
        )),
        typed.Return(result),
    )
    signature = Signature((Argument(base.name, t), Argument(exponent.name, t)), t)
    return typed.Function(name, (base, exponent), signature, body)


def fill(place: typed.Expr, t: Type, types: Types, span: Span) -> Iterator[typed.Stmt]:
    """What gives the members at a zeroed place their defaults."""
    match t:
        case StructType(name) if types.has_default(t):
            defaults = types.defaults.get(name, {})
            for member, inner in types.members(name).items():
                target = typed.Member(place, member, inner, span=span)
                if member in defaults:
                    yield typed.Assign(target, defaults[member], span=span)
                else:
                    yield from fill(target, inner, types, span)
        case ArrayType(_, int() as size) if types.has_default(t):
            yield fill_array(place, t, typed.Literal(size, I32, span=span), types, span)
        case _:
            pass


def fill_array(
    place: typed.Expr, t: ArrayType, count: typed.Expr, types: Types, span: Span
) -> typed.Stmt:
    """The loop that gives the elements of an array their defaults."""
    k, zero = typed.Symbol("k", I32, span), typed.Literal(0, I32, span=span)
    element = typed.Index(place, typed.Name(k, span=span), t.element, span=span)
    body = tuple(fill(element, t.element, types, span))
    return typed.For(k, zero, count, 1, body, span=span)


def stoppable(t: Type, types: Types) -> bool:
    """Whether a value holds all its numbers itself."""
    match t:
        case StructType(name):
            return all(stoppable(inner, types) for inner in types.members(name).values())
        case ArrayType(element, size):
            return size is not None and stoppable(element, types)
        case _:
            return isinstance(t, Scalar)


def stopper(name: str, struct: StructType, types: Types, span: Span = NOWHERE) -> typed.Function:
    """The function that copies a struct, no derivative with it."""
    param = typed.Symbol("value", struct, span)
    place = typed.Name(param, span=span)
    body = (*_stops(place, struct, types, span), typed.Return(place, span=span))
    signature = Signature((Argument(param.name, struct, span=span),), struct)
    return typed.Function(name, (param,), signature, body, span=span)


def _stops(place: typed.Expr, t: Type, types: Types, span: Span) -> Iterator[typed.Stmt]:
    """What cuts the derivative of each float at a place."""
    match t:
        case Scalar() if t.is_float:
            stop = typed.Apply(gradient.STOP_GRADIENT, (place,), t, span=span)
            yield typed.Assign(place, stop, span=span)
        case StructType(name):
            for member, inner in types.members(name).items():
                target = typed.Member(place, member, inner, span=span)
                yield from _stops(target, inner, types, span)
        case ArrayType(element, int() as size):
            k, zero = typed.Symbol("k", I32, span), typed.Literal(0, I32, span=span)
            item = typed.Index(place, typed.Name(k, span=span), element, span=span)
            body = tuple(_stops(item, element, types, span))
            stop_at = typed.Literal(size, I32, span=span)
            if body:
                yield typed.For(k, zero, stop_at, 1, body, span=span)
        case _:
            pass
