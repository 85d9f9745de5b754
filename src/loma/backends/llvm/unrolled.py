"""Loops that LLVM is told to unroll: those of a few rounds, known here, over local arrays.

    xo : Array[float, 3]
    for i in range(3): xo[i] = x[i] - c[i]      ==>  three values in registers

Otherwise such a loop becomes one vector operation with a mask. It writes the array as a vector,
what follows reads it by elements, and the machine waits for the write each time: the residuals of
a bundle adjustment took twice as long.
"""

from __future__ import annotations

from typing import Final

from loma.backends.llvm.effects import Effects, Place
from loma.ir.nodes import Accum, Const, For, Load, Op, Region, Store, Var
from loma.ir.traverse import regions, walk

ROUNDS: Final = 16
OPERATIONS: Final = 300
"""Of one loop, after unrolling; LLVM's own limit at its higher levels."""


def wanted(effects: Effects, op: For) -> bool:
    """Whether a loop is to be unrolled wholly."""
    return (
        isinstance(op.count, Const)
        and isinstance(op.start, Const)
        and 0 < op.count.value <= ROUNDS
        and op.count.value * _operations(op.body) <= OPERATIONS
        and any(
            isinstance(x, Load | Store | Accum)
            and effects.places.get(x.root) is Place.STACK
            and any(isinstance(i, Var) for i in x.path)
            for x in walk(op.body)
        )
    )


def _operations(region: Region) -> int:
    """How many operations a region has when loops in it are unrolled."""
    return sum(1 + _rounds(op) * sum(map(_operations, regions(op))) for op in region.ops)


def _rounds(op: Op) -> int:
    """How often what is inside an operation is counted."""
    match op:
        case For(count=Const(value)):
            return max(int(value), 0)
        case _:
            return 1
