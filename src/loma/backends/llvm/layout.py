"""How loma types lie in memory: LLVM spellings, sizes and alignments, equal to those of C."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, assert_never

from loma.ir.nodes import Const
from loma.ir.types import ArrayType, Scalar, Structs, StructType, TapeType, Type

VALUE: Final = {
    Scalar.BOOL: "i1", Scalar.I32: "i32", Scalar.I64: "i64", Scalar.F32: "float",
    Scalar.F64: "double"}
MEMORY: Final = {**VALUE, Scalar.BOOL: "i32"}
POINTER_BYTES: Final = 8
TAPE: Final = "{ ptr, ptr, ptr }"        # next free byte, start and end of the newest chunk
GROWABLE: Final = "{ ptr, i64, i64 }"    # data, index of its first element, number of elements


def literal(c: Const) -> str:
    """A constant as LLVM spells it; floats by their bits."""
    match c.type:
        case Scalar.BOOL:
            return "true" if c.value else "false"
        case Scalar.I32 | Scalar.I64:
            return str(int(c.value))
        case Scalar.F32 | Scalar.F64:
            (bits,) = struct.unpack("<Q", struct.pack("<d", float(c.value)))
            return f"0x{bits:016X}"


def symbol(name: str) -> str:
    """The name in characters that every linker takes."""
    return "".join(
        c if c.isascii() and (c.isalnum() or c == "_") else f"${ord(c):x}$" for c in name)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or pointer inside a value: `type` is None for a pointer."""

    offset: int
    type: Scalar | None

    @property
    def bytes(self) -> int:
        """Its size."""
        return POINTER_BYTES if self.type is None else self.type.bytes


@dataclass(slots=True)
class Layout:
    """Spellings and sizes of the types of one module; computed once each."""

    structs: Structs
    _sizes: dict[Type, tuple[int, int]] = field(default_factory=dict)

    def spell(self, t: Type) -> str:
        """The LLVM type of memory that holds a `t`."""
        match t:
            case Scalar():
                return MEMORY[t]
            case StructType(name):
                return f"%struct.{symbol(name)}"
            case ArrayType(element, size):
                return "ptr" if size is None else f"[{size} x {self.spell(element)}]"
            case TapeType():
                return TAPE
            case _:
                assert_never(t)

    def definitions(self) -> list[str]:
        """The definition of every struct."""
        lines = []
        for s in self.structs.values():
            members = ", ".join(self.spell(t) for _, t in s.members)
            lines.append(f"{self.spell(StructType(s.name))} = type {{ {members} }}")
        return lines

    def member_index(self, struct_name: str, member: str) -> int:
        """The position of a member."""
        members = self.structs[struct_name].members
        return next(i for i, (name, _) in enumerate(members) if name == member)

    def size(self, t: Type) -> int:
        """Bytes that a `t` takes, padding included."""
        return self._measure(t)[0]

    def alignment(self, t: Type) -> int:
        """The alignment of a `t`."""
        return self._measure(t)[1]

    def _measure(self, t: Type) -> tuple[int, int]:
        known = self._sizes.get(t)
        if known is None:
            known = self._sizes[t] = self._compute(t)
        return known

    def _compute(self, t: Type) -> tuple[int, int]:
        match t:
            case Scalar():
                return t.bytes, t.bytes
            case StructType(name):
                offset, alignment = 0, 1
                for _, member in self.structs[name].members:
                    size, align = self._measure(member)
                    offset = round_up(offset, align) + size
                    alignment = max(alignment, align)
                return round_up(offset, alignment), alignment
            case ArrayType(element, count):
                if count is None:
                    return POINTER_BYTES, POINTER_BYTES
                size, align = self._measure(element)
                return size * count, align
            case TapeType():
                return 3 * POINTER_BYTES, POINTER_BYTES
            case _:
                assert_never(t)

    def leaves(self, t: Type, offset: int = 0) -> list[Leaf]:
        """The scalars and pointers of a `t` (which should be small) with their offsets."""
        match t:
            case Scalar():
                return [Leaf(offset, t)]
            case StructType(name):
                out: list[Leaf] = []
                at = offset
                for _, member in self.structs[name].members:
                    size, align = self._measure(member)
                    at = round_up(at, align)
                    out += self.leaves(member, at)
                    at += size
                return out
            case ArrayType(element, int() as count):
                starts = range(offset, offset + count * self.size(element), self.size(element) or 1)
                return [leaf for start in starts for leaf in self.leaves(element, start)]
            case ArrayType() | TapeType():
                return [Leaf(offset, None)]
            case _:
                assert_never(t)


def round_up(offset: int, alignment: int) -> int:
    """The least multiple of `alignment` that is not below `offset`."""
    return -(-offset // alignment) * alignment
