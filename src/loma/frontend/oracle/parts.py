"""Elements and parts of arrays, as the oracle finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.diagnostics import Span
from loma.frontend import typed as T
from loma.frontend.oracle.memory import Array, Memory, Value, array
from loma.ir.nodes import Trap
from loma.ir.types import ArrayType

if TYPE_CHECKING:
    from loma.frontend.oracle.frame import Frame


def inside(frame: Frame, e: T.Index | T.View) -> None:
    """Stops where an index of several is outside of its dimension."""
    for index, size in e.at:
        if not 0 <= frame.index(index) < frame.index(size):
            raise frame.trap(Trap.INDEX, e.span)


def part(frame: Frame, e: T.View) -> Array:
    """Some of the elements of an array, shared with it."""
    inside(frame, e)
    whole, start = array(frame.memory(e.base)), frame.index(e.start)
    if start < 0:
        raise frame.trap(Trap.INDEX, e.span)
    items, held = whole.items[start:], e.base.type
    assert isinstance(held, ArrayType), "parts of arrays are arrays"
    while held.element != e.type.element:
        items = [inner for item in items for inner in array(item).items]
        held = held.element
        assert isinstance(held, ArrayType), "elements of inner arrays"
    return Array(items if e.type.size is None else items[: e.type.size])


def element(frame: Frame, a: Array, i: int, span: Span) -> Memory:
    """The element of an array, inside its bounds."""
    while a.grow is not None and i >= len(a.items):
        a.items.append(a.grow())
    if not 0 <= i < len(a.items):
        raise frame.trap(Trap.INDEX, span)
    return a.items[i]


def checked(frame: Frame, e: T.Checked) -> Value:
    """A value, once its conditions hold."""
    for cond, message in e.conditions:
        if not frame.truth(cond):
            raise frame.trap(Trap.SIZE, e.span, message)
    return frame.scalar(e.value)
