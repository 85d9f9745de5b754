"""The programs of `test_ported`, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

Numbers = tuple[float, float, float]


@dataclass(frozen=True)
class Ported:
    """A program whose function is `f`, and calls of it: operands, and the weighted sum of what
    comes out with its first and second derivative in one direction.
    """

    text: str
    points: tuple[tuple[list[Any], Numbers], ...]
    threads: int = 0


PROGRAMS: Final[dict[str, Ported]] = {}


def ported(
    name: str, text: str, *points: tuple[list[Any], Numbers], threads: int = 0
) -> None:
    """Adds a program."""
    PROGRAMS[name] = Ported(text, points, threads)
