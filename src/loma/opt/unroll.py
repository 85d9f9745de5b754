"""Unrolls short loops of a known number of rounds, and keeps what they saved on tapes in variables.

    for k in range(3): s += x[3 * i + k]
      ==>  s += x[3 * i]; s += x[3 * i + 1]; s += x[3 * i + 2]

    for k in range(3): push(tape, x)  ...  for k in range(3): y = pop(tape)
      ==>  nothing, and y is the x of that round

Before differentiation, `short` leaves no loop that would need a tape, an outer loop that can become
vectors, and local arrays that can be variables. For devices, where a tape is memory far away, and
where an addition to a place that all threads share must have an index that is known, `run` does it
after differentiation. Both keep every value exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from loma.ir.nodes import (
    Accum,
    Alloc,
    Const,
    For,
    Function,
    Module,
    Op,
    Operand,
    Pop,
    Push,
    Region,
    Var,
)
from loma.ir.traverse import clone_region, operands, regions, walk
from loma.ir.types import Ref, TapeType
from loma.opt.rewrite import Rewriter

ROUNDS: Final = 32
OPERATIONS: Final = 2048
"""Of one loop, after unrolling."""
FEW_ROUNDS: Final = 16
FEW_OPERATIONS: Final = 300
"""Of one loop, after unrolling, where the loop is not in the way; as many as LLVM unrolls."""


def run(function: Function, module: Module) -> Function:
    """The function without short loops that use tapes or add to memory."""
    return _Tapes().function(_Unroll(_is_in_the_way).function(function))


def short(function: Function, module: Module) -> Function:
    """The function without loops of a few small rounds."""
    return _Unroll(lambda op: _fits(op, FEW_ROUNDS, FEW_OPERATIONS)).function(function)


class _Unroll(Rewriter):
    def __init__(self, chosen: Callable[[For], bool]) -> None:
        super().__init__()
        self.chosen = chosen

    def op(self, op: Op) -> None:
        op = self.nested(op)
        if not isinstance(op, For) or not self.chosen(op):
            self.emit(op)
            return
        carried = op.inits
        assert isinstance(op.start, Const) and isinstance(op.count, Const), "a short loop"
        for k in range(int(op.count.value)):
            index = Const(int(op.start.value) + k * int(op.step.value), op.step.type)
            given: list[Operand] = [index, *carried]
            known = dict(zip(op.body.args, given, strict=True))
            body = clone_region(Region((), op.body.ops, op.body.yields), known)
            self.ops.extend(body.ops)
            carried = body.yields
        self.subst.update(zip(op.outs, carried, strict=True))


def _is_in_the_way(op: For) -> bool:
    saves = any(isinstance(x, Push | Pop | Accum) for x in walk(op.body))
    return saves and _fits(op, ROUNDS, OPERATIONS)


def _fits(op: For, rounds: int, operations: int) -> bool:
    """Whether a loop of a known number of rounds is no longer than that when unrolled."""
    if not (isinstance(op.start, Const) and isinstance(op.count, Const)):
        return False
    return (
        0 < op.count.value <= rounds
        and op.count.value * sum(1 for _ in walk(op.body)) <= operations
    )


class _Tapes(Rewriter):
    """Tapes of which every push and pop stands in the list where the tape begins."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: dict[Var, list[tuple[Operand, ...]]] = {}

    def body(self, region: Region) -> None:
        """Rewrites each operation; the plain tapes are found first."""
        self.saved.update((tape, []) for tape in _plain(region))
        super().body(region)

    def op(self, op: Op) -> None:
        match op:
            case Alloc(out) if out in self.saved:
                pass
            case Push(tape, values) if tape in self.saved:
                self.saved[tape].append(values)
            case Pop(tape, outs) if tape in self.saved:
                self.subst.update(zip(outs, self.saved[tape].pop(), strict=True))
            case _:
                self.emit(self.nested(op))


def _plain(region: Region) -> set[Var]:
    """The tapes that begin in a region and are used nowhere but in its own list, each pop after
    its push."""
    depth: dict[Var, int] = {}
    for op in region.ops:
        match op:
            case Alloc(out) if isinstance(out.type, Ref) and isinstance(out.content, TapeType):
                depth[out] = 0
            case Push(tape) if tape in depth:
                depth[tape] += 1
            case Pop(tape) if tape in depth:
                depth[tape] -= 1
                if depth[tape] < 0:
                    del depth[tape]
            case _:
                for inner in (op, *(x for r in regions(op) for x in walk(r))):
                    for used in operands(inner):
                        depth.pop(used, None)  # type: ignore[arg-type]
    return set(depth)
