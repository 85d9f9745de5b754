"""Indices into scratch arrays for rows of unknown length, of which there are unknown many.

A row is cut into chunks: the first one holds 8 elements, and each of the next ones three times as
many as all before it. A chunk lies in one piece in the scratch array, from where it was when its
first element was written. A table, itself an array that grows, says where: its entry 0 is how much
is taken, the others are the places of chunks, 16 to a row. Place 0 belongs to no chunk; an element
whose chunk is not there yet is looked for in it.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from loma.ir.builder import Builder
from loma.ir.nodes import Const, If, Operand, Region, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import I64

FIRST: Final = 8
CHUNKS: Final = 16
BEGINS: Final = tuple(takewhile(lambda n: n < 2**31, (FIRST * 4**k for k in range(CHUNKS))))


def paired(b: Builder, table: Var, row: Operand, step: Operand, grow: bool) -> Operand:
    """The index of element `step` of a row; with `grow`, its chunk is made if need be."""
    zero, j = Const(0, I64), b.cast(step, I64)
    level: Operand = zero
    begin: Operand = zero
    for k, bound in enumerate(BEGINS):
        beyond = b.apply(A.GE, j, Const(bound, I64))
        level = b.select(beyond, Const(k + 1, I64), level)
        begin = b.select(beyond, Const(bound, I64), begin)
    first = b.add(b.mul(b.cast(row, I64), Const(CHUNKS, I64)), Const(1, I64))
    key = b.add(first, level)
    place: Operand = b.load(table, (key,), "chunk")
    missing = b.apply(A.EQ, place, zero)
    if grow:
        place = _made(b, table, key, begin, missing, place)
    found = b.add(place, b.sub(j, begin))
    return found if grow else b.select(missing, zero, found)


def _made(
    b: Builder, table: Var, key: Operand, begin: Operand, missing: Operand, place: Operand
) -> Operand:
    """The place of a chunk, which is made if it is missing."""
    with b.nested() as ops:
        taken = b.load(table, (Const(0, I64),), "taken")
        more = b.mul(begin, Const(3, I64))
        size = b.select(b.apply(A.EQ, begin, Const(0, I64)), Const(FIRST, I64), more)
        b.store(table, (Const(0, I64),), b.add(taken, size))
        new = b.add(taken, Const(1, I64))
        b.store(table, (key,), new)
    out = Var("chunk", I64)
    b.emit(If(missing, Region((), tuple(ops), (new,)), Region((), (), (place,)), (out,),
              span=b.span))
    return out
