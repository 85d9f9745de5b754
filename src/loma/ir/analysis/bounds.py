"""The least and the largest value of integer expressions, as the loops around them say.

An expression is a polynomial. It is bounded by putting in, for one loop index after the other, from
the inside out, the bound that its loop gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from loma.ir.analysis.polynomial import Polynomial, Polynomials, polynomial
from loma.ir.nodes import Apply, For, If, Operand, Region, Var, While
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import walk

DEEPEST: Final = 3
"""Dimensions of an index but for the first one."""
ONE: Final = polynomial(1)

Loop: TypeAlias = For | While
Renamed: TypeAlias = Mapping[Var, Polynomial]


@dataclass(slots=True)
class Ranges:
    """The least and the largest value of each loop index, the outer ones first."""

    bounds: dict[Var, tuple[Polynomial, Polynomial]] = field(default_factory=dict)

    def enter(
        self, of: Polynomials, loop: Loop, renamed: Renamed, later: bool = False
    ) -> None:
        """Adds the range of a loop's index under another name, or that of a later iteration."""
        if isinstance(loop, While):
            return
        index, step = loop.body.args[0], int(loop.step.value)
        start = of.of(loop.start).substitute(renamed)
        last = start.plus(of.of(loop.count).substitute(renamed).plus(ONE, -1), step)
        if later:
            start = Polynomial({(index,): 1}).plus(polynomial(step))
        name = renamed.get(index)
        v = index if name is None else next(iter(name.variables()))
        self.bounds[v] = (start, last) if step > 0 else (last, start)

    def least(self, p: Polynomial) -> int | None:
        """A number that a polynomial is not below."""
        for v in reversed(self.bounds):
            by = p.coefficient(v)
            if by is None or by.variables():
                return None
            times = by.terms.get((), 0)
            if times:
                bound = self.bounds[v][0 if times > 0 else 1]
                p = p.plus(Polynomial({(v,): 1}), -times).plus(bound, times)
        return None if p.variables() else p.terms.get((), 0)

    def differ(self, p: Polynomial, q: Polynomial, depth: int = 0) -> bool:
        """Whether two indices are never the same."""
        if self.above(p, q) or self.above(q, p):
            return True
        if depth == DEEPEST:
            return False
        for width in _widths(p, q):
            (row, column), (other, beside) = _split(p, width), _split(q, width)
            if self.within(column, width) and self.within(beside, width):
                if self.differ(row, other, depth + 1) or self.differ(column, beside, DEEPEST):
                    return True
        return False

    def above(self, p: Polynomial, q: Polynomial) -> bool:
        """Whether an index is always larger than another."""
        least = self.least(p.plus(q, -1))
        return least is not None and least > 0

    def within(self, column: Polynomial, width: Polynomial) -> bool:
        """Whether an index is one into a row."""
        return self.above(column.plus(ONE), polynomial(0)) and self.above(width, column)


def _widths(p: Polynomial, q: Polynomial) -> Iterator[Polynomial]:
    """What may be the width of rows in two indices."""
    products = [m for x in (p, q) for m in x.terms if len(m) > 1]
    for v in dict.fromkeys(v for m in products for v in m):
        yield Polynomial({(v,): 1})
    numbers = {abs(c) for x in (p, q) for m, c in x.terms.items() if m}
    for c in sorted(numbers - {1}, reverse=True):
        yield polynomial(c)


def _split(p: Polynomial, width: Polynomial) -> tuple[Polynomial, Polynomial]:
    """The row and the column of an index."""
    row: dict[tuple[Var, ...], int] = {}
    column: dict[tuple[Var, ...], int] = {}
    (by, number), = width.terms.items()
    for m, c in p.terms.items():
        if by and by[0] in m:
            rest = list(m)
            rest.remove(by[0])
            row[tuple(rest)] = row.get(tuple(rest), 0) + c
        elif not by and (not m or c % number == 0):
            row[m], column[m] = divmod(c, number)
        else:
            column[m] = c
    return _without_zeros(row), _without_zeros(column)


def _without_zeros(terms: Mapping[tuple[Var, ...], int]) -> Polynomial:
    return Polynomial({m: c for m, c in terms.items() if c})


class Chosen:
    """Variables that are one of several values: what a branch or a select gives, or a loop carries.

    `home` are the loops around where each variable is bound.
    """

    def __init__(
        self, body: Region, polynomials: Polynomials, home: Mapping[Var, tuple[Loop, ...]]
    ) -> None:
        self.polynomials = polynomials
        self.home = home
        self.among: dict[Var, tuple[Operand, ...]] = {}
        self.carrier: dict[Operand, Loop] = {}
        self.ranges = Ranges()
        for op in walk(body):
            match op:
                case For() | While():
                    self.ranges.enter(polynomials, op, {})
                    self._carried(op)
                case If(_, then, orelse, outs):
                    for v, x, y in zip(outs, then.yields, orelse.yields, strict=True):
                        self.among[v] = (x, y)
                case Apply(A.SELECT, (_, x, y), out):
                    self.among[out] = (x, y)
                case _:
                    pass

    def _carried(self, op: Loop) -> None:
        args = op.body.args[1:] if isinstance(op, For) else op.body.args
        for v, out, x, y in zip(args, op.outs, op.inits, op.body.yields, strict=True):
            self.among[v] = self.among[out] = (x, y)
            self.carrier[v] = self.carrier[out] = op

    def bounds(self, v: Var) -> tuple[Polynomial, Polynomial] | None:
        """The least and the largest value of such a variable; None if they are not known."""
        if v not in self.among:
            return None
        values, through = self._values(v)
        changing = {self.carrier[x] for x in through if x in self.carrier}
        least = self._extreme(v, values, changing, 0)
        most = self._extreme(v, values, changing, 1)
        return None if least is None or most is None else (least, most)

    def _extreme(
        self, v: Var, values: Sequence[Polynomial], changing: set[Loop], side: int
    ) -> Polynomial | None:
        """One of the values, or of their bounds, that no value is beyond; nothing in it changes
        while the variable is carried.
        """
        for p in values:
            loose = [x for x in p.variables() if changing.intersection(self.home.get(x, ()))]
            if not all(x in self.ranges.bounds for x in loose):
                continue
            c = p.substitute({x: self.ranges.bounds[x][side] for x in loose})
            fixed = all(self.fixed(x, v, changing) for x in c.variables())
            if fixed and all(self.beyond(q, c, side) for q in values):
                return c
        return None

    def fixed(self, x: Var, v: Var, changing: set[Loop]) -> bool:
        """Whether a variable is in scope where another is, and the same all the time."""
        around = self.home.get(x, ())
        return set(around) <= set(self.home.get(v, ())) and not changing.intersection(around)

    def beyond(self, q: Polynomial, c: Polynomial, side: int) -> bool:
        """Whether a value is never below the least one, or above the largest."""
        more, less = (c, q) if side else (q, c)
        return self.ranges.above(more.plus(ONE), less)

    def _values(self, v: Var) -> tuple[list[Polynomial], set[Operand]]:
        """All that a variable may be, and the variables through which it comes to be that."""
        found: dict[Operand, None] = {}
        todo: list[Operand] = [v]
        seen: set[Operand] = set()
        while todo:
            x = todo.pop()
            if isinstance(x, Var) and x in self.among:
                todo += () if x in seen else self.among[x]
                seen.add(x)
            else:
                found[x] = None
        return [self.polynomials.of(x) for x in found], seen
