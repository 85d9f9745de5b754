"""Joins neighbouring loops that use the same arrays.

Two loops one after the other, of (almost) as many iterations, that only read, add to memory and
carry sums, become one: what both read is read once, and what both add to one place can be added
at once. The iterations that only one of them has are left in a loop of their own.

    for i in range(n - 1): s += f(x[i])         for i in range(min): s += f(x[i]) + g(x[i])
    for i in range(n): s += g(x[i])        ==>  the rest of the first; the rest of the second

Reassociates additions: not for strict mode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from loma.ir.analysis.affine import affine
from loma.ir.analysis.alias import Aliases, same
from loma.ir.analysis.effects import EffectTable
from loma.ir.analysis.polynomial import Polynomials
from loma.ir.nodes import (
    Accum,
    Apply,
    For,
    Function,
    Load,
    Module,
    Op,
    Operand,
    Region,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound, clone_op, indices, op_reads, reads, value
from loma.opt.emit import Emitter
from loma.opt.forwards import order_free
from loma.opt.rewrite import Rewriter

APART: Final = 4
"""Iterations that one of two loops has more, at most."""
LARGEST: Final = 60
"""Operations in the bodies of two loops together."""
HEAVY: Final = 20
"""The cost of a primitive that machines have no instruction for."""


def run(function: Function, module: Module) -> Function:
    """The function with such loops joined."""
    if sum(isinstance(op, For) for op in function.body.ops) < 2:
        return function
    return _Fuse(function, module).function(function)


class _Fuse(Rewriter):
    """Joins loops of the function's own region: those inside loops are short more often."""

    def __init__(self, function: Function, module: Module) -> None:
        super().__init__()
        self.effects = EffectTable(Aliases(function, module))
        self.polynomials = Polynomials.of_function(function)
        self.uses: dict[Var, int] = {}
        for v in reads(function.body):
            self.uses[v] = self.uses.get(v, 0) + 1

    def nested(self, op: Op) -> Op:
        return op

    def body(self, region: Region) -> None:
        """Emits each operation; a loop that the next one can be joined with waits for that."""
        last: For | None = None
        between: list[Op] = []
        for op in region.ops:
            if isinstance(op, For) and self.simple(op):
                if last is not None and self.fit(last, op):
                    self.ops += between
                    last = _Joined(self, last, op).emit()
                else:
                    self.ops += [last, *between] if last is not None else []
                    last = op
                between = []
            elif last is not None and isinstance(op, Apply | Load) and self.passes(op, last):
                between.append(op)
            else:
                self.ops += [*([last] if last is not None else []), *between, op]
                last, between = None, []
        self.ops += [*([last] if last is not None else []), *between]

    def simple(self, op: For) -> bool:
        """Whether a loop only computes, reads and adds, at places that move evenly."""
        body = op.body
        if op.short or not all(isinstance(x, Apply | Load | Accum) for x in body.ops):
            return False
        inside: dict[Var, Apply | None] = dict.fromkeys(bound(body))
        inside.update((x.out, x) for x in body.ops if isinstance(x, Apply))
        return order_free(body, self.effects) and all(
            affine(i, body.args[0], inside) is not None
            for x in body.ops
            if isinstance(x, Load | Accum)
            for i in indices(x.path)
        )

    def passes(self, op: Op, loop: For) -> bool:
        """Whether an operation may go before a loop that it comes after."""
        writes = self.effects.op(loop)
        apart = not isinstance(op, Load) or not self.effects.writes_any(
            writes, self.effects.aliases.place(op.root, op.path)
        )
        return apart and not any(v in loop.outs for v in op_reads(op))

    def fit(self, first: For, second: For) -> bool:
        """Whether it is right and worth while to join two loops."""
        a, b = (self.polynomials.of(x.count) for x in (first, second))
        apart = a.plus(b, -1)
        if apart.variables() or abs(apart.terms.get((), 0)) > APART:
            return False
        if not same(first.start, second.start) or not same(first.step, second.step):
            return False
        if len(first.body.ops) + len(second.body.ops) > LARGEST:
            return False
        if _heavy(first) != _heavy(second) or not _arrays(first) & _arrays(second):
            return False
        return self.apart(first, second) and self.chained(first, second)

    def apart(self, first: For, second: For) -> bool:
        """Whether neither loop adds to what the other one reads."""
        place = self.effects.aliases.place
        for a, b in ((first, second), (second, first)):
            writes = self.effects.op(a)
            loads = [place(x.root, x.path) for x in b.body.ops if isinstance(x, Load)]
            if any(self.effects.writes_any(writes, p) for p in loads):
                return False
        return True

    def chained(self, first: For, second: For) -> bool:
        """Whether the second loop only goes on with sums of the first one."""
        outs = set(first.outs)
        inner = {v for v in reads(second.body) if v in outs}
        starts = [x for x in second.inits if isinstance(x, Var) and x in outs]
        return not inner and all(self.uses[x] == 1 for x in starts)


