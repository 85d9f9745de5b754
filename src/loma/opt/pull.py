"""Threads fetch for themselves what other threads would bring them, and no addition is atomic.

The adjoint of a read at a fixed distance is an addition there: thread q adds v(q) to element q + d.
Seen from thread p, whose element is p, what comes is v(p - d), which it can compute: it repeats
what thread p - d does, with all its conditions, if there is such a thread.

    x[q + d] += v(q)        ==>        own += v(p - d), if 0 <= p - d < threads

What has no owner (element q + d with no thread of that number) is brought as before. In the same
way a loop in which every thread adds to the elements of a whole range, one each round, becomes a
loop over the threads for each element:

    for j: x[j] += v(q, j)  ==>        for q in threads: own += v(q, p)

if the range is about as long as there are threads, and has one for each of its elements, which is
found out at run time: the loop is there with these additions and without. All that is repeated
reads memory that the kernel does not write. Reassociates additions: not for strict mode.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from loma.ir.analysis.polynomial import Polynomial
from loma.ir.builder import NOTHING, const, type_of
from loma.ir.nodes import Accum, Alloc, For, Function, If, Load, Op, Operand, Parallel, Region, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import clone_op, outs
from loma.ir.types import I32, Ref
from loma.opt.emit import Emitter
from loma.opt.nest import work
from loma.opt.owned import Owned
from loma.opt.pulled import Copy, Facts, Shift, Site, Sweep, Trail
from loma.opt.rewrite import Rewriter

MOST: Final = 32
"""Distances at which one array is added to."""
ATOMIC: Final = 40
"""What an atomic addition costs, in operations."""
DENSE: Final = 8
"""One part of the threads in so many must find an element in a range that is swept."""


@dataclass(slots=True)
class Plan:
    """What becomes of additions; `owned` are the arrays whose elements are fetched."""

    shifts: dict[Accum, tuple[Site, Shift]] = field(default_factory=dict)
    sweeps: dict[Accum, tuple[Site, Sweep]] = field(default_factory=dict)
    owned: dict[Var, Owned] = field(default_factory=dict)


def run(f: Function, threads: Parallel, shared: frozenset[Var]) -> tuple[Region, list[Owned]]:
    """The body of a kernel in which threads fetch, and the arrays whose element i is then thread
    i's; `shared` are those in which they meet, and that they only add to.
    """
    facts = Facts(f, threads.body)
    plan = _plan(facts, shared)
    if not plan.shifts and not plan.sweeps:
        return threads.body, []
    return _Pull(f, threads.body, facts, plan).made(), list(plan.owned.values())


def _plan(facts: Facts, shared: frozenset[Var]) -> Plan:
    plan = Plan()
    by_root: dict[Var, list[Site]] = {}
    for site in facts.sites(shared):
        by_root.setdefault(site.op.root, []).append(site)
    for root, sites in by_root.items():
        shifts = [facts.shift(s) for s in sites]
        found = [(s, d) for s, d in zip(sites, shifts, strict=True) if d is not None]
        if len(found) == len(sites) and _pays(facts, found):
            plan.shifts |= {s.op: (s, d) for s, d in found}
            plan.owned[root] = Owned.of(root)
            continue
        for s in sites:
            sweep = facts.sweep(s)
            if sweep is not None and facts.cone(s, sweep.loop) is not None:
                plan.sweeps[s.op] = s, sweep
    return plan


def _pays(facts: Facts, found: list[tuple[Site, Shift]]) -> bool:
    """Whether repeating costs less than adding atomically."""
    moved = [(s, d) for s, d in found if d.delta.terms]
    cones = [facts.cone(s, None) for s, _ in moved]
    if len(moved) > MOST or any(c is None for c in cones):
        return False
    together = dict.fromkeys(op for c in cones for op in c or ())
    return sum(work(c or ()) for c in cones) <= work(together) + ATOMIC * len(found)


class _Without(Rewriter):
    """Leaves out additions."""

    def __init__(self, dropped: Container[Op]) -> None:
        super().__init__()
        self.dropped = dropped

    def op(self, op: Op) -> None:
        if op not in self.dropped:
            self.emit(self.nested(op))


class _Pull(Rewriter):
    def __init__(self, f: Function, body: Region, facts: Facts, plan: Plan) -> None:
        super().__init__()
        self.source = body
        self.facts = facts
        self.plan = plan
        self.make = Emitter(self, f.span)
        (self.thread,) = body.args
        self.count = f.params[-1]
        self.dense: dict[For, Operand] = {}

    def made(self) -> Region:
        """The new body."""
        ranges = {(s.loop, frozenset(s.offset.terms.items())): s
                  for _, s in self.plan.sweeps.values()}
        for sweep in ranges.values():
            known = self.dense.get(sweep.loop)
            fine = self.enough(sweep) if known is None else known
            self.dense[sweep.loop] = self.make.make(A.AND, fine, self.reached(sweep))
        self.body(self.source)
        self.fetch_shifts()
        self.fetch_sweeps()
        return Region(self.source.args, tuple(self.ops), ())

    def enough(self, sweep: Sweep) -> Operand:
        """Whether a range is long enough."""
        least = self.make.make(A.IDIV, self.count, const(DENSE, I32))
        return self.make.make(A.GE, self.emitted(sweep.count), least)

    def reached(self, sweep: Sweep) -> Operand:
        """Whether the first and the last element of a range have a thread."""
        e = self.make
        first = e.add(self.emitted(sweep.start), self.emitted(sweep.offset))
        rounds = e.sub(self.emitted(sweep.count), const(1, I32))
        last = e.add(first, e.mul(rounds, sweep.loop.step))
        return e.make(A.AND, self.inside(first, self.count), self.inside(last, self.count))

    def emitted(self, p: Polynomial) -> Operand:
        """The value of a polynomial."""
        return self.facts.polynomials.emit(p, I32, self.make)

    def op(self, op: Op) -> None:
        if isinstance(op, Accum) and op in self.plan.shifts:
            _, shift = self.plan.shifts[op]
            if shift.delta.terms:
                self.where(self.outside(op), op)
            else:
                total = self.plan.owned[op.root].total
                self.emit(replace(op, root=total, path=()))
        elif isinstance(op, For) and op in self.dense:
            self.either(op)
        else:
            self.emit(self.nested(op))

    def either(self, op: For) -> None:
        """A loop without the additions that are fetched, or as it was."""
        kept = self.nested(op)
        assert isinstance(kept, For)
        kept = replace(kept, outs=tuple(Var(v.name, v.type) for v in op.outs))
        (fewer,) = _Without(self.plan.sweeps).region(Region((), (kept,), ())).ops
        fewer = clone_op(fewer, {})
        then = Region((), (fewer,), outs(fewer))
        orelse = Region((), (kept,), outs(kept))
        self.emit(If(self.dense[op], then, orelse, op.outs, span=op.span))

    def where(self, cond: Operand, op: Op) -> None:
        """An operation under a condition."""
        self.emit(If(cond, Region((), (op,), ()), NOTHING, (), span=op.span))

    def outside(self, op: Accum) -> Operand:
        """Whether the element has no thread."""
        (index,) = op.path
        assert not isinstance(index, str)
        below = self.make.make(A.LT, index, const(0, I32))
        return self.make.make(A.OR, below, self.make.make(A.GE, index, self.count))

    def inside(self, x: Operand, count: Operand) -> Operand:
        """Whether 0 <= x < count."""
        low = self.make.make(A.GE, x, const(0, I32))
        return self.make.make(A.AND, low, self.make.make(A.LT, x, count))

    def fetch_shifts(self) -> None:
        """Repeats what the threads at each distance do."""
        groups: dict[tuple[object, ...], list[tuple[Site, Shift]]] = {}
        for site, shift in self.plan.shifts.values():
            if shift.delta.terms:
                key = (frozenset(shift.delta.terms.items()), site.trail)
                groups.setdefault(key, []).append((site, shift))
        for group in groups.values():
            _, shift = group[0]
            other = self.make.sub(self.thread, self.emitted(shift.delta))
            guard = self.inside(other, self.count)
            outer, self.ops = self.ops, []
            totals = {s.op: self.plan.owned[s.op.root].total for s, _ in group}
            self.copy([s for s, _ in group], totals, None, {self.thread: other}, shift.delta)
            then, self.ops = Region((), tuple(self.ops), ()), outer
            self.emit(If(guard, then, NOTHING, (), span=self.make.span))

    def copy(
        self,
        sites: Sequence[Site],
        totals: dict[Accum, Var],
        loop: For | None,
        subst: dict[Var, Operand],
        delta: Polynomial | None = None,
    ) -> None:
        """Emits what leads to the additions, under a substitution."""
        live = {op for s in sites for op in self.facts.cone(s, loop) or ()}
        trail: Trail = sites[0].trail
        Copy(self, self.facts, live, totals, subst, delta).ops(self.source.ops, trail)

    def fetch_sweeps(self) -> None:
        """Repeats, for the element of a thread, what every thread does there."""
        groups: dict[tuple[object, ...], list[tuple[Site, Sweep]]] = {}
        for site, sweep in self.plan.sweeps.values():
            key = (frozenset(sweep.offset.terms.items()), site.trail)
            groups.setdefault(key, []).append((site, sweep))
        for group in groups.values():
            _, sweep = group[0]
            outer, self.ops = self.ops, []
            self.column([s for s, _ in group], sweep)
            then, self.ops = Region((), tuple(self.ops), ()), outer
            self.emit(If(self.dense[sweep.loop], then, NOTHING, (), span=self.make.span))

    def column(self, sites: list[Site], sweep: Sweep) -> None:
        """All that the threads add to one element."""
        e, span = self.make, self.make.span
        index = e.sub(self.thread, self.emitted(sweep.offset))
        number = e.sub(index, self.emitted(sweep.start))
        number = e.mul(number, sweep.loop.step)
        there = self.inside(number, self.emitted(sweep.count))
        totals = {s.op: Var(f"all_{s.op.root.name}", Ref(type_of(s.op.value))) for s in sites}
        q = Var("other", I32)
        outer, self.ops = self.ops, []
        self.copy(sites, totals, sweep.loop, {self.thread: q, sweep.loop.body.args[0]: index})
        body, self.ops = Region((q,), tuple(self.ops), ()), []
        for total in totals.values():
            self.emit(Alloc(total, span=span))
        zero, one = const(0, I32), const(1, I32)
        self.emit(For(zero, self.count, one, (), body, (), span=span))
        for s in sites:
            value = Var("all", type_of(s.op.value))
            self.emit(Load(totals[s.op], (), value, span=span))
            self.emit(Accum(s.op.root, (self.thread,), value, span=s.op.span))
        then, self.ops = Region((), tuple(self.ops), ()), outer
        self.emit(If(there, then, NOTHING, (), span=span))
