"""From a function's signature to a call on plain buffers: which there are, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from loma.backends.llvm import abi, machine
from loma.backends.llvm.flat_shape import (
    Built,
    Call,
    Column,
    Count,
    Counts,
    Dim,
    Direct,
    Leaf,
    Operand,
    Place,
    Result,
    Rows,
)
from loma.backends.llvm.layout import Layout, round_up
from loma.host.call import Instance
from loma.host.refusals import ArgumentTypeError
from loma.ir.nodes import Argument, Direction
from loma.ir.types import I32, ArrayType, Scalar, StructType, TapeType, Type, has_pointer

Key: TypeAlias = tuple[str, str]  # an argument and a path in it; ("", name) for a named size
INTS: Final = (Scalar.I32, Scalar.I64)
THREADS = ("", "")
LEAD: Final = -1
"""In the place of a number of threads: each call tells it."""
RETURNED: Final = "return"
"""The path of what a function returns: no argument can be called so."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """One buffer: where in the arguments its numbers are, as `x.member`, and what it is.

    `real`: it has derivatives.
    """

    path: str
    leaf: Leaf
    real: bool


def owner(path: str) -> str:
    """The argument that a path leads into."""
    return path.replace("[", ".").split(".")[0]


@dataclass
class Lengths:
    """Which lengths are the same: those of one name, those that tell the number of threads."""

    f: Instance
    threads: int | None
    sizes: Mapping[str, int]
    same: dict[Key, Key] = field(default_factory=dict)
    numbers: dict[Key, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        d = self.f.description
        for name, labels in d.facts.sizes.items():
            for label, path in zip(labels, ("", "[]")):
                if label is not None:
                    self._join((name, path), ("", label))
        if d.signature.simd and self.threads is None:
            inputs = {a.name for a in d.signature.arguments if a.direction is not Direction.OUT}
            for name in d.facts.threads:
                if name in inputs:
                    self._join((name, ""), THREADS)

    def _find(self, key: Key) -> Key:
        like = self.f.description.facts.like.get(key[0])
        if like is not None:
            return self._find((like, key[1]))
        while key in self.same:
            key = self.same[key]
        return key

    def _join(self, a: Key, b: Key) -> None:
        a, b = self._find(a), self._find(b)
        if a != b:
            if b == THREADS or (b[0] == "" and a != THREADS):
                self.same[a] = b
            else:
                self.same[b] = a

    def of(self, key: Key, output: bool) -> Count:
        """The length of an array."""
        root = self._find(key)
        alone = root[0] != "" and root[0] == key[0] and output
        if alone and self.f.description.signature.simd:
            root = THREADS
        if root == THREADS:
            return self.count()
        return Dim(self.numbers.setdefault(root, len(self.numbers)))

    def known(self) -> dict[int, tuple[int, str]]:
        """The lengths that are known beforehand: by place, with who tells them."""
        places = {n: self.numbers.get(self._find(("", n))) for n in self.sizes}
        return {at: (self.sizes[n], n) for n, at in places.items() if at is not None}

    def count(self) -> Count:
        """The number of threads."""
        if self.threads is not None and self.threads != LEAD:
            return self.threads
        return Dim(self.numbers.setdefault(THREADS, len(self.numbers)))

    def told(self, a: Argument) -> Dim | None:
        """The length that an int argument is."""
        named = any(a.name in labels for labels in self.f.description.facts.sizes.values())
        if not named or a.type not in INTS:
            return None
        found = self.of(("", a.name), False)
        assert isinstance(found, Dim), "only a number of threads can be known when code is made"
        return found


class Buffers:
    """Takes a signature apart into buffers; `tells`: the lengths that some inputs are."""

    def __init__(self, f: Instance, threads: int | None, sizes: Mapping[str, int]) -> None:
        self.f = f
        self.layout = Layout(f.description.structs)
        self.lengths = Lengths(f, threads, sizes)
        self.inputs: list[Buffer] = []
        self.outputs: list[Buffer] = []
        self.tells: dict[int, Dim] = {}
        self.fixed = frozenset(a.name for a in f.description.signature.arguments if a.nodiff)

    def call(self) -> Call:
        """The whole call."""
        s = self.f.description.signature
        registers = abi.Registers(abi.convention(machine.triple()), self.layout)
        result = None if s.result is None else self._result(s.result, registers)
        operands = tuple(self._operand(i, a, registers) for i, a in enumerate(s.arguments))
        threads = self.lengths.count() if s.simd else None
        self._check_told(threads)
        return Call(
            tuple(b.leaf for b in self.inputs), tuple(b.leaf for b in self.outputs), operands,
            result, threads, len(self.lengths.numbers), self.f.traps,
            told=tuple((take, d.index) for take, d in self.tells.items()))

    def _check_told(self, threads: Count | None) -> None:
        """Refuses a length that no input tells."""
        told = {d for b in self.inputs for d in b.leaf.dims} | set(self.tells.values())
        told |= {Dim(at) for at in self.lengths.known()}
        if self.lengths.threads == LEAD and threads is not None:
            told.add(threads)
        if isinstance(threads, Dim) and threads not in told:
            self.f.thread_count({}, None)  # says what is missing
        for b in self.outputs:
            if any(isinstance(d, Dim) and d not in told for d in b.leaf.dims):
                kernel = self.f.description.signature.simd
                raise ArgumentTypeError(
                    f"`{self.f.name}`: no input tells the length of `{b.path}`",
                    f"write `{self.f.name}[n](...)`" if kernel
                    else 'give it a named size, `Array[float, "n"]`')

    def _result(self, t: Type, registers: abi.Registers) -> Result:
        if isinstance(t, Scalar):
            return Result(t, self._new(self.outputs, RETURNED, t, ()))
        assert isinstance(t, StructType)
        passing = registers.result(t)
        place = self._built(t, (), RETURNED, False, True)
        return Result(place=place, passing=passing)

    def _operand(self, i: int, a: Argument, registers: abi.Registers) -> Operand:
        take, give = a.direction is not Direction.OUT, a.direction is not Direction.IN
        if a.hidden:
            registers.scalar(I32)
            return Operand(scalar=I32, count=self.lengths.of(("", a.name), False))
        if not give and isinstance(a.type, Scalar):
            registers.scalar(a.type)
            take_ = self._new(self.inputs, a.name, a.type, ())
            if (told := self.lengths.told(a)) is not None:
                self.tells[take_] = told
            return Operand(scalar=a.type, take=take_)
        if not give and isinstance(a.type, StructType):
            passing = registers.struct(a.type)
            place = self._built(a.type, (), a.name, take, give, i in self.f.code.writes)
            return Operand(place, passing=passing)
        registers.pointer()
        if a.shape and isinstance(a.type, ArrayType):
            return Operand(self._shaped(a, a.type, take, give, i in self.f.code.writes))
        if isinstance(a.type, ArrayType):
            return Operand(self._array(a.type, (a.name, ""), take, give, i in self.f.code.writes))
        written = i in self.f.code.writes
        return Operand(self._elements(a.type, (), a.name, take, give, written))

    # Memory.

    def _new(self, buffers: list[Buffer], path: str, type: Scalar, dims: Counts) -> int:
        real = type.is_float and owner(path) not in self.fixed
        buffers.append(Buffer(path, Leaf(type, dims), real))
        return len(buffers) - 1

    def _shaped(self, a: Argument, t: ArrayType, take: bool, give: bool, written: bool) -> Place:
        """An array whose sizes are numbers or have names."""
        if has_pointer(t.element, self.f.description.structs):
            raise self._unsupported(a.name, t)
        counts = tuple([n if isinstance(n, int) else self.lengths.of(("", n), False)
                        for n in a.shape])
        return self._elements(t.element, counts, a.name, take, give, written)

    def _array(self, t: ArrayType, key: Key, take: bool, give: bool, written: bool) -> Place:
        count = self.lengths.of(key, not take) if t.size is None else t.size
        path, e = "".join(key), t.element
        if isinstance(e, ArrayType) and e.size is None:
            inner = self.lengths.of((key[0], f"{key[1]}[]"), not take)
            if has_pointer(e.element, self.f.description.structs):
                raise self._unsupported(path, t)
            all_ = self._elements(e.element, (count, inner), path, take, give, written)
            return Rows(count, inner, self.layout.size(e.element), all_)
        if has_pointer(e, self.f.description.structs):
            raise self._unsupported(path, t)
        return self._elements(e, (count,), path, take, give, written)

    def _unsupported(self, path: str, t: Type) -> ArgumentTypeError:
        return ArgumentTypeError(
            f"`{self.f.name}`: `{path}` is `{self.f.convert.text(t)}`, arrays inside of arrays, "
            "which tensors cannot hold", "call it with NumPy arrays")

    def _elements(self, t: Type, counts: Counts, path: str, take: bool, give: bool,
                  written: bool = False) -> Place:
        """Memory of elements without pointers, or of one thing."""
        inner, dims = t, list[int]()
        while isinstance(inner, ArrayType) and inner.size is not None:
            dims.append(inner.size)
            inner = inner.element
        if isinstance(inner, Scalar) and inner is not Scalar.BOOL:
            whole = (*counts, *dims)
            return Direct(
                self.layout.size(t), counts,
                self._new(self.inputs, path, inner, whole) if take else None,
                self._new(self.outputs, path, inner, whole) if give else None, written)
        return self._built(t, counts, path, take, give, written)

    def _built(self, t: Type, counts: Counts, path: str, take: bool, give: bool,
               written: bool = False) -> Built:
        columns: list[Column] = []
        pointers: list[tuple[int, Place]] = []
        for part in _parts(self.layout, t, path):
            if isinstance(part.type, Scalar):
                dims = (*counts, *(n for n, _ in part.loops))
                columns.append(Column(
                    part.type, part.offset, part.loops,
                    self._new(self.inputs, part.path, part.type, dims) if take else None,
                    self._new(self.outputs, part.path, part.type, dims) if give else None))
            else:
                assert isinstance(part.type, ArrayType)
                if part.loops:
                    raise self._unsupported(part.path, part.type)
                name, dot, rest = part.path.partition(".")
                place = self._array(part.type, (name, dot + rest), take, give, written)
                pointers.append((part.offset, place))
        return Built(self.layout.size(t), counts, tuple(columns), tuple(pointers))


@dataclass(frozen=True, slots=True)
class Part:
    """A scalar or a pointer in memory; `loops`: count and stride of fixed arrays around it."""

    path: str
    type: Type
    offset: int
    loops: tuple[tuple[int, int], ...]


def _parts(layout: Layout, t: Type, path: str, offset: int = 0,
           loops: tuple[tuple[int, int], ...] = ()) -> Iterable[Part]:
    """What a value in memory consists of, in order."""
    match t:
        case Scalar() | ArrayType(_, None):
            yield Part(path, t, offset, loops)
        case StructType(name):
            for m, mt in layout.structs[name].members:
                offset = round_up(offset, layout.alignment(mt))
                yield from _parts(layout, mt, f"{path}.{m}", offset, loops)
                offset += layout.size(mt)
        case ArrayType(element, int() as n):
            inner = (*loops, (n, layout.size(element)))
            yield from _parts(layout, element, path, offset, inner)
        case TapeType():
            raise AssertionError("a tape never leaves the program")
