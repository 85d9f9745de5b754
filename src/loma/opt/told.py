"""Debug mode on devices: a kernel is told how long the arrays are that it is given.

A `Check` that an index is within an array whose length only the host knows compares it with a
number that the host passes.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.builder import type_of
from loma.ir.nodes import Check, Function, Op, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import I32, ArrayType, Ref
from loma.opt.rewrite import Rewriter


def told(function: Function) -> tuple[Function, dict[Var, Var]]:
    """The function with such checks compared; and the parameters whose lengths it must be told,
    each with the variable that stands for it. What is not a parameter goes unchecked."""
    pass_ = _Told(function)
    return pass_.function(function), pass_.lengths


class _Told(Rewriter):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.arrays = {
            p for p in function.params
            if isinstance(p.type, Ref) and isinstance(p.content, ArrayType)
            and p.content.size is None
        }
        self.lengths: dict[Var, Var] = {}

    def op(self, op: Op) -> None:
        match op:
            case Check(within=(root, index)):
                self.inside(op, root, index)
            case _:
                self.emit(self.nested(op))

    def inside(self, op: Check, root: Var, index: Operand) -> None:
        """Emits the check with what is known of a root."""
        if root not in self.arrays:
            return
        length = self.lengths.setdefault(root, Var(f"length_{root.name}", I32))
        end: Var = length
        if (kind := type_of(index)) is not I32:
            end = self.apply(A.CAST, length, span=op.span, type=kind)
        below = self.apply(A.LT, index, end, span=op.span)
        text = tuple(length if piece is root else piece for piece in op.text)
        self.emit(replace(op, cond=below, text=text, within=None))
