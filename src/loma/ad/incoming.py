"""Which reads of an Out argument may see the value that the caller passed in.

A reverse derivative has no memory for the primal Out, so such a value does not exist there: where
the sweep needs it, the derivative is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from loma.ir.nodes import (
    Call,
    Const,
    For,
    Function,
    If,
    Load,
    Op,
    Path,
    Region,
    Store,
    Var,
    View,
    Window,
)
from loma.ir.traverse import regions

Place = tuple[str | int, ...]
MustWrite = Callable[[str, int], bool]
MOST: Final = 64


@dataclass(slots=True)
class Incoming:
    """Reads of one root before it is certainly written; `calls` are those that may read it so.

    `unsettled`: some read follows a write of which only the run can tell whether it is of that
    place, or happens at all.
    """

    root: Var
    must_write: MustWrite
    loads: list[Load] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    unsettled: bool = False
    _seen: bool = False

    def of(self, region: Region) -> Incoming:
        """Looks at a body."""
        self.visit(region, frozenset())
        return self

    @property
    def computed(self) -> bool:
        """Whether only the run can tell which of the reads see what the caller passed in."""
        return self.unsettled or any(
            op.root is not self.root or place_of(op.path) is None for op in self.loads
        )

    def visit(self, region: Region, before: frozenset[Place]) -> frozenset[Place]:
        """The places certainly written after a region."""
        views = {self.root}
        for op in region.ops:
            before = self.op(op, before, views)
        return before

    def op(self, op: Op, before: frozenset[Place], views: set[Var]) -> frozenset[Place]:
        """The places certainly written after an operation."""
        match op:
            case View(root, _, out) | Window(root, _, out) if root in views:
                views.add(out)
            case Load(root, path) if root in views:
                if root is not self.root or not covered(path, before):
                    self.loads.append(op)
                    self.unsettled |= self._seen
            case Store(root, path) if root in views:
                self._seen = True
                place = place_of(path)
                return before if root is not self.root or place is None else before | {place}
            case Call():
                return self.call(op, before, views)
            case If(_, then, orelse):
                return self.visit(then, before) & self.visit(orelse, before)
            case _:
                for inner in regions(op):
                    self.visit(inner, before)
                return before | frozenset(counted(op, self.root, {}))
        return before

    def call(self, op: Call, before: frozenset[Place], views: set[Var]) -> frozenset[Place]:
        """A callee that certainly writes the root covers it; any other may read what came in."""
        for i, x in enumerate(op.args):
            if x is self.root and self.must_write(op.function, i):
                return before | {()}
            if isinstance(x, Var) and x in views and () not in before:
                self.calls.append(op)
        return before


def counted(op: Op, root: Var, known: Mapping[Var, Const], most: int = MOST) -> Iterator[Place]:
    """The places that a loop certainly writes each time, if its counter has few, known values."""
    if not isinstance(op, For):
        return
    start, count, step, index = op.start, op.count, int(op.step.value), op.body.args[0]
    if not isinstance(start, Const) or not isinstance(count, Const) or count.value > most:
        return
    for k in range(int(count.value)):
        here = {**known, index: Const(int(start.value) + k * step, index.scalar)}
        for inner in op.body.ops:
            if isinstance(inner, Store) and inner.root is root:
                path = [here.get(s, s) if isinstance(s, Var) else s for s in inner.path]
                place = place_of(tuple(path))
                yield from () if place is None else (place,)
            yield from counted(inner, root, here, most // int(count.value))


def place_of(path: Path) -> Place | None:
    """The path as literals; None if an index is computed."""
    found: list[str | int] = []
    for x in path:
        if isinstance(x, Var):
            return None
        found.append(int(x.value) if isinstance(x, Const) else x)
    return tuple(found)


def covered(path: Path, written: frozenset[Place]) -> bool:
    """Whether the place of a path, or one that holds it, is among the written ones."""
    place = place_of(path)
    return place is not None and any(place[:k] in written for k in range(len(place) + 1))


def must_writes(function: Callable[[str], Function]) -> MustWrite:
    """Whether a function certainly writes a scalar parameter; calls in progress are assumed to."""
    known: dict[tuple[str, int], bool] = {}

    def must_write(name: str, i: int) -> bool:
        key = (name, i)
        if key not in known:
            known[key] = True
            f = function(name)
            known[key] = () in Incoming(f.params[i], must_write).visit(f.body, frozenset())
        return known[key]

    return must_write
