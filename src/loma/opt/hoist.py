"""Moves pure operations whose operands a loop does not change to before the loop.

Only operations that may be executed needlessly: never a division of integers, and a load only if
its address is known to be good (`reached`). Out of a branch inside the loop nothing moves. Reverse
mode then keeps such a value once, not once for each iteration.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.analysis.effects import Effects
from loma.ir.nodes import (
    Apply,
    For,
    Function,
    Load,
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
from loma.opt.reached import Reached
from loma.opt.rewrite import Rewriter, with_regions


def run(function: Function, module: Module) -> Function:
    """The function with loop-invariant operations before the loops."""
    return _Hoist(function, module).function(function)


class _Hoist(Rewriter):
    """`depth` maps each variable to the number of regions around the place where it is bound."""

    def __init__(self, function: Function, module: Module) -> None:
        super().__init__()
        self.reached = Reached(function, module)
        self.depth: dict[Var, int] = dict.fromkeys(function.params, 0)
        self.level = 0
        self.fixed = function.signature.simd

    def region(self, region: Region) -> Region:
        self.level += 1
        self.depth.update(dict.fromkeys(region.args, self.level))
        mark = self.reached.mark()
        result = super().region(region)
        self.reached.back(mark)
        self.level -= 1
        return result

    def op(self, op: Op) -> None:
        if isinstance(op, For | While | Parallel):
            self.loop(op)
        else:
            self.emit(self.nested(op))
        self.bind(op)

    def bind(self, op: Op) -> None:
        """Notes what an operation at this level defines and reaches."""
        self.reached.learn(op)
        self.depth.update(dict.fromkeys(outs(op), self.level))

    def loop(self, op: For | While | Parallel) -> None:
        """Emits the invariant part of each region of a loop, then the loop."""
        if isinstance(op, Parallel) and self.fixed:
            self.emit(self.nested(op))
            return
        inner = []
        moved = False
        effects = None if isinstance(op, Parallel) else self.reached.written(op)
        for region in regions(op):
            kept, lifted = self.split(self.region(region), effects)
            for x in lifted:
                self.emit(x)
                self.bind(x)
            moved = moved or bool(lifted)
            inner.append(kept)
        self.emit(with_regions(op, tuple(inner)) if moved or self.changed(op, inner) else op)

    def changed(self, op: Op, inner: list[Region]) -> bool:
        return any(a is not b for a, b in zip(regions(op), inner, strict=True))

    def split(self, region: Region, loop: Effects | None) -> tuple[Region, list[Op]]:
        """A loop's region without its invariant operations, and those in order."""
        kept: list[Op] = []
        lifted: list[Op] = []
        for op in region.ops:
            if self.movable(op, loop):
                lifted.append(op)
                self.bind(op)
            else:
                kept.append(op)
        return (replace(region, ops=tuple(kept)) if lifted else region), lifted

    def movable(self, op: Op, loop: Effects | None) -> bool:
        """Whether an operation of a loop may happen before it; `loop` is None to move no loads."""
        if any(isinstance(x, Var) and self.depth[x] > self.level for x in operands(op)):
            return False
        match op:
            case View() | Window():
                return True
            case Apply(prim):
                return prim.speculatable
            case Load():
                return loop is not None and self.reached.movable(op, loop)
            case _:
                return False
