"""Reductions, by the oracle: values one after the other, each compared with the best so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from loma.frontend import typed as T
from loma.frontend.oracle.memory import Cell, Value, zero_of
from loma.frontend.oracle.numbers import real
from loma.ir.nodes import Trap
from loma.ir.types import Scalar

if TYPE_CHECKING:
    from loma.frontend.oracle.frame import Frame


def reduction(frame: Frame, e: T.Reduce) -> Value:
    """The value of a reduction."""
    t = e.value.type
    assert isinstance(t, Scalar), "numbers are reduced"
    total: Value = zero_of(t)
    best: tuple[Value, int] | None = None
    for i in range(frame.index(e.start), frame.index(e.stop), e.step):
        frame.places[e.symbol] = Cell(i)
        x = frame.scalar(e.value)
        frame.spend(e.span)
        if e.kind == "sum":
            total = frame.arithmetic("add", (total, x), t, e.span)
        elif best is None or _beats(real(x), real(best[0]), e.kind.endswith("max")):
            best = x, i
    if e.kind == "sum":
        return total
    if best is None:
        raise frame.trap(Trap.EMPTY, e.span)
    return best[1] if e.kind.startswith("arg") else best[0]


def _beats(x: float, y: float, largest: bool) -> bool:
    """Whether x is strictly better than y; a NaN is better than all numbers."""
    if math.isnan(y):
        return False
    return math.isnan(x) or (x > y if largest else x < y)
