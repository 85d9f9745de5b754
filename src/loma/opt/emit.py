"""Emits integer arithmetic through a rewriter, folding literals on the way."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.ir.builder import const, type_of
from loma.ir.nodes import Apply, Const, Operand
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim
from loma.ir.types import Scalar
from loma.opt.evaluate import evaluate
from loma.opt.identities import definitions, identity
from loma.opt.rewrite import Rewriter, applied


class Emitter:
    """Shorthands for what loop passes compute before and after a loop."""

    def __init__(self, to: Rewriter, span: Span) -> None:
        self.to = to
        self.span = span
        _, self.of = definitions()

    def make(self, prim: Prim, *args: Operand, type: Scalar | None = None) -> Operand:
        """The result of a primitive, literal where it can be."""
        op = applied(prim, *args, span=self.span, type=type)
        while True:
            literals = tuple(a for a in op.args if isinstance(a, Const))
            if len(literals) == len(op.args) and (
                found := evaluate(op.prim, literals, op.out.scalar)
            ):
                return found
            simpler = identity(op, self.of)
            if simpler is None:
                break
            if not isinstance(simpler, Apply):
                return simpler
            op = simpler
        self.to.emit(op)
        return op.out

    def add(self, x: Operand, y: Operand) -> Operand:
        """x + y."""
        return self.make(A.ADD, x, y)

    def sub(self, x: Operand, y: Operand) -> Operand:
        """x - y."""
        return self.make(A.SUB, x, y)

    def mul(self, x: Operand, y: Operand) -> Operand:
        """x * y."""
        return self.make(A.MUL, x, y)

    def select(self, cond: Operand, x: Operand, y: Operand) -> Operand:
        """x where cond holds, else y."""
        return self.make(A.SELECT, cond, x, y)

    def cast(self, x: Operand, type: Scalar) -> Operand:
        """x converted to a type."""
        return x if type_of(x) is type else self.make(A.CAST, x, type=type)

    def positive(self, x: Operand) -> Operand:
        """x, or 0 where x is negative."""
        zero = const(0, type_of(x))
        return self.select(self.make(A.GT, x, zero), x, zero)