def _heavy(op: For) -> bool:
    return any(isinstance(x, Apply) and x.prim.cost >= HEAVY for x in op.body.ops)


def _arrays(op: For) -> set[Var]:
    """The arrays that a loop goes along."""
    return {
        x.root
        for x in op.body.ops
        if isinstance(x, Load | Accum) and any(isinstance(i, Var) for i in x.path)
    }


@dataclass(slots=True)
class _Joined:
    """Emits two loops as one. `chain` maps sums of the second to those of the first that they go
    on with.
    """

    to: _Fuse
    first: For
    second: For

    def emit(self) -> For | None:
        """Emits what replaces them; one loop that does it all is not emitted but given back."""
        make = Emitter(self.to, self.first.span)
        alike = same(self.first.count, self.second.count)
        if alike:
            done = self.first.count
        else:
            done, other = (make.positive(x.count) for x in (self.first, self.second))
            done = make.select(make.make(A.LT, done, other), done, other)
        chain = {
            k: self.first.outs.index(x)
            for k, x in enumerate(self.second.inits)
            if isinstance(x, Var) and x in self.first.outs
        }
        joined = self.both(done, chain, alike)
        if alike:
            return joined
        self.to.emit(joined)
        split = len(self.first.outs)
        self.to.emit(self.rest(make, self.first, done, joined.outs[:split]))
        own = iter(joined.outs[split:])
        inits = [x if k in chain else next(own) for k, x in enumerate(self.second.inits)]
        self.to.emit(self.rest(make, self.second, done, tuple(inits)))
        return None

    def both(self, count: Operand, chain: dict[int, int], alike: bool) -> For:
        """The loop that does both."""
        a, b = self.first, self.second
        subst: dict[Var, Operand] = {}
        index = Var(a.body.args[0].name, a.body.args[0].type)
        args = [Var(v.name, v.type) for v in a.body.args[1:]]
        subst.update(zip(a.body.args, (index, *args), strict=True))
        ops = [clone_op(x, subst) for x in a.body.ops]
        yields = [value(y, subst) for y in a.body.yields]
        inits, outs = list(a.inits), [v if alike else Var(v.name, v.type) for v in a.outs]
        subst[b.body.args[0]] = index
        for k, v in enumerate(b.body.args[1:]):
            if k in chain:
                subst[v] = yields[chain[k]]
                continue
            arg = subst[v] = Var(v.name, v.type)
            args.append(arg)
            inits.append(b.inits[k])
            outs.append(b.outs[k] if alike else Var(v.name, v.type))
        ops += [clone_op(x, subst) for x in b.body.ops]
        for k, y in enumerate(b.body.yields):
            if k in chain:
                yields[chain[k]] = value(y, subst)
                if alike:
                    outs[chain[k]] = b.outs[k]
            else:
                yields.append(value(y, subst))
        body = Region((index, *args), tuple(ops), tuple(yields))
        return For(a.start, count, a.step, tuple(inits), body, tuple(outs), span=a.span)

    def rest(self, make: Emitter, op: For, done: Operand, inits: tuple[Operand, ...]) -> For:
        """The iterations of one loop that the other one does not have."""
        start = make.add(op.start, make.mul(done, op.step))
        count = make.sub(op.count, done)
        return replace(op, start=start, count=count, inits=inits, short=True)
