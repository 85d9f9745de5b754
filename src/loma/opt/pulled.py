"""Which additions of a thread another one can repeat, and how it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from loma.ir.analysis.polynomial import Polynomial, Polynomials
from loma.ir.analysis.roots import bases, region_writes
from loma.ir.builder import NOTHING, const, type_of
from loma.ir.nodes import (
    Accum,
    Apply,
    Check,
    For,
    Function,
    If,
    Load,
    Op,
    Operand,
    Region,
    Var,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import clone_op, operands, outs, regions, value, walk
from loma.ir.types import I32, Scalar
from loma.opt.emit import Emitter
from loma.opt.owned import ownable
from loma.opt.rewrite import Rewriter

Trail: TypeAlias = tuple[tuple[Op, Region], ...]
"""The operations around a place in a body, the outermost first, each with the region inside."""
DEPTH: Final = 8
"""Branches through which an index is followed."""


@dataclass(frozen=True, slots=True)
class Site:
    """An addition, and where it stands."""

    op: Accum
    trail: Trail

    @property
    def loops(self) -> list[Op]:
        """The loops around it."""
        return [op for op, _ in self.trail if isinstance(op, For | While)]


@dataclass(frozen=True, slots=True)
class Shift:
    """Thread q adds to element q + `delta`."""

    delta: Polynomial


@dataclass(frozen=True, slots=True)
class Sweep:
    """Each thread adds, in each round of a loop, to the element `offset` after the loop's index."""

    loop: For
    offset: Polynomial
    start: Polynomial
    count: Polynomial


@dataclass(slots=True)
class Facts:
    """What is known of the body of a kernel."""

    f: Function
    body: Region
    thread: Var = field(init=False)
    params: set[Var] = field(init=False)
    defs: dict[Var, Op] = field(init=False)
    unwritten: set[Var] = field(init=False)
    polynomials: Polynomials = field(init=False)

    def __post_init__(self) -> None:
        (self.thread,) = self.body.args
        self.params = {v for v in self.f.params if isinstance(v.type, Scalar)}
        self.defs = {v: op for op in walk(self.body) for v in outs(op)}
        self.unwritten = set(self.f.params) - region_writes(self.body, bases(self.body), {})
        self.polynomials = Polynomials.of_function(self.f)

    def sites(self, roots: frozenset[Var]) -> Iterator[Site]:
        """The additions to roots that are arrays of floats."""
        yield from self._sites(self.body, (), {v for v in roots if ownable(v)})

    def _sites(self, region: Region, trail: Trail, roots: set[Var]) -> Iterator[Site]:
        for op in region.ops:
            if isinstance(op, Accum) and op.root in roots:
                yield Site(op, trail)
            for inner in regions(op):
                yield from self._sites(inner, (*trail, (op, inner)), roots)

    # Indices.

    def index(self, site: Site) -> Polynomial | None:
        """The index of an addition; what a branch gave under the same condition is followed."""
        (x,) = site.op.path
        if isinstance(x, str) or type_of(x) is not I32:
            return None
        sides = {op.cond: inner is op.then for op, inner in site.trail if isinstance(op, If)}
        found = self.polynomials.of(x)
        for _ in range(DEPTH):
            known = {v: p for v in found.variables() if (p := self._chosen(v, sides)) is not None}
            if not known:
                break
            found = found.substitute(known)
        return found

    def _chosen(self, v: Var, sides: dict[Operand, bool]) -> Polynomial | None:
        match self.defs.get(v):
            case If(cond, then, orelse, found) if cond in sides:
                region = then if sides[cond] else orelse
                return self.polynomials.of(region.yields[found.index(v)])
            case Apply(A.SELECT, (cond, x, y)) if cond in sides:
                return self.polynomials.of(x if sides[cond] else y)
            case _:
                return None

    def given(self, p: Polynomial) -> bool:
        """Whether only parameters of the kernel occur."""
        return p.variables() <= self.params

    def shift(self, site: Site) -> Shift | None:
        """How far from its own element a thread adds."""
        p = self.index(site)
        if p is None or p.coefficient(self.thread) != Polynomial({(): 1}):
            return None
        delta = p.plus(Polynomial({(self.thread,): 1}), -1)
        fine = self.given(delta) and not (delta.terms and site.loops)
        return Shift(delta) if fine else None

    def sweep(self, site: Site) -> Sweep | None:
        """Whether an addition moves along a range that all threads share."""
        p, loops = self.index(site), site.loops
        if p is None or len(loops) != 1 or not isinstance(loop := loops[0], For):
            return None
        index = loop.body.args[0]
        start, count = self.polynomials.of(loop.start), self.polynomials.of(loop.count)
        if type_of(index) is not I32 or abs(int(loop.step.value)) != 1:
            return None
        if p.coefficient(index) != Polynomial({(): 1}):
            return None
        offset = p.plus(Polynomial({(index,): 1}), -1)
        if not all(map(self.given, (offset, start, count))):
            return None
        return Sweep(loop, offset, start, count)

    # What must be repeated.

    def cone(self, site: Site, loop: For | None) -> list[Op] | None:
        """The operations that lead to an addition, conditions and checks included; None if some
        cannot be repeated for another thread, and another index of the loop."""
        todo: list[Operand] = [site.op.value]
        region = self.body
        for op, inner in site.trail:
            todo += _checked(region, op)
            if isinstance(op, If):
                todo.append(op.cond)
            elif op is not loop:
                return None
            region = inner
        todo += _checked(region, site.op)
        free = {self.thread, *self.params, *((loop.body.args[0],) if loop else ())}
        return self._followed(todo, free)

    def _followed(self, todo: list[Operand], free: set[Var]) -> list[Op] | None:
        found: dict[Op, None] = {}
        while todo:
            v = todo.pop()
            if not isinstance(v, Var) or v in free:
                continue
            op = self.defs.get(v)
            match op:
                case Apply():
                    todo += op.args
                case Load(root) if root in self.unwritten:
                    todo += operands(op)[1:]
                case If(cond):
                    k = op.outs.index(v)
                    todo += [cond, op.then.yields[k], op.orelse.yields[k]]
                case _:
                    return None
            found[op] = None
        return list(found)


