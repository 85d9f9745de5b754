"""A function on plain buffers, with its derivatives: what the doors of array libraries call.

The buffers of an `Op` are those of the inputs, in the order of the arguments, and those of the
outputs, the result first. Its derivatives are `Op`s again:

    reverse   inputs and adjoints of the outputs -> adjoints of the inputs
    forward   inputs and tangents -> outputs and tangents
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, TypeAlias

from loma.backends.llvm.flat_call import NAME, NO_MEMORY
from loma.backends.llvm.flat_object import compile_flat
from loma.backends.llvm.flat_shape import Call, Dim, Leaf
from loma.backends.llvm.loaded import record_key
from loma.diagnostics import CompileError
from loma.host.arguments import MOST_THREADS
from loma.host.call import Instance, check_each
from loma.host.definitions import Derived
from loma.host.entries import entry
from loma.host.function import Function, fwd_diff, rev_diff
from loma.host.interop.buffers import RETURNED, Buffer, Buffers, owner
from loma.host.refusals import ArgumentValueError
from loma.ir.derived import Mode
from loma.ir.nodes import Direction
from loma.ir.types import Scalar

Shape: TypeAlias = tuple[int, ...]
MOST_SHAPES: Final = 256
PRIMAL: Final = "primal"
OTHER: Final = "other"  # an adjoint or a tangent
Source: TypeAlias = tuple[str, int]  # PRIMAL or OTHER, and which
Lane: TypeAlias = tuple[str, int, int]  # the same, and which of several tangents


class Op:
    """A function for one real type, on buffers.

    `threads`: how many, if that is given. `sizes`: named sizes that ints tell. `batch`: for each
    input whether it has a further dimension in front, for many calls in one.
    """

    def __init__(
        self, f: Function, float_type: Scalar, threads: int | None, sizes: Mapping[str, int],
        batch: tuple[bool, ...] | None = None,
    ) -> None:
        self.f = f
        self.float_type = float_type
        self.threads = threads
        self.sizes = sizes
        self.batch = batch
        self.instance: Instance = f.instance(float_type)
        made = Buffers(self.instance, threads, sizes)
        call = made.call()
        self.inputs: tuple[Buffer, ...] = tuple(made.inputs)
        self.outputs: tuple[Buffer, ...] = tuple(made.outputs)
        self.tells = made.tells
        self.fixed = made.lengths.known()
        if batch is not None:
            call = replace(call, batch=batch, lengths=call.lengths + 1)
        self.call: Call = call
        self.base: Op = self
        self.batches: dict[tuple[bool, ...], Op] = {}
        self.known: dict[tuple[Shape, ...], tuple[Shape, ...]] = {}
        self.measured: dict[tuple[Shape, ...], list[int]] = {}
        self.doors: dict[str, Any] = {}
        self.sources: tuple[Lane, ...] = ()
        self.vectors: dict[int, Op | None] = {}

    @property
    def name(self) -> str:
        """The function's name."""
        return self.instance.spoken

    @property
    def on_device(self) -> bool:
        """Whether it is a kernel that a device runs."""
        return self.f.target is not None

    @cached_property
    def floats(self) -> tuple[bool, ...]:
        """Which inputs have derivatives."""
        return tuple(b.real for b in self.inputs)

    @cached_property
    def float_outputs(self) -> tuple[bool, ...]:
        """Which outputs have derivatives."""
        return tuple(b.real for b in self.outputs)

    def batched(self, batch: tuple[bool, ...]) -> Op:
        """Many calls in one."""
        assert self.batch is None
        found = self.batches.get(batch)
        if found is None:
            made = Op(self.f, self.float_type, self.threads, self.sizes, batch)
            made.base = self
            found = self.batches.setdefault(batch, made)
        return found

    # Derivatives.

    def _derived(self, f: Function, sources: Sequence[Source]) -> Op:
        made = Op(f, self.float_type, self.threads, self.sizes)
        assert len(made.inputs) == len(sources), f"{f.name} has other inputs than {self.name}"
        if self.batch is None:
            return made
        own = self.batch
        return made.batched(tuple(kind == OTHER or own[i] for kind, i in sources))

    @cached_property
    def reverse(self) -> Op:
        """The reverse derivative."""
        return self._derived(rev_diff(self.f), self.reverse_inputs)

    @cached_property
    def forward(self) -> Op:
        """The forward derivative; with a batch, every tangent has one too."""
        return self._derived(fwd_diff(self.f), self.forward_inputs)

    @cached_property
    def reverse_inputs(self) -> tuple[Source, ...]:
        """What the reverse derivative takes: inputs, and adjoints of outputs."""
        owns, gives = _owners(self.inputs), _owners(self.outputs)
        found: list[Source] = []
        for a in self.instance.description.signature.written:
            if a.direction is not Direction.OUT:
                found += [(PRIMAL, i) for i in owns.get(a.name, ())]
            if a.direction is not Direction.IN and not a.nodiff:
                found += [(OTHER, i) for i in gives.get(a.name, ())]
        return (*found, *((OTHER, i) for i in gives.get(RETURNED, ())))

    @cached_property
    def adjoints(self) -> tuple[int | None, ...]:
        """Where the reverse derivative gives the adjoint of each input that has one."""
        nodiff = {a.name for a in self.instance.description.signature.arguments if a.nodiff}
        found: list[int | None] = []
        at = 0
        for b in self.inputs:
            found.append(at if b.real else None)
            at += owner(b.path) not in nodiff
        return tuple(found)

    @cached_property
    def forward_inputs(self) -> tuple[Source, ...]:
        """What the forward derivative takes: each input, followed by its tangent."""
        return tuple(
            s for i, real in enumerate(self.floats)
            for s in ([(PRIMAL, i), (OTHER, i)] if real else [(PRIMAL, i)]))

    @cached_property
    def forward_tangents(self) -> tuple[int | None, ...]:
        """Where the forward derivative gives the tangent of each output."""
        return self.tangents(1)

    def tangents(self, width: int) -> tuple[int | None, ...]:
        """Where a derivative for some directions gives the first tangent of each output."""
        found: list[int | None] = []
        at = 0
        for real in self.float_outputs:
            found.append(at + 1 if real else None)
            at += 1 + width if real else 1
        return tuple(found)

    def vector(self, width: int) -> Op | None:
        """The forward derivative for several directions at once, if there is one.

        `sources` are what it takes: each input, followed by its tangents.
        """
        if width not in self.vectors:
            self.vectors[width] = self._vector(width)
        return self.vectors[width]

    def _vector(self, width: int) -> Op | None:
        definition = Derived(Mode.FORWARD, self.f.__loma_definition__, width)
        try:
            made = Op(Function(definition, self.f), self.float_type, self.threads, self.sizes)
            assert made.instance.code, "compiled here, where it may be refused"
        except CompileError:
            return None
        made.sources = tuple(
            (kind, i, lane) for i, real in enumerate(self.floats)
            for kind, lane in ((PRIMAL, 0), *((OTHER, k) for k in range(width if real else 0))))
        assert len(made.inputs) == len(made.sources), f"{self.name} in {width} directions"
        return made

    # Shapes.

    def shapes(self, given: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """The shapes of the outputs; an error if those of the inputs do not fit together."""
        found = self.known.get(given)
        if found is None:
            lengths = self.lengths(given)
            front = () if self.batch is None else (lengths[-1],)
            found = tuple((*front, *_sized(b.leaf, lengths)) for b in self.outputs)
            if len(self.known) > MOST_SHAPES:
                self.known.clear()
            self.known[given] = found
        return found

    def lengths(self, given: tuple[Shape, ...]) -> list[int]:
        """The lengths that the shapes of the inputs tell."""
        lengths = self.measured.get(given)
        if lengths is None:
            lengths = self._lengths(given)
            if len(self.measured) > MOST_SHAPES:
                self.measured.clear()
            self.measured[given] = lengths
        return lengths

    def _lengths(self, given: tuple[Shape, ...]) -> list[int]:
        found: list[tuple[int, str] | None] = [
            self.fixed.get(i) for i in range(self.call.lengths)]
        for i, (b, shape) in enumerate(zip(self.inputs, given)):
            if self.batch is not None and self.batch[i]:
                found[-1], shape = (shape[0], b.path), shape[1:]
            for d, n in zip(b.leaf.dims, shape, strict=True):
                if isinstance(d, Dim) and found[d.index] is None:
                    found[d.index] = (n, b.path)
                known = found[d.index] if isinstance(d, Dim) else (d, "")
                if known is not None and known[0] != n:
                    raise ArgumentValueError(
                        f"`{self.name}`: argument `{b.path}` must have length {known[0]}"
                        f"{f', as argument `{known[1]}` has' if known[1] else ''}, not {n}")
        lengths = [0 if n is None else n[0] for n in found]
        self._check_limits(lengths)
        for b, shape in zip(self.inputs, given):
            if b.path in self.instance.description.facts.each:
                own = shape[1 if self.batch is not None and len(shape) > len(b.leaf.dims) else 0]
                check_each(self.name, b.path, own, self.threads)
        return lengths

    def _check_limits(self, lengths: Sequence[int]) -> None:
        """Refuses what does not fit into an int of the program."""
        threads = self.call.threads
        if isinstance(threads, Dim) and lengths[threads.index] > MOST_THREADS:
            raise ArgumentValueError(
                f"`{self.name}`: {lengths[threads.index]} threads are more than {MOST_THREADS}")
        for size in (o.count for o in self.call.operands):
            if isinstance(size, Dim) and lengths[size.index] > MOST_THREADS:
                raise ArgumentValueError(f"`{self.name}`: an array is too large for its indices")

    # The code.

    @cached_property
    def entry(self) -> tuple[bytes, int, object]:
        """The table that the code needs, its address, and what keeps it alive."""
        address, keep = entry("flat", self.call, compile_flat, NAME)
        return self.table(), address, keep

    def table(self, *more: int) -> bytes:
        """The addresses that the code needs."""
        code = self.instance.code
        words = (code.loaded.address(code.name), record_key(), *more)
        return struct.pack(f"{len(words)}Q", *words)

    @cached_property
    def run(self) -> Callable[[Sequence[int], tuple[Shape, ...]], None]:
        """Calls the code with addresses of buffers and the shapes of the inputs."""
        table, address, _ = self.entry
        function = ctypes.CFUNCTYPE(
            ctypes.c_int32, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p)(address)
        count, lengths = len(self.inputs) + len(self.outputs), max(self.call.lengths, 1)

        def run(addresses: Sequence[int], shapes: tuple[Shape, ...]) -> None:
            known = self.lengths(shapes)
            self.check(function(
                table, (ctypes.c_void_p * count)(*addresses), (ctypes.c_int64 * lengths)(*known)))

        return run

    def check(self, status: int) -> None:
        """Raises what a call has left."""
        if status == NO_MEMORY:
            raise MemoryError(f"`{self.name}`: no memory for the arguments")
        if status:
            self.instance.raise_error()


def _owners(buffers: Sequence[Buffer]) -> dict[str, list[int]]:
    """The buffers of each argument."""
    found: dict[str, list[int]] = {}
    for i, b in enumerate(buffers):
        found.setdefault(owner(b.path), []).append(i)
    return found


def _sized(leaf: Leaf, lengths: Sequence[int]) -> Shape:
    return tuple(lengths[d.index] if isinstance(d, Dim) else d for d in leaf.dims)


def chosen(sources: Sequence[Source], primals: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """The buffers that sources name."""
    return [primals[i] if kind == PRIMAL else others[i] for kind, i in sources]


def op_of(f: Function, float_type: Scalar, threads: int | None, sizes: Mapping[str, int]) -> Op:
    """The function on buffers; made once."""
    instance = f.instance(float_type)
    name = (threads, tuple(sizes.items()))
    found = instance.ops.get(name)
    if found is None:
        found = instance.ops.setdefault(name, Op(f, float_type, threads, sizes))
    return found  # type: ignore[no-any-return]
