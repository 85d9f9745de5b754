"""Sums of 32 bits that a long loop carries are made in blocks, so that they keep their digits.

    for i in range(n): s = s + x[i]      for b in blocks: part = 0.0
                                   ==>                    for i in block: part = part + x[i]
                                                          total = total + part  (in 64 bits)
                                         s = s + total

A long loop is one that the program wrote as parallel, or a launch of a kernel; those in other
loops, and in kernels, stay as they are. This reassociates the additions, and so it runs after the
last differentiation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from loma.ir.analysis.sums import Users, carried, users_of
from loma.ir.builder import Builder, const, is_const, type_of
from loma.ir.nodes import Apply, For, Function, Op, Operand, Parallel, Var, While
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import walk
from loma.ir.types import F32, F64
from loma.opt.rewrite import Rewriter

BLOCK: Final = 512
"""Iterations of a block."""


def run(f: Function) -> Function:
    """The function with the sums of its long loops in blocks."""
    if not any(isinstance(op, For) and op.long for op in walk(f.body)):
        return f
    return _Long(users_of(f.body)).function(f)


def blocks(b: Builder, count: Operand) -> Operand:
    """No fewer than the blocks of so many iterations."""
    kind = type_of(count)
    whole = b.apply(A.IDIV, count, const(BLOCK, kind))
    return b.apply(A.ADD, whole, const(1, kind), name="blocks")


def block_of(b: Builder, block: Operand, count: Operand) -> tuple[Operand, Operand]:
    """The first of a block of so many iterations, and how many it has."""
    size = const(BLOCK, type_of(count))
    first = b.apply(A.MUL, block, size, name="first")
    whole = b.apply(A.LT, size, b.sub(count, first))
    stop = b.apply(A.SELECT, whole, b.add(first, size), count, name="stop")
    return first, b.sub(stop, first)


class _Long(Rewriter):
    def __init__(self, users: Users) -> None:
        super().__init__()
        self.users = users

    def op(self, op: Op) -> None:
        match op:
            case For() if sums := self.sums(op):
                self.ops += _blocked(op, sums)
            case For() | While() | Parallel():
                self.emit(op)
            case _:
                self.emit(self.nested(op))

    def sums(self, op: For) -> list[int]:
        """The positions of the sums of 32 bits, if the loop is a long one as it was written."""
        args = op.body.args[1:]
        if not op.long or not is_const(op.start, 0) or op.step.value != 1:
            return []
        return [k for k in carried(op, self.users) if args[k].scalar is F32]


def _blocked(op: For, sums: list[int]) -> list[Op]:
    """The loop over blocks, whose sums begin with 0, and what adds them to their first values."""
    index, *args = op.body.args
    b, block = Builder({}, op.span), Var("block", index.scalar)
    totals = [Var(v.name, F64 if k in sums else v.type) for k, v in enumerate(args)]
    count, zero = blocks(b, op.count), const(0.0, F32)
    with b.nested() as ops:
        first, size = block_of(b, block, op.count)
        inits = tuple(zero if k in sums else v for k, v in enumerate(totals))
        outs = tuple(Var(v.name, v.type) for v in args)
        b.emit(replace(op, start=first, count=size, inits=inits, outs=outs, long=False, block=True))
        yields = [
            b.add(v, b.apply(A.CAST, out, type=F64)) if k in sums else out
            for k, (v, out) in enumerate(zip(totals, outs, strict=True))
        ]
    ends = [Var(v.name, F64) if k in sums else v for k, v in enumerate(op.outs)]
    b.emit(replace(
        op, step=op.step, count=count, outs=tuple(ends), independent=False,
        inits=tuple(const(0.0, F64) if k in sums else x for k, x in enumerate(op.inits)),
        body=b.region(ops, tuple(yields), (block, *totals)),
    ))
    for k in sums:
        if is_const(op.inits[k], 0.0):
            b.emit(Apply(A.CAST, (ends[k],), op.outs[k], span=op.span))
            continue
        total = b.apply(A.CAST, ends[k], name=ends[k].name, type=F32)
        b.emit(Apply(A.ADD, (op.inits[k], total), op.outs[k], span=op.span))
    return b.ops
