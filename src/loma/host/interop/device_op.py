"""Runs an `Op` on a device, on the arrays of a library, where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from loma.backends.llvm.flat_shape import Built, Column, Count, Dim, Direct, Operand, Place, Rows
from loma.host.arrays import DTYPES
from loma.host.interop.op import Op
from loma.host.refusals import ArgumentTypeError
from loma.ir.types import Scalar, StructType, Type

Value: TypeAlias = Any  # an array of a library
WORD: Final = 8


class Memory(Protocol):
    """What must be known of a library's arrays as memory."""

    def owns(self, x: Value) -> bool:
        """Whether kernels can write an array where it lies."""

    def new(self, shape: Sequence[int], type: Scalar) -> Value:
        """Zeros."""

    def copy(self, x: Value) -> Value:
        """The same numbers elsewhere, where kernels reach them, in one piece."""

    def whole(self, x: Value) -> Value:
        """An array that kernels can read: itself, or a copy."""

    def host(self, x: Value) -> np.ndarray[Any, Any]:
        """The numbers in the host's memory."""

    def operand(self, x: Value) -> Value:
        """What a kernel is given for an array."""

    def raw(self, x: Value) -> Value:
        """What a kernel is given for bytes."""

    def address(self, x: Value) -> int | None:
        """Where an operand lies in the memory of a GPU; None: in the host's."""

    def split(self, x: Value) -> Value:
        """The bytes of each number, in one more dimension."""

    def joined(self, raw: Value, type: Scalar) -> Value:
        """The inverse of `split`."""

    def beside(self, parts: Sequence[Value]) -> Value:
        """Arrays joined along their last dimension."""

    def stacked(self, parts: Sequence[Value]) -> Value:
        """Arrays of one shape as one array."""

    def fill(self, x: Value, found: Value) -> None:
        """Writes the numbers of another array into an array."""

    def started(self, op: Op) -> None:
        """A kernel has been started: waits for it, where the library would not."""


