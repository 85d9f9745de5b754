"""What a call on plain buffers looks like: how arguments are made of them.

Array libraries hand over one buffer for each kind of number: a struct comes as a buffer for each
member, an array of structs as an array for each. `Call` says how the memory that loma code
expects is put together from input buffers, and taken apart into output buffers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from loma.backends.llvm.abi import Passing
from loma.ir.types import Scalar


@dataclass(frozen=True, slots=True)
class Dim:
    """A length that is known at the call: its place among the lengths."""

    index: int


Count: TypeAlias = int | Dim
Counts: TypeAlias = tuple[Count, ...]
"""Lengths whose product is a number of elements."""


@dataclass(frozen=True, slots=True)
class Column:
    """A number inside the elements of some memory: all of them are one buffer.

    `loops`: count and stride in bytes of fixed arrays around it. `take`: the input buffer that it
    comes from. `give`: the output buffer that it goes to.
    """

    type: Scalar
    offset: int
    loops: tuple[tuple[int, int], ...] = ()
    take: int | None = None
    give: int | None = None


@dataclass(frozen=True, slots=True)
class Direct:
    """Memory that is a buffer as it is: an output, if there is one, else the input.

    `size`: bytes of an element. `written`: the code may write the memory of an input.
    """

    size: int
    counts: Counts
    take: int | None = None
    give: int | None = None
    written: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """Memory that is made for the call: elements of `size` bytes with columns, and pointers."""

    size: int
    counts: Counts
    columns: tuple[Column, ...]
    pointers: tuple[tuple[int, Place], ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """Pointers to the rows of other memory: `count` of them, `each` elements apart."""

    count: Count
    each: Count
    size: int
    all: Place


Place: TypeAlias = Direct | Built | Rows


@dataclass(frozen=True, slots=True)
class Operand:
    """An argument: a number in a register (from buffer `take`, or a length), a struct, or a
    pointer.
    """

    place: Place | None = None
    scalar: Scalar | None = None
    take: int | None = None
    passing: Passing | None = None
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What the function returns: a number for the output buffer `give`, or a struct."""

    scalar: Scalar | None = None
    give: int | None = None
    place: Built | None = None
    passing: Passing | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """A buffer: the numbers in it, and its dimensions."""

    type: Scalar
    dims: Counts


@dataclass(frozen=True, slots=True)
class Call:
    """A whole call; `lengths` is how many there are. `told`: ints that are lengths, each with the
    place of its input and of the length.

    `batch`: for each input whether it has one more dimension in front; every output has. The
    number of calls is then the last length.
    """

    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    operands: tuple[Operand, ...]
    result: Result | None
    threads: Count | None
    lengths: int
    traps: bool
    batch: tuple[bool, ...] | None = None
    told: tuple[tuple[int, int], ...] = ()
