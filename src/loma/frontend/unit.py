"""A file of a program, and what the names in it stand for."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from loma.diagnostics import Span
from loma.frontend.search import Dotted
from loma.frontend.source import Source


@dataclass(eq=False)
class Unit:
    """A file that takes part in a program.

    `own`: what it defines, each name with the name that it has in the program. `names`: the same,
    and what it imports by `from`. `units`: the modules that it imports, as it calls them. `places`:
    where it imports. `lazy`: only what is used is taken. `boundless`: every name stands for itself.
    """

    title: str
    source: Source
    tree: list[ast.stmt]
    own: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    units: dict[Dotted, Unit] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)
    lazy: bool = False
    boundless: bool = False

    def member(self, name: str) -> Unit | str | None:
        """What a name of the module stands for in the program: a definition or a module."""
        if name in self.names:
            return self.names[name]
        if (name,) in self.units:
            return self.units[(name,)]
        return name if self.boundless else None

    def find(self, dotted: Dotted) -> tuple[Unit | str | None, int, str]:
        """What a dotted name stands for, how many of its parts that takes, and the module in which
        it was looked for."""
        for k in range(len(dotted), 0, -1):
            if dotted[:k] not in self.units:
                continue
            unit = self.units[dotted[:k]]
            if k == len(dotted):
                return unit, k, unit.title
            found = unit.member(dotted[k])
            if isinstance(found, Unit):
                inner, used, title = unit.find(dotted[k:])
                return inner, k + used, title
            return found, k + 1, unit.title
        return None, 1, dotted[0]
