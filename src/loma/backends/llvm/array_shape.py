"""What a call with NumPy arrays looks like that writes nothing and gives new objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from loma.backends.llvm.flat_shape import Call, Count, Dim


@dataclass(frozen=True, slots=True)
class Leaf:
    """A number or an array for an input buffer.

    `tells`: the length that an int is. `absent`: None stands for zeros. `each`: each thread uses
    its element of the array.
    """

    take: int
    tells: Dim | None = None
    absent: bool = False
    each: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A struct: an object of the class at `kind` among the objects, or a dict. Those from `names`
    on are the names of the members.
    """

    kind: int
    names: int
    members: tuple[Item, ...]


Item: TypeAlias = "Leaf | Record | None"
"""What an argument is; None for one that is not looked at."""


@dataclass(frozen=True, slots=True)
class Seed:
    """An input buffer that is always the same: filled with a number."""

    take: int
    value: float


@dataclass(frozen=True, slots=True)
class Whole:
    """An output buffer as a number or an array."""

    give: int


@dataclass(frozen=True, slots=True)
class Made:
    """A struct: the object at `maker` makes it from its members, whose names are the tuple at
    `names`.
    """

    maker: int
    names: int
    members: tuple[Result, ...]


Result: TypeAlias = "Whole | Made"


@dataclass(frozen=True, slots=True)
class ArrayCall:
    """A whole call: what each argument is, which buffers are always the same, what comes back.

    Several results come as a tuple. `lead`: the number of threads comes before the arguments.
    """

    call: Call
    arguments: tuple[Item, ...]
    seeds: tuple[Seed, ...]
    results: tuple[Result, ...]
    lead: Count | None = None
