"""Results that need no control: what both branches yield, and what a loop carries without changing
it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from loma.ir.analysis.alias import same
from loma.ir.nodes import For, Function, If, Module, Op, Operand, Region, Var, While
from loma.opt.dce import only
from loma.opt.rewrite import Rewriter

T = TypeVar("T")


def run(function: Function, module: Module) -> Function:
    """The function without results that equal a value from outside."""
    return _Carried().function(function)


class _Carried(Rewriter):
    def op(self, op: Op) -> None:
        match op:
            case If():
                self.branch(op)
            case For():
                self.counted(op)
            case While():
                self.loop(op)
            case _:
                self.emit(self.nested(op))

    def branch(self, op: If) -> None:
        """Drops what both regions yield alike: it is defined outside both."""
        new = self.nested(op)
        assert isinstance(new, If), "its own kind"
        keep = []
        for v, x, y in zip(new.outs, new.then.yields, new.orelse.yields, strict=True):
            alike = same(x, y)
            keep.append(not alike)
            if alike:
                self.subst[v] = x
        if not all(keep):
            then, orelse = (
                replace(r, yields=only(r.yields, keep)) for r in (new.then, new.orelse)
            )
            new = replace(new, then=then, orelse=orelse, outs=only(new.outs, keep))
        self.emit(new)

    def counted(self, op: For) -> None:
        keep = self.changing(op.inits, op.body.args[1:], op.body.yields)
        if not all(keep):
            self.bind_invariant(op.inits, keep, (op.body.args[1:], op.outs))
            body = op.body
            args = (body.args[0], *only(body.args[1:], keep))
            op = replace(
                op,
                inits=only(op.inits, keep),
                outs=only(op.outs, keep),
                body=Region(args, body.ops, only(body.yields, keep)),
            )
        self.emit(self.nested(op))

    def loop(self, op: While) -> None:
        keep = self.changing(op.inits, op.body.args, op.body.yields)
        if not all(keep):
            self.bind_invariant(op.inits, keep, (op.cond.args, op.body.args, op.outs))
            body = op.body
            op = replace(
                op,
                inits=only(op.inits, keep),
                outs=only(op.outs, keep),
                cond=replace(op.cond, args=only(op.cond.args, keep)),
                body=Region(only(body.args, keep), body.ops, only(body.yields, keep)),
            )
        self.emit(self.nested(op))

    def changing(
        self, inits: tuple[Operand, ...], args: tuple[Var, ...], yields: tuple[Operand, ...]
    ) -> list[bool]:
        """Which carried values can change: not those handed on as they are, or set to their first
        value.
        """
        return [
            not (y is a or same(self.value(y), init))
            for init, a, y in zip(inits, args, yields, strict=True)
        ]

    def bind_invariant(
        self,
        inits: tuple[Operand, ...],
        keep: list[bool],
        names: tuple[tuple[Var, ...], ...],
    ) -> None:
        for k, init in enumerate(inits):
            if not keep[k]:
                for vs in names:
                    self.subst[vs[k]] = init
