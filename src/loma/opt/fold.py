"""Folds what literals decide: primitives, identities, branches, counts, checks."""

from __future__ import annotations

from dataclasses import replace

from loma.ir.builder import const
from loma.ir.nodes import (
    Apply,
    Check,
    Const,
    For,
    Function,
    If,
    Module,
    Op,
    Parallel,
    Region,
    Var,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.types import Scalar
from loma.opt.evaluate import evaluate
from loma.opt.identities import definitions, identity
from loma.opt.rewrite import Rewriter, with_regions


def run(function: Function, module: Module) -> Function:
    """The function with every decided operation replaced by what it gives."""
    return _Fold().function(function)


class _Fold(Rewriter):
    """`facts` holds the conditions known here: those of enclosing branches and of passed checks."""

    def __init__(self) -> None:
        super().__init__()
        self.made, self.of = definitions()
        self.facts: list[Var] = []

    def op(self, op: Op) -> None:
        match op:
            case Apply():
                self.fold(op)
            case Check():
                self.check(op)
            case If():
                self.branch(op)
            case For():
                self.loop(op)
            case While() if (
                isinstance(c := op.cond.yields[0], Const) and not c.value and not op.cond.ops
            ):
                self.bind(op.outs, op.inits)
            case Parallel() if isinstance(op.count, Const) and op.count.value <= 0:
                for v in op.outs:
                    self.subst[v] = const(0, v.scalar)
            case _:
                self.emit(self.nested(op))

    def bind(self, outs: tuple[Var, ...], to: tuple[Var | Const, ...]) -> None:
        for v, x in zip(outs, to, strict=True):
            self.subst[v] = x

    def fold(self, op: Apply) -> None:
        """Emits an application, or binds its result to what it equals."""
        out = op.out
        while True:
            if all(isinstance(a, Const) for a in op.args):
                literals = tuple(a for a in op.args if isinstance(a, Const))
                if (found := evaluate(op.prim, literals, out.scalar)) is not None:
                    self.subst[out] = found
                    return
            simpler = identity(op, self.of)
            if simpler is None:
                break
            if not isinstance(simpler, Apply):
                self.subst[out] = self.value(simpler)
                return
            op = replace(simpler, out=out, args=tuple(self.value(a) for a in simpler.args))
        self.made[out] = op
        self.emit(op)

    def check(self, op: Check) -> None:
        if isinstance(op.cond, Const) and op.cond.value and op.within is None:
            return
        self.emit(op)
        if isinstance(op.cond, Var):
            self.learn(op.cond, True)

    # Facts: a condition is a literal wherever it was decided before.

    def learn(self, c: Var, value: bool) -> None:
        if c in self.subst:
            return
        self.facts.append(c)
        self.subst[c] = const(value, Scalar.BOOL)
        inner = self.made.get(c)
        if inner is None:
            return
        if (
            inner.prim is A.NOT
            or (inner.prim is A.AND and value)
            or (inner.prim is A.OR and not value)
        ):
            for x in inner.args:
                if isinstance(x, Var) and x not in self.subst:
                    self.learn(x, value is not (inner.prim is A.NOT))

    def forget(self, mark: int) -> None:
        while len(self.facts) > mark:
            del self.subst[self.facts.pop()]

    def region(self, region: Region) -> Region:
        mark = len(self.facts)
        result = super().region(region)
        self.forget(mark)
        return result

    def known(self, region: Region, cond: Var, value: bool) -> Region:
        mark = len(self.facts)
        self.learn(cond, value)
        result = self.region(region)
        self.forget(mark)
        return result

    # Control.

    def branch(self, op: If) -> None:
        cond = op.cond
        if isinstance(cond, Const):
            self.inline(op.then if cond.value else op.orelse, op.outs)
            return
        inner = self.of(cond)
        if (
            inner is not None
            and inner.prim is A.NOT
            and isinstance(c := self.value(inner.args[0]), Var)
        ):
            op = replace(op, cond=c, then=op.orelse, orelse=op.then)
            cond = c
        then, orelse = self.known(op.then, cond, True), self.known(op.orelse, cond, False)
        if then.ops or orelse.ops:
            same = then is op.then and orelse is op.orelse
            self.emit(op if same else with_regions(op, (then, orelse)))
            return
        for v, x, y in zip(op.outs, then.yields, orelse.yields, strict=True):
            self.fold(Apply(A.SELECT, (cond, x, y), v, span=op.span))

    def loop(self, op: For) -> None:
        count = op.count
        if isinstance(count, Const) and count.value <= 0:
            self.bind(op.outs, op.inits)
        elif isinstance(count, Const) and count.value == 1:
            self.bind(op.body.args, (op.start, *op.inits))
            self.inline(op.body, op.outs)
        else:
            self.emit(self.nested(op))
