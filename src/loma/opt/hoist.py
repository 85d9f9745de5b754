"""Moves pure operations whose operands a loop does not change to before the loop.

Only operations that may be executed needlessly: never a division of integers, never a load. Out of
a branch inside the loop nothing moves. Reverse mode then keeps such a value once, not once for each
iteration.

A loop may have no iterations. Then log(x) before it might be infinite, and the derivative of what
is computed from it infinity times an adjoint that is 0, which is NaN. So a singular operation, and
a product with the result of one, moves with operands that are 1 unless the loop runs, and stays in
a loop whose iterations are not counted, as long as derivatives are taken later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from loma.ir.builder import const, type_of
from loma.ir.nodes import (
    Apply,
    Const,
    For,
    Function,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Var,
    View,
    While,
    Window,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import operands, outs, regions
from loma.ir.types import Scalar
from loma.opt.emit import Emitter
from loma.opt.rewrite import Rewriter, with_regions

ONCE: Final = const(1, Scalar.I32)


def run(function: Function, module: Module) -> Function:
    """The function with loop-invariant operations before the loops."""
    return _Hoist(function).function(function)


def last(function: Function, module: Module) -> Function:
    """The same for a function that is not differentiated any more."""
    return _Hoist(function, last=True).function(function)


class _Hoist(Rewriter):
    """`depth` maps each variable to the number of regions around the place where it is bound.
    `wild` holds results of singular operations, and what is computed from them.
    """

    def __init__(self, function: Function, last: bool = False) -> None:
        super().__init__()
        self.last = last
        self.wild: set[Var] = set()
        self.depth: dict[Var, int] = dict.fromkeys(function.params, 0)
        self.level = 0
        self.fixed = function.signature.simd

    def region(self, region: Region) -> Region:
        self.level += 1
        self.depth.update(dict.fromkeys(region.args, self.level))
        result = super().region(region)
        self.level -= 1
        return result

    def op(self, op: Op) -> None:
        if isinstance(op, For | While | Parallel):
            self.loop(op)
        else:
            if isinstance(op, Apply) and (op.prim.singular or not self.wild.isdisjoint(op.args)):
                self.wild.add(op.out)
            self.emit(self.nested(op))
        self.bind(op)

    def bind(self, op: Op) -> None:
        self.depth.update(dict.fromkeys(outs(op), self.level))

    def loop(self, op: For | While | Parallel) -> None:
        """Emits the invariant part of each region of a loop, then the loop."""
        if isinstance(op, Parallel) and self.fixed:
            self.emit(self.nested(op))
            return
        inner = []
        moved = False
        for region in regions(op):
            count = ONCE if self.last else _count(op, region)
            kept, lifted = self.split(self.region(region), count)
            for x in lifted:
                self.lift(x, count)
            moved = moved or bool(lifted)
            inner.append(kept)
        self.emit(with_regions(op, tuple(inner)) if moved or self.changed(op, inner) else op)

    def lift(self, op: Op, count: Operand | None) -> None:
        """Emits an operation that stood in a region which runs so often."""
        mark = len(self.ops)
        if self.singular(op) and not (isinstance(count, Const) and count.value > 0):
            assert isinstance(op, Apply) and count is not None, "it stays in the loop"
            make = Emitter(self, op.span)
            runs = make.make(A.GT, count, const(0, type_of(count)))
            args = [
                make.select(runs, x, const(1.0, x.scalar)) if isinstance(x, Var) else x
                for x in op.args
            ]
            op = replace(op, args=tuple(args))
            self.wild.discard(op.out)
        self.emit(op)
        for x in self.ops[mark:]:
            self.bind(x)

    def singular(self, op: Op) -> bool:
        """Whether an operation is one that does harm where the program would not do it."""
        return isinstance(op, Apply) and (
            op.prim.singular or op.prim is A.MUL and not self.wild.isdisjoint(op.args)
        )

    def changed(self, op: Op, inner: list[Region]) -> bool:
        return any(a is not b for a, b in zip(regions(op), inner, strict=True))

    def split(self, region: Region, count: Operand | None) -> tuple[Region, list[Op]]:
        """A loop's region without its invariant operations, and those in order."""
        kept: list[Op] = []
        lifted: list[Op] = []
        for op in region.ops:
            if self.movable(op) and not (count is None and self.singular(op)):
                lifted.append(op)
                self.depth.update(dict.fromkeys(outs(op), self.level))
            else:
                kept.append(op)
        return (replace(region, ops=tuple(kept)) if lifted else region), lifted

    def movable(self, op: Op) -> bool:
        pure = isinstance(op, View | Window) or (isinstance(op, Apply) and op.prim.speculatable)
        return pure and all(
            isinstance(x, Const) or self.depth[x] <= self.level for x in operands(op)
        )


def _count(op: For | While | Parallel, region: Region) -> Operand | None:
    """How often a region of a loop runs, if that is known before the loop; ONCE for at least
    once.
    """
    if isinstance(op, While):
        return ONCE if region is op.cond else None
    return op.count
