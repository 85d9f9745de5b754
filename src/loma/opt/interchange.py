"""Exchanges the last two loops of a nest where that walks memory in the order in which it lies.

A matrix product as everybody writes it reads a column in its innermost loop, one element of each
row. With that loop outside, all that moves lies side by side, and vector units can take it. What
the inner loop summed is added to memory instead.

    for j:                                   for j: c[i, j] = 0
        s = 0                           ==>  for k:
        for k: s += a[i, k] * b[k, j]            for j: c[i, j] += a[i, k] * b[k, j]
        c[i, j] = s

Each element's additions keep their order, but for sums that are added to what is in memory, which
are reassociated: not for strict mode. Only where array parameters are distinct memory. (Loop
interchange: Allen & Kennedy, Optimizing Compilers for Modern Architectures, section 5.2.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from loma.ir.analysis.alias import Aliases, key_of
from loma.ir.analysis.effects import EffectTable
from loma.ir.analysis.polynomial import Polynomials
from loma.ir.builder import is_const
from loma.ir.nodes import (
    Accum,
    Apply,
    Const,
    For,
    Function,
    Load,
    Module,
    Op,
    Operand,
    Path,
    Region,
    Store,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound, clone_region, indices, op_reads, operands, reads
from loma.opt.forwards import carries_sums, order_free
from loma.opt.nest import cone, work
from loma.opt.rewrite import Rewriter, applied

SHORT: Final = 8
"""Iterations of a loop that is not worth being innermost."""
FAR: Final = 8
"""What an access costs that is not beside the one before, where one that is costs 1."""
GAIN: Final = 4
"""By how much an iteration must become cheaper."""
AGAIN: Final = 1
"""Work of the outer body that may be done again in each iteration of the inner one."""


def run(function: Function, module: Module) -> Function:
    """The function with such loops exchanged; only where array parameters are known to be
    distinct.
    """
    if not function.distinct:
        return function
    return _Interchange(function, module).function(function)


@dataclass(frozen=True, slots=True)
class Total:
    """A sum of the inner loop, its `position` there, and where it goes; `goes_on` where it begins
    with what is at that place.
    """

    position: int
    to: Store | Accum
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A loop, what its body computes beside the inner loop, that loop, and where its sums go.
    `adds` are additions beside the inner loop, `clears` overwrite what was read there.
    """

    outer: For
    beside: tuple[Apply | Load, ...]
    inner: For
    totals: tuple[Total, ...]
    adds: tuple[Accum, ...]
    clears: tuple[Store, ...]

    def begun(self) -> set[Op]:
        """The loads of what sums go on with."""
        inits = {self.inner.inits[t.position] for t in self.totals if t.goes_on}
        return {x for x in self.beside if x.out in inits}

    def cleared(self) -> set[Op]:
        """The loads of what is overwritten then."""
        return {x for x in self.beside if isinstance(x, Load) and any(
            x.root is y.root and key_of(x.path) == key_of(y.path) for y in self.clears)}

    def needed(self) -> list[Op]:
        """The operations beside the inner loop that an iteration of it needs."""
        live: set[Operand] = set(reads(self.inner.body))
        live.update(i for t in self.totals for i in indices(t.to.path))
        return cone(self.beside, live)

    def accesses(self) -> Iterable[tuple[Path, bool]]:
        """The paths that an iteration reads or adds to, and whether they are places of sums."""
        for x in (*self.needed(), *self.inner.body.ops):
            if isinstance(x, Load | Accum):
                yield x.path, False
        for t in self.totals:
            yield t.to.path, True


