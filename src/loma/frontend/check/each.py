"""Loops over arrays: how many rounds there are, and what each round takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loma.frontend import surface, typed
from loma.frontend.check.folds import finished
from loma.frontend.check.scope import Entry
from loma.frontend.check.shapes import (
    add,
    as_view,
    compare,
    literal,
    multiply,
    number,
    subtract,
)
from loma.frontend.check.tuples import is_ignored
from loma.frontend.codes import arrays as array_codes
from loma.frontend.codes import methods as method_codes
from loma.frontend.codes import short as codes
from loma.ir.prims import arithmetic as prims
from loma.ir.prims import choice
from loma.ir.types import I32, I64, ArrayType, Scalar

if TYPE_CHECKING:
    from loma.frontend.check.stmt import FunctionChecker

Named = list[tuple[typed.Symbol, typed.Expr]]
UNLIKE: Final = "arrays of different lengths are visited together"


@dataclass(frozen=True, slots=True)
class Source:
    """Something that is visited: how long it is, and its element in a round."""

    length: typed.Expr
    at: Callable[[typed.Expr], typed.Expr]


@dataclass(frozen=True, slots=True)
class Rounds:
    """The rounds of a loop: its counter, and what the targets take.

    `own`: the counter itself is the target, from `start` to `stop`.
    """

    symbol: typed.Symbol
    start: typed.Expr
    stop: typed.Expr
    step: int
    takes: tuple[tuple[surface.Expr, typed.Expr], ...]
    own: bool = False


def bounds(
    c: FunctionChecker, start: surface.Expr, stop: surface.Expr
) -> tuple[Scalar, tuple[typed.Expr | None, typed.Expr | None]]:
    """The type of a counter, and the bounds in it."""
    found = c.in_order((start, stop), lambda b: c.integer(b, "a bound of a range"))
    index = I64 if any(b is not None and b.type is I64 for b in found) else I32
    first, last = (None if b is None else c.settled(b, index) for b in found)
    return index, (first, last)


def rounds(c: FunctionChecker, over: surface.Over, placed: bool = False) -> Rounds | None:
    """The rounds of a loop; None once something is reported. `placed`: counted from 0 on."""
    match over:
        case surface.Over((surface.Name(),), (surface.Range() as only,), None) if (
                not placed and (not over.backwards or abs(only.step) == 1)):
            return _counted(c, over, only)
        case _:
            pass
    found = [_source(c, x) for x in over.sources]
    first = _first(c, over)
    sources = [x for x in found if x is not None]
    if len(sources) < len(found) or (over.first is not None and first is None):
        return None
    length = _length(c, over, [x.length for x in sources])
    if length is None:
        return None
    length = c.in_variable(length, "length") if c.hoisting else length
    named = over.counter is not None and first is None
    symbol = typed.Symbol(over.counter.name if over.counter and named else "k", I32, over.span)
    c.constant.add(symbol)
    place: typed.Expr = typed.Name(symbol, span=over.span)
    at = place
    if over.backwards:
        at = subtract(subtract(length, number(1, over.span), over.span), place, over.span)
    takes = [(t, s.at(at)) for t, s in zip(over.targets, sources, strict=True)]
    if over.counter is not None and first is not None:
        takes.insert(0, (over.counter, add(place, first, over.span)))
    return Rounds(symbol, number(0, over.span), length, 1, tuple(takes))


def _counted(c: FunctionChecker, over: surface.Over, r: surface.Range) -> Rounds | None:
    """The rounds over a range alone: its counter is the target."""
    index, (start, stop) = bounds(c, r.start, r.stop)
    target = over.targets[0]
    assert isinstance(target, surface.Name), "checked by the caller"
    symbol = typed.Symbol(target.name, index, target.span)
    c.constant.add(symbol)
    if start is None or stop is None:
        return None
    if over.backwards:
        step = number(r.step, r.span)
        start, stop = subtract(stop, step, r.span), subtract(start, step, r.span)
        return Rounds(symbol, start, stop, -r.step, (), own=True)
    return Rounds(symbol, start, stop, r.step, (), own=True)


def _first(c: FunctionChecker, over: surface.Over) -> typed.Expr | None:
    """Where `enumerate` begins to count."""
    if over.first is None:
        return None
    found = c.integer(over.first, "the start of a count")
    return found if found is None or not c.hoisting else c.in_variable(found, "first")


def _source(c: FunctionChecker, e: surface.Expr | surface.Range) -> Source | None:
    if isinstance(e, surface.Range):
        return _range(c, e)
    value = c.expr(e)
    if value is None:
        return None
    if not isinstance(value.type, ArrayType):
        c.report(codes.not_visited(e, e.span, c.types.text(value.type)))
        return None
    view = as_view(value, e.span)
    view = c.kept_view(view) if c.hoisting else view
    size = view.shape[0]
    if size is None or (isinstance(value, typed.Name) and value.symbol.growable):
        c.report(array_codes.no_length(e, e.span, c.shown(value)))
        return None
    return Source(size, lambda k: c.element(view, [k], view.shape, e.span))


def _range(c: FunctionChecker, e: surface.Range) -> Source | None:
    """The numbers of a range."""
    _, found = bounds(c, e.start, e.stop)
    start, stop = (x if x is None or not c.hoisting or isinstance(x, typed.Name) else
                   c.in_variable(x) for x in found)
    if start is None or stop is None:
        return None
    way = 1 if e.step > 0 else -1
    gap = subtract(stop, start, e.span) if way > 0 else subtract(start, stop, e.span)
    if abs(e.step) > 1:
        whole = add(gap, number(abs(e.step) - 1, e.span), e.span)
        value = literal(whole)
        assert isinstance(whole.type, Scalar), "a bound is a number"
        gap = typed.Apply(prims.IDIV, (whole, number(abs(e.step), e.span, whole.type)), whole.type,
                          span=e.span) if value is None else number(value // abs(e.step), e.span)
    known = literal(gap)
    assert isinstance(gap.type, Scalar), "a bound is a number"
    length: typed.Expr = number(max(known, 0), e.span) if known is not None else typed.Apply(
        choice.MAX, (gap, number(0, e.span, gap.type)), gap.type, span=e.span)
    if length.type is not I32:
        length = typed.Convert(length, I32, span=e.span)
    step = number(e.step, e.span)
    return Source(length, lambda k: add(start, multiply(k, step, e.span), e.span))


def _length(
    c: FunctionChecker, over: surface.Over, found: list[typed.Expr]
) -> typed.Expr | None:
    """How many rounds there are; where lengths may differ, the program checks them."""
    first, *others = found
    conditions: list[tuple[typed.Expr, str]] = []
    for source, other in zip(over.sources[1:], others, strict=True):
        a, b = literal(first), literal(other)
        if a is not None and b is not None and a != b:
            c.report(codes.lengths(source.span, b, a))
            return None
        same = compare(prims.EQ, first, other, source.span)
        conditions += [] if same is None else [(same, UNLIKE)]
    if not conditions:
        return first
    return typed.Checked(first, tuple(conditions), I32, span=over.span)


# What a round takes.


def each(c: FunctionChecker, s: surface.Each) -> typed.Stmt | None:
    """for targets in sources: body."""
    found = rounds(c, s.over)
    with c.scope.block():
        _, steps = c.aside(lambda: bind(c, s.over, found))
        body = c.looped(s.body)
    if found is None:
        return None
    return typed.For(found.symbol, found.start, found.stop, found.step, (*steps, *body),
                     span=s.span)


def bind(c: FunctionChecker, over: surface.Over, found: Rounds | None) -> None:
    """Makes the targets known in a round; ahead, they take their elements."""
    if found is None:
        for t, source in ((over.counter, None), *zip(over.targets, over.sources, strict=True)):
            for name in () if t is None else names(t):
                number = typed.Symbol(name.name, I32, name.span)
                counts = isinstance(source, surface.Range)
                c.declare(name.name, Entry(number if counts else None, name), name.span)
        return
    bind_counter(c, over, found)
    for target, value in found.takes:
        _taken(c, target, value)


def bind_counter(
    c: FunctionChecker, over: surface.Over, found: Rounds, taken: bool = False
) -> None:
    """Makes the counter known, where it has a name; if `taken`, also where that is one already."""
    target = over.targets[0] if found.own else None if over.first else over.counter
    if isinstance(target, surface.Name) and not is_ignored(c, target):
        entry = Entry(found.symbol, target, counter=True)
        c.declare(target.name, entry, target.span)
        if taken:
            c.scope.declare(target.name, entry)


def names(target: surface.Expr) -> Iterator[surface.Name]:
    """The names in a target."""
    match target:
        case surface.Name():
            yield target
        case surface.Tuple(elements):
            for e in elements:
                yield from names(e)
        case _:
            pass


def _taken(c: FunctionChecker, target: surface.Expr, value: typed.Expr) -> None:
    """A target takes a value: a copy of a number or struct; of a row, it is the name."""
    if is_ignored(c, target):
        return
    if isinstance(target, surface.Name) and isinstance(value.type, ArrayType):
        entry = Entry(None, target, view=as_view(value, target.span))
        c.declare(target.name, entry, target.span)
        return
    if value.type is None:
        return
    name = target.name if isinstance(target, surface.Name) else "t"
    symbol = typed.Symbol(name, value.type, target.span)
    c.ahead.append(typed.Declare(symbol, value, span=target.span))
    if isinstance(target, surface.Name):
        c.declare(name, Entry(symbol, target), target.span)
        return
    for t, part in parts(c, target, typed.Name(symbol, span=target.span)):
        _taken(c, t, part)


def parts(
    c: FunctionChecker, target: surface.Expr, value: typed.Expr
) -> Iterator[tuple[surface.Expr, typed.Expr]]:
    """The targets of the elements of a tuple, and these."""
    assert isinstance(target, surface.Tuple), "a target is a name or a tuple"
    types = c.types.tuples.elements(value.type)
    count = len(target.elements)
    if types is None or len(types) != count:
        c.report(method_codes.unpacked(
            surface.Assign(target, target, span=target.span), target.span, count,
            None if types is None else len(types), c.types.text(value.type)))
        for name in names(target):
            c.declare(name.name, Entry(None, name), name.span)
        return
    for k, (t, type) in enumerate(zip(target.elements, types, strict=True)):
        yield t, typed.Member(value, c.types.tuples.member(k), type, span=target.span)


# Reductions.


def reduction(c: FunctionChecker, e: surface.Reduce) -> typed.Expr | None:
    """kind(value for targets in sources)."""
    found, named = rounds(c, e.over), Named()
    with c.scope.block(), c.without_steps():
        if found is None:
            bind(c, e.over, found)
        else:
            bind_counter(c, e.over, found, taken=True)
            for target, value in found.takes:
                _name(c, target, value, named)
        given = c.expr(e.value)
    if found is None or given is None:
        return None
    for symbol, value in reversed(named):
        if isinstance(given.type, Scalar):
            given = c.settled(given, given.type) or given
            assert isinstance(given.type, Scalar), "a number stays one"
            given = typed.Let(symbol, value, given, given.type, span=given.span)
    bounds = typed.Reduce(e.kind, found.symbol, found.start, found.stop, found.step, given, I32)
    return finished(c, e, e.kind, given, bounds)


def _name(
    c: FunctionChecker, target: surface.Expr, value: typed.Expr, named: Named
) -> None:
    """A target as a name for a value: a number is evaluated once in each round."""
    if is_ignored(c, target):
        return
    if not isinstance(target, surface.Name):
        for t, part in parts(c, target, value):
            _name(c, t, part, named)
    elif isinstance(value.type, Scalar):
        symbol = typed.Symbol(target.name, value.type, target.span)
        named.append((symbol, value))
        c.declare(target.name, Entry(symbol, target, counter=True), target.span)
    else:
        part = as_view(value, target.span) if isinstance(value.type, ArrayType) else value
        assert isinstance(part, typed.View | typed.Index | typed.Member), "an element"
        c.declare(target.name, Entry(None, target, view=part), target.span)
