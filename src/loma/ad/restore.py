"""Store or recompute: how the reverse sweep of a region gets back the primal values that it needs.

The forward and the reverse sweep of a loop body (a *level*) are different scopes. What the
reverse scope needs is recomputed where its operands are at hand there (loop index, outer values,
memory that is still current), and otherwise pushed at the end of the forward body and popped at
the start of the reverse body. Reverse code names primal values by their own variables, so a
restored value is bound to the same `Var` again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from loma.diagnostics import Span
from loma.ir.analysis.scope import free_of
from loma.ir.nodes import Apply, If, Load, LoadRef, Op, Operand, Pop, Push, Var, View, Window
from loma.ir.traverse import clone_region, map_regions, op_reads, outs, regions, walk
from loma.ir.types import Ref


@dataclass(frozen=True, slots=True)
class Level:
    """One forward scope: what its operations define, and which of its values the reverse scope
    has anyway.
    """

    defined: Mapping[Var, Op | None]
    given: Collection[Var]
    reloadable: Collection[Var]

    @staticmethod
    def of(
        ops: Sequence[Op], args: Iterable[Var], given: Collection[Var], reloadable: Collection[Var]
    ) -> Level:
        """The level of a list of forward operations with region arguments `args`."""
        defined: dict[Var, Op | None] = dict.fromkeys(args)
        for op in ops:
            defined.update((v, op) for v in outs(op))
        return Level(defined, given, reloadable)

    def here(self, v: Operand) -> bool:
        """Whether the value is defined at this level (and so lost in the reverse scope)."""
        return isinstance(v, Var) and v in self.defined and v not in self.given

    def repeatable(self, v: Var) -> bool:
        """Whether the operation that defines `v` may run again in the reverse scope."""
        match self.defined[v]:
            case Apply() | View() | Window():
                return True
            case Load() | LoadRef():
                return v in self.reloadable
            case If() as op:
                return all(self._quiet(x) for region in regions(op) for x in walk(region))
            case _:
                return False

    def _quiet(self, op: Op) -> bool:
        """Whether an operation in a branch may run again."""
        match op:
            case Apply() | View() | Window() | If():
                return True
            case Load() | LoadRef():
                return op.out in self.reloadable
            case _:
                return False

    def recomputable(self, needed: Iterable[Var]) -> set[Var]:
        """Of all values below `needed`, those that can be had again without storing anything."""
        known: dict[Var, bool] = {}
        for v in self.order(needed, stop=frozenset()):
            op = self.defined[v]
            known[v] = (
                self.repeatable(v)
                and op is not None
                and all(known[x] for x in op_reads(op) if self.here(x))
            )
        return {v for v, ok in known.items() if ok}

    def order(self, needed: Iterable[Var], stop: Collection[Var]) -> list[Var]:
        """`needed` and what it is repeatably computed from at this level, operands first; not
        below `stop`.
        """
        found: dict[Var, None] = {}
        entered: set[Var] = set()
        todo = [v for v in reversed(list(needed)) if self.here(v)]
        while todo:
            v = todo[-1]
            if v in found:
                todo.pop()
                continue
            below = [] if v in stop or v in entered else self._below(v, found)
            entered.add(v)
            if below:
                todo.extend(below)
            else:
                found[v] = None
                todo.pop()
        return list(found)

    def _below(self, v: Var, found: Mapping[Var, None]) -> list[Var]:
        op = self.defined[v]
        if op is None or not self.repeatable(v):
            return []
        return [x for x in op_reads(op) if self.here(x) and x not in found]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to store at the end of the forward scope, and what to run at the start of the reverse
    scope.
    """

    saved: tuple[Var, ...]
    again: tuple[Op, ...]


def plan(level: Level, needed: Sequence[Var]) -> Plan:
    """The cheaper of storing the needed values and storing what they are computed from."""
    free = level.recomputable(needed)
    direct = [v for v in needed if v not in free and not isinstance(v.type, Ref)]
    below = [v for v in needed if v not in free and isinstance(v.type, Ref)]
    direct = list(dict.fromkeys([*direct, *_leaves(level, below, free)]))
    leaves = _leaves(level, [v for v in needed if v not in free], free)
    saved = leaves if _bytes(leaves) < _bytes(direct) else direct
    stop = set(saved)
    again = dict.fromkeys(level.defined[v] for v in level.order(needed, stop) if v not in stop)
    assert None not in again, "an argument of the region was neither stored nor given"
    made = {v for op in again if op is not None for v in outs(op)}
    repeated = tuple(_repeated(op) for op in again if op is not None)
    return Plan(tuple(v for v in saved if v not in made), repeated)


def _repeated(op: Op) -> Op:
    """The operation as it runs again: the same results, fresh variables inside."""
    return map_regions(op, lambda region: clone_region(region, {}))


def _leaves(level: Level, needed: Sequence[Var], free: Collection[Var]) -> list[Var]:
    """The values that cannot be repeated below the needed ones."""
    return [v for v in level.order(needed, stop=free) if v not in free and not level.repeatable(v)]


def _bytes(values: Iterable[Var]) -> int:
    return sum(v.scalar.bytes if not isinstance(v.type, Ref) else 8 for v in values)


def needed_at(
    level: Level, rev: Sequence[Op], yields: Iterable[Operand], args: Iterable[Var]
) -> list[Var]:
    """The values of this level that reverse code reads."""
    return [v for v in free_of(rev, yields, args) if level.here(v)]


def push_pop(tape: Var, saved: tuple[Var, ...], span: Span) -> tuple[list[Op], list[Op]]:
    """The operations that store values at the end of one scope and restore them in the other;
    `span` is where the program is when memory for them runs out.
    """
    if not saved:
        return [], []
    return [Push(tape, saved, span=span)], [Pop(tape, saved)]
