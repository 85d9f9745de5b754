"""A module with one function per row of the table and type, and the points at which rows are
tested.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from loma.ir.builder import Builder
from loma.ir.nodes import Apply, Argument, Function, Module, Region, Signature, Var
from loma.ir.prims import TABLE
from loma.ir.prims.record import Operands, Prim, Result
from loma.ir.types import BOOL, F32, F64, I32, I64, Scalar

FLOATS, INTS = (F32, F64), (I32, I64)
TYPES = {
    Operands.FLOAT: FLOATS,
    Operands.INT: INTS,
    Operands.NUMBER: (*FLOATS, *INTS),
    Operands.BOOL: (BOOL,),
    Operands.ANY: tuple(Scalar),
    Operands.CHOICE: tuple(Scalar),
}
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-30, -1e30, math.inf, -math.inf, math.nan)
LIMITS = {I32: 2**31, I64: 2**63}
Row = tuple[Prim, tuple[Scalar, ...], Scalar]


def rows() -> Iterator[Row]:
    """Every row with every type of its operands and result."""
    for prim in TABLE.values():
        for t in TYPES[prim.operands]:
            operands = (BOOL, t, t) if prim.operands is Operands.CHOICE else (t,) * prim.arity
            match prim.result:
                case Result.SAME:
                    yield prim, operands, t
                case Result.BOOL:
                    yield prim, operands, BOOL
                case Result.GIVEN:
                    yield from ((prim, operands, to) for to in Scalar)


def name_of(row: Row) -> str:
    """The function that runs a row."""
    prim, operands, result = row
    return f"row_{prim.name}_{operands[-1].value}_{result.value}"


def function(row: Row) -> Function:
    """A function that applies a row to its arguments."""
    prim, operands, result = row
    params = tuple(Var(f"x{k}", t) for k, t in enumerate(operands))
    out = Var("out", result)
    body = Region((), (Apply(prim, params, out),), (out,))
    signature = Signature(
        tuple(Argument(p.name, t) for p, t in zip(params, operands, strict=True)), result
    )
    return Function(name_of(row), params, body, signature)


def module(prim: Prim) -> Module:
    """All rows of a primitive as functions."""
    return Module({}, {name_of(r): function(r) for r in rows() if r[0] is prim}, F64, "rows.loma")


def specials(t: Scalar) -> tuple[float | int | bool, ...]:
    """Operands of a type at which things go wrong."""
    if t is BOOL:
        return (False, True)
    if t.is_float:
        return SPECIAL
    limit = LIMITS[t]
    return (0, 1, -1, 2, -7, 46341, limit - 1, -limit, limit // 2)


def points(row: Row) -> Iterator[tuple[float | int | bool, ...]]:
    """The operands on which a row is run; those that Checks keep away are left out."""
    prim, operands, _ = row
    for point in product(*(specials(t) for t in operands)):
        if prim.name == "idiv" and (
            point[1] == 0 or point[1] == -1 and point[0] == -LIMITS[operands[0]]
        ):
            continue
        yield point
    if operands[0].is_float:
        low, high = prim.domain
        steps = [low + (high - low) * k / 16 for k in range(17)]
        yield from product(steps[::2], *(steps[1::4] for _ in operands[1:]))


def builder() -> Builder:
    """A builder without structs."""
    return Builder({})
