"""The reverse rule for parallel loops.

The adjoint of a value that all iterations read is a sum: each adds its share to a cell of memory,
so no iteration waits for another. Where nothing is stored for the reverse sweep, and the iterations
are known not to meet, the reversed loop is parallel again. Else it runs backwards, one iteration
after the other, which is right for whatever order the forward sweep had on one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loma.ad.adjoints import Adjoints
from loma.ad.control import ControlRules
from loma.ir.analysis.races import meetings
from loma.ir.analysis.scope import free_in
from loma.ir.builder import const, type_of
from loma.ir.nodes import Alloc, Call, For, Op, Operand, Pop, Push, Region, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import walk
from loma.ir.types import Ref, Scalar, TapeType


class ParallelRules(ControlRules):
    """Loops whose iterations are unordered."""

    def unordered(self, op: For, env: Adjoints) -> list[Op]:
        """The reversed loop adds to the adjoints of what it reads from outside."""
        (index,) = op.body.args
        cells = {
            v: Var(f"adj_{v.name}", Ref(v.scalar))
            for v in free_in(op.body)
            if isinstance(v.type, Scalar) and self.active(v)
        }
        inner, was = self.adjoints(), self.is_level
        self.is_level = True
        forward, reverse = self.sweep(op.body, inner, ())
        with self.b.nested() as last:
            for v, cell in cells.items():
                if (g := inner.get(v)) is not None:
                    self.b.accum(cell, (), g)
        settled = self.settle(forward, [*reverse, *last], (), (index,), op.body.args, (index,))
        self.is_level = was
        body = Region(op.body.args, tuple(settled.forward), ())
        free = not keeps(settled.forward) and not any(meetings(op, self.base))
        if settled.reverse:
            self.reversed_rounds(op, Region((index,), tuple(settled.reverse), ()), free, cells, env)
        return [replace(op, body=body, parallel=not keeps(settled.forward))]

    def reversed_rounds(
        self, op: For, body: Region, free: bool, cells: dict[Var, Var], env: Adjoints
    ) -> None:
        """Emits the reversed loop, with the cells that it adds to."""
        read = set(free_in(body))
        used = {v: cell for v, cell in cells.items() if cell in read}
        for cell in used.values():
            self.b.emit(Alloc(cell))
        start: Operand = op.start
        step = op.step
        if not free:
            start = self.b.apply(A.SUB, op.count, const(1, type_of(op.count)), name="last")
            step = const(-1, step.type)
        self.b.emit(For(start, op.count, step, (), body, (), span=op.span, parallel=free))
        for v, cell in used.items():
            env.add(v, self.b.load(cell, (), cell.name))


def keeps(ops: Sequence[Op]) -> bool:
    """Whether operations write a tape, so that their order counts."""
    return any(
        isinstance(x, Push | Pop) or (isinstance(x, Call) and any(map(_is_tape, x.args)))
        for x in walk(Region((), tuple(ops), ()))
    )


def _is_tape(x: Operand) -> bool:
    return isinstance(x.type, Ref) and isinstance(x.type.content, TapeType)
