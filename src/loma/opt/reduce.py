"""Additions to one place in each iteration of a loop become a sum that is added once after the
loop.

This reassociates the additions, so it is not for strict mode, and it runs after the last
differentiation. The place must not be read or stored to in the loop. A place that might not exist
where the loop runs zero times (an element of an array) is added to only if the loop runs.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.analysis.alias import Aliases, Place
from loma.ir.analysis.apart import Nests
from loma.ir.analysis.effects import EffectTable
from loma.ir.builder import NOTHING, const, type_of
from loma.ir.nodes import (
    Accum,
    Apply,
    Const,
    For,
    Function,
    If,
    Load,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound, operands, walk
from loma.ir.types import Scalar, StructType
from loma.opt.rewrite import Rewriter, applied


def run(function: Function, module: Module) -> Function:
    """The function with additions to loop-invariant places summed in counted loops."""
    return _Reduce(function, module, parallel=False).function(function)


def run_parallel(function: Function, module: Module) -> Function:
    """The same for Parallels too, whose sums become their results; a kernel is its one Parallel,
    and stays.
    """
    if function.signature.simd:
        return function
    return _Reduce(function, module, parallel=True).function(function)


class _Reduce(Rewriter):
    def __init__(self, function: Function, module: Module, parallel: bool) -> None:
        super().__init__()
        self.effects = EffectTable(Aliases(function, module))
        self.nests = Nests(function)
        self.parallel = parallel

    def op(self, op: Op) -> None:
        new = self.nested(op)
        match new:
            case For() if sums := self.sums(new):
                self.sequential(new, sums)
            case Parallel() if self.parallel and (sums := self.sums(new)):
                self.threads(new, sums)
            case _:
                self.emit(new)

    def sums(self, op: For | Parallel) -> dict[Accum, Place]:
        """The additions at the top of a body to invariant places that it only ever adds to."""
        candidates = [x for x in op.body.ops if isinstance(x, Accum) and type_of(x.value).is_float]
        if not candidates:
            return {}
        inside = bound(op.body)
        found: dict[Accum, Place] = {}
        for x in candidates:
            if not any(v in inside for v in operands(x)[:-1]):
                found[x] = self.effects.aliases.place(x.root, x.path)
        quiet = Accum | If | For | Parallel | Apply  # additions commute with additions
        others = [x for x in walk(op.body) if not isinstance(x, quiet)]
        for other in others:
            effects = self.effects.op(other)
            if effects.reads or effects.writes:
                found = {
                    a: p
                    for a, p in found.items()
                    if not self.effects.touches(effects, p) or self.apart(op, p, other)
                }
        return found

    def apart(self, loop: For | Parallel, sum: Place, other: Op) -> bool:
        """Whether a load in a loop is of places where no sum of the loop is."""
        if not isinstance(other, Load) or not isinstance(loop, For):
            return False
        place = self.effects.aliases.place(other.root, other.path)
        return place.root is sum.root and self.nests.never_meet(loop, sum.key, place.key)

    def sequential(self, op: For, sums: dict[Accum, Place]) -> None:
        body = op.body
        args = {x: Var(_name(x), type_of(x.value)) for x in sums}
        totals: dict[Accum, Var] = {}
        ops: list[Op] = []
        for x in body.ops:
            if isinstance(x, Accum) and x in sums:
                total = applied(A.ADD, args[x], x.value, span=x.span, name=_name(x))
                totals[x] = total.out
                ops.append(total)
            else:
                ops.append(x)
        outs = {x: Var(_name(x), type_of(x.value)) for x in sums}
        zeros = tuple(const(0.0, type_of(x.value)) for x in sums)
        new = Region(
            (*body.args, *args.values()), tuple(ops), (*body.yields, *(totals[x] for x in sums))
        )
        self.emit(replace(op, inits=(*op.inits, *zeros), body=new, outs=(*op.outs, *outs.values())))
        self.add(outs, op.count)

    def threads(self, op: Parallel, sums: dict[Accum, Place]) -> None:
        body = op.body
        outs = {x: Var(_name(x), type_of(x.value)) for x in sums}
        ops = tuple(x for x in body.ops if not (isinstance(x, Accum) and x in sums))
        new = Region(body.args, ops, (*body.yields, *(x.value for x in sums)))
        self.emit(replace(op, body=new, outs=(*op.outs, *outs.values())))
        self.add(outs, op.count)

    def add(self, outs: dict[Accum, Var], count: Operand) -> None:
        """Adds each sum to its place, behind a test that the loop ran where the place may not
        exist.
        """
        guarded: list[Op] = []
        for x, total in outs.items():
            accum = replace(x, value=total)
            if self.exists(x) or (isinstance(count, Const) and count.value > 0):
                self.emit(accum)
            else:
                guarded.append(accum)
        if guarded:
            runs = self.apply(A.GT, count, const(0, type_of(count)), span=guarded[0].span)
            self.emit(If(runs, Region((), tuple(guarded), ()), NOTHING, (), span=guarded[0].span))

    def exists(self, x: Accum) -> bool:
        """Whether the place is there even if the loop never runs."""
        return isinstance(x.root.content, Scalar | StructType) and not any(
            isinstance(s, Var) for s in x.path
        )


def _name(x: Accum) -> str:
    return f"sum_{x.root.name}"
