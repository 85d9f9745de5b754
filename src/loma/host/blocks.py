"""The memory of arrays that are passed to loma, and what they point to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from loma.host.values import Value

Child: TypeAlias = "Block | list[Child] | dict[str, Child] | None"  # arrays behind pointers


@dataclass(slots=True)
class Block:
    """The memory of one array: what the user gave or gets, the memory, what it points to.

    `settles`: the memory is a copy, which goes back to the value after the call.
    """

    value: Value
    memory: np.ndarray[Any, Any]
    children: list[Child] | None = None
    settles: bool = False

    @property
    def address(self) -> int:
        """Where the memory starts."""
        return self.memory.ctypes.data if self.memory.size else 0

    def all(self) -> Iterator[np.ndarray[Any, Any]]:
        """The memory, and that of all arrays behind pointers."""
        yield self.memory
        yield from reached(self.children)

    def settle(self) -> None:
        """Gives the user what the call has written."""
        if self.settles:
            self.value[...] = self.memory
        for b in blocks(self.children):
            b.settle()


def blocks(child: Child | list[Child]) -> Iterator[Block]:
    """The arrays behind pointers, not those behind these."""
    match child:
        case Block():
            yield child
        case list():
            for c in child:
                yield from blocks(c)
        case dict():
            for c in child.values():
                yield from blocks(c)
        case None:
            pass


def reached(child: Child | list[Child]) -> Iterator[np.ndarray[Any, Any]]:
    """The memory of all arrays behind pointers."""
    for b in blocks(child):
        yield from b.all()
