"""The oracle's memory: cells, arrays and structs made of them, and the host's view of it.

Host data: a scalar is a number (`Cell` where the function writes it), a struct is a dict, an array
is a list or anything with `len` and item access (NumPy arrays too). What is written comes back in
place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from loma.frontend.oracle.numbers import Dual, Number, real
from loma.ir.types import ArrayType, Scalar, Structs, StructType, TapeType, Type

Value: TypeAlias = Number | int | bool
Steps: TypeAlias = tuple[int | str, ...]
Data: TypeAlias = Any  # what a host hands over


@dataclass(slots=True, eq=False)
class Cell:
    """A scalar in memory."""

    value: Value = 0.0


@dataclass(slots=True, eq=False)
class Array:
    """Elements by reference; `grow` makes a new one, in an array that grows when it is written."""

    items: list[Memory]
    grow: Callable[[], Memory] | None = None


@dataclass(slots=True, eq=False)
class Struct:
    """Members by name; a pointer member that was never set is None."""

    members: dict[str, Memory | None]


@dataclass(slots=True, eq=False)
class Tape:
    """Frames, the newest last."""

    frames: list[tuple[Value, ...]] = field(default_factory=list)


Memory: TypeAlias = Cell | Array | Struct | Tape


class NullPointer(Exception):
    """A pointer that was never set is followed."""


def zero_of(t: Scalar) -> Value:
    """The scalar that fresh memory holds."""
    if t is Scalar.BOOL:
        return False
    return 0.0 if t.is_float else 0


def zeros(t: Type, structs: Structs) -> Memory | None:
    """Fresh memory; None for a pointer."""
    match t:
        case Scalar():
            return Cell(zero_of(t))
        case StructType(name):
            return Struct({m: zeros(mt, structs) for m, mt in structs[name].members})
        case ArrayType(_, None):
            return None
        case ArrayType(element, size):
            return Array([zeros(element, structs) or Array([]) for _ in range(size or 0)])
        case TapeType():
            return Tape()


def present(m: Memory | None) -> Memory:
    """The memory; raises for a pointer that was never set."""
    if m is None:
        raise NullPointer
    return m


def cell(m: Memory | None) -> Cell:
    """The memory as a scalar."""
    assert isinstance(m, Cell), f"a scalar was expected, not {m}"
    return m


def array(m: Memory | None) -> Array:
    """The memory as an array."""
    if m is None:
        raise NullPointer
    assert isinstance(m, Array), f"an array was expected, not {m}"
    return m


def struct(m: Memory | None) -> Struct:
    """The memory as a struct."""
    assert isinstance(m, Struct), f"a struct was expected, not {m}"
    return m


def stopped(x: Value | Memory | None) -> Value | Memory | None:
    """A value, or a copy of memory, without any slope."""
    match x:
        case Dual():
            return real(x)
        case Cell(value):
            return Cell(real(value) if isinstance(value, Dual) else value)
        case Array(items):
            return Array([present(_memory(stopped(i))) for i in items])
        case Struct(members):
            return Struct({k: _memory(stopped(m)) for k, m in members.items()})
        case _:
            return x


def _memory(x: Value | Memory | None) -> Memory | None:
    assert x is None or isinstance(x, Cell | Array | Struct | Tape), "parts of memory are memory"
    return x


def copied(source: Memory | None, t: Type, structs: Structs) -> Memory | None:
    """A copy by value: sized arrays are copied, pointers shared."""
    match t:
        case Scalar():
            return Cell(cell(source).value)
        case StructType(name):
            members = struct(source).members
            return Struct({m: copied(members[m], mt, structs) for m, mt in structs[name].members})
        case ArrayType(element, int()):
            return Array([present(copied(item, element, structs)) for item in array(source).items])
        case _:
            return source


def overwrite(target: Memory, source: Memory, t: Type, structs: Structs) -> None:
    """Assigns by value into memory that stays where it is."""
    match t:
        case Scalar():
            cell(target).value = cell(source).value
        case StructType(name):
            into, out_of = struct(target).members, struct(source).members
            for m, mt in structs[name].members:
                into[m] = _assigned(into[m], out_of[m], mt, structs)
        case ArrayType(element):
            into_items = array(target).items
            for i, item in enumerate(array(source).items):
                into_items[i] = present(_assigned(into_items[i], item, element, structs))
        case TapeType():
            raise AssertionError("a tape is never assigned")


def _assigned(
    target: Memory | None, source: Memory | None, t: Type, structs: Structs
) -> Memory | None:
    """What a part becomes: a pointer that is shared, or the same memory."""
    if isinstance(t, ArrayType) and t.size is None:
        return source
    overwrite(present(target), present(source), t, structs)
    return target


def float_cells(  # noqa: C901 - one dispatch
    m: Memory | None, t: Type, structs: Structs
) -> Iterator[tuple[Steps, Cell]]:
    """Every float in memory, with the path that leads to it."""
    match t:
        case Scalar():
            if t.is_float:
                yield (), cell(m)
        case StructType(name):
            members = struct(m).members
            for member, mt in structs[name].members:
                for path, found in float_cells(members[member], mt, structs):
                    yield (member, *path), found
        case ArrayType(element):
            for i, item in enumerate(array(m).items if m is not None else ()):
                for path, found in float_cells(item, element, structs):
                    yield (i, *path), found
        case TapeType():
            pass


class Host:
    """Translates host data into memory and writes it back; one object stays one object."""

    def __init__(self, structs: Structs, leaf: Callable[[float, Scalar], Number]) -> None:
        self._structs = structs
        self._leaf = leaf
        self._known: dict[int, tuple[Data, Memory]] = {}

    def scalar(self, data: Data, t: Scalar) -> Value:
        """A host number at the oracle's precision."""
        if t is Scalar.BOOL:
            return bool(data)
        if not t.is_float:
            return int(data)
        return data if isinstance(data, Dual) else self._leaf(data, t)

    def memory(self, data: Data, t: Type) -> Memory | None:
        """Host data as memory."""
        if isinstance(t, Scalar) and not isinstance(data, Cell):
            return Cell(self.scalar(data, t))
        if data is None:
            return None
        if id(data) in self._known:
            return self._known[id(data)][1]
        made = self._made(data, t)
        self._known[id(data)] = (data, made)
        return made

    def _made(self, data: Data, t: Type) -> Memory:
        match t:
            case Scalar():
                return Cell(self.scalar(data.value, t))
            case StructType(name):
                return Struct(
                    {m: self.memory(data[m], mt) for m, mt in self._structs[name].members}
                )
            case ArrayType(element):
                return Array([present(self.memory(data[i], element)) for i in range(len(data))])
            case TapeType():
                assert isinstance(data, Tape), "a tape is handed over as a Tape"
                return data

    def write_back(self, data: Data, m: Memory | None, t: Type) -> None:
        """Copies memory into the host data that it was made from."""
        match t:
            case Scalar():
                if isinstance(data, Cell):
                    data.value = cell(m).value
            case StructType(name):
                for member, mt in self._structs[name].members:
                    self._put(data, member, struct(m).members[member], mt)
            case ArrayType(element):
                for i, item in enumerate(array(m).items if m is not None else ()):
                    self._put(data, i, item, element)
            case TapeType():
                pass

    def _put(self, data: Data, key: int | str, m: Memory | None, t: Type) -> None:
        if isinstance(t, Scalar):
            data[key] = cell(m).value
        elif m is not None:
            self.write_back(self._original(m, data[key]), m, t)

    def _original(self, m: Memory, fallback: Data) -> Data:
        return next((d for d, known in self._known.values() if known is m), fallback)

    def result(self, m: Memory | None, t: Type) -> Data:
        """Memory as fresh host data."""
        match t:
            case Scalar():
                return cell(m).value
            case StructType(name):
                members = struct(m).members
                return {k: self.result(members[k], mt) for k, mt in self._structs[name].members}
            case ArrayType(element):
                return None if m is None else [self.result(i, element) for i in array(m).items]
            case TapeType():
                return m
