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
    """The memory of one array: what the user gave or gets, the memory, what it points to."""

    value: Value
    memory: np.ndarray[Any, Any]
    children: list[Child] | None = None

    @property
    def address(self) -> int:
        """Where the memory starts."""
        return self.memory.ctypes.data if self.memory.size else 0

    def all(self) -> Iterator[np.ndarray[Any, Any]]:
        """The memory, and that of all arrays behind pointers."""
        yield self.memory
        yield from reached(self.children)


def reached(child: Child | list[Child]) -> Iterator[np.ndarray[Any, Any]]:
    """The memory of all arrays behind pointers."""
    match child:
        case Block():
            yield from child.all()
        case list():
            for c in child:
                yield from reached(c)
        case dict():
            for c in child.values():
                yield from reached(c)
        case None:
            pass
