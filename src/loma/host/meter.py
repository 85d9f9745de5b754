"""Runs a derivative in the core interpreter, and counts: frames, bytes, weighted operations.

The bytes are those that the runtime of the LLVM backend (`llvm/runtime.py`) would ask for: chunks
of tapes, local arrays on the heap, growable arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from loma.backends.llvm.effects import Place, analyse
from loma.backends.llvm.layout import Layout
from loma.backends.llvm.tapes import packed
from loma.ir import nodes as core
from loma.ir.builder import type_of
from loma.ir.interp import Interpreter
from loma.ir.interp_frame import Roots, Step, Values
from loma.ir.interp_ops import Compiled
from loma.ir.nodes import Module, Region, Var
from loma.ir.traverse import indices
from loma.ir.types import ArrayType, Ref

FIRST_CHUNK: Final = 512
LARGEST_CHUNK: Final = 64 << 20
FIRST_GROWTH: Final = 8


@dataclass(slots=True)
class Chunks:
    """A tape: the size of each chunk, and how much of it is used."""

    sizes: list[int] = field(default_factory=list)
    used: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Heap:
    """The memory of one call: bytes now, the most so far, and one spare chunk of a tape.

    `tapes`, `arrays` and `grown` are keyed by the identity of what the interpreter uses.
    """

    now: int = 0
    most: int = 0
    spare: int = 0
    tapes: dict[int, Chunks] = field(default_factory=dict)
    arrays: dict[int, int] = field(default_factory=dict)
    grown: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def take(self, size: int) -> int:
        """Asks for a block."""
        self.now += size
        self.most = max(self.most, self.now)
        return size

    def push(self, tape: int, size: int) -> None:
        """Room for a frame: a chunk of twice the size when the newest one is full."""
        t = self.tapes.setdefault(tape, Chunks())
        if not t.sizes or t.sizes[-1] - t.used[-1] < size:
            last = t.sizes[-1] if t.sizes else 0
            want = max(min(max(2 * last, FIRST_CHUNK), LARGEST_CHUNK), size)
            if self.spare >= want:
                want, self.spare = self.spare, 0
            else:
                self.take(want)
            t.sizes.append(want)
            t.used.append(0)
        t.used[-1] += size

    def pop(self, tape: int, size: int) -> None:
        """Drops a frame, and the chunks above it."""
        t = self.tapes[tape]
        while t.used[-1] < size:
            t.used.pop()
            self.set_aside(t.sizes.pop())
        t.used[-1] -= size

    def set_aside(self, chunk: int) -> None:
        """Keeps the larger one of two chunks for later."""
        self.now -= min(chunk, self.spare)
        self.spare = max(chunk, self.spare)

    def grow(self, array: int, index: int, size: int) -> None:
        """Room for an element of a growable array: the new array is there before the old one
        goes.
        """
        low, length, _ = self.grown.get(array, (index, 0, size))
        if low <= index < low + length:
            return
        missing = low - index if index < low else index - low + 1 - length
        more = max(missing, length, FIRST_GROWTH)
        self.take((length + more) * size)
        self.now -= length * size
        self.grown[array] = low - (more if index < low else 0), length + more, size

    def release(self, key: int) -> None:
        """The end of a local root."""
        for chunk in reversed(self.tapes.pop(key, Chunks()).sizes):
            self.set_aside(chunk)
        self.now -= self.arrays.pop(key, 0)
        _, length, size = self.grown.pop(key, (0, 0, 0))
        self.now -= length * size


class Meter(Interpreter):
    """An interpreter that counts: `times` has the runs of each region and push, by identity."""

    def __init__(self, module: Module) -> None:
        super().__init__(module, counting=True)
        self.layout = Layout(module.structs)
        self.places: Mapping[Var, Place] = analyse(module, self.layout).places
        self.heap = Heap()
        self.times: Counter[int] = Counter()
        self._metered: dict[str, Compiled] = {}

    def compiled(self, name: str) -> Compiled:
        """The compiled form of a function."""
        if name not in self._metered:
            self._metered[name] = Metered(self.module.functions[name], self)
        return self._metered[name]


class Metered(Compiled):
    """One function, whose steps tell the meter what they do."""

    def __init__(self, f: core.Function, meter: Meter) -> None:
        self.meter = meter
        super().__init__(f, meter)

    def region(self, region: Region) -> Step:
        """The code of a region; its local memory ends with it."""
        run, times, heap = super().region(region), self.meter.times, self.meter.heap
        places, key = self.meter.places, id(region)
        local = [self.at[op.out] for op in region.ops
                 if isinstance(op, core.Alloc) and places[op.out] is not Place.STACK]

        def counted(v: Values, r: Roots) -> None:
            times[key] += 1
            run(v, r)
            for slot in reversed(local):
                heap.release(id(r[slot]))

        return counted

    def _alloc(self, op: core.Alloc) -> Step:
        step, out, heap = super()._alloc(op), self.at[op.out], self.meter.heap
        if self.meter.places[op.out] is not Place.HEAP:
            return step
        content, layout = op.out.content, self.meter.layout
        counted = op.count is not None and isinstance(content, ArrayType)
        size = layout.size(content.element if counted and isinstance(content, ArrayType)
                           else content)
        count = None if op.count is None else self.value(op.count)

        def alloc(v: Values, r: Roots) -> None:
            step(v, r)
            items = 1 if count is None else max(int(v[count]), 0)
            heap.arrays[id(r[out])] = heap.take(items * size)

        return alloc

    def _tape(self, op: core.Push | core.Pop) -> Step:
        step, tape = super()._tape(op), self.at[op.tape]
        heap, times, key = self.meter.heap, self.meter.times, id(op)
        size = frame_bytes(op)

        def push(v: Values, r: Roots) -> None:
            times[key] += 1
            heap.push(id(r[tape]), size)
            step(v, r)

        def pop(v: Values, r: Roots) -> None:
            step(v, r)
            heap.pop(id(r[tape]), size)

        return push if isinstance(op, core.Push) else pop

    def _store(self, op: core.Store | core.StoreRef | core.Accum) -> Step:
        return self._growing(op, super()._store(op))

    def _view(self, op: core.View) -> Step:
        return self._growing(op, super()._view(op))

    def _growing(self, op: core.Store | core.StoreRef | core.Accum | core.View, step: Step) -> Step:
        """A step that may make a growable array longer."""
        root, content = op.root, op.root.content
        if not (isinstance(root.type, Ref) and root.type.growable and indices(op.path)):
            return step
        assert isinstance(content, ArrayType), "only arrays grow"
        size, heap, at = self.meter.layout.size(content.element), self.meter.heap, self.at[root]
        index = self.value(indices(op.path)[0])

        def grow(v: Values, r: Roots) -> None:
            heap.grow(id(r[at]), int(v[index]), size)
            step(v, r)

        return grow


def frame_bytes(op: core.Push | core.Pop) -> int:
    """The bytes of a frame on the tape."""
    values = op.values if isinstance(op, core.Push) else op.outs
    return packed(type_of(x) for x in values)[1]
