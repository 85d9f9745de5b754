"""Decides comparisons of integers by their ranges: indices of counted loops, sums and products of
them.

Most of what it decides are checks that an index is inside an array of known length.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from loma.ir.builder import const, type_of
from loma.ir.nodes import Apply, Const, For, Function, Module, Op, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import Scalar
from loma.opt.rewrite import Rewriter

Range: TypeAlias = tuple[int, int]
BITS: Final = {Scalar.I32: 32, Scalar.I64: 64}


def run(function: Function, module: Module) -> Function:
    """The function with comparisons that ranges decide replaced by their results."""
    return _Ranges().function(function)


class _Ranges(Rewriter):
    """`known` maps integers to the least and the greatest value that they can have."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[Var, Range] = {}

    def op(self, op: Op) -> None:
        if isinstance(op, For):
            self.enter(op)
        if isinstance(op, Apply):
            decided = self.decide(op)
            if decided is not None:
                self.subst[op.out] = const(decided, Scalar.BOOL)
                return
            self.learn(op)
        self.emit(self.nested(op))

    def enter(self, op: For) -> None:
        """The range of a loop's index: between its start and where it ends at the latest."""
        start, count = self.of(op.start), self.of(op.count)
        index, step = op.body.args[0], int(op.step.value)
        low, high = whole(index.scalar)
        if isinstance(op.count, Const):
            span = max(count[1] - 1, 0) * step
            low, high = start[0] + min(span, 0), start[1] + max(span, 0)
        elif step > 0:
            low, high = start[0], min(high, start[1] + (count[1] - 1) * step)
        else:
            low, high = max(low, start[0] + (count[1] - 1) * step), start[1]
        self.keep(index, (low, high))

    def keep(self, v: Var, found: Range) -> None:
        """Remembers a range that fits the type: what might wrap is not known."""
        low, high = whole(v.scalar)
        if low <= found[0] and found[1] <= high:
            self.known[v] = found

    def of(self, x: Operand) -> Range:
        """The range of an integer."""
        if isinstance(x, Const):
            return int(x.value), int(x.value)
        return self.known.get(x, whole(type_of(x)))

    def learn(self, op: Apply) -> None:
        """The range of an integer operation's result."""
        if not op.out.scalar.is_int or not all(type_of(x).is_int for x in op.args[-2:]):
            return
        ranges = [self.of(x) for x in op.args[-2:]]
        match op.prim, ranges:
            case A.ADD, [(a, b), (c, d)]:
                self.keep(op.out, (a + c, b + d))
            case A.SUB, [(a, b), (c, d)]:
                self.keep(op.out, (a - d, b - c))
            case A.MUL, [(a, b), (c, d)]:
                products = (a * c, a * d, b * c, b * d)
                self.keep(op.out, (min(products), max(products)))
            case A.SELECT, [(a, b), (c, d)]:
                self.keep(op.out, (min(a, c), max(b, d)))
            case A.CAST, [found]:
                self.keep(op.out, found)
            case _:
                pass

    def decide(self, op: Apply) -> bool | None:
        """The result of a comparison, if the ranges of its operands decide it."""
        if op.prim not in (A.LT, A.LE, A.GT, A.GE) or not type_of(op.args[0]).is_int:
            return None
        (a, b), (c, d) = (self.of(x) for x in op.args)
        match op.prim:
            case A.GT | A.LE:
                (a, b), (c, d), less = (c, d), (a, b), op.prim is A.GT
            case _:
                less = op.prim is A.LT
        if b < c:
            return less
        return (not less) if a >= d else None


def whole(t: Scalar) -> Range:
    """Every value of an integer type."""
    half = 1 << (BITS.get(t, 64) - 1)
    return -half, half - 1
