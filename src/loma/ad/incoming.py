"""Which reads of an Out argument may see the value that the caller passed in.

A reverse derivative has no memory for the primal Out, so such a value does not exist there: where
the sweep needs it, the derivative is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from loma.ir.analysis.roots import bases
from loma.ir.nodes import (
    Accum,
    Call,
    Const,
    For,
    Function,
    If,
    Load,
    Op,
    Operand,
    Path,
    Region,
    Store,
    Var,
)
from loma.ir.traverse import regions, walk

Place = tuple[str | int, ...]
MustWrite = Callable[[str, int], bool]
MOST: Final = 64


@dataclass(slots=True)
class Incoming:
    """Reads of one root before it is certainly written.

    `loads` come before all writes, so they see what came in. `calls` may read it. `unsettled`:
    some load follows a write of which only the run can tell whether it is of that place, or happens
    at all.
    """

    root: Var
    must_write: MustWrite
    base: Mapping[Var, Var]
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
        return self.unsettled or bool(self.calls)

    @property
    def nothing(self) -> bool:
        """Whether nothing can read what came in."""
        return not (self.loads or self.calls or self.unsettled)

    def visit(self, region: Region, before: frozenset[Place]) -> frozenset[Place]:
        """The places certainly written after a region."""
        for op in region.ops:
            before = self.op(op, before)
        return before

    def op(self, op: Op, before: frozenset[Place]) -> frozenset[Place]:
        """The places certainly written after an operation."""
        match op:
            case Load(root, path) if self.mine(root):
                self.load(op, covered(path if root is self.root else None, before))
            case Store(root, path) | Accum(root, path) if self.mine(root):
                self._seen = True
                if isinstance(op, Accum):
                    return before
                place = place_of(path)
                return before if root is not self.root or place is None else before | {place}
            case Call():
                return self.call(op, before)
            case If(_, then, orelse):
                return self.visit(then, before) & self.visit(orelse, before)
            case _:
                self._seen |= any(self.writes(x) for inner in regions(op) for x in walk(inner))
                for inner in regions(op):
                    self.visit(inner, before)
                return before | frozenset(counted(op, self.root, {}))
        return before

    def load(self, op: Load, is_covered: bool) -> None:
        """A read of a part."""
        if is_covered:
            return
        if self._seen:
            self.unsettled = True
        else:
            self.loads.append(op)

    def mine(self, x: Operand) -> bool:
        """Whether an operand is the root or a part of it."""
        return isinstance(x, Var) and self.base.get(x, x) is self.root

    def writes(self, op: Op) -> bool:
        """Whether an operation may write the root."""
        match op:
            case Store(root) | Accum(root):
                return self.mine(root)
            case Call(_, args):
                return any(map(self.mine, args))
            case _:
                return False

    def call(self, op: Call, before: frozenset[Place]) -> frozenset[Place]:
        """A callee that certainly writes the root covers it; any other may read what came in."""
        for i, x in enumerate(op.args):
            if x is self.root and self.must_write(op.function, i):
                return before | {()}
            if self.mine(x):
                self._seen = True
                if () not in before:
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


def covered(path: Path | None, written: frozenset[Place]) -> bool:
    """Whether the place of a path, or one that holds it, is among the written ones; without a
    path, whether everything is.
    """
    place = () if path is None else place_of(path)
    return place is not None and any(place[:k] in written for k in range(len(place) + 1))


def must_writes(function: Callable[[str], Function]) -> MustWrite:
    """Whether a function certainly writes a scalar parameter; calls in progress are assumed to."""
    known: dict[tuple[str, int], bool] = {}

    def must_write(name: str, i: int) -> bool:
        key = (name, i)
        if key not in known:
            known[key] = True
            f = function(name)
            found = Incoming(f.params[i], must_write, bases(f.body))
            known[key] = () in found.visit(f.body, frozenset())
        return known[key]

    return must_write
