"""Small branches that only compute become selects, which vectorise; runs after differentiation."""

from __future__ import annotations

from typing import Final

from loma.ir.nodes import Apply, Function, If, Module, Op, Region
from loma.ir.prims import arithmetic as A
from loma.opt.rewrite import Rewriter

MOST: Final = 12
"""The weighted operations of both branches together, up to which computing both is cheaper than a
jump.
"""


def run(function: Function, module: Module) -> Function:
    """The function with cheap pure branches computed on both sides."""
    return _Convert().function(function)


class _Convert(Rewriter):
    def op(self, op: Op) -> None:
        new = self.nested(op)
        if (
            not isinstance(new, If)
            or not new.outs
            or not _cheap(new.then, new.orelse, len(new.outs))
        ):
            self.emit(new)
            return
        self.ops.extend((*new.then.ops, *new.orelse.ops))
        for v, x, y in zip(new.outs, new.then.yields, new.orelse.yields, strict=True):
            self.emit(Apply(A.SELECT, (new.cond, x, y), v, span=new.span))


def _cheap(then: Region, orelse: Region, selects: int) -> bool:
    cost = selects
    for op in (*then.ops, *orelse.ops):
        if not isinstance(op, Apply) or not op.prim.speculatable:
            return False
        cost += op.prim.cost
        if cost > MOST:
            return False
    return cost <= MOST
