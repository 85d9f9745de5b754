"""The order of evaluation: from left to right, with statements ahead of the one being checked.

A call that writes its operands, or the pop of a stack, cannot stand inside an expression of the
typed tree: it goes ahead, into a variable of its own. What was written to the left of it is then
held in variables too, ahead of it. What may not be evaluated at all becomes an `if`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.places import is_memory
from loma.ir.prims import arithmetic as prims
from loma.ir.types import BOOL, ArrayType, Scalar, StructType

T = TypeVar("T")
E = TypeVar("E", bound=surface.Expr)
Steps = list[typed.Stmt]


class Ordered(ABC):
    """Puts statements ahead of the current one.

    `effects` counts those that change something. `hoisting`: whether there can be any.
    `constant`: the variables that never change.
    """

    def __init__(self) -> None:
        self.ahead: Steps = []
        self.effects = 0
        self.hoisting = True
        self.constant: set[typed.Symbol] = set()

    @abstractmethod
    def expr(self, e: surface.Expr) -> typed.Expr | None:
        """The typed expression."""

    # Operands.

    def in_order(
        self, es: Sequence[E], check: Callable[[E], typed.Expr | None] | None = None,
        places: Collection[int] = (),
    ) -> list[typed.Expr | None]:
        """Operands as they are from left to right; those at `places` are to be written."""
        found: list[typed.Expr | None] = []
        marks: list[tuple[int, int]] = []
        for e in es:
            found.append((check or self.expr)(e))
            marks.append((len(self.ahead), self.effects))
        for k in reversed(range(len(found))):
            at, effects = marks[k]
            if effects < self.effects:
                found[k] = self.held(found[k], at, k in places)
        return found

    def held(self, e: typed.Expr | None, at: int, place: bool = False) -> typed.Expr | None:
        """A value as it is after so many of the statements ahead; or a `place` chosen there."""
        if e is None:
            return None
        with self.back_at(at):
            if place or not isinstance(e.type, Scalar) and is_memory(e):
                return self.kept_place(e)
            return self.in_variable(e)

    def in_variable(self, e: typed.Expr, name: str = "t") -> typed.Expr:
        """A value in a variable of its own, unless it never changes."""
        if isinstance(e, typed.Literal) or not isinstance(e.type, Scalar | StructType):
            return e
        if isinstance(e, typed.Name) and e.symbol in self.constant:
            return e
        symbol = typed.Symbol(name, e.type, e.span)
        self.constant.add(symbol)
        self.ahead.append(typed.Declare(symbol, e, span=e.span))
        return typed.Name(symbol, span=e.span)

    def happens(self, call: typed.Call) -> typed.Expr:
        """The result of a call that writes its operands: the call goes ahead."""
        self.effects += 1
        return self.in_variable(call, call.function)

    @contextmanager
    def back_at(self, at: int) -> Iterator[None]:
        """Puts statements before some of those that are ahead already."""
        later, self.ahead = self.ahead[at:], self.ahead[:at]
        yield
        self.ahead += later

    @contextmanager
    def without_steps(self) -> Iterator[None]:
        """An expression that is evaluated never, or many times: nothing can go ahead of it."""
        before, self.hoisting = self.hoisting, False
        yield
        self.hoisting = before

    # What may not be evaluated.

    def aside(self, check: Callable[[], T]) -> tuple[T, Steps]:
        """What a check gives, and the statements that go ahead of that."""
        before, self.ahead = self.ahead, []
        done = check()
        steps, self.ahead = self.ahead, before
        return done, steps

    def either(
        self, cond: typed.Expr, then: tuple[typed.Expr, Steps], orelse: tuple[typed.Expr, Steps],
        span: Span,
    ) -> typed.Expr:
        """One of two values of one type; only that one is evaluated."""
        t = then[0].type
        assert t is not None, "a value has a type"
        symbol = typed.Symbol("t", t, span)
        place = typed.Name(symbol, span=span)
        self.ahead.append(typed.Declare(symbol, span=span))
        sides = [(*steps, typed.Assign(place, value, span=span)) for value, steps in (then, orelse)]
        self.ahead.append(typed.If(cond, *sides, span=span))
        self.constant.add(symbol)
        return place

    def both(
        self, operator: str, left: typed.Expr, right: typed.Expr, steps: Steps, span: Span
    ) -> typed.Expr:
        """left and right, or left or right, where the right side needs statements."""
        symbol = typed.Symbol(operator, BOOL, span)
        place = typed.Name(symbol, span=span)
        self.ahead.append(typed.Declare(symbol, left, span=span))
        go: typed.Expr = place
        if operator == "or":
            go = typed.Apply(prims.NOT, (place,), BOOL, span=span)
        block = (*steps, typed.Assign(place, right, span=span))
        self.ahead.append(typed.If(go, block, (), span=span))
        return place

    def links(
        self, k: int, left: typed.Expr, found: Sequence[tuple[typed.Expr, Steps]],
        compare: Callable[[int, typed.Expr, typed.Expr], typed.Expr | None], span: Span,
    ) -> typed.Expr | None:
        """A chain of comparisons from number k on; `found` are its right sides, and what goes ahead
        of each.
        """
        self.ahead += found[k][1]
        right = self.in_variable(found[k][0])
        first = compare(k, left, right)
        if first is None or k + 1 == len(found):
            return first
        more, steps = self.aside(lambda: self.links(k + 1, right, found, compare, span))
        return None if more is None else self.both("and", first, more, steps, span)

    # Values that stay.

    def kept(self, e: typed.Expr, name: str) -> typed.Expr:
        """An integer that is evaluated now, ahead of the statement."""
        assert isinstance(e.type, Scalar), "an integer"
        return self.in_variable(e, name)

    def kept_place(self, e: typed.Expr) -> typed.Expr:
        """A place whose indices are evaluated now."""
        match e:
            case typed.Member(base, field, t):
                return typed.Member(self.kept_place(base), field, t, span=e.span)
            case typed.Index(base, index, t):
                base = self.kept_place(base)
                return typed.Index(base, self.kept(index, "i"), t, span=e.span)
            case typed.View():
                return self.kept_view(e)
            case _ if not isinstance(e, typed.Name) and not isinstance(e.type, ArrayType):
                return self.in_variable(e)
            case _:
                return e

    def kept_view(self, e: typed.View) -> typed.View:
        """A part of an array that stays the same."""
        base = self.kept_place(e.base)
        start = self.kept(e.start, "start")
        shape = tuple([None if n is None else self.kept(n, "size") for n in e.shape])
        at = tuple([(self.kept(i, "i"), self.kept(n, "size")) for i, n in e.at])
        return typed.View(base, start, e.type, shape, at, span=e.span)