@dataclass(slots=True)
class Run:
    """One run of a kernel: what it is given, and what it leaves."""

    op: Op
    memory: Memory
    inputs: Sequence[Value]
    outputs: list[Value]
    lengths: Sequence[int]
    kept: list[Value]

    def start(self) -> list[Value]:
        """Runs it; gives the outputs."""
        call = self.op.call
        arguments = self.op.instance.description.signature.arguments
        operands, later = list[Value](), list[tuple[Built, Value]]()
        for o, a in zip(call.operands, arguments, strict=True):
            operands.append(self._operand(o, a.type, later))
        assert call.threads is not None, "a kernel"
        kernel: Any = self.op.instance
        kernel.kernel(*operands, self._length(call.threads))
        self.memory.started(self.op)
        for place, raw in later:
            self._taken_apart(place, raw)
        return self.outputs

    def _length(self, n: Count) -> int:
        return self.lengths[n.index] if isinstance(n, Dim) else n

    def _operand(self, o: Operand, t: Type, later: list[tuple[Built, Value]]) -> Value:
        if o.count is not None:
            return self._length(o.count)
        if o.take is not None:
            return self.memory.host(self.inputs[o.take]).item()
        assert o.place is not None, "a number, or memory"
        if o.passing is not None:
            assert isinstance(o.place, Built) and isinstance(t, StructType), "a struct"
            kernel: Any = self.op.instance
            made = kernel.ctypes_classes[t.name]
            return made.from_buffer_copy(self._struct(o.place))
        return self._place(o.place, later)

    def _place(self, place: Place, later: list[tuple[Built, Value]]) -> Value:
        """The memory of an argument."""
        match place:
            case Direct(_, _, take, give, written):
                return self._direct(take, give, written)
            case Built():
                raw = self._built(place)
                later.append((place, raw))
                return self.memory.raw(raw)
            case Rows(count, each, size, all_):
                start = self._address(self._place(all_, later))
                stride = self._length(each) * size
                rows = start + stride * np.arange(self._length(count), dtype=np.int64)
                return self.memory.operand(self.memory.copy(rows))

    def _direct(self, take: int | None, give: int | None, written: bool) -> Value:
        if give is None:
            assert take is not None, "an input or an output"
            x = self.inputs[take]
            return self.memory.operand(
                self.memory.copy(x) if written else self.memory.whole(x))
        if take is not None and self.outputs[give] is None:
            self.outputs[give] = self.memory.copy(self.inputs[take])
        return self.memory.operand(self._output(give))

    def _output(self, i: int) -> Value:
        """An output; a new one, if it is not there."""
        if self.outputs[i] is None:
            leaf = self.op.outputs[i].leaf
            shape = tuple(map(self._length, leaf.dims))
            self.outputs[i] = self.memory.new(shape, leaf.type)
        return self.outputs[i]

    def _address(self, operand: Value) -> int:
        found = self.memory.address(operand)
        if found is None:
            raise ArgumentTypeError(
                f"`{self.op.name}` takes memory that holds pointers, which must be a GPU's",
                "give it arrays of a GPU")
        self.kept.append(operand)
        return found

    # Structs: a buffer for each member, and their bytes side by side.

    def _struct(self, place: Built) -> bytearray:
        """The bytes of one struct."""
        raw = bytearray(place.size)
        for at, piece in self._pieces(place, host=True):
            raw[at:at + piece.size] = piece.tobytes()
        for at, inner in place.pointers:
            start = self._address(self._place(inner, []))
            raw[at:at + WORD] = start.to_bytes(WORD, "little")
        return raw

    def _built(self, place: Built) -> Value:
        """The bytes of structs, one row for each."""
        counts = tuple(map(self._length, place.counts))
        if place.pointers:
            raise ArgumentTypeError(
                f"`{self.op.name}`: structs that hold arrays are passed to kernels one by one")
        if all(c.take is None for c in place.columns):
            return self._zero_bytes((*counts, place.size))
        parts, end = list[Value](), 0
        for at, piece in self._pieces(place, host=False):
            if at > end:
                parts.append(self._zero_bytes((*counts, at - end)))
            parts.append(piece)
            end = at + piece.shape[-1]
        if end < place.size:
            parts.append(self._zero_bytes((*counts, place.size - end)))
        return self.memory.beside(parts)

    def _zero_bytes(self, shape: tuple[int, ...]) -> Value:
        *counts, size = shape
        return self.memory.split(self.memory.new((*counts, size // 4), Scalar.I32)).reshape(shape)

    def _pieces(self, place: Built, host: bool) -> Iterator[tuple[int, Value]]:
        """The bytes of the columns, in order, and where they begin in each struct."""
        memory: Memory = HOST if host else self.memory
        found: list[tuple[int, Value]] = []
        for c in place.columns:
            assert c.take is not None, "given where others are"
            x = self.inputs[c.take]
            raw = memory.split(self.memory.host(x) if host else self.memory.copy(x))
            found += [(at, raw[(..., *which, slice(None))]) for at, which in _cells(c)]
        return iter(sorted(found, key=lambda f: f[0]))

    def _taken_apart(self, place: Built, raw: Value) -> None:
        """Gives the members of structs their numbers back."""
        for c in place.columns:
            if c.give is None:
                continue
            width = max(c.type.bytes, 4)
            cells = [raw[..., at:at + width] for at, _ in _cells(c)]
            counts = tuple(map(self._length, place.counts))
            loops = tuple(n for n, _ in c.loops)
            whole = self.memory.beside(cells).reshape((*counts, *loops, width))
            found = self.memory.joined(whole, c.type)
            if self.outputs[c.give] is None:
                self.outputs[c.give] = found
            else:
                self.memory.fill(self.outputs[c.give], found)


def _cells(c: Column) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where the numbers of a column are in each struct, and in its buffer."""
    for which in product(*(range(n) for n, _ in c.loops)):
        yield c.offset + sum(k * s for k, (_, s) in zip(which, c.loops)), which


def computed(
    op: Op, memory: Memory, inputs: Sequence[Value], shapes: tuple[tuple[int, ...], ...],
    outputs: Sequence[Value] | None = None, *, in_place: bool = False,
) -> list[Value]:
    """The outputs of a kernel; `outputs` are those that are there to be written.

    If `in_place`, an argument that is read and written is the output itself.
    """
    if op.batch is not None:
        return _each(op, memory, inputs, shapes)
    given = [None] * len(op.outputs) if outputs is None else list(outputs)
    if in_place:
        given = [_same(op, memory, i, inputs) if x is None else x for i, x in enumerate(given)]
    return Run(op, memory, inputs, given, op.lengths(shapes), []).start()


def _same(op: Op, memory: Memory, i: int, inputs: Sequence[Value]) -> Value:
    """The input that an output is written to, if one is."""
    path = op.outputs[i].path
    return next(
        (x for b, x in zip(op.inputs, inputs) if b.path == path and memory.owns(x)), None)


def _each(
    op: Op, memory: Memory, inputs: Sequence[Value], shapes: tuple[tuple[int, ...], ...]
) -> list[Value]:
    """Many calls, one after the other."""
    assert op.batch is not None, "asked of batches"
    size = op.lengths(shapes)[-1]
    inner = tuple(s[1:] if many else s for s, many in zip(shapes, op.batch))
    rows = [
        computed(op.base, memory, [x[k] if many else x for x, many in zip(inputs, op.batch)], inner)
        for k in range(size)]
    if not rows:
        shapes = op.shapes(shapes)
        return [memory.new(s, b.leaf.type) for s, b in zip(shapes, op.outputs)]
    return [memory.stacked(column) for column in zip(*rows)]


class Plain:
    """Arrays of NumPy, or of CuPy, which has the same functions."""

    def __init__(self, library: Value) -> None:
        self.library = library

    def owns(self, x: Value) -> bool:
        """Whether it is an array of the library."""
        return isinstance(x, self.library.ndarray)

    def new(self, shape: Sequence[int], type: Scalar) -> Value:
        """Zeros."""
        return self.library.zeros(shape, DTYPES[type])

    def copy(self, x: Value) -> Value:
        """The same numbers elsewhere."""
        return self.library.array(x, order="C")

    def whole(self, x: Value) -> Value:
        """An array of the library in one piece."""
        x = x if self.owns(x) else self.library.asarray(x)
        return x if x.flags.c_contiguous else self.copy(x)

    def host(self, x: Value) -> np.ndarray[Any, Any]:
        """The numbers in the host's memory."""
        found: np.ndarray[Any, Any] = np.asarray(x.get() if hasattr(x, "get") else x)
        return found

    def operand(self, x: Value) -> Value:
        """An array is passed as it is."""
        return x

    def raw(self, x: Value) -> Value:
        """Bytes as words."""
        return x.view(np.int32)

    def address(self, x: Value) -> int | None:
        """Where an array lies in the memory of a GPU."""
        return None if self.library is np else int(x.data.ptr)

    def split(self, x: Value) -> Value:
        """The bytes of each number; a bool has four."""
        x = x.astype(np.int32) if x.dtype == bool else x
        return self.whole(x).reshape(*x.shape, 1).view(np.uint8)

    def joined(self, raw: Value, type: Scalar) -> Value:
        """The inverse of `split`."""
        dtype = np.dtype(np.int32) if type is Scalar.BOOL else DTYPES[type]
        found = self.whole(raw).view(dtype)[..., 0]
        return found != 0 if type is Scalar.BOOL else found

    def beside(self, parts: Sequence[Value]) -> Value:
        """Arrays joined along their last dimension."""
        return self.library.concatenate(parts, axis=-1)

    def stacked(self, parts: Sequence[Value]) -> Value:
        """Arrays of one shape as one array."""
        return self.library.stack(parts)

    def fill(self, x: Value, found: Value) -> None:
        """Writes the numbers of another array into an array."""
        x[...] = found

    def started(self, op: Op) -> None:
        """The stream has the rest of the work."""


HOST: Final = Plain(np)
