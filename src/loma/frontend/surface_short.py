"""What Python writes short, in the surface tree: the checker makes longer trees of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loma.frontend.surface_types import Node

if TYPE_CHECKING:
    from loma.frontend.surface import Expr


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
