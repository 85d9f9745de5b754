"""Arrays as they are written: lists, comprehensions, repeated elements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.each import bind, rounds
from loma.frontend.check.scope import Entry
from loma.frontend.check.shapes import alike, as_view, literal, number, shape_of
from loma.frontend.check.tuples import is_ignored
from loma.frontend.check.types import grows
from loma.frontend.codes import short as codes
from loma.frontend.codes.base import a
from loma.frontend.lower.scan import subexpressions
from loma.ir.types import ArrayType, Scalar, StructType, Type

if TYPE_CHECKING:
    from loma.frontend.check.stmt import FunctionChecker

Written = surface.List | surface.Comprehension
Place = Callable[[tuple[typed.Expr, ...]], typed.Expr]
Sizes = tuple[typed.Expr, ...]


@dataclass(frozen=True, slots=True)
class Filler:
    """How an array is filled: its sizes, the elements that tell its type, and what writes them.

    `write` takes the place of an element by its indices, and the type of the elements.
    """

    sizes: Sizes
    leaves: tuple[typed.Expr, ...]
    write: Callable[[Place, Type], list[typed.Stmt]]


def filler(c: FunctionChecker, e: surface.Expr) -> Filler | None:
    """What fills an array with what is written; None once something is reported."""
    match e:
        case surface.List(elements):
            return _listed(c, e, elements)
        case surface.Comprehension():
            return _visited(c, e)
        case _:
            return _single(c, e)


def _single(c: FunctionChecker, e: surface.Expr) -> Filler | None:
    """One element."""
    value = c.expr(e)
    if value is None:
        return None
    if not isinstance(value.type, Scalar | StructType):
        c.report(codes.elements(e.span, a(c.types.text(value.type)), "a number or a struct"))
        return None
    return _alone(c, value, e.span)


def _alone(c: FunctionChecker, value: typed.Expr, span: Span) -> Filler:
    """An element that has this value."""

    def write(place: Place, t: Type) -> list[typed.Stmt]:
        done = c.settled(value, t) if isinstance(t, Scalar) else value
        return [] if done is None else [typed.Assign(place(()), done, span=span)]

    return Filler((), (value,), write)


def _listed(
    c: FunctionChecker, e: surface.List, elements: tuple[surface.Expr, ...]
) -> Filler | None:
    """[a, b]: its elements one after the other."""
    marks: list[tuple[int, int]] = []
    found: list[Filler | None] = []
    for x in elements:
        found.append(filler(c, x))
        marks.append((len(c.ahead), c.effects))
    inner = [_kept(c, f, *mark) for f, mark in zip(found, marks, strict=True) if f is not None]
    if len(inner) < len(elements):
        return None
    first = inner[0]
    for x, f in zip(elements, inner, strict=True):
        if len(f.sizes) != len(first.sizes) or not all(map(alike, f.sizes, first.sizes)):
            c.report(codes.elements(x.span, _shown(f), _shown(first)))
            return None

    def write(place: Place, t: Type) -> list[typed.Stmt]:
        done: list[typed.Stmt] = []
        for k, f in enumerate(inner):
            done += f.write(_inside(place, number(k, e.span)), t)
        return done

    leaves = tuple([x for f in inner for x in f.leaves])
    return Filler((number(len(inner), e.span), *first.sizes), leaves, write)


def _kept(c: FunctionChecker, f: Filler, at: int, effects: int) -> Filler:
    """An element as it was before what stands to its right changed something."""
    if effects == c.effects or f.sizes:
        return f
    held = c.held(f.leaves[0], at)
    assert held is not None, "a value is there"
    return _alone(c, held, held.span)


def _shown(f: Filler) -> str:
    if not f.sizes:
        return "no list"
    count = literal(f.sizes[0])
    return "a list of another length" if count is None else f"a list of {count}"


def _visited(c: FunctionChecker, e: surface.Comprehension) -> Filler | None:
    """[value for target in source]."""
    found = rounds(c, e.over, placed=True)
    before = c.effects
    with c.scope.block():
        _, steps = c.aside(lambda: bind(c, e.over, found))
        inner, more = c.aside(lambda: filler(c, e.value))
    if found is None or inner is None:
        return None
    if c.effects == before:
        more = _invariant(c, more, {found.symbol, *_declared(steps)})
    own = {found.symbol, *_declared(steps), *_declared(more)}
    if any(isinstance(n, typed.Name) and (n.symbol in own or c.effects > before)
           for n in inner.sizes):
        c.report(codes.elements(e.value.span, "a list of another length each time",
                                "a list of one length"))
        return None

    def write(place: Place, t: Type) -> list[typed.Stmt]:
        at = typed.Name(found.symbol, span=e.span)
        body = (*steps, *more, *inner.write(_inside(place, at), t))
        return [typed.For(found.symbol, found.start, found.stop, 1, body, span=e.span)]

    return Filler((found.stop, *inner.sizes), inner.leaves, write)


def _declared(steps: list[typed.Stmt]) -> set[typed.Symbol]:
    """The variables of statements."""
    return {s.symbol for s in steps if isinstance(s, typed.Declare)}


def _invariant(
    c: FunctionChecker, steps: list[typed.Stmt], own: set[typed.Symbol]
) -> list[typed.Stmt]:
    """Puts the numbers ahead that are the same in each round; what is left comes back."""
    inside = own | _declared(steps)
    left: list[typed.Stmt] = []
    for s in steps:
        match s:
            case typed.Declare(symbol, value, None) if value is not None and isinstance(
                    symbol.type, Scalar) and not _varies(value, inside):
                c.ahead.append(s)
                inside.discard(symbol)
            case _:
                left.append(s)
    return left


def _varies(e: typed.Expr, inside: set[typed.Symbol]) -> bool:
    return any(isinstance(x, typed.Call) or isinstance(x, typed.Name) and x.symbol in inside
               for x in subexpressions(e))


def _inside(place: Place, at: typed.Expr) -> Place:
    """The places in a row."""
    return lambda rest: place((at, *rest))


def leaf_type(c: FunctionChecker, e: surface.Expr, f: Filler) -> Type | None:
    """The type of the elements, which is that of all of them."""
    first = f.leaves[0].type
    if all(isinstance(x.type, Scalar) for x in f.leaves):
        return c.meet(list(f.leaves))
    for x in f.leaves:
        if x.type != first:
            c.report(codes.elements(x.span, a(c.types.text(x.type)), a(c.types.text(first))))
            return None
    return first


def fits(c: FunctionChecker, f: Filler, t: Type) -> bool:
    """Whether the elements can be of a type; one that cannot is reported."""
    for x in f.leaves:
        if x.type != t and not (isinstance(x.type, Scalar) and isinstance(t, Scalar)):
            c.report(codes.elements(x.span, a(c.types.text(x.type)), a(c.types.text(t))))
            return False
    return True


# Arrays.


def filled(
    c: FunctionChecker, symbol: typed.Symbol, sizes: Sizes, f: Filler, t: Type, span: Span,
    declare: bool = True,
) -> None:
    """Declares an array, and fills it, ahead."""
    whole = typed.Name(symbol, span=span)
    if declare:
        count = None if symbol.type == row_type(sizes, t) else c.count_of(symbol.shape, span)
        c.ahead.append(typed.Declare(symbol, None, count, span=span))
    c.ahead += f.write(lambda at: _place(c, whole, at, span), t)


def _place(
    c: FunctionChecker, array: typed.Expr, at: tuple[typed.Expr, ...], span: Span
) -> typed.Expr:
    """The element of an array at some indices."""
    while at:
        shape = shape_of(array, span)
        here, at = at[:len(shape)], at[len(shape):]
        array = c.element(array, here, shape, span)
    return array


def row_type(sizes: Sizes, t: Type) -> Type | None:
    """The type of an array whose sizes are all numbers; None for another."""
    for n in reversed(sizes):
        size = literal(n)
        if size is None:
            return None
        t = ArrayType(t, size)
    return t


def array_symbol(c: FunctionChecker, name: str, sizes: Sizes, t: Type, span: Span) -> typed.Symbol:
    """A variable for an array of some sizes; those at its end that are numbers are its elements'.
    """
    known = row_type(sizes, t)
    if known is not None:
        return typed.Symbol(name, known, span)
    outer = list(sizes)
    while (size := literal(outer[-1])) is not None:
        t = ArrayType(t, size)
        outer.pop()
    shape = tuple([c.in_variable(n, "size") for n in outer])
    return typed.Symbol(name, ArrayType(t), span, shape=shape)


# Where lists stand.


def value(c: FunctionChecker, e: Written) -> typed.Expr | None:
    """A list as an operand: an array without a name; one of numbers is made once."""
    if not c.hoisting and not is_table(e):
        c.report(codes.list_misplaced(e.span))
        return None
    f = filler(c, e)
    t = None if f is None else leaf_type(c, e, f)
    return None if f is None or t is None else _unnamed(c, e, f, t)


def _unnamed(c: FunctionChecker, e: Written, f: Filler, t: Type) -> typed.Expr:
    """An array without a name."""
    if is_table(e):
        return _table(c, f, t, e.span)
    symbol = array_symbol(c, "t", f.sizes, t, e.span)
    filled(c, symbol, f.sizes, f, t, e.span)
    return typed.Name(symbol, span=e.span)


def is_table(e: surface.Expr) -> bool:
    """Whether a list holds only numbers as written."""
    match e:
        case surface.List(elements):
            return all(map(is_table, elements))
        case surface.Unary("-" | "+", operand):
            return isinstance(operand, surface.Number)
        case _:
            return isinstance(e, surface.Number)


def _table(c: FunctionChecker, f: Filler, t: Type, span: Span) -> typed.Expr:
    """An array of numbers, filled where the function begins."""
    numbers = [x.value for x in f.leaves if isinstance(x, typed.Literal)]
    key = (row_type(f.sizes, t), tuple(map(repr, numbers)))
    if key not in c.tables:
        symbol = array_symbol(c, "table", f.sizes, t, span)
        _, steps = c.aside(lambda: filled(c, symbol, f.sizes, f, t, span))
        c.tables[key] = symbol
        c.opening += steps
    return typed.Name(c.tables[key], span=span)


def assigned(c: FunctionChecker, s: surface.Assign, e: Written) -> typed.Stmt | None:
    """target = a list; the first assignment to a name declares it."""
    target = s.target
    if not isinstance(target, surface.Name) or c.scope.find(target.name) is not None or (
            is_ignored(c, target)):
        return _copied(c, s, e)
    f = filler(c, e)
    t = None if f is None else leaf_type(c, e, f)
    if f is None or t is None:
        c.scope.declare(target.name, Entry(None, s))
        return None
    slot = c.slots.get(target.name)
    if slot is not None and slot.entry is not None:
        slot.block[target.name] = slot.entry
        return _copied(c, s, e)
    symbol = array_symbol(c, target.name, f.sizes, t, target.span)
    c.inferred[symbol] = s, len(c.scope.order)
    entry = Entry(symbol, s)
    if slot is None:
        c.scope.declare(target.name, entry)
    else:
        c.scope.order.append(target.name)
        slot.entry = slot.block[target.name] = entry
        if symbol.shape:
            c.report(codes.list_misplaced(e.span))
            return None
    filled(c, symbol, f.sizes, f, t, s.span, declare=slot is None)
    return None


def _copied(c: FunctionChecker, s: surface.Assign, e: Written) -> typed.Stmt | None:
    """A list for an array that is there: all of its elements are new ones."""
    f = filler(c, e)
    given = None if f is None else leaf_type(c, e, f)
    target = c.written_place(s, s.target)
    if f is None or given is None or target is None:
        return None
    wanted = target.type
    while isinstance(wanted, ArrayType):
        wanted = wanted.element
    if wanted is target.type or not c.fits_elements(s, target, given):
        return None if wanted is not target.type else c.put(s, target, _unnamed(c, e, f, given))
    both = isinstance(wanted, Scalar) and isinstance(given, Scalar)
    made = _unnamed(c, e, f, wanted if both and wanted is not None else given)
    return c.copied_part(s, as_view(target, s.target.span), made)


def declared(c: FunctionChecker, s: surface.Declare, e: Written) -> typed.Stmt | None:
    """name : type = a list."""
    f = filler(c, e)
    sizes, inner = _written_sizes(s.type)
    t = c.types.resolve(inner)
    found = None if f is None or t is None else _checked_sizes(c, s, f, sizes)
    if f is None or t is None or found is None or not fits(c, f, t):
        c.declare(s.name, Entry(None, s), s.span)
        return None
    symbol = array_symbol(c, s.name, found, t, s.span)
    if grows(s.type):
        symbol = typed.Symbol(s.name, ArrayType(t), s.span, growable=True)
        c.ahead.append(typed.Declare(symbol, growable=True, span=s.span))
    c.declare(s.name, Entry(symbol, s), s.span)
    filled(c, symbol, found, f, t, s.span, declare=not symbol.growable)
    return None


def _written_sizes(
    e: surface.TypeExpr
) -> tuple[list[surface.Expr | surface.SizeName | None], surface.TypeExpr]:
    """The sizes in the type of an array, and the type of its elements."""
    match e:
        case surface.ArrayTypeExpr(element, size):
            inner, t = _written_sizes(element)
            return [size, *inner], t
        case surface.ShapedTypeExpr(element, sizes):
            inner, t = _written_sizes(element)
            return [*sizes, *inner], t
        case _:
            return [], e


def _checked_sizes(
    c: FunctionChecker, s: surface.Declare, f: Filler,
    sizes: list[surface.Expr | surface.SizeName | None],
) -> Sizes | None:
    """The sizes of a list, which are those of the type; where they may differ, that is checked."""
    if len(sizes) != len(f.sizes):
        c.report(codes.listed(s, s.type.span, f"{len(f.sizes)} dimensions", str(len(sizes))))
        return None
    found: list[typed.Expr] = []
    for size, n in zip(sizes, f.sizes, strict=True):
        wanted = n if size is None or isinstance(size, surface.SizeName) else c.integer(
            size, "the size of an array")
        x, y = literal(wanted), literal(n)
        if wanted is None or (x is not None and y is not None and x != y):
            if wanted is not None:
                c.report(codes.listed(s, s.type.span, f"{y} elements", str(x)))
            return None
        found.append(c.same_size(n, wanted, s.span))
    return tuple(found)
