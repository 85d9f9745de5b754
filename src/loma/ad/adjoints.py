"""The adjoints of scalar values in one reverse scope."""

from __future__ import annotations

from collections.abc import Callable

from loma.ad.rules import total
from loma.ir.builder import Builder
from loma.ir.nodes import Operand, Var


class Adjoints:
    """Maps a value to its adjoint so far; None is zero by structure.

    A branch has a scope of its own with a `parent`: it starts from the parent's adjoints and
    leaves them alone.
    """

    def __init__(
        self, b: Builder, active: Callable[[Operand], bool], parent: Adjoints | None = None
    ) -> None:
        self.b = b
        self.active = active
        self.parent = parent
        self.own: dict[Var, Operand] = {}

    def get(self, v: Var) -> Operand | None:
        """The adjoint of a value."""
        if v in self.own:
            return self.own[v]
        return None if self.parent is None else self.parent.get(v)

    def get_or_zero(self, v: Var) -> Operand:
        """The adjoint of a value, written out."""
        g = self.get(v)
        return self.b.number(0.0, v) if g is None else g

    def set(self, v: Var, adjoint: Operand) -> None:
        """Replaces the adjoint of a value."""
        self.own[v] = adjoint

    def add(self, x: Operand, adjoint: Operand | None) -> None:
        """Adds to the adjoint of a value; nothing for literals and values that are not active."""
        if adjoint is None or not isinstance(x, Var) or not self.active(x):
            return
        new = total(self.b, self.get(x), adjoint, f"adj_{x.name}")
        assert new is not None, "a sum of something"
        self.own[x] = new

    def branch(self) -> Adjoints:
        """A scope that starts from this one."""
        return Adjoints(self.b, self.active, self)
