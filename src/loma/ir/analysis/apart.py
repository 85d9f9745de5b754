"""Whether what is written after a load is elsewhere, by the ranges of the loops around both.

Two indices are apart if their difference cannot be 0 (`bounds.py`). An index of several dimensions
is taken apart first into rows, times a width, and columns, which are less than the width. (A small
part of what is known as dependence analysis: Allen & Kennedy, Optimizing Compilers for Modern
Architectures, chapter 3.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from loma.ir.analysis.alias import Key
from loma.ir.analysis.bounds import Chosen, Ranges, Renamed
from loma.ir.analysis.polynomial import Polynomial, Polynomials, polynomial
from loma.ir.nodes import (
    Accum,
    Apply,
    Call,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Op,
    Operand,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    While,
    Window,
)
from loma.ir.traverse import bound, outs, regions, walk

MOST: Final = 400
"""Pairs of a load and a write to one root that are looked at, at most."""

Steps: TypeAlias = tuple[str | Polynomial, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """A load or a write: the path from its base root, the loops around it, and its place in the
    text: for each region around it, from the outside in, that region and the position in it.
    """

    op: Op
    path: Steps | None
    loops: tuple[For | While, ...]
    at: tuple[tuple[Region, int, Op], ...]


class Accesses:
    """The loads and writes of a body, and the integers that they depend on."""

    def __init__(self, body: Region, base: Mapping[Var, Var]) -> None:
        self.base = base
        self.defs: dict[Var, Op] = {v: op for op in walk(body) for v in outs(op)}
        made = {v: op for v, op in self.defs.items() if isinstance(op, Apply)}
        self.polynomials = Polynomials({v: op for v, op in made.items() if v.scalar.is_int}, {})
        self.loads: dict[Op, Access] = {}
        self.writes: dict[Var, list[Access]] = {}
        self.opaque: set[Var] = set()
        self.home: dict[Var, tuple[For | While, ...]] = {}
        self._collect(body, (), ())
        self.chosen = Chosen(body, self.polynomials, self.home)

    def _collect(
        self,
        region: Region,
        loops: tuple[For | While, ...],
        around: tuple[tuple[Region, int, Op], ...],
    ) -> None:
        self.home.update((v, loops) for v in region.args)
        for position, op in enumerate(region.ops):
            at = (*around, (region, position, op))
            self.home.update((v, loops) for v in outs(op))
            match op:
                case Load(root, path):
                    self.loads[op] = Access(op, self._steps(root, path), loops, at)
                case Store(root, path) | Accum(root, path):
                    found = Access(op, self._steps(root, path), loops, at)
                    self.writes.setdefault(self.base.get(root, root), []).append(found)
                case Call(_, args):
                    self.opaque |= {self.base.get(x, x) for x in args if isinstance(x, Var)}
                case StoreRef(root):
                    self.opaque.add(self.base.get(root, root))
                case _:
                    pass
            inner = (*loops, op) if isinstance(op, For | While) else loops
            for r in regions(op):
                self._collect(r, inner, at)

    def _steps(self, root: Var, path: Iterable[Operand | str]) -> Steps | None:
        """A path from the base root; None where it crosses a pointer, or takes the rows of an array
        as one, so that its index goes on into the next rows.
        """
        steps = tuple(x if isinstance(x, str) else self.polynomials.of(x) for x in path)
        match self.defs.get(root):
            case View(above, before):
                prefix = self._steps(above, before)
            case LoadRef():
                return None
            case Window(depth=depth) if depth > 1:
                return None
            case Window(above, before):
                prefix = self._steps(above, before)
                if prefix and steps:
                    begin, first = prefix[-1], steps[0]
                    assert not isinstance(begin, str) and not isinstance(first, str), "indices"
                    prefix, steps = prefix[:-1], (begin.plus(first), *steps[1:])
            case _:
                prefix = ()
        return None if prefix is None else (*prefix, *steps)

    def stays(self, load: Load) -> bool:
        """Whether no write that runs after a load is to the place that it reads."""
        base = self.base.get(load.root, load.root)
        writes = self.writes.get(base, [])
        mine = self.loads[load]
        if base in self.opaque or mine.path is None or len(writes) > MOST:
            return False
        return all(self.apart(mine, w) for w in writes)

    def apart(self, load: Access, write: Access) -> bool:
        """Whether a write is elsewhere whenever it runs after a load."""
        shared = 0
        for x, y in zip(load.loops, write.loops, strict=False):
            if x is not y:
                break
            if isinstance(x, For) and x.parallel:
                return False
            shared += 1
        if _follows(load, write) and not self.differ(load, write, shared, None):
            return False
        return all(self.differ(load, write, shared, k) for k in range(shared))

    def differ(self, load: Access, write: Access, shared: int, later: int | None) -> bool:
        """Whether a write is elsewhere in the same iteration of all shared loops, or in a later one
        of one of them, and any one of those inside it.
        """
        ranges = Ranges()
        for loop in load.loops:
            ranges.enter(self.polynomials, loop, {})
        renamed: dict[Var, Polynomial] = {}
        if later is not None:
            renamed = self.anew(load.loops[later])
        for k in range(shared if later is None else later, len(write.loops)):
            ranges.enter(self.polynomials, write.loops[k], renamed, later=k == later)
        self.choose(ranges, load, {})
        self.choose(ranges, write, renamed)
        steps = zip(load.path or (), write.path or (), strict=False)
        return any(_steps_differ(ranges, renamed, x, y) for x, y in steps)

    def choose(self, ranges: Ranges, access: Access, renamed: Renamed) -> None:
        """Adds the ranges of variables in a path that are one of several values."""
        paths = [p for p in access.path or () if not isinstance(p, str)]
        for v in dict.fromkeys(v for p in paths for v in p.variables()):
            bounds = self.chosen.bounds(v)
            if bounds is not None:
                name = renamed.get(v) or Polynomial({(v,): 1})
                (here,) = name.variables()
                ranges.bounds[here] = (
                    bounds[0].substitute(renamed), bounds[1].substitute(renamed))

    def anew(self, loop: For | While) -> dict[Var, Polynomial]:
        """Names, for another iteration of a loop, for what is bound inside it."""
        inside = [v for v, loops in self.home.items() if loop in loops]
        return {v: Polynomial({(Var(v.name, v.type),): 1}) for v in inside}


def _steps_differ(
    ranges: Ranges, renamed: Renamed, x: str | Polynomial, y: str | Polynomial
) -> bool:
    """Whether steps of two paths lead to different places."""
    if isinstance(x, str) or isinstance(y, str):
        return x != y
    return ranges.differ(x, y.substitute(renamed))


def _follows(load: Access, write: Access) -> bool:
    """Whether a write may come after a load in the same iterations."""
    for (r, i, op), (s, j, _) in zip(load.at, write.at, strict=False):
        if r is not s:
            return False
        if i != j:
            return i < j
        inner = regions(op)
        if isinstance(op, While) and len(inner) == 2:
            first = [next((k for k, q in enumerate(inner) if _in(a, q)), 0) for a in (load, write)]
            if first[0] != first[1]:
                return first[0] < first[1]
        if isinstance(op, If) and not any(_in(load, q) and _in(write, q) for q in inner):
            return False
    return True


def _in(access: Access, region: Region) -> bool:
    return any(r is region for r, _, _ in access.at)


class Nests:
    """The loops of a function, and what never meets in them: found out when it is asked."""

    def __init__(self, function: Function) -> None:
        self.function = function

    @cached_property
    def polynomials(self) -> Polynomials:
        """The integer expressions."""
        return Polynomials.of_function(self.function)

    @cached_property
    def loops(self) -> dict[Var, For]:
        """The loops, by their indices."""
        return {op.body.args[0]: op for op in walk(self.function.body) if isinstance(op, For)}

    @cached_property
    def ranges(self) -> Ranges:
        """The ranges of all loops."""
        found = Ranges()
        for loop in self.loops.values():
            found.enter(self.polynomials, loop, {})
        return found

    def never_meet(self, loop: For, a: Key, b: Key) -> bool:
        """Whether two paths from one root lead to different places, in whatever iterations of a
        loop.
        """
        old = self.loops.get(loop.body.args[0])
        if old is None or old.parallel:
            return False
        renamed: dict[Var, Polynomial] = {
            v: Polynomial({(Var(v.name, v.type),): 1}) for v in bound(old.body)
        }
        ranges = Ranges(dict(self.ranges.bounds))
        for x in (old, *(op for op in walk(old.body) if isinstance(op, For))):
            ranges.enter(self.polynomials, x, renamed)
        return any(
            _steps_differ(ranges, renamed, self.step(x), self.step(y))
            for x, y in zip(a, b, strict=False)
        )

    def step(self, x: str | int | Var) -> str | Polynomial:
        """A step of a path as a polynomial."""
        if isinstance(x, str):
            return x
        return polynomial(x) if isinstance(x, int) else self.polynomials.of(x)
