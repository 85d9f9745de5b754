"""Reverse rules for branches and loops, and the levels that they make."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loma.ad.adjoints import Adjoints
from loma.ad.calls import CallRules
from loma.ad.restore import Level, Plan, needed_at, plan, push_pop
from loma.ir.analysis.scope import free_in
from loma.ir.builder import const, type_of
from loma.ir.nodes import (
    Apply,
    Const,
    For,
    If,
    Op,
    Operand,
    Region,
    Var,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import outs
from loma.ir.types import I64, Ref, Scalar


@dataclass(frozen=True, slots=True)
class Settled:
    """Both sweeps of a scope; `exported` are values that a branch hands to the scope around it."""

    forward: list[Op]
    reverse: list[Op]
    exported: tuple[Var, ...]


@dataclass(frozen=True, slots=True)
class ReversedLoop:
    """The pieces of a reversed loop: adjoints of carried values come first, then those of outer
    ones.
    """

    forward: Region
    body: Region
    inits: tuple[Operand, ...]
    outs: tuple[Var, ...]
    into: tuple[Operand, ...]
    outer: tuple[Var, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing flows back through the loop."""
        return not self.into and not self.body.ops


class ControlRules(CallRules):
    """What holds regions."""

    @abstractmethod
    def unordered(self, op: For, env: Adjoints) -> list[Op]:
        """A parallel loop."""

    def branch(self, op: If, env: Adjoints) -> list[Op]:
        """The branch that was taken is reversed."""
        seeds = [env.get(v) if self.active(v) else None for v in op.outs]
        scopes = [env.branch(), env.branch()]
        halves = [
            self.sweep(r, e, seeds) for r, e in zip((op.then, op.orelse), scopes, strict=True)
        ]
        inside = [set(Level.of(f, (), (), ()).defined) for f, _ in halves]
        outer = list(
            dict.fromkeys(
                v for e, bound in zip(scopes, inside, strict=True) for v in e.own if v not in bound
            )
        )
        yields = [tuple(e.get_or_zero(v) for v in outer) for e in scopes]
        settled = [
            self.settle(f, r, y, (), (), ()) for (f, r), y in zip(halves, yields, strict=True)
        ]
        extra = [v for s in settled for v in s.exported]
        forward = [
            _with_yields(s.forward, region, settled, s)
            for s, region in zip(settled, (op.then, op.orelse), strict=True)
        ]
        if any(s.reverse for s in settled) or outer:
            totals = tuple(Var(f"adj_{v.name}", v.type) for v in outer)
            then, orelse = (
                Region((), tuple(s.reverse), y) for s, y in zip(settled, yields, strict=True)
            )
            self.b.emit(If(op.cond, then, orelse, totals, span=op.span))
            for v, t in zip(outer, totals, strict=True):
                env.set(v, t)
        return [replace(op, then=forward[0], orelse=forward[1], outs=(*op.outs, *extra))]

    def counted(self, op: For, env: Adjoints) -> list[Op]:
        """The iterations in reverse order."""
        if op.parallel:
            return self.unordered(op, env)
        index, *carried = op.body.args
        last = self.loop(op.body, tuple(carried), op.inits, op.outs, env, index)
        if last.is_empty:
            return [replace(op, body=last.forward)]
        b = self.b
        start, step = op.start, op.step
        if not (isinstance(op.count, Const) and op.count.value == 1):
            before = b.apply(A.SUB, op.count, const(1, type_of(op.count)), name="last")
            start = b.add(op.start, before if step.value == 1 else b.mul(before, step))
        back = const(-step.value, step.type)
        self.finish_loop(
            last, For(start, op.count, back, last.inits, last.body, last.outs, span=op.span), env
        )
        return [replace(op, body=last.forward)]

    def unbounded(self, op: While, env: Adjoints) -> list[Op]:
        """The iterations that ran, counted in the forward sweep, in reverse order."""
        k = Var("k", I64)
        last = self.loop(op.body, op.body.args, op.inits, op.outs, env, k)
        op = replace(op, cond=self.forward_only(op.cond))
        if last.is_empty:
            return [replace(op, body=last.forward)]
        trips = Var("trips", I64)
        here, after, zero, one = Var("trips", I64), Var("trips", I64), Const(0, I64), Const(1, I64)
        ops = (*last.forward.ops, Apply(A.ADD, (here, one), after, span=op.span))
        body = Region((*last.forward.args, here), ops, (*last.forward.yields, after))
        cond = replace(op.cond, args=(*op.cond.args, Var("trips", I64)))
        self.finish_loop(
            last, For(zero, trips, one, last.inits, last.body, last.outs, span=op.span), env
        )
        return [replace(op, inits=(*op.inits, zero), cond=cond, body=body, outs=(*op.outs, trips))]

    def loop(
        self,
        body: Region,
        carried: tuple[Var, ...],
        inits: tuple[Operand, ...],
        outs: tuple[Var, ...],
        env: Adjoints,
        index: Var,
    ) -> ReversedLoop:
        """The reversed body of a loop."""
        through = [j for j, v in enumerate(carried) if self.active(v)]
        outer = [v for v in free_in(body) if isinstance(v.type, Scalar) and self.active(v)]
        seeds: list[Operand | None] = [None] * len(carried)
        args: list[Var] = [index]
        first: list[Operand] = []
        for j in through:
            args.append(Var(f"adj_{carried[j].name}", carried[j].type))
            seeds[j] = args[-1]
            first.append(env.get_or_zero(outs[j]))
        inner = self.adjoints()
        for v in outer:
            args.append(Var(f"adj_{v.name}", v.type))
            inner.set(v, args[-1])
            first.append(env.get_or_zero(v))
        was, self.is_level = self.is_level, True
        forward, reverse = self.sweep(body, inner, seeds)
        yields = (
            *(inner.get_or_zero(carried[j]) for j in through),
            *(inner.get_or_zero(v) for v in outer),
        )
        given = (index,) if index in body.args else ()
        settled = self.settle(forward, reverse, yields, args, body.args, given)
        self.is_level = was
        return ReversedLoop(
            forward=Region(body.args, tuple(settled.forward), body.yields),
            body=Region(tuple(args), tuple(settled.reverse), yields),
            inits=tuple(first),
            outs=tuple(Var(v.name, v.type) for v in args[1:]),
            into=tuple(inits[j] for j in through),
            outer=tuple(outer),
        )

    def finish_loop(self, last: ReversedLoop, loop: For, env: Adjoints) -> None:
        """Emits the reversed loop and hands on the adjoints that it leaves."""
        self.b.emit(loop)
        n = len(last.into)
        for v, g in zip(last.outer, last.outs[n:], strict=True):
            env.set(v, g)
        for x, g in zip(last.into, last.outs[:n], strict=True):
            env.add(x, g)

    # Levels.

    def settle(
        self,
        forward: list[Op],
        reverse: list[Op],
        yields: Sequence[Operand],
        args: Sequence[Var],
        bound: Sequence[Var],
        given: Sequence[Var],
    ) -> Settled:
        """Both sweeps of a scope, with what the reverse one needs made available to it."""
        level = Level.of(forward, bound, given, self.reloads.loads)
        needed = needed_at(level, reverse, yields, args)
        if not self.is_level:
            again = plan(level, [v for v in needed if isinstance(v.type, Ref)])
            exported = tuple(
                dict.fromkeys([*(v for v in needed if not isinstance(v.type, Ref)), *again.saved])
            )
            return Settled(forward, [*_without(again.again, exported), *reverse], exported)
        choice = plan(level, needed)
        self.check_saved(choice, level)
        self.callees.plans.append((level, choice))
        where = next((op.span for op in reversed(forward) if op.span.line), self.f.span)
        push, pop = push_pop(self.tape(), choice.saved, where) if choice.saved else ([], [])
        return Settled([*forward, *push], [*pop, *choice.again, *reverse], ())

    def check_saved(self, choice: Plan, level: Level) -> None:
        """Refuses to store pointers."""
        for v in choice.saved:
            if isinstance(v.type, Ref):
                op = level.defined.get(v)
                raise self.refuse(
                    op.span if op is not None else self.f.span,
                    "a pointer is overwritten, or local memory is gone, before its reverse sweep",
                    "use indices into one array instead",
                )


def _with_yields(ops: list[Op], region: Region, all_: Sequence[Settled], mine: Settled) -> Region:
    """A branch that also yields the exported values: its own, and zeros for those of the other
    branch.
    """
    extra = [v if s is mine else const(0, v.scalar) for s in all_ for v in s.exported]
    return Region((), tuple(ops), (*region.yields, *extra))


def _without(ops: Sequence[Op], bound: Sequence[Var]) -> list[Op]:
    """The operations that define none of the given variables."""
    return [op for op in ops if not set(outs(op)) & set(bound)]
