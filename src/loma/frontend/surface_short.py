"""What Python writes short, in the surface tree: the checker makes longer trees of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loma.frontend.surface_types import Node

if TYPE_CHECKING:
    from loma.frontend.surface import Expr, Name, Stmt


@dataclass(frozen=True, slots=True, eq=False)
class Keep(Node):
    """Evaluates a value, which `Kept` with the same key stands for; `whole`: an integer."""

    key: int
    value: Expr
    whole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Kept(Node):
    """The value that a statement before it has evaluated."""

    key: int


@dataclass(frozen=True, slots=True, eq=False)
class Flag(Node):
    """Makes the truth value that `Kept` with the same key stands for false, or true."""

    key: int
    raised: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Contains(Node):
    """value in (elements)."""

    value: Expr
    elements: tuple[Expr, ...]


# Arrays as they are written, and loops over arrays.


@dataclass(frozen=True, slots=True, eq=False)
class List(Node):
    """[a, b]: an array of known length."""

    elements: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Range(Node):
    """range(start, stop, step) among the things that a loop visits together."""

    start: Expr
    stop: Expr
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class Over(Node):
    """What a loop visits: in each round every target takes an element of its source.

    `counter` counts the rounds from `first` on. `backwards`: the last elements come first.
    """

    targets: tuple[Expr, ...]
    sources: tuple[Expr | Range, ...]
    counter: Name | None = None
    first: Expr | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Each(Node):
    """for targets in sources: body."""

    over: Over
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reduce(Node):
    """kind(value for targets in sources)."""

    kind: str
    over: Over
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Comprehension(Node):
    """[value for targets in sources]; `[value] * n` visits a range, and takes no element."""

    value: Expr
    over: Over
