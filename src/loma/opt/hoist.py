"""Moves pure operations whose operands a loop does not change to before the loop.

Only operations that may be executed needlessly: never a division of integers, never a load. Out of
a branch inside the loop nothing moves. Reverse mode then keeps such a value once, not once for each
iteration.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.nodes import (
    Apply,
    Const,
    For,
    Function,
    Module,
    Op,
    Parallel,
    Region,
    Var,
    View,
    While,
    Window,
)
from loma.ir.traverse import operands, outs, regions
from loma.opt.rewrite import Rewriter, with_regions


def run(function: Function, module: Module) -> Function:
    """The function with loop-invariant operations before the loops."""
    return _Hoist(function).function(function)


class _Hoist(Rewriter):
    """`depth` maps each variable to the number of regions around the place where it is bound."""

    def __init__(self, function: Function) -> None:
        super().__init__()
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
            kept, lifted = self.split(self.region(region))
            for x in lifted:
                self.emit(x)
                self.bind(x)
            moved = moved or bool(lifted)
            inner.append(kept)
        self.emit(with_regions(op, tuple(inner)) if moved or self.changed(op, inner) else op)

    def changed(self, op: Op, inner: list[Region]) -> bool:
        return any(a is not b for a, b in zip(regions(op), inner, strict=True))

    def split(self, region: Region) -> tuple[Region, list[Op]]:
        """A loop's region without its invariant operations, and those in order."""
        kept: list[Op] = []
        lifted: list[Op] = []
        for op in region.ops:
            if self.movable(op):
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
