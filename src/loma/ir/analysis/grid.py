"""Indices that were taken apart into row and column, and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from loma.ir.analysis.alias import same
from loma.ir.nodes import Apply, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim
from loma.ir.types import BOOL

Defs: TypeAlias = Mapping[Var, Apply | None]


def joined(x: Operand, defs: Defs) -> Operand:
    """p, if x is p // w * w + p % w with one rounding for both; else x.

    With the truncated quotient q and a truth value c, they are (q - c) * w and p - q * w + c * w.
    So the sum is p for every w, also where products wrap around.
    """
    match _def(x, defs):
        case Apply(A.ADD, (a, b)):
            found = _sum(a, b, defs) or _sum(b, a, defs)
            return x if found is None else joined(found, defs)
    return x


def _sum(product: Operand, rest: Operand, defs: Defs) -> Operand | None:
    match _def(product, defs):
        case Apply(A.MUL, (a, b)):
            return _parts(a, b, rest, defs) or _parts(b, a, rest, defs)
    return None


def _parts(quotient: Operand, w: Operand, rest: Operand, defs: Defs) -> Operand | None:
    """p, if the operands are p // w, w and p % w."""
    quotient = joined(quotient, defs)
    truncated = _truncated(rest, quotient, w, defs)
    if truncated is not None:
        return truncated
    match _def(quotient, defs), _def(rest, defs):
        case Apply(A.SUB, (q, less)), Apply(A.SELECT, (c, more, r)):
            p = _truncated(r, q, w, defs)
            lowered = _is(less, A.CAST, (c,), defs) and c.type is BOOL
            raised = _is(more, A.ADD, (r, w), defs) or _is(more, A.ADD, (w, r), defs)
            return p if lowered and raised else None
    return None


def _truncated(r: Operand, q: Operand, w: Operand, defs: Defs) -> Operand | None:
    """p, if r is p - q * w."""
    match _def(r, defs):
        case Apply(A.SUB, (p, back)):
            if _is(back, A.MUL, (q, w), defs) or _is(back, A.MUL, (w, q), defs):
                return p
    return None


def _def(x: Operand, defs: Defs) -> Apply | None:
    return defs.get(x) if isinstance(x, Var) else None


def _is(x: Operand, prim: Prim, args: tuple[Operand, ...], defs: Defs) -> bool:
    """Whether a value is an operation on these operands."""
    op = _def(x, defs)
    return op is not None and op.prim is prim and all(
        _same(a, b, defs) for a, b in zip(op.args, args, strict=True))


def _same(x: Operand, y: Operand, defs: Defs) -> bool:
    """Whether two values are one, or the same operations on the same values."""
    if same(x, y):
        return True
    op, other = _def(x, defs), _def(y, defs)
    return (op is not None and other is not None and x.type == y.type
            and _is(x, other.prim, other.args, defs))
