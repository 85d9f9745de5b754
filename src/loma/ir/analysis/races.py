"""Whether the threads of a kernel, or the rounds of a parallel loop, are independent: none reads
what another one writes.

Reverse mode runs the threads one by one, forward and back, which is right only for independent
threads. A conflict is *proven* where two plain statements of every thread meet at a known
distance; it is *assumed* not to happen where indices or conditions hide the answer, and reported
as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from loma.diagnostics import Span
from loma.ir.analysis.affine import Affine, affine
from loma.ir.analysis.roots import bases
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Function,
    Load,
    LoadRef,
    Op,
    Operand,
    Parallel,
    Path,
    Region,
    Store,
    Var,
    View,
    Window,
)
from loma.ir.traverse import bound, is_parallel, regions, walk
from loma.ir.types import I32


class Meeting(Enum):
    """How the places of two accesses relate when different threads make them."""

    NEVER = "never the same"
    ALWAYS = "the same for some other thread"
    UNKNOWN = "not decided"


@dataclass(frozen=True, slots=True)
class Access:
    """A read or a write of shared memory; `sure` if every thread makes it."""

    root: Var
    path: Path
    span: Span
    writes: bool
    adds: bool
    sure: bool


@dataclass(frozen=True, slots=True)
class Race:
    """Two accesses that may meet in different threads."""

    proven: bool
    write: Access
    other: Access


def races(f: Function) -> list[Race]:
    """The conflicts between threads of a kernel, or iterations of parallel loops, that are proven
    or cannot be ruled out.
    """
    base = bases(f.body)
    return [race for op in walk(f.body) if is_parallel(op) for race in meetings(op, base)]


def meetings(loop: Op, base: Mapping[Var, Var]) -> Iterator[Race]:
    """The conflicts between the iterations of one loop; `base` as in `roots.bases`."""
    (body,) = regions(loop)
    yield from _Threads(body, base).races()


def private(kernel: Function) -> frozenset[Var]:
    """The parameters of a kernel of which each thread touches only elements that no other thread
    touches; different parameters are taken to be different memory."""
    threads = next((op for op in kernel.body.ops if isinstance(op, Parallel)), None)
    if threads is None:
        return frozenset()
    return frozenset(_Threads(threads.body, bases(kernel.body)).private_roots())


class _Threads:
    def __init__(self, body: Region, base: Mapping[Var, Var]) -> None:
        self.thread = body.args[0]
        self.base = base
        self.inside: dict[Var, Apply | None] = dict.fromkeys(bound(body))
        parts = (op for op in walk(body) if isinstance(op, View | Window | LoadRef))
        self.defs = {op.out: op for op in parts}
        self.inside.update((op.out, op) for op in walk(body) if isinstance(op, Apply))
        self.private = {op.out for op in walk(body) if isinstance(op, Alloc)}
        self.accesses: dict[Var, list[Access]] = {}
        for access in self.collect(body, True):
            self.accesses.setdefault(access.root, []).append(access)

    def collect(self, region: Region, sure: bool) -> Iterator[Access]:
        """The accesses to memory that threads share, in order."""
        for op in region.ops:
            if isinstance(op, Load | Store | Accum):
                root = self.base.get(op.root, op.root)
                if root not in self.private:
                    writes = not isinstance(op, Load)
                    yield Access(
                        root,
                        self.whole(op.root, op.path),
                        op.span,
                        writes,
                        isinstance(op, Accum),
                        sure,
                    )
            for inner in regions(op):
                yield from self.collect(inner, False)

    def whole(self, root: Var, path: Path) -> Path:
        """The path from the base root, through views and pointers."""
        op = self.defs.get(root)
        if op is None:
            return path
        if isinstance(op, Window):  # where it begins is added to the index: somewhere
            path = (Var("somewhere", I32), *path[1:])
            return self.whole(op.root, (*op.path[: -op.depth], *path))
        return self.whole(op.root, (*op.path, *path))

    def races(self) -> Iterator[Race]:
        """Each pair of a write and a read, or of a plain write and any write, that may meet."""
        for accesses in self.accesses.values():
            if any(a.writes for a in accesses):
                for i, a in enumerate(accesses):
                    for b in accesses[i:]:
                        if (a.writes or b.writes) and not (a.adds and b.adds):
                            yield from self.pair(a, b)

    def pair(self, a: Access, b: Access) -> Iterator[Race]:
        """The race of two accesses to one root, if there may be one."""
        meeting = self.meeting(a.path, b.path)
        if meeting is not Meeting.NEVER:
            write, other = (a, b) if a.writes else (b, a)
            sure = meeting is Meeting.ALWAYS and a.sure and b.sure and not other.writes
            yield Race(sure, write, other)

    def private_roots(self) -> Iterator[Var]:
        """The roots of which no two threads touch one element."""
        for root, accesses in self.accesses.items():
            paths = [a.path for a in accesses]
            pairs = ((p, q) for i, p in enumerate(paths) for q in paths[i:])
            if all(self.meeting(p, q) is Meeting.NEVER for p, q in pairs):
                yield root

    def meeting(self, p: Path, q: Path) -> Meeting:
        """How two paths from one root relate in different threads."""
        steps = []
        for x, y in zip(p, q, strict=False):
            if isinstance(x, str) or isinstance(y, str):
                if x != y:
                    return Meeting.NEVER
                continue
            steps.append(self.indices(x, y))
        if Meeting.NEVER in steps:
            return Meeting.NEVER
        return Meeting.UNKNOWN if Meeting.UNKNOWN in steps else Meeting.ALWAYS

    def indices(self, x: Operand, y: Operand) -> Meeting:
        """How two indices at the same position relate in different threads."""
        f, g = affine(x, self.thread, self.inside), affine(y, self.thread, self.inside)
        if f is None or g is None or f.scale != g.scale or f.terms != g.terms:
            return Meeting.UNKNOWN
        return _same_scale(f, g)


def _same_scale(f: Affine, g: Affine) -> Meeting:
    apart = g.offset - f.offset
    if f.scale == 0:
        return Meeting.NEVER if apart else Meeting.ALWAYS
    if apart % f.scale or apart == 0:
        return Meeting.NEVER
    return Meeting.ALWAYS