def _checked(region: Region, until: Op) -> list[Operand]:
    """What the checks of a region before an operation read."""
    before = region.ops[: region.ops.index(until)]
    return [x for op in before if isinstance(op, Check) for x in operands(op)]


@dataclass(slots=True)
class Copy:
    """Emits operations of a body for another thread.

    `live` are those to repeat, `totals` what their additions go to. With `delta` the other thread
    is so far before.
    """

    to: Rewriter
    facts: Facts
    live: set[Op]
    totals: dict[Accum, Var]
    subst: dict[Var, Operand]
    delta: Polynomial | None = None

    def ops(self, ops: Sequence[Op], trail: Trail) -> None:
        """The operations of a region; the way to the additions leads along the trail."""
        for op in ops:
            if op in self.live:
                self.one(op)
            if isinstance(op, Accum) and op in self.totals:
                total = self.totals[op]
                self.to.emit(Accum(total, (), value(op.value, self.subst), span=op.span))
            elif isinstance(op, Check) and self.leads(ops, op, trail):
                self.to.emit(clone_op(op, self.subst))
            elif trail and op is trail[0][0]:
                self.enter(op, trail)

    def leads(self, ops: Sequence[Op], op: Op, trail: Trail) -> bool:
        """Whether an operation stands before the way on."""
        rest = ops[ops.index(op) :]
        if trail:
            return any(x is trail[0][0] for x in rest)
        return any(x in self.totals for x in rest if isinstance(x, Accum))

    def enter(self, op: Op, trail: Trail) -> None:
        """Goes on inside a branch; inside the loop, of which only one round is repeated."""
        (_, inner), *rest = trail
        if not isinstance(op, If):
            self.ops(inner.ops, tuple(rest))
            return
        outer, self.to.ops = self.to.ops, []
        self.ops(inner.ops, tuple(rest))
        taken, self.to.ops = Region((), tuple(self.to.ops), ()), outer
        branches = (taken, NOTHING) if inner is op.then else (NOTHING, taken)
        self.to.emit(If(value(op.cond, self.subst), *branches, (), span=op.span))

    def one(self, op: Op) -> None:
        """An operation that is repeated."""
        if isinstance(op, If):
            self.branch(op)
        elif self.delta is None or not self.divided(op, self.delta):
            self.to.emit(clone_op(op, self.subst))

    def branch(self, op: If) -> None:
        """A branch, for the results that are needed."""
        inner = []
        for region in (op.then, op.orelse):
            outer, self.to.ops = self.to.ops, []
            for x in region.ops:
                if x in self.live:
                    self.one(x)
            yields = tuple(value(y, self.subst) for y in region.yields)
            inner.append((tuple(self.to.ops), yields))
            self.to.ops = outer
        needed = [k for k in range(len(op.outs)) if self.defined(op, k)]
        then, orelse = (Region((), ops, tuple(ys[k] for k in needed)) for ops, ys in inner)
        results = tuple(Var(op.outs[k].name, op.outs[k].type) for k in needed)
        cond = value(op.cond, self.subst)
        self.subst.update(zip((op.outs[k] for k in needed), results, strict=True))
        self.to.emit(If(cond, then, orelse, results, span=op.span))

    def defined(self, op: If, k: int) -> bool:
        """Whether what a branch gives was repeated."""
        return all(
            not isinstance(y, Var)
            or y in self.subst
            or y in self.facts.params
            or y not in self.facts.defs
            for y in (op.then.yields[k], op.orelse.yields[k])
        )

    # Rows.

    def divided(self, op: Op, delta: Polynomial) -> bool:
        """The quotient of the thread's number, from that of the thread that repeats: no division,
        if both are in one row or in rows a known number apart."""
        if not isinstance(op, Apply) or op.prim is not A.IDIV or op not in self.facts.body.ops:
            return False
        x, y = op.args
        if x is not self.facts.thread or not isinstance(y, Var) or y not in self.facts.params:
            return False
        rows = delta.terms.get((y,), 0)
        rest = delta.plus(Polynomial({(y,): rows}), -1)
        if any(rest.terms) or abs(steps := rest.terms.get((), 0)) >= 1 << 30:
            return False
        self.subst[op.out] = self.quotient(op, y, rows, steps)
        return True

    def quotient(self, op: Apply, width: Var, rows: int, steps: int) -> Operand:
        """(thread - rows * width - steps) / width."""
        e = Emitter(self.to, op.span)
        here: Operand = e.sub(op.out, const(rows, I32))
        if not steps:
            return here
        fits = e.make(A.GE, width, const(abs(steps), I32))
        outer, self.to.ops = self.to.ops, []
        column = e.sub(self.facts.thread, e.mul(op.out, width))
        column = e.sub(column, const(steps, I32))
        over, under = e.make(A.GE, column, width), e.make(A.LT, column, const(0, I32))
        near = e.select(over, e.add(here, const(1, I32)), here)
        near = e.select(under, e.sub(here, const(1, I32)), near)
        then, self.to.ops = Region((), tuple(self.to.ops), (near,)), []
        far = clone_op(op, dict(self.subst))
        assert isinstance(far, Apply)
        orelse, self.to.ops = Region((), (far,), (far.out,)), outer
        found = Var(op.out.name, op.out.type)
        self.to.emit(If(fits, then, orelse, (found,), span=op.span))
        return found
