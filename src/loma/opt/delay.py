"""Carries what a loop adds to the places of later iterations until these come.

The adjoint of `x[i + 1] - x[i]` adds in iteration i to the places of iterations i and i + 1. Those
additions chain the iterations through memory. Carried in a value instead, what is meant for the
next iteration joins what that one adds itself: one addition to each place, and compilers vectorise
such delayed values.

    for i: x[i] += a; x[i + 1] += b        ==>    r = -0
                                                  for i: x[i] += a + r; r = b
                                                  if count > 0: x[count] += r

Where a place is reached only by iterations that do not exist, -0 is added, which changes nothing.
Reassociates additions: not for strict mode. Only where array parameters are distinct memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from loma.ir.analysis.affine import Affine
from loma.ir.analysis.alias import Aliases
from loma.ir.analysis.effects import EffectTable
from loma.ir.builder import NOTHING, const, type_of
from loma.ir.nodes import (
    Accum,
    For,
    Function,
    If,
    Module,
    Op,
    Operand,
    Path,
    Region,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import clone_op, value
from loma.opt.distribute import Stream, same_shape, scalar_cone, streams_of
from loma.opt.emit import Emitter
from loma.opt.rewrite import Rewriter

FARTHEST: Final = 4
"""Iterations that a value is carried at most."""


def run(function: Function, module: Module) -> Function:
    """The function with such additions carried; only where array parameters are known to be
    distinct.
    """
    if not function.distinct:
        return function
    return _Delay(EffectTable(Aliases(function, module))).function(function)


@dataclass(frozen=True, slots=True)
class Group:
    """Additions of a loop to the same places, in different iterations: to those of the first one,
    so many iterations later.
    """

    streams: tuple[Stream, ...]
    delays: tuple[int, ...]

    @property
    def first(self) -> Accum:
        """The addition that comes to every place last."""
        return self.streams[self.delays.index(0)].op

    def at(self, delay: int) -> list[Accum]:
        """The additions of a delay."""
        return [s.op for s, d in zip(self.streams, self.delays, strict=True) if d == delay]


class _Delay(Rewriter):
    def __init__(self, effects: EffectTable) -> None:
        super().__init__()
        self.effects = effects

    def op(self, op: Op) -> None:
        new = self.nested(op)
        groups = self.groups(new) if isinstance(new, For) else []
        if isinstance(new, For) and groups:
            _Carried(self, new, groups).emit()
        else:
            self.emit(new)

    def groups(self, op: For) -> list[Group]:
        """The additions of an innermost loop by place, if carrying makes its iterations
        independent.
        """
        streams = streams_of(op, self.effects)
        if len(streams) < sum(isinstance(x, Accum) for x in op.body.ops):
            return []
        groups: list[list[Stream]] = []
        for s in streams:
            for group in groups:
                if _delay(op, group[0], s) is not None:
                    group.append(s)
                    break
            else:
                groups.append([s])
        found = [_grouped(op, g) for g in groups]
        if all(len(g.streams) == 1 for g in found) or any(max(g.delays) > FARTHEST for g in found):
            return []
        return [] if _meet([g.streams[0] for g in found]) else found


def _delay(op: For, a: Stream, b: Stream) -> int | None:
    """The iterations after which `a` reaches the place that `b` adds to; None if never."""
    if a.op.root is not b.op.root or not same_shape(a.op, b.op):
        return None
    apart: Affine = b.at.plus(a.at, -1)
    by = a.at.scale * int(op.step.value)
    if apart.scale or apart.terms or apart.offset % by:
        return None
    return apart.offset // by


def _grouped(op: For, streams: list[Stream]) -> Group:
    delays = [_delay(op, streams[0], s) or 0 for s in streams]
    return Group(tuple(streams), tuple(d - min(delays) for d in delays))


def _meet(streams: list[Stream]) -> bool:
    """Whether any two may add to one place."""
    return any(
        s.op.root is t.op.root and same_shape(s.op, t.op) and s.meets(t)
        for k, s in enumerate(streams)
        for t in streams[:k]
    )


class _Carried:
    """Emits a loop anew. `waiting[g][k]` is what group `g` adds k + 1 iterations later."""

    def __init__(self, to: _Delay, op: For, groups: list[Group]) -> None:
        self.to = to
        self.old = op
        self.groups = groups
        self.make = Emitter(to, op.span)
        self.waiting = [self.fresh(g) for g in groups]
        self.after = [self.fresh(g) for g in groups]
        self.next: list[list[Operand]] = []

    @staticmethod
    def fresh(g: Group) -> list[Var]:
        """A value for each iteration that the group's additions wait."""
        return [Var("wait", type_of(g.first.value)) for _ in range(max(g.delays))]

    def emit(self) -> None:
        """The loop, and what is left when it ends."""
        old = self.old
        gone = {s.op for g in self.groups for s in g.streams}
        kept = tuple(x for x in old.body.ops if x not in gone)
        added = self.collected(self.add)
        waiting, after = ([v for g in vs for v in g] for vs in (self.waiting, self.after))
        body = Region(
            (*old.body.args, *waiting),
            (*kept, *added),
            (*old.body.yields, *(x for g in self.next for x in g)),
        )
        inits = (*old.inits, *(const(-0.0, v.scalar) for v in waiting))
        outs = (*old.outs, *after)
        self.to.emit(replace(old, inits=inits, body=body, outs=outs, independent=True))
        runs = self.make.make(A.GT, old.count, const(0, type_of(old.count)))
        rest = Region((), self.collected(self.last), ())
        if rest.ops:
            self.to.emit(If(runs, rest, NOTHING, (), span=old.span))

    def add(self) -> None:
        """One iteration's addition to each place, and what waits from then on."""
        for g, waiting in zip(self.groups, self.waiting, strict=True):
            sums = [self.sum(g.at(d)) for d in range(max(g.delays) + 1)]
            sums = [self.plus(x, w) for x, w in zip(sums, [*waiting, None], strict=True)]
            now, *later = sums
            assert now is not None, "the first one's"
            self.to.emit(Accum(g.first.root, g.first.path, now, span=g.first.span))
            self.next.append([x or const(-0.0, type_of(now)) for x in later])

    def sum(self, additions: Iterable[Accum]) -> Operand | None:
        """The sum of what is added."""
        total: Operand | None = None
        for x in additions:
            total = self.plus(total, x.value)
        return total

    def plus(self, x: Operand | None, y: Operand | None) -> Operand | None:
        """The sum of those that are there."""
        return self.make.add(x, y) if x is not None and y is not None else x or y

    def last(self) -> None:
        """Adds what waits after the last iteration, to the places that would come next."""
        for g, after in zip(self.groups, self.after, strict=True):
            for k, x in enumerate(after):
                path = self.path(g.first.path, k)
                self.to.emit(Accum(g.first.root, path, x, span=g.first.span))

    def path(self, path: Path, k: int) -> Path:
        """A path, so many iterations after the first one that does not exist."""
        old, make = self.old, self.make
        times = make.add(old.count, const(k, type_of(old.count)))
        here = make.add(old.start, make.mul(times, old.step))
        subst: dict[Var, Operand] = {old.body.args[0]: here}
        for x in scalar_cone(old.body, [i for i in path if isinstance(i, Var)]):
            self.to.emit(clone_op(x, subst))
        return tuple(i if isinstance(i, str) else value(i, subst) for i in path)

    def collected(self, emit: Callable[[], None]) -> tuple[Op, ...]:
        """The operations that are emitted meanwhile."""
        outer, self.to.ops = self.to.ops, []
        emit()
        ops, self.to.ops = self.to.ops, outer
        return tuple(ops)
