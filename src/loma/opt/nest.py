"""Nests of counted loops, one in another, with plain operations beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from loma.ir.nodes import Accum, Apply, For, Load, Op, Operand, Var
from loma.ir.traverse import bound, op_reads, operands, outs


@dataclass(frozen=True, slots=True)
class Nest:
    """Loops one in another, the outermost first; `before` are the operations that the last body
    sees, in order.
    """

    loops: tuple[For, ...]
    before: tuple[Op, ...]

    @property
    def indices(self) -> tuple[Var, ...]:
        """The loops' indices."""
        return tuple(loop.body.args[0] for loop in self.loops)

    def inside(self) -> set[Var]:
        """What the nest binds beside its indices."""
        return bound(self.loops[0].body) - set(self.indices)

    def cone(self, x: Operand) -> list[Op] | None:
        """The operations that compute a value, in order; None if carried values take part."""
        live = {x}
        found = cone(self.before, live)
        carried = live & self.inside() - {v for op in found for v in outs(op)}
        return None if carried else found


@dataclass(frozen=True, slots=True)
class Rows:
    """A nest whose rows (runs of the last loop) can be run one by one, in any order.

    `sums[k]` is the position, among the values that the last loop carries, of the nest's result
    `k`.
    """

    loops: tuple[For, ...]
    sums: tuple[int, ...]

    def ops(self) -> list[Op]:
        """What an iteration of the last loop sees and does, in order."""
        return [x for loop in self.loops for x in loop.body.ops if not isinstance(x, For)]

    def adds(self) -> bool:
        """Whether it adds to memory."""
        return any(isinstance(x, Accum) for x in self.loops[-1].body.ops)


def nest_of(op: For) -> Nest | None:
    """The loops from `op` inward, if each body but the last holds one loop beside plain operations.
    """
    loops: list[For] = []
    before: list[Op] = []
    while True:
        loops.append(op)
        inner = [x for x in op.body.ops if isinstance(x, For)]
        if (
            not all(isinstance(x, Apply | Load | Accum | For) for x in op.body.ops)
            or len(inner) > 1
        ):
            return None
        before += [x for x in op.body.ops if isinstance(x, Apply | Load)]
        if not inner:
            break
        op = inner[0]
    fixed = bound(loops[0].body)
    if any(isinstance(x, Var) and x in fixed for loop in loops for x in (loop.start, loop.count)):
        return None
    return Nest(tuple(loops), tuple(before))


def rows_of(nest: Nest) -> Rows | None:
    """The rows of an order-free nest; None if more happens between rows than that sums of the last
    loop pass through.
    """
    sums = tuple(range(len(nest.loops[0].inits)))
    for loop, inner in pairwise(nest.loops):
        beside = [x for x in loop.body.ops if x is not inner]
        taken = {v for x in beside for v in op_reads(x)}
        passed = {v: m for m, v in enumerate(inner.inits) if isinstance(v, Var)}
        carried = [passed.get(v) for v in loop.body.args[1:]]
        if len(inner.inits) != len(sums) or not taken.isdisjoint(inner.outs):
            return None
        if any(isinstance(x, Accum) for x in beside) or not _handed_on(loop, inner, carried):
            return None
        sums = tuple(m for k in sums if (m := carried[k]) is not None)
    return Rows(nest.loops, sums)


def _handed_on(loop: For, inner: For, carried: list[int | None]) -> bool:
    """Whether a loop carries what its inner loop does, and nothing else; `carried` says in what
    order.
    """
    return all(
        m is not None and y is inner.outs[m] for m, y in zip(carried, loop.body.yields, strict=True)
    )


def without(op: For, gone: set[Accum]) -> For:
    """The nest without some additions of its innermost body."""
    ops = tuple(without(x, gone) if isinstance(x, For) else x for x in op.body.ops if x not in gone)
    return replace(op, body=replace(op.body, ops=ops))


def cone(ops: Sequence[Op], live: set[Operand]) -> list[Op]:
    """Those of some operations that compute the values that are `live`, in order; what these need
    is live, too.
    """
    found: list[Op] = []
    for op in reversed(ops):
        if any(v in live for v in outs(op)):
            found.append(op)
            live.update(operands(op))
    return found[::-1]


def work(ops: Iterable[Op]) -> int:
    """The cost of the floating-point operations and loads."""
    return sum(
        op.prim.cost
        if isinstance(op, Apply) and op.out.scalar.is_float
        else int(isinstance(op, Load))
        for op in ops
    )
