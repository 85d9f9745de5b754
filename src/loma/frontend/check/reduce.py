"""Reductions: `sum`, `min`, `max`, `argmin` and `argmax` over a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.frontend import surface, typed
from loma.frontend.check.folds import finished
from loma.frontend.check.scope import Entry
from loma.ir.types import I32, I64, Scalar

if TYPE_CHECKING:
    from loma.frontend.check.stmt import FunctionChecker


def bounds(
    c: FunctionChecker, start: surface.Expr, stop: surface.Expr
) -> tuple[Scalar, tuple[typed.Expr | None, typed.Expr | None]]:
    """The type of a counter, and the bounds in it."""
    found = c.in_order((start, stop), lambda b: c.integer(b, "a bound of a range"))
    index = I64 if any(b is not None and b.type is I64 for b in found) else I32
    first, last = (None if b is None else c.settled(b, index) for b in found)
    return index, (first, last)


def reduction(c: FunctionChecker, e: surface.Reduce) -> typed.Expr | None:
    """kind(value for counter in range(...)); the counter is known in the value only."""
    index, (start, stop) = bounds(c, e.start, e.stop)
    symbol = typed.Symbol(e.counter.name, index, e.counter.span)
    with c.scope.block():
        entry = Entry(symbol, e.counter, counter=True)
        c.declare(symbol.name, entry, symbol.span)
        c.scope.declare(symbol.name, entry)  # one that was taken is the counter here all the same
        with c.without_steps():
            value = c.expr(e.value)
    if value is None or start is None or stop is None:
        return None
    return finished(c, e, e.kind, value, typed.Reduce(
        e.kind, symbol, start, stop, e.step, value, index))
