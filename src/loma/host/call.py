"""A call from Python: matches arguments, decides the real type, checks everything, then runs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np

from loma.backends.llvm.loaded import knowing
from loma.host.arguments import Given
from loma.host.arrays import Converter
from loma.host.blocks import Block, Child, blocks, reached
from loma.host.definitions import LOCK
from loma.host.description import Code, Description
from loma.host.marshal import ctypes_structs, ctypes_type
from loma.host.refusals import ArgumentTypeError, ArgumentValueError
from loma.host.shapes import Sizes
from loma.host.stopped import raise_stopped
from loma.host.values import Value, made_by, named_tuple, number_of, truths
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, StructType, Type

Span: TypeAlias = tuple[int, int]
RESULT: Final = "result"


def result_name(signature: Signature) -> str:
    """What the returned value is called among the outputs; no written argument has the name."""
    taken, name = {a.name for a in signature.written if a.direction is not Direction.IN}, RESULT
    while name in taken:
        name += "_"
    return name


@dataclass(slots=True)
class Operand:
    """One argument of a call, as memory."""

    argument: Argument
    passed: Value
    block: Block | None = None
    memory: Any = None
    child: Child = None
    supplied: bool = True

    @property
    def writes(self) -> bool:
        """Whether the function may write it."""
        return self.argument.direction is not Direction.IN


@dataclass(eq=False, repr=False)
class Instance:
    """A function for one real type, compiled when its code is needed first.

    `spoken`: what errors call it.
    """

    name: str
    description: Description
    build: Callable[[], Code]
    classes: Mapping[str, type]
    spoken: str = ""
    calls: list[int] = field(default_factory=lambda: [0, 0])
    keep: list[object] = field(default_factory=list)
    ops: dict[object, Any] = field(default_factory=dict)
    convert: Converter = field(init=False)
    _code: Code | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        d = self.description
        self.spoken = self.spoken or self.name
        shapes = {a.name: a.shape for a in d.signature.written if a.shape}
        self.convert = Converter(self.spoken, d.structs, d.float_type, self.classes, shapes)

    @property
    def code(self) -> Code:
        """The machine code: one, whichever threads ask for it."""
        if self._code is None:
            with LOCK:
                if self._code is None:
                    self._code = self.build()
        return self._code

    @cached_property
    def ctypes_classes(self) -> dict[str, Any]:
        """The ctypes classes of the structs."""
        return dict(ctypes_structs(self.description.structs))

    @cached_property
    def function(self) -> Value:
        """The code, as a ctypes function that takes addresses."""
        s = self.description.signature
        classes = self.ctypes_classes
        types = [
            ctypes_type(a.type, classes)
            if a.direction is Direction.IN and not isinstance(a.type, ArrayType)
            else ctypes.c_void_p for a in s.arguments]
        result = None if s.result is None else ctypes_type(s.result, classes)
        threads = [ctypes.c_int] if s.simd else []
        address = self.code.loaded.address(self.code.name)
        return ctypes.CFUNCTYPE(result, *types, *threads)(address)

    @property
    def traps(self) -> bool:
        """Whether a call may end in an error."""
        return self.code.loaded.may_trap(self.code.name)

    @property
    def has_truths(self) -> bool:
        """Whether it takes arrays of bools: as NumPy has them, or as loma has."""
        return any(isinstance(a.type, ArrayType) and truths(a.type)
                   for a in self.description.signature.arguments)

    def call(self, values: Given, threads: int | None) -> Value:
        """Runs the function on checked arguments; gives what it computes."""
        operands = self.operands(values, threads)
        result = self.run(operands, self.thread_count(values, threads))
        found: dict[str, Value] = {}
        if self.description.signature.result is not None:
            found[result_name(self.description.signature)] = result
        for o in operands:
            if self._returned(o):
                found[o.argument.name] = self.shown(o)
        return packed(f"{self.name}_results", found)

    def evaluate(self, values: Given, threads: int | None) -> dict[str, Value]:
        """Runs the function; gives the result and every argument that it may write, by name."""
        operands = self.operands(values, threads)
        result = self.run(operands, self.thread_count(values, threads))
        s = self.description.signature
        found = {} if s.result is None else {result_name(s): result}
        return found | {o.argument.name: self.shown(o) for o in operands if o.writes}

    def _returned(self, o: Operand) -> bool:
        """What a call gives back: new outputs, and numbers and structs that were changed."""
        match o.argument.direction:
            case Direction.IN:
                return False
            case Direction.OUT:
                return not o.supplied
            case Direction.INOUT:
                return o.memory is not None and not isinstance(o.passed, np.ndarray)

    def operands(self, values: Given, threads: int | None) -> list[Operand]:
        """Every argument as memory, all checked; nothing is written."""
        sizes = Sizes(self.spoken, self.description, self.convert, values)
        sizes.check()
        made: list[Operand] = []
        for i, a in enumerate(self.description.signature.arguments):
            if a.hidden:
                made.append(Operand(a, sizes.value(a)))
                continue
            supplied = a.name in values
            x = values[a.name] if supplied else self.output(a, values, threads)
            made.append(self._operand(a, x, supplied, i in self.code.writes))
        self._check_overlap(made)
        self._check_lengths(values, threads)
        return made

    def output(self, a: Argument, values: Given, threads: int | None) -> Value:
        """New memory for an output."""
        like = self.description.facts.like.get(a.name)
        if like is not None and like in values:
            return self.convert.zeros(a.type, values[like], a.name)
        shape: tuple[int, ...] | None = None
        if isinstance(a.type, ArrayType) and a.type.size is None:
            shape = self._shape(a, values, threads)
        return self.convert.empty(a.type, shape, a.name)

    def _shape(self, a: Argument, values: Given, threads: int | None) -> tuple[int, ...] | None:
        """The sizes of an output that have no number of their own."""
        if any(self.description.facts.sizes.get(a.name, ())[:1]) or a.shape:
            return Sizes(self.spoken, self.description, self.convert, values).shape(a)
        if not self.description.signature.simd:
            return None
        count = self.thread_count(values, threads)
        return None if count is None else (count,)

    def _operand(self, a: Argument, x: Value, supplied: bool, written: bool) -> Operand:
        writes = written or a.direction is not Direction.IN
        if isinstance(a.type, ArrayType):
            return Operand(a, x, self.convert.block(x, a.type, a.name, writes), supplied=supplied)
        if writes and isinstance(x, np.ndarray) and x.ndim <= 1 and x.size == 1:
            block = self.convert.block(x.reshape(1), ArrayType(a.type, 1), a.name, True)
            return Operand(a, x, None, block.memory, None, supplied)
        if isinstance(a.type, StructType):
            memory, child = self.convert.record(x, a.type, a.name)
            return Operand(a, x, None, memory, child, supplied)
        assert isinstance(a.type, Scalar)
        number = self.convert.number(x, a.type, a.name)
        if a.direction is Direction.IN:
            return Operand(a, number, supplied=supplied)
        memory = np.full(1, number, self.convert.dtype(a.type))
        return Operand(a, x, None, memory, None, supplied)

    def run(self, operands: list[Operand], threads: int | None) -> Value:
        """Calls the code."""
        passed = [self._passed(o) for o in operands]
        if self.description.signature.simd:
            passed.append(threads)
        with self._knowing(operands):
            out = self.function(*passed)
        if self.traps:
            self.raise_error()
        for o in operands:
            for b in blocks(o.block or o.child):
                b.settle()
        match self.description.signature.result:
            case None:
                return None
            case Scalar() as t:
                return number_of(out, t)
            case t:
                memory = np.frombuffer(bytearray(out), self.convert.dtype(t))
                return self.convert.shown(memory, 0, t, None)

    def _knowing(self, operands: list[Operand]) -> AbstractContextManager[None]:
        """Lets the code know the lengths of the arrays, if it asks."""
        if not self.code.loaded.bundle.extents:
            return nullcontext()
        blocks = [o.child if o.block is None else o.block for o in operands]
        return knowing(
            _span(m) for block in blocks for m in reached(block) if m.size)

    def raise_error(self) -> None:
        """Raises what the last call of this thread left in the error channel."""
        loaded = self.code.loaded
        if loaded.stopped[0] and (error := loaded.take_error()) is not None:
            raise_stopped(error)

    def named(self, values: tuple[Value, ...]) -> Value:
        """Several results as a named tuple."""
        return self._results(values)

    @cached_property
    def _results(self) -> Value:
        s = self.description.signature
        names = [] if s.result is None else [result_name(s)]
        names += [a.name for a in s.arguments if a.direction is Direction.OUT]
        return made_by(named_tuple(f"{self.name}_results", names), names)

    def _passed(self, o: Operand) -> Value:
        t = o.argument.type
        if o.block is not None:
            return o.block.address
        if o.writes:
            return o.memory.ctypes.data
        if isinstance(t, StructType):
            return self.ctypes_classes[t.name].from_buffer_copy(o.memory.tobytes())
        return o.passed

    def shown(self, o: Operand) -> Value:
        """An argument after the call, as the user gets it."""
        t: Type = o.argument.type
        if o.block is not None:
            return o.block.value
        return self.convert.shown(o.memory, 0, t, o.child)

    # Checks of several arguments.

    def thread_count(self, values: Given, threads: int | None) -> int | None:
        """How many threads a kernel runs."""
        if threads is not None or not self.description.signature.simd:
            return threads
        inputs = {a.name for a in self.description.signature.arguments
                  if a.direction is not Direction.OUT}
        lengths = {n: len(values[n]) for n in self.description.facts.threads
                   if n in inputs and hasattr(values[n], "__len__")}
        if len(set(lengths.values())) == 1:
            return next(iter(lengths.values()))
        if not lengths:
            raise ArgumentTypeError(
                f"`{self.spoken}` indexes no input by `thread_id()`, which would tell how many "
                "threads to run", f"write `{self.spoken}[n](...)`")
        shown = ", ".join(f"`{n}` has {length}" for n, length in lengths.items())
        raise ArgumentValueError(
            f"`{self.spoken}` indexes inputs of different lengths by `thread_id()`: {shown}",
            f"write `{self.spoken}[n](...)`")

    def _check_lengths(self, values: Given, threads: int | None) -> None:
        """Refuses arrays to write to that are shorter than what tells their length."""
        facts = self.description.facts
        outputs = {a.name for a in self.description.signature.written
                   if a.direction is Direction.OUT and isinstance(values.get(a.name), np.ndarray)}
        for name in outputs.intersection(facts.threads if threads is None else ()):
            count, found = self.thread_count(values, None), len(values[name])
            if count is not None and found < count:
                raise ArgumentValueError(
                    f"`{self.spoken}`: argument `{name}` must have length {count}, one for each "
                    f"thread, not {found}", f"write `{self.spoken}[n](...)`")
        for name in facts.each if threads is not None else ():
            if hasattr(values.get(name), "__len__"):
                check_each(self.spoken, name, len(values[name]), threads)
        for name in outputs.intersection(facts.like):
            other, shape = values.get(facts.like[name]), values[name].shape
            if isinstance(other, np.ndarray) and other.ndim and other.shape != shape:
                raise ArgumentValueError(
                    f"`{self.spoken}`: argument `{name}` must have the shape {other.shape} of "
                    f"argument `{facts.like[name]}`, not {shape}")

    def _check_overlap(self, operands: list[Operand]) -> None:
        """Refuses memory that is written and overlaps other memory, unless both are the same."""
        spans = [_spans(o) for o in operands]
        sums = self.description.facts.sums
        for i, o in enumerate(operands):
            if not (o.writes or i in self.code.writes) or not spans[i]:
                continue
            _check_rows(self.spoken, o, spans[i])
            for j, other in enumerate(operands):
                if i == j or not spans[j]:
                    continue
                both_sums = o.argument.name in sums and other.argument.name in sums
                if meet := _meet(spans[i], spans[j]):
                    if meet == "same" and (not other.writes or both_sums):
                        continue
                    raise ArgumentValueError(
                        f"`{self.spoken}`: argument `{o.argument.name}` is written, and its memory "
                        f"{'is' if meet == 'same' else 'overlaps'} that of argument "
                        f"`{other.argument.name}`")


def check_each(function: str, name: str, length: int, threads: int | None) -> None:
    """Refuses an array that is shorter than the threads that all use their element of it."""
    if threads is not None and length < threads:
        raise ArgumentValueError(
            f"`{function}`: argument `{name}` must have at least length {threads}, one for each "
            f"thread, not {length}")


def _spans(o: Operand) -> list[Span]:
    """The stretches of memory of an argument that the user may see: not those of a copy."""
    if o.block is None:
        memory = list(reached(o.child))
        if isinstance(o.passed, np.ndarray) and o.memory is not None:
            memory.append(o.memory)
    else:
        memory = list(o.block.all())
        if o.block.memory is not o.block.value and o.block.children is None:
            memory = [o.block.value] if o.block.settles else []
        if o.block.children is not None:
            memory = memory[1:]
    return [_span(m) for m in memory if m.nbytes]


def _span(memory: np.ndarray[Any, Any]) -> Span:
    """Where memory begins, and where it ends."""
    return memory.ctypes.data, memory.ctypes.data + memory.nbytes


def _meet(these: list[Span], those: list[Span]) -> str:
    """Whether stretches overlap: "", "same" where they only coincide, or "part"."""
    found = ""
    for a, b in these:
        for c, d in those:
            if a < d and c < b:
                if (a, b) != (c, d):
                    return "part"
                found = "same"
    return found


def _check_rows(name: str, o: Operand, spans: list[Span]) -> None:
    ordered = sorted(spans)
    for (_, stop), (start, _) in zip(ordered, ordered[1:]):
        if start < stop:
            raise ArgumentValueError(
                f"`{name}`: argument `{o.argument.name}` is written, and its arrays overlap "
                "each other")


def packed(name: str, found: dict[str, Value]) -> Value:
    """Nothing, the one value, or a named tuple of several."""
    if len(found) <= 1:
        return next(iter(found.values()), None)
    return named_tuple(name, list(found))(**found)


def one_dimensional(t: Type) -> bool:
    """Whether the type is that of arrays of numbers."""
    return isinstance(t, ArrayType) and isinstance(t.element, Scalar)

