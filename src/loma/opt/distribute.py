"""Splits loops that add to one array at several places, so that each part can be vectorised.

The adjoint of a stencil adds to a[i-1], a[i], a[i+1] in one iteration; the next iteration adds to
two of them again, which chains the iterations. Additions commute, so the loop is cut into blocks:
one loop computes what is to be added into small buffers, then one loop for each group of places
that never meet adds it. (Loop distribution with strip-mining: Allen & Kennedy, Optimizing
Compilers for Modern Architectures, section 2.5 and 5.) Reassociates additions: not for strict
mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from loma.ir.analysis.affine import Affine, affine
from loma.ir.analysis.alias import Aliases
from loma.ir.analysis.effects import EffectTable
from loma.ir.builder import const, type_of
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Const,
    For,
    Function,
    Load,
    Module,
    Op,
    Operand,
    Region,
    Store,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound, clone_op
from loma.ir.traverse import value as operand_under
from loma.ir.types import ArrayType, Ref, Scalar
from loma.opt.emit import Emitter
from loma.opt.forwards import order_free
from loma.opt.nest import cone
from loma.opt.rewrite import Rewriter

BLOCK: Final = 256
"""Iterations per block: the buffers of a dozen values stay in the first-level cache."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An addition whose place moves with the loop index."""

    op: Accum
    at: Affine

    def meets(self, other: Stream) -> bool:
        """Whether the two may add to one place, in different iterations."""
        apart = self.at.plus(other.at, -1)
        if apart.scale or apart.terms or not self.at.scale:
            return True
        return apart.offset % self.at.scale == 0


def run(function: Function, module: Module) -> Function:
    """The function with such loops split; only where array parameters are known to be distinct."""
    if not function.distinct:
        return function
    return _Distribute(EffectTable(Aliases(function, module))).function(function)


class _Distribute(Rewriter):
    def __init__(self, effects: EffectTable) -> None:
        super().__init__()
        self.effects = effects
        self.moving: set[Accum] = set()

    def op(self, op: Op) -> None:
        new = self.nested(op)
        if isinstance(new, For) and (streams := self.streams(new)):
            self.split(new, streams)
        else:
            self.emit(new)

    def streams(self, op: For) -> list[Stream]:
        """The additions that chain the iterations of an innermost loop; empty if it is better
        left alone.
        """
        if isinstance(op.count, Const) and op.count.value < 16:
            return []
        found = streams_of(op, self.effects)
        self.moving = {s.op for s in found}
        return [
            s
            for s in found
            if any(
                t is not s and t.op.root is s.op.root and same_shape(s.op, t.op) and s.meets(t)
                for t in found
            )
        ]

    def split(self, op: For, streams: list[Stream]) -> None:
        """Blocks of the loop, each computed into buffers and then added group by group."""
        e = Emitter(self, op.span)
        t = type_of(op.count)
        buffers = {s.op: _buffer(s.op) for s in streams}
        shared: dict[Operand, Var] = {}
        negated = {
            x.out: x.args[0] for x in op.body.ops if isinstance(x, Apply) and x.prim is A.NEG
        }
        source = {
            s.op: negated.get(s.op.value, s.op.value) if isinstance(s.op.value, Var) else s.op.value
            for s in streams
        }
        for s in streams:
            value = source[s.op]
            if value not in shared:
                shared[value] = buffers[s.op]
                self.emit(Alloc(buffers[s.op], span=s.op.span))
            buffers[s.op] = shared[value]
        blocks = e.make(A.IDIV, e.add(op.count, const(BLOCK - 1, t)), const(BLOCK, t))
        b = Var("block", t)
        args = tuple(Var(v.name, v.type) for v in op.body.args[1:])
        outer, self.ops = self.ops, []
        first = e.mul(b, const(BLOCK, t))
        left = e.sub(op.count, first)
        size = e.select(e.make(A.LT, left, const(BLOCK, t)), left, const(BLOCK, t))
        start = e.add(op.start, e.mul(first, op.step))
        sums = self.compute(op, streams, shared, start, size, args)
        for group in _groups(streams):
            self.add(op, group, buffers, source, start, size)
        body, self.ops = tuple(self.ops), outer
        self.emit(
            replace(
                op,
                start=const(0, t),
                count=blocks,
                step=const(1, t),
                body=Region((b, *args), body, sums),
            )
        )

    def compute(
        self,
        op: For,
        streams: list[Stream],
        shared: Mapping[Operand, Var],
        start: Operand,
        size: Operand,
        args: tuple[Var, ...],
    ) -> tuple[Var, ...]:
        """The loop over a block with its chained additions replaced by stores to buffers; its
        sums.
        """
        k = Var("k", type_of(op.count))
        chained = {s.op for s in streams}
        subst: dict[Var, Operand] = {}
        e = Emitter(self, op.span)
        outer, self.ops = self.ops, []
        inner = tuple(Var(v.name, v.type) for v in op.body.args[1:])
        subst.update(zip(op.body.args, (e.add(start, e.mul(k, op.step)), *inner), strict=True))
        for x in op.body.ops:
            if x not in chained:
                self.emit(clone_op(x, subst))
        for value, buffer in shared.items():
            self.emit(Store(buffer, (k,), operand_under(value, subst), span=op.span))
        body, self.ops = tuple(self.ops), outer
        results = tuple(Var(v.name, v.type) for v in op.outs)
        yields = tuple(operand_under(y, subst) for y in op.body.yields)
        t = type_of(op.count)
        block = Region((k, *inner), body, yields)
        alone = all(not isinstance(x, Accum) or x in self.moving for x in op.body.ops)
        self.emit(
            For(
                const(0, t),
                size,
                const(1, t),
                args,
                block,
                results,
                span=op.span,
                independent=alone,
            )
        )
        return results

    def add(
        self,
        op: For,
        group: list[Stream],
        buffers: Mapping[Accum, Var],
        source: Mapping[Accum, Operand],
        start: Operand,
        size: Operand,
    ) -> None:
        """One loop over a block that adds buffered values at places that never meet."""
        t = type_of(op.count)
        k = Var("k", t)
        outer, self.ops = self.ops, []
        e = Emitter(self, op.span)
        subst: dict[Var, Operand] = {op.body.args[0]: e.add(start, e.mul(k, op.step))}
        needed = scalar_cone(op.body, [i for s in group for i in s.op.path if isinstance(i, Var)])
        for x in needed:
            self.emit(clone_op(x, subst))
        for s in group:
            load = Load(buffers[s.op], (k,), Var("t", type_of(s.op.value)), span=s.op.span)
            self.emit(load)
            value: Operand = load.out
            if source[s.op] is not s.op.value:
                value = e.make(A.NEG, value)
            path = tuple(i if isinstance(i, str) else operand_under(i, subst) for i in s.op.path)
            self.emit(Accum(s.op.root, path, value, span=s.op.span))
        body, self.ops = tuple(self.ops), outer
        self.emit(
            For(
                const(0, t),
                size,
                const(1, t),
                (),
                Region((k,), body, ()),
                (),
                span=op.span,
                independent=True,
            )
        )


