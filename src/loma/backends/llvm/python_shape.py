"""What a call from Python looks like, as far as compiled code can take it apart by itself."""

from __future__ import annotations

from dataclasses import dataclass

from loma.ir.nodes import Direction
from loma.ir.types import Scalar


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument: a number, or an array of numbers in one dimension.

    `size`: the length that the array must have. `length`: for an output that is made here, the
    argument whose length (or value) it gets. A `hidden` one is never passed: it is that length.
    """

    type: Scalar
    direction: Direction
    array: bool
    size: int | None = None
    length: int | None = None
    written: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a call looks like.

    `equal`: groups of arguments whose lengths (or values) are the same. `threads`: the argument
    whose length is the number of threads.
    """

    slots: tuple[Slot, ...]
    result: Scalar | None
    traps: bool
    threads: int | None = None
    equal: tuple[tuple[int, ...], ...] = ()
