"""Turns loop nests that scatter additions over shifted places into nests that gather them.

The adjoint of a stencil adds, in iteration p, to the elements of p + d for several shifts d. Seen
from an element e, it receives the contributions of the iterations e - d, which can be computed
again there: one addition to each element instead of many, in any order. Where all these iterations
exist (all but the rim of the nest) one plain loop over the last index adds them at once; on the rim
each shift has its own loop, behind a test.

    for p in box: x[A(p + d)] += v_d(p) for each d
      ==>
    for e: x[A(e)] += the sum of v_d(e - d) over those d with e - d in box

Every contribution is computed at the same p as before, so nothing new is read. Reassociates
additions: not for strict mode. Only where array parameters are distinct memory. (Known as scatter
to gather; for adjoints of stencils: Hueckelheim et al., Automatic Differentiation for Adjoint
Stencil Loops, ICPP 2019.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from loma.ir.analysis.alias import Aliases
from loma.ir.analysis.effects import EffectTable
from loma.ir.analysis.polynomial import Polynomial, Polynomials, polynomial
from loma.ir.builder import NOTHING, const, type_of
from loma.ir.nodes import (
    Accum,
    Alloc,
    Const,
    For,
    Function,
    If,
    Load,
    Module,
    Op,
    Operand,
    Path,
    Region,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import clone_op, operands, value
from loma.ir.types import Ref
from loma.opt.emit import Emitter
from loma.opt.forwards import order_free
from loma.opt.nest import Nest, Rows, nest_of, rows_of, without, work
from loma.opt.rewrite import Rewriter
from loma.opt.shifts import Shift, shift

MOST: Final = 32
"""Shifts of one nest."""
WIDEST: Final = 8
"""Distance between shifts along a row: as many elements at each end are unrolled."""
SCATTER: Final = 6
"""What scattering an addition costs: a buffer written and read, an element read and written."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An addition of a nest, and how far from a common place it adds, in iterations of each
    loop.
    """

    op: Accum
    shift: Shift


def run(function: Function, module: Module) -> Function:
    """The function with such nests gathered; only where array parameters are known to be
    distinct.
    """
    if not function.distinct:
        return function
    return _Gather(function, module).function(function)


class _Gather(Rewriter):
    def __init__(self, function: Function, module: Module) -> None:
        super().__init__()
        self.effects = EffectTable(Aliases(function, module))
        self.polynomials = Polynomials.of_function(function)

    def op(self, op: Op) -> None:
        groups: list[list[Stream]] = []
        if (
            isinstance(op, For)
            and (nest := nest_of(op)) is not None
            and order_free(op.body, self.effects)
        ):
            groups = self.groups(nest)
        if not groups:
            self.emit(self.nested(op))
            return
        assert isinstance(op, For) and nest is not None
        left = without(op, {s.op for group in groups for s in group})
        rest = nest_of(left)
        rows = None if rest is None else rows_of(rest)
        if rows is None:
            self.emit(self.nested(left))
        first, *others = groups
        _Row(self, nest, first, rows).emit()
        for group in others:
            _Row(self, nest, group).emit()

    def groups(self, nest: Nest) -> list[list[Stream]]:
        """The additions of the innermost body that differ by shifts, where gathering them pays."""
        found: list[list[Stream]] = []
        for op in nest.loops[-1].body.ops:
            if not isinstance(op, Accum) or not type_of(op.value).is_float:
                continue
            for group in found:
                d = self.shift(nest, group[0].op, op)
                if d is not None:
                    group.append(Stream(op, d))
                    break
            else:
                if self.shift(nest, op, op) is not None:
                    found.append([Stream(op, (0,) * len(nest.loops))])
        return [g for g in found if 2 <= len(g) <= MOST and self.pays(nest, g)]

    def shift(self, nest: Nest, a: Accum, b: Accum) -> Shift | None:
        """How far from the place of `a` that of `b` is; None unless the last loop moves both by a
        fixed amount.
        """
        if a.root is not b.root or len(a.path) != len(b.path):
            return None
        if [i for i in a.path if isinstance(i, str)] != [i for i in b.path if isinstance(i, str)]:
            return None
        places = [
            [self.polynomials.of(i) for i in x.path if not isinstance(i, str)] for x in (a, b)
        ]
        if any(p.variables() & nest.inside() for place in places for p in place):
            return None
        return shift(
            places[0], places[1], [(loop.body.args[0], int(loop.step.value)) for loop in nest.loops]
        )

    def pays(self, nest: Nest, group: list[Stream]) -> bool:
        """Whether the shifts are close, and computing contributions again costs less than
        scattering them.
        """
        last = [s.shift[-1] for s in group]
        if max(last) - min(last) > WIDEST:
            return False
        cones = [nest.cone(s.op.value) for s in group]
        if None in cones:
            return False
        together = work(dict.fromkeys(op for c in cones for op in c or ()))
        return sum(work(c or ()) for c in cones) <= together + SCATTER * len(group)


class _Row:
    """Emits one gathering nest; `e` are its indices: numbers of iterations of the old nest.

    `rest` is what else the old nest does, row by row; its sums are collected in local memory.
    """

    def __init__(
        self, to: _Gather, nest: Nest, group: list[Stream], rest: Rows | None = None
    ) -> None:
        self.to = to
        self.nest = nest
        self.group = group
        self.rest = rest
        sums = () if rest is None else rest.loops[-1].outs
        self.totals = tuple(Var("total", Ref(v.scalar)) for v in sums)
        self.make = Emitter(to, group[0].op.span)
        self.e = tuple(Var(v.name, v.type) for v in nest.indices)
        shifts = list(zip(*(s.shift for s in group), strict=True))
        self.low = tuple(min(d) for d in shifts)
        self.high = tuple(max(d) for d in shifts)
        self.counts = tuple(loop.count for loop in nest.loops)
        self.inside = nest.inside()

    def emit(self) -> None:
        """The nest over all elements that receive something."""
        for total in self.totals:
            self.to.emit(Alloc(total, span=self.make.span))
        self.level(0)
        if self.rest is not None:
            outer = self.rest.loops[0]
            for init, m, out in zip(outer.inits, self.rest.sums, outer.outs, strict=True):
                here = Var(out.name, out.type)
                self.to.emit(Load(self.totals[m], (), here, span=self.make.span))
                self.to.subst[out] = self.make.add(init, here)

    def level(self, k: int) -> None:
        """The loop over index `k`, or a row when only the last is left."""
        if k == len(self.e) - 1:
            self.row()
            return
        width = self.high[k] - self.low[k]
        count = self.make.add(self.make.positive(self.counts[k]), self.literal(k, width))
        with_body = self.collected(partial(self.level, k + 1), (self.e[k],))
        start, step = self.literal(k, self.low[k]), self.literal(k, 1)
        self.to.emit(For(start, count, step, (), with_body, (), span=self.make.span))

    def row(self) -> None:
        """One row, and the rest of what the old nest does there."""
        if self.rest is not None and self.rest.ops():
            self.where((0,) * len(self.e), partial(self.beside, self.rest))
        wide = self.make.make(A.GE, self.counts[-1], self.literal(-1, self.high[-1] - self.low[-1]))
        self.choose(wide, self.wide, self.narrow)

    def choose(self, test: Operand, then: Callable[[], None], other: Callable[[], None]) -> None:
        """Emits one or the other."""
        branches = self.collected(then), self.collected(other)
        self.to.emit(If(test, *branches, (), span=self.make.span))

    def wide(self) -> None:
        """All shifts at once where every row exists that they come from, else row by row."""
        inside: list[Operand] = []
        for k in range(len(self.e) - 1):
            inside += self.within(k, self.low[k], self.high[k])
        if inside:
            self.choose(self.all(inside), partial(self.fused, self.group), self.apart)
        else:
            self.fused(self.group)

    def apart(self) -> None:
        """The shifts of each row that exists."""
        rows: dict[Shift, list[Stream]] = {}
        for s in self.group:
            rows.setdefault(s.shift[:-1], []).append(s)
        for group in rows.values():
            self.where(group[0].shift, partial(self.fused, group))

    def narrow(self) -> None:
        """A loop for each shift whose row exists."""
        start, count = self.literal(-1, 0), self.counts[-1]
        for s in self.group:
            self.where(s.shift, partial(self.along, start, count, [s], s.shift[-1]))

    def within(self, k: int, low: int, high: int) -> list[Operand]:
        """Tests that index `k` less any shift from `low` to `high` is an iteration."""
        stop = self.make.add(self.counts[k], self.literal(k, low))
        return [
            self.make.make(A.GE, self.e[k], self.literal(k, high)),
            self.make.make(A.LT, self.e[k], stop),
        ]

    def all(self, tests: list[Operand]) -> Operand:
        """Whether all tests hold."""
        first, *rest = tests
        for test in rest:
            first = self.make.make(A.AND, first, test)
        return first

    def fused(self, group: list[Stream]) -> None:
        """The first elements, the middle by one loop, and the last elements."""
        last = [s.shift[-1] for s in group]
        low, high = min(last), max(last)
        for at in range(low, high):
            self.gather(polynomial(at), [s for s in group if s.shift[-1] <= at])
        count = self.make.sub(self.counts[-1], self.literal(-1, high - low))
        self.along(self.literal(-1, high), count, group, 0)
        for at in range(low, high):
            end = self.to.polynomials.of(self.counts[-1]).plus(polynomial(at))
            self.gather(end, [s for s in group if s.shift[-1] > at])

    def where(self, shift: Shift, emit: Callable[[], None]) -> None:
        """What is emitted, where the row a shift before exists."""
        tests = [t for k, d in enumerate(shift[:-1]) for t in self.within(k, d, d)]
        if tests:
            then = self.collected(emit)
            self.to.emit(If(self.all(tests), then, NOTHING, (), span=self.make.span))
        else:
            emit()

    def along(self, start: Operand, count: Operand, streams: list[Stream], shift: int) -> None:
        """A loop over elements of a row, numbered less a shift."""
        i = self.fresh()
        at = self.to.polynomials.of(i).plus(polynomial(shift))
        body = self.collected(partial(self.gather, at, streams), (i,))
        step, span = self.literal(-1, 1), self.make.span
        self.to.emit(For(start, count, step, (), body, (), span=span, independent=True))

    def beside(self, rest: Rows) -> None:
        """A row of what else the old nest does; its sums are added to the totals."""
        i, last = self.fresh(), rest.loops[-1]
        point = self.point(self.group[0], self.to.polynomials.of(i))
        sums = [Var(v.name, v.scalar) for v in last.outs]
        subst: dict[Var, Operand] = dict(zip(last.body.args[1:], sums, strict=True))
        ops = self.collected(partial(self.repeat, rest.ops(), point, subst)).ops
        body = Region((i, *sums), ops, tuple(value(y, subst) for y in last.body.yields))
        zeros = tuple(const(0.0, v.scalar) for v in sums)
        results = tuple(Var(v.name, v.scalar) for v in sums)
        start, step = self.literal(-1, 0), self.literal(-1, 1)
        self.to.emit(For(start, last.count, step, zeros, body, results, span=self.make.span))
        for total, x in zip(self.totals, results, strict=True):
            self.to.emit(Accum(total, (), x, span=self.make.span))

    def fresh(self) -> Var:
        """Another last index."""
        i = Var(self.e[-1].name, self.e[-1].type)
        self.e = (*self.e[:-1], i)
        return i

    def gather(self, at: Polynomial, streams: list[Stream]) -> None:
        """Adds, to element `at` of the row, what these shifts bring to it."""
        if not streams:
            return
        total: Operand | None = None
        for s in streams:
            part = self.contribution(s, at)
            total = part if total is None else self.make.add(total, part)
        assert total is not None
        target = streams[0]
        path = self.path(target.op.path, self.point(target, at))
        self.to.emit(Accum(target.op.root, path, total, span=target.op.span))

    def contribution(self, s: Stream, at: Polynomial) -> Operand:
        """What iteration `at` less the shift adds."""
        point = self.point(s, at)
        subst: dict[Var, Operand] = {}
        self.repeat(self.nest.cone(s.op.value) or [], point, subst)
        return value(s.op.value, subst)

    def repeat(
        self, ops: Sequence[Op], point: dict[Var, Polynomial], subst: dict[Var, Operand]
    ) -> None:
        """Operations of the old nest at a point; `subst` says what their results are called."""
        read = {v for x in ops for v in operands(x)}
        subst.update((v, self.index(p, v)) for v, p in point.items() if v in read)
        for x in ops:
            new = clone_op(x, subst)
            if isinstance(x, Load | Accum) and isinstance(new, Load | Accum):
                new = replace(new, path=self.path(x.path, point, new.path))
            self.to.emit(new)

    def point(self, s: Stream, at: Polynomial) -> dict[Var, Polynomial]:
        """The old indices at an element less a shift."""
        found: dict[Var, Polynomial] = {}
        for k, (loop, d) in enumerate(zip(self.nest.loops, s.shift, strict=True)):
            here = at if k == len(self.e) - 1 else self.to.polynomials.of(self.e[k])
            trips = here.plus(polynomial(d), -1)
            start = self.to.polynomials.of(loop.start)
            found[loop.body.args[0]] = start.plus(trips, int(loop.step.value))
        return found

    def path(self, old: Path, point: dict[Var, Polynomial], cloned: Path | None = None) -> Path:
        """A path at a point: canonical where its indices are polynomials, as cloned elsewhere."""
        return tuple(
            i
            if isinstance(i, str)
            else self.index(p.substitute(point), i)
            if not (p := self.to.polynomials.of(i)).variables() & self.inside
            else (cloned or old)[n]
            for n, i in enumerate(old)
        )

    def index(self, p: Polynomial, like: Operand) -> Operand:
        """A polynomial's value: what the row shares, then what moves with the last index."""
        moving = Polynomial({m: c for m, c in p.terms.items() if self.e[-1] in m})
        parts = (p.plus(moving, -1), moving)
        emit = self.to.polynomials.emit
        return self.make.add(*(emit(x, type_of(like), self.make) for x in parts))

    def literal(self, k: int, value: int) -> Const:
        """A number in the type of index `k`."""
        return const(value, self.e[k].scalar)

    def collected(self, emit: Callable[[], None], args: tuple[Var, ...] = ()) -> Region:
        """A region of what is emitted meanwhile."""
        outer, self.to.ops = self.to.ops, []
        emit()
        ops, self.to.ops = self.to.ops, outer
        return Region(args, tuple(ops), ())
