"""Primitives on literals, exactly as every backend computes them."""

from __future__ import annotations

import math

from loma.ir.builder import const, rounded
from loma.ir.nodes import Const
from loma.ir.prims import arithmetic as A
from loma.ir.prims import bits, choice
from loma.ir.prims import math as M
from loma.ir.prims import rounding as R
from loma.ir.prims.record import Prim
from loma.ir.types import Scalar

_EXACT = frozenset(
    (A.ADD, A.SUB, A.MUL, A.NEG, A.LT, A.LE, A.GT, A.GE, A.EQ, A.NE, A.NOT, A.AND, A.OR)
    + (R.FLOOR, R.CEIL, R.TRUNC, R.ROUND, R.COPYSIGN, *bits.BITS, *choice.CHOICE)
)
_EXACT_IN_DOUBLE = 1 << 53


def evaluate(prim: Prim, args: tuple[Const, ...], result: Scalar) -> Const | None:
    """The literal result, or None where it is not finite, traps, or is not the same on every
    target.

    Sums, products and quotients of f32 rounded to f64 and then to f32 are rounded correctly.
    """
    values = tuple(a.value for a in args)
    found: complex | bool | None = None
    if prim in _EXACT:
        found = prim.meaning(*values)
    elif prim is A.DIV:
        found = None if values[1] == 0 else values[0] / values[1]
    elif prim is A.IDIV:
        x, y = int(values[0]), int(values[1])
        found = (
            None if y == 0 or rounded(-x, result) == x != 0 and y == -1 else A.IDIV.meaning(x, y)
        )
    elif prim is M.SQRT:
        found = math.sqrt(float(values[0])) if values[0] > 0 else None
    elif prim is A.SELECT:
        return args[1] if values[0] else args[2]
    elif prim is A.CAST:
        return converted(args[0], result)
    return None if found is None else _finite(found, result)


def _finite(found: complex | bool, result: Scalar) -> Const | None:
    assert not isinstance(found, complex), "literals are real"
    if result.is_float and not math.isfinite(rounded(found, result)):
        return None
    return const(found, result)


def converted(x: Const, result: Scalar) -> Const | None:
    """A literal cast to a type: float to int truncates and saturates, int to float rounds once."""
    if result is Scalar.BOOL:
        return const(x.value != 0, result)
    if result.is_float:
        exact = x.type.is_float or abs(x.value) <= _EXACT_IN_DOUBLE
        return _finite(float(x.value), result) if exact else None
    if x.type.is_float:
        bound = 1 << (8 * result.bytes - 1)
        return (
            const(max(-bound, min(bound - 1, int(x.value))), result)
            if math.isfinite(x.value)
            else None
        )
    return const(int(x.value), result)