class _Interchange(Rewriter):
    def __init__(self, function: Function, module: Module) -> None:
        super().__init__()
        self.old = function
        self.module = module

    @cached_property
    def effects(self) -> EffectTable:
        """What the function's operations read and write."""
        return EffectTable(Aliases(self.old, self.module))

    @cached_property
    def polynomials(self) -> Polynomials:
        """The function's integer expressions."""
        return Polynomials.of_function(self.old)

    def op(self, op: Op) -> None:
        new = self.nested(op)
        pair = pair_of(new) if isinstance(new, For) else None
        if pair is not None and self.right(pair) and self.pays(pair):
            _Exchanged(self, pair).emit()
        else:
            self.emit(new)

    def right(self, pair: Pair) -> bool:
        """Whether the iterations of the two loops may run in any order, but for those that add to
        one place.
        """
        own = [*(t.to for t in pair.totals), *pair.clears]
        apart = pair.begun() | pair.cleared()
        ops = (*pair.beside, *pair.adds, *pair.inner.body.ops)
        others = [x for x in ops if isinstance(x, Load | Accum) and x not in apart]
        if any(self.meet(p, q) for k, p in enumerate(own) for q in (*others, *own[:k])):
            return False
        body = pair.outer.body
        whole = Region(body.args, tuple(x for x in ops if x not in apart), body.yields)
        return (
            order_free(whole, self.effects)
            and carries_sums(pair.inner.body)
            and all(isinstance(x, Accum) or self.moves(x.path, pair) for x in own)
        )

    def meet(self, a: Load | Store | Accum, b: Load | Store | Accum) -> bool:
        """Whether two operations may be about one place."""
        aliases = self.effects.aliases
        return aliases.may_alias(aliases.place(a.root, a.path), aliases.place(b.root, b.path))

    def moves(self, path: Path, pair: Pair) -> bool:
        """Whether each iteration of the outer loop has a place of its own."""
        strides = [self.stride(i, pair.outer, pair) for i in indices(path)]
        return any(strides) and None not in strides

    def pays(self, pair: Pair) -> bool:
        """Whether memory is walked in smaller steps, and little is computed again."""
        loops = (pair.outer, pair.inner)
        if any(x.short or (isinstance(x.count, Const) and x.count.value < SHORT) for x in loops):
            return False
        if work(x for x in pair.needed() if isinstance(x, Apply)) > AGAIN:
            return False
        return self.cost(pair, pair.outer) + GAIN <= self.cost(pair, pair.inner)

    def cost(self, pair: Pair, loop: For) -> int:
        """What the memory accesses of an iteration cost with that loop innermost: sums of the
        inner loop need none, else a read and a write.
        """
        return sum(
            self.access(path, loop, pair) * (2 if total else 1)
            for path, total in pair.accesses()
            if not (total and loop is pair.inner)
        )

    def access(self, path: Path, loop: For, pair: Pair) -> int:
        """What one access costs."""
        steps = [self.stride(i, loop, pair) for i in indices(path)]
        if not any(s is None or s for s in steps):
            return 0
        return 1 if steps[-1] in (1, -1) and not any(steps[:-1]) else FAR

    def stride(self, i: Operand, loop: For, pair: Pair) -> int | None:
        """How far an index moves with each iteration of a loop; None if that is not known."""
        p, index = self.polynomials.of(i), loop.body.args[0]
        loose = p.variables() - {x.body.args[0] for x in (pair.outer, pair.inner)}
        by = p.coefficient(index)
        if by is None or loose & bound(pair.outer.body) or any(by.terms):
            return None
        return by.terms.get((), 0) * int(loop.step.value)


def pair_of(op: For) -> Pair | None:
    """A loop and the one inside it, if the inner one's range is fixed, and the outer body does
    little beside.
    """
    at = next((k for k, x in enumerate(op.body.ops) if isinstance(x, For)), None)
    if at is None or op.parallel:
        return None
    first, inner, after = op.body.ops[:at], op.body.ops[at], op.body.ops[at + 1 :]
    assert isinstance(inner, For)
    if inner.parallel or not all(isinstance(x, Apply | Load | Accum) for x in inner.body.ops):
        return None
    fixed = bound(op.body)
    if any(x in fixed for x in (inner.start, inner.count) if isinstance(x, Var)):
        return None
    before = tuple(x for x in first if isinstance(x, Apply | Load))
    adds = tuple(x for x in first if isinstance(x, Accum))
    clears = tuple(x for x in first if isinstance(x, Store) and x.value not in fixed)
    totals = _totals(before, inner, after, op.body.yields)
    if totals is None or not all(_begins(t, before, inner, fixed) for t in totals):
        return None
    if len(before) + len(adds) + len(clears) < at or not _read_first(first):
        return None
    places = tuple(x for x in after if isinstance(x, Apply))
    return Pair(op, (*before, *places), inner, totals, adds, clears)


def _read_first(ops: Sequence[Op]) -> bool:
    """Whether what is overwritten is not read again."""
    written: set[Var] = set()
    for x in ops:
        if isinstance(x, Store):
            written.add(x.root)
        elif isinstance(x, Load) and x.root in written:
            return False
    return True


