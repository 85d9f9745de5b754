"""Which structs hold which: circles, and structs that are too large or nested too deeply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from loma.diagnostics import Span
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.codes import types as codes
from loma.frontend.errors import Finding
from loma.ir.types import ArrayType, StructDef, StructType, Type

LONGEST: Final = 2**31 - 1
WIDEST: Final = 2**16


@dataclass(frozen=True, slots=True)
class Measure:
    """How many elements a value holds inline, how many of them under names, how deep they lie."""

    length: int = 1
    leaves: int = 1
    depth: int = 0

    @property
    def fits(self) -> bool:
        """Whether memory can hold such a value, and a program copy it."""
        return self.length <= LONGEST and self.leaves <= WIDEST


@dataclass(slots=True)
class Nesting:
    """Visits structs in an order in which each comes after those that it holds.

    A member that closes a circle, or makes its struct too large, is reported and dropped.
    """

    table: dict[str, StructDef]
    places: Mapping[str, Mapping[str, Span]]
    root: Callable[[str], str]
    findings: list[Finding]
    dropped: set[tuple[str, str]] = field(default_factory=set)
    measures: dict[str, Measure] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def visit_all(self) -> None:
        """Visits every struct, without recursion: programs may nest thousands."""
        for name in self.places:
            if name not in self.measures:
                self._visit(name)

    def _visit(self, start: str) -> None:
        self.open = [start]
        pending = [self._inner(start)]
        while pending:
            held = next(pending[-1], None)
            if held is None:
                pending.pop()
                name = self.open.pop()
                self.measures[name] = self._measured(name)
            elif held not in self.measures:
                self.open.append(held)
                pending.append(self._inner(held))

    def _inner(self, name: str) -> Iterator[str]:
        """The structs that a struct holds, except those that would close a circle."""
        for member, t in self.table[name].members:
            held = self._held(t)
            if held in self.open:
                path = " -> ".join((*self.open[self.open.index(held):], held))
                span = self.places[name][member]
                self.findings.append(codes.recursive_struct(span, held, path))
                self._drop(name, member)
            elif held in self.places:
                yield held

    def _held(self, t: Type) -> str:
        while isinstance(t, ArrayType):
            t = t.element
        return self.root(t.name) if isinstance(t, StructType) else ""

    def _drop(self, struct: str, member: str) -> None:
        kept = tuple((n, t) for n, t in self.table[struct].members if n != member)
        self.table[struct] = StructDef(struct, kept)
        self.dropped.add((struct, member))

    def _measured(self, name: str) -> Measure:
        total = Measure(0, 0, 1)
        for member, t in self.table[name].members:
            inner = self.measure(t)
            grown = Measure(total.length + inner.length, total.leaves + inner.leaves,
                            max(total.depth, inner.depth + 1))
            span = self.places[name][member]
            if not grown.fits:
                self.findings.append(codes.too_large(span))
                self._drop(name, member)
            elif grown.depth > syntax_codes.DEPTH:
                self.findings.append(syntax_codes.too_deep(span))
                self._drop(name, member)
            else:
                total = grown
        return total

    def measure(self, t: Type) -> Measure:
        """The measure of a value of any type."""
        size = 1
        while isinstance(t, ArrayType):
            if t.size is None:
                return Measure(size)
            size *= t.size
            t = t.element
        one = self.measures.get(self._held(t), Measure())
        return Measure(size * one.length, one.leaves, one.depth)
