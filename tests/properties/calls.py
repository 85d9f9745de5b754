"""Text with indentation, and random calls as statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from properties.expressions import filled, operand
from properties.scope import FLOAT, Callee, Formal, Scope, Variable

from loma.ir.types import ArrayType


@dataclass
class Page:
    """Lines of text, indented; and the supply of names."""

    lines: list[str] = field(default_factory=list)
    level: int = 0
    used: int = 0

    def line(self, text: str) -> None:
        """Appends a line at the current level."""
        self.lines.append("    " * self.level + text)

    def fresh(self, hint: str) -> str:
        """A name that no one has."""
        self.used += 1
        return f"{hint}{self.used}"


@dataclass
class Caller:
    """Writes calls for their Out arguments.

    `features` names the optional constructs that programs may use.
    """

    rng: Random
    page: Page
    features: frozenset[str]

    def call_statement(self, s: Scope) -> bool:
        """A call for its Out arguments (or one whose value is stored)."""
        with_outs = [c for c in s.callees if any(f.direction != "In" for f in c.formals)]
        if not with_outs or s.calls_left <= 0 or s.kernel and self.rng.random() < 0.3:
            return False
        c = self.rng.choice(with_outs)
        text = self.out_call(s, c)
        if text:
            self.page.line(text)
        return text is not None

    def out_call(self, s: Scope, c: Callee) -> str | None:
        """A call as a statement: each Out operand another variable."""
        s.calls_left -= 1
        taken: set[str] = set()
        operands: list[str] = []
        for f in sorted(c.formals, key=lambda f: f.direction == "In"):
            text = (
                operand(s, f.type, 1, f.small)
                if f.direction == "In"
                else self.out_operand(s, f, taken)
            )
            if text is None or self.clashes(f, text, taken):
                return None
            operands.append(text)
        order = sorted(range(len(c.formals)), key=lambda k: c.formals[k].direction == "In")
        by_position = dict(zip(order, operands, strict=True))
        return c.called([by_position[k] for k in range(len(c.formals))])

    def clashes(self, f: Formal, text: str, taken: set[str]) -> bool:
        """Whether an In array shares memory with an Out operand."""
        return (
            f.direction == "In"
            and isinstance(f.type, ArrayType)
            and "alias" not in self.features
            and (text.split("[")[0].split(".")[0] in taken)
        )

    def out_operand(self, s: Scope, f: Formal, taken: set[str]) -> str | None:
        """A place for an Out operand, in a variable that the call does not use yet."""
        places = [p for p in s.places(f.type, write=True) if p.variable.name not in taken
                  and not (f.direction == "InOut" and not p.variable.readable)
                  and not (p.variable.only_at and p.text == p.variable.name)
                  and (p.variable.tame or f.type is not FLOAT)]
        if f.type is FLOAT and (not places or self.rng.random() < 0.3):
            name = self.page.fresh("v")
            self.page.line(f"{name} : float")
            s.variables.append(Variable(name, FLOAT))
            taken.add(name)
            return name
        if not places:
            return None
        p = self.rng.choice(places)
        taken.add(p.variable.name)
        return filled(s, p, 0)