def streams_of(op: For, effects: EffectTable) -> list[Stream]:
    """The additions of an innermost loop at places that move with its index, if its iterations may
    run in any order.
    """
    if op.short or not all(isinstance(x, Apply | Load | Accum) for x in op.body.ops):
        return []
    if not order_free(op.body, effects):
        return []
    inside: dict[Var, Apply | None] = dict.fromkeys(bound(op.body))
    inside.update((x.out, x) for x in op.body.ops if isinstance(x, Apply))
    return [
        s
        for x in op.body.ops
        if isinstance(x, Accum) and (s := _stream(x, op.body.args[0], inside))
    ]


def _stream(x: Accum, index: Var, inside: Mapping[Var, Apply | None]) -> Stream | None:
    """The stream of an addition to an element that moves with the index, if its last index is
    affine.
    """
    indices = [i for i in x.path if not isinstance(i, str)]
    forms = [affine(i, index, inside) for i in indices]
    moving = [f for f in forms if f is None or f.scale]
    if len(moving) != 1 or moving[0] is None or len(forms) != 1:
        return None
    return Stream(x, moving[0])


def same_shape(a: Accum, b: Accum) -> bool:
    return [i for i in a.path if isinstance(i, str)] == [i for i in b.path if isinstance(i, str)]


def _groups(streams: list[Stream]) -> list[list[Stream]]:
    """The streams in groups within which no two meet."""
    groups: list[list[Stream]] = []
    for s in streams:
        for group in groups:
            if not any(
                t.op.root is s.op.root and same_shape(s.op, t.op) and s.meets(t) for t in group
            ):
                group.append(s)
                break
        else:
            groups.append([s])
    return groups


def scalar_cone(body: Region, wanted: list[Var]) -> list[Op]:
    """The scalar operations of a body that compute the wanted values, in order."""
    return cone([x for x in body.ops if isinstance(x, Apply)], set(wanted))


def _buffer(x: Accum) -> Var:
    value = type_of(x.value)
    assert isinstance(value, Scalar), "only scalars are added"
    return Var(f"part_{x.root.name}", Ref(ArrayType(value, BLOCK)))
