"""The platform's C convention for structs: what registers or memory hold an argument or a result.

A new platform is one `Convention`: how a struct is classified, and how many registers there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loma.backends.llvm.layout import Layout, Leaf
from loma.ir.types import Scalar, StructType


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a struct that travels in one register: an LLVM type at a byte offset."""

    offset: int
    type: str

    @property
    def is_float(self) -> bool:
        """Whether it takes a floating-point register."""
        return not self.type.startswith("i")


@dataclass(frozen=True, slots=True)
class InRegisters:
    """A struct split over registers; no pieces for an empty one."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class InMemory:
    """A struct in memory: on the stack (`byval`), or a plain pointer to the caller's copy."""

    byval: bool


Passing = InRegisters | InMemory


@dataclass(frozen=True, slots=True)
class Convention:
    """How one platform passes and returns structs.

    `classify` gives the register pieces of a struct, or None for one that lives in memory.
    """

    classify: Callable[[Layout, StructType], tuple[Piece, ...] | None]
    byval: bool
    int_registers: int
    float_registers: int
    sret_takes_register: bool


class Registers:
    """Counts the argument registers that are left, in order of the arguments."""

    def __init__(self, convention: Convention, layout: Layout) -> None:
        self.convention = convention
        self.layout = layout
        self.ints = convention.int_registers
        self.floats = convention.float_registers

    def result(self, t: StructType) -> Passing:
        """How a struct is returned; a hidden pointer may take the first register."""
        pieces = self.convention.classify(self.layout, t)
        if pieces is not None:
            return InRegisters(pieces)
        self.ints -= self.convention.sret_takes_register
        return InMemory(byval=False)

    def scalar(self, t: Scalar) -> None:
        """A scalar argument takes a register of its kind, if one is left."""
        if t.is_float:
            self.floats -= self.floats > 0
        else:
            self.pointer()

    def pointer(self) -> None:
        """A pointer takes an integer register, if one is left."""
        self.ints -= self.ints > 0

    def struct(self, t: StructType) -> Passing:
        """How a struct argument is passed: wholly in registers or wholly in memory."""
        pieces = self.convention.classify(self.layout, t)
        if pieces is None:
            if not self.convention.byval:
                self.pointer()
            return InMemory(self.convention.byval)
        floats = sum(p.is_float for p in pieces)
        ints = len(pieces) - floats
        if self.convention.byval:  # System V: no room, no registers are used up
            if floats > self.floats or ints > self.ints:
                return InMemory(byval=True)
        self.floats = max(0, self.floats - floats)
        self.ints = max(0, self.ints - ints)
        return InRegisters(pieces)


def _system_v(layout: Layout, t: StructType) -> tuple[Piece, ...] | None:
    """Up to two eightbytes, each in a general or a vector register; larger ones are in memory."""
    size = layout.size(t)
    if size > 16:
        return None
    pieces: list[Piece] = []
    for start in range(0, size, 8):
        inside = [x for x in layout.leaves(t) if start <= x.offset < start + 8]
        pieces.append(Piece(start, _eightbyte(inside, min(8, size - start))))
    return tuple(pieces)


def _eightbyte(leaves: list[Leaf], size: int) -> str:
    if any(x.type is None or not x.type.is_float for x in leaves):
        return f"i{8 * size}"
    if leaves[0].type is Scalar.F64:
        return "double"
    return "<2 x float>" if len(leaves) == 2 else "float"


def _aapcs64(layout: Layout, t: StructType) -> tuple[Piece, ...] | None:
    """Up to four floats of one type in vector registers, else up to 16 bytes in general ones."""
    size = layout.size(t)
    if size <= 32:
        leaves = layout.leaves(t)
        kinds = {x.type for x in leaves}
        if kinds in ({Scalar.F32}, {Scalar.F64}) and len(leaves) <= 4:
            spelling = "float" if kinds == {Scalar.F32} else "double"
            return tuple(Piece(x.offset, spelling) for x in leaves)
    if size > 16:
        return None
    return tuple(Piece(start, "i64") for start in range(0, size, 8))


SYSTEM_V: Final = Convention(
    _system_v, byval=True, int_registers=6, float_registers=8, sret_takes_register=True)
AAPCS64: Final = Convention(
    _aapcs64, byval=False, int_registers=8, float_registers=8, sret_takes_register=False)


def convention(triple: str) -> Convention:
    """The C convention of a target."""
    return AAPCS64 if triple.startswith(("aarch64", "arm64")) else SYSTEM_V