def _totals(
    before: Sequence[Apply | Load], inner: For, after: Sequence[Op], yields: Sequence[Operand]
) -> tuple[Total, ...] | None:
    """Where the inner loop's sums go; None if anything else happens to them."""
    found: list[Total] = []
    taken = [y for y in yields if y in inner.outs]
    for x in after:
        match x:
            case Store(value=Var() as v) | Accum(value=Var() as v) if v in inner.outs:
                k = inner.outs.index(v)
                found.append(Total(k, x, _goes_on(before, inner, k, x)))
            case Apply():
                pass
            case _:
                return None
        taken += [v for v in op_reads(x) if v in inner.outs]
    whole = len(taken) == len(set(taken)) == len(found) == len(inner.outs)
    return tuple(found) if whole else None


def _goes_on(before: Sequence[Apply | Load], inner: For, k: int, x: Store | Accum) -> bool:
    """Whether sum `k` begins with what is at the place that it is stored to."""
    load = next((y for y in before if isinstance(y, Load) and y.out is inner.inits[k]), None)
    if load is None or isinstance(x, Accum):
        return False
    return load.root is x.root and key_of(load.path) == key_of(x.path)


def _begins(t: Total, before: Sequence[Apply | Load], inner: For, fixed: set[Var]) -> bool:
    """Whether what a sum begins with is at its place and nowhere else read, or known outside."""
    init = inner.inits[t.position]
    if t.goes_on:
        rest = [v for x in before for v in op_reads(x)]
        rest += [*reads(inner.body), *(v for v in inner.inits if isinstance(v, Var))]
        return [v is init for v in rest].count(True) == 1
    return init not in fixed


@dataclass(frozen=True, slots=True)
class _Exchanged:
    """Emits a pair of loops the other way round."""

    to: _Interchange
    pair: Pair

    def emit(self) -> None:
        """What goes before the inner loop, the two loops, and what is overwritten then."""
        outer, inner = self.pair.outer, self.pair.inner
        starts = [t for t in self.pair.totals if not self.in_memory(t)]
        if starts or outer.inits or self.pair.adds:
            self.to.emit(self.loop(self.started(starts)))
        k = Var(inner.body.args[0].name, inner.body.args[0].type)
        body = Region((k,), (self.loop(self.both(k)),), ())
        self.to.emit(replace(inner, inits=(), outs=(), body=body))
        if self.pair.clears:
            self.to.emit(self.loop(self.cleared()))

    def in_memory(self, t: Total) -> bool:
        """Whether nothing is to be done before a sum's first term is added."""
        init = self.pair.inner.inits[t.position]
        return t.goes_on or (isinstance(t.to, Accum) and is_const(init, 0.0))

    def loop(self, body: Region) -> For:
        """A loop with the outer one's range; the one that carries what it does is the first."""
        outer = self.pair.outer
        carries = len(body.args) > 1
        inits, outs = (outer.inits, outer.outs) if carries else ((), ())
        return replace(outer, inits=inits, outs=outs, body=body, independent=False)

    def started(self, totals: Sequence[Total]) -> Region:
        """The outer body without the inner loop, and the beginnings of sums at their places."""
        starts = tuple(
            replace(t.to, value=self.pair.inner.inits[t.position]) for t in totals
        )
        pair, old = self.pair, self.pair.outer.body
        ops = (*pair.beside, *pair.adds, *starts)
        return clone_region(Region(old.args, ops, old.yields), {})

    def cleared(self) -> Region:
        """What overwrites what was read, with what computes its operands."""
        pair = self.pair
        needed = cone(pair.beside, {v for x in pair.clears for v in operands(x)})
        return clone_region(Region(pair.outer.body.args[:1], (*needed, *pair.clears), ()), {})

    def both(self, k: Var) -> Region:
        """An iteration of both loops: terms of sums are added to their places."""
        pair, inner = self.pair, self.pair.inner.body
        begun = pair.begun()
        sums = {inner.yields[t.position]: t for t in pair.totals}
        ops: list[Op] = [x for x in pair.needed() if x not in begun]
        for x in inner.ops:
            if isinstance(x, Apply) and x.out in sums:
                ops += self.added(sums[x.out], x)
            else:
                ops.append(x)
        return clone_region(
            Region(pair.outer.body.args[:1], tuple(ops), ()), {inner.args[0]: k}
        )

    def added(self, t: Total, x: Apply) -> list[Op]:
        """The last step of a sum, as an addition to its place."""
        v = self.pair.inner.body.args[t.position + 1]
        term = next((a for a in x.args if a is not v), None)
        assert term is not None, "a sum is read once, to add to it"
        ops: list[Op] = []
        if x.prim is A.SUB:
            ops.append(negated := applied(A.NEG, term, span=x.span))
            term = negated.out
        return [*ops, Accum(t.to.root, t.to.path, term, span=t.to.span)]
