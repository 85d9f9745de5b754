"""Kernels without pointers whose threads add to places that all of them share.

A lane of the device takes every so manieth thread and sums up what they add; a group adds what its
lanes have, and makes one addition to memory for each place. Lanes are few and groups are large, and
a lane adds up parts (`loma_sum` in the language), so that no number is the sum of many: none loses
digits, however many threads there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loma.ir.layout import INDENT
from loma.ir.types import Scalar

TEAM: Final = 256
"""Lanes in a group of such a kernel."""
LANES: Final = 1 << 16
"""Lanes that share the threads: a device is busy, and so few groups add to memory as lanes do to
their group's sum."""
ROW: Final = 16
"""How many of its lanes' sums a group adds up before it adds their sum to another."""
PLACES: Final = 8
"""So many places have room at once in the memory of a group."""


@dataclass(frozen=True, slots=True)
class FlatSum:
    """What a lane sums up: its type, the name of the variable, and the statement that adds `_sum`
    to the place in memory."""

    type: Scalar
    name: str
    add: str


@dataclass(frozen=True, slots=True)
class Sums:
    """How a language says what a kernel with sums begins and ends with; `{name}` is that of a sum,
    `{kind}` and `{type}` its type, `{member}` the lane of a group that adds it up.

    `declare` makes a sum, `next` puts away what a thread has added. `put` gives a lane's sum to its
    group, and `barrier` waits for that; both are empty where there are no groups.
    `chosen` is a condition for the lane, `take` makes `_sum` of what there is.
    """

    declare: str
    next: str
    chosen: str
    take: str
    nonzero: str
    scalars: dict[Scalar, str]
    put: str = ""
    barrier: str = ""

    def each(self, text: str, sums: list[FlatSum]) -> list[str]:
        """A statement for each of these sums, where they are by themselves."""
        return [
            text.format(name=s.name, kind=s.type.value, type=self.scalars[s.type], member=k)
            for k, s in enumerate(sums)
        ]

    def end(self, sums: list[FlatSum]) -> Iterator[str]:
        """What follows the threads of a lane."""
        for first in range(0, len(sums), PLACES):
            some = sums[first : first + PLACES]
            if self.put:
                yield from [self.barrier] if first else []
                yield from [*self.each(self.put, some), self.barrier]
            heads, takes = self.each(self.chosen, some), self.each(self.take, some)
            for s, head, take in zip(some, heads, takes, strict=True):
                adds = [f"{2 * INDENT}{line}" for line in s.add.split("\n")]
                yield from (f"{head} {{", INDENT + take, f"{INDENT}if ({self.nonzero}) {{",
                            *adds, f"{INDENT}}}", "}")
