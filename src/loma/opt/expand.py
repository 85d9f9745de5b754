"""Writes primitives that no backend has in terms of those that every backend has."""

from __future__ import annotations

from loma.ir.builder import Builder
from loma.ir.nodes import Apply, Function, Module, Op
from loma.opt.rewrite import Rewriter


def run(function: Function, module: Module) -> Function:
    """The function without primitives that have an expansion; run after the last
    differentiation.
    """
    return _Expand(module).function(function)


class _Expand(Rewriter):
    def __init__(self, module: Module) -> None:
        super().__init__()
        self.structs = module.structs

    def op(self, op: Op) -> None:
        if not isinstance(op, Apply) or op.prim.expand is None:
            self.emit(self.nested(op))
            return
        b = Builder(self.structs, op.span)
        value = op.prim.expand(b, *op.args)
        for inner in b.ops:  # an expansion may use what is expanded itself
            self.op(self.read(inner))
        self.subst[op.out] = self.value(value)
