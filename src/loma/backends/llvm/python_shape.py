"""What a call from Python looks like, as far as compiled code can take it apart by itself."""

from __future__ import annotations

from dataclasses import dataclass

from loma.backends.llvm.flat_shape import Count, Counts, Dim
from loma.ir.nodes import Direction
from loma.ir.types import Scalar


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument: a number, or an array of numbers with the lengths `dims`.

    `tells`: the length that an int is. A `hidden` int is never passed: it is that length. `free`:
    an array that is passed has a length of its own in front. `least`: that length at least.
    `record`: which of the record types the elements have, counted from 1; `type` says nothing then,
    and `size` is that of an element.
    """

    type: Scalar
    direction: Direction
    dims: Counts | None = None
    written: bool = False
    hidden: bool = False
    tells: Dim | None = None
    free: bool = False
    least: Count | None = None
    record: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What a call looks like.

    `threads`: the number of threads. `lead`: it comes as the first argument. `limited`: the array
    arguments whose elements an int must be able to count. `makes`: outputs may be left out.
    """

    slots: tuple[Slot, ...]
    result: Scalar | None
    traps: bool
    threads: Count | None = None
    lead: bool = False
    limited: tuple[int, ...] = ()
    makes: bool = True
