"""The chain rule for one scalar operation: both modes follow from the table's partial derivatives.

A derivative that is zero by structure is None, not 0.0. Through a singular primitive a derivative
that is exactly 0 at run time contributes exactly 0 (a strong zero).
"""

from __future__ import annotations

from typing import Final

from loma.ir.builder import Builder, is_const, type_of
from loma.ir.nodes import Apply, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim

RECENT: Final = 40
"""More operations than any partial derivatives and their products take."""


def total(b: Builder, x: Operand | None, y: Operand | None, name: str = "t") -> Operand | None:
    """The sum of two derivatives either of which may be zero by structure."""
    if x is None or y is None:
        return y if x is None else x
    return b.apply(A.ADD, x, y, name=name)


def scale(b: Builder, prim: Prim, partial: Operand, by: Operand) -> Operand:
    """partial * by, with a strong zero where the primitive is singular; a choice of partials is a
    choice of products.
    """
    if prim.choice and (made := _selected(b, partial)) is not None:
        cond, x, y = made.args
        return b.select(cond, scale(b, prim, x, by), scale(b, prim, y, by))
    if prim.choice and is_const(partial, 0.0):
        return partial
    return b.strong_mul(partial, by) if prim.singular else b.mul(partial, by)


def _product(b: Builder, op: Apply, k: int, partial: Operand, by: Operand) -> Operand:
    """The partial by operand k, times a derivative.

    strong_mul(p, s) does not depend on p where s is 0, however fast p changes there.
    """
    if op.prim is A.STRONG_MUL and k == 0:
        return b.strong_mul(by, partial)
    return scale(b, op.prim, partial, by)


def _selected(b: Builder, x: Operand) -> Apply | None:
    """The select that made a partial derivative a moment ago."""
    for op in reversed(b.ops[-RECENT:]):
        if isinstance(op, Apply) and op.out is x:
            return op if op.prim is A.SELECT else None
    return None


def tangent(b: Builder, op: Apply, tangents: tuple[Operand | None, ...]) -> Operand | None:
    """The tangent of an operation's result from those of its operands."""
    if not op.out.scalar.is_float or all(t is None for t in tangents):
        return None
    match op.prim:
        case A.CAST:
            assert tangents[0] is not None
            return b.cast(tangents[0], op.out.scalar) if type_of(op.args[0]).is_float else None
        case A.SELECT:
            x, y = (t if t is not None else b.number(0.0, op.out) for t in tangents[1:])
            return b.select(op.args[0], x, y)
    dot: Operand | None = None
    found = partials(b, op, tuple(t is not None for t in tangents))
    for k, (partial, t) in enumerate(zip(found, tangents, strict=True)):
        if partial is not None and t is not None:
            dot = total(b, dot, _product(b, op, k, partial, t))
    return dot


def pull_back(
    b: Builder, op: Apply, adjoint: Operand, active: tuple[bool, ...]
) -> list[tuple[Var, Operand]]:
    """What the adjoint of an operation's result contributes to each active operand."""
    match op.prim:
        case A.CAST:
            x = op.args[0]
            return [(x, b.cast(adjoint, x.scalar))] if isinstance(x, Var) and active[0] else []
        case A.SELECT:
            return _pull_back_select(b, op, adjoint, active)
    found = []
    for k, (x, partial) in enumerate(zip(op.args, partials(b, op, active), strict=True)):
        if active[k] and partial is not None and isinstance(x, Var):
            found.append((x, _product(b, op, k, partial, adjoint)))
    return found


def _pull_back_select(
    b: Builder, op: Apply, adjoint: Operand, active: tuple[bool, ...]
) -> list[tuple[Var, Operand]]:
    cond, x, y = op.args
    zero = b.number(0.0, adjoint)
    found: list[tuple[Var, Operand]] = []
    if active[1] and isinstance(x, Var):
        found.append((x, b.select(cond, adjoint, zero)))
    if active[2] and isinstance(y, Var):
        found.append((y, b.select(cond, zero, adjoint)))
    return found


def partials(b: Builder, op: Apply, wanted: tuple[bool, ...]) -> tuple[Operand | None, ...]:
    """The partial derivatives of an operation, emitted by `b`; those not wanted are swept up
    later.
    """
    if op.prim.partials is None:
        return (None,) * op.prim.arity
    mark = len(b.ops)
    values = op.prim.partials(b, op.out, *op.args)
    del_unwanted(b, mark, tuple(v for v, w in zip(values, wanted, strict=True) if w))
    return values


def del_unwanted(b: Builder, mark: int, wanted: tuple[Operand | None, ...]) -> None:
    """Drops the operations after `mark` that none of the wanted values needs (all of them are
    Applies).
    """
    live = {v for v in wanted if isinstance(v, Var)}
    kept = []
    for op in reversed(b.ops[mark:]):
        assert isinstance(op, Apply), "partials are scalar operations"
        if op.out in live:
            kept.append(op)
            live.update(x for x in op.args if isinstance(x, Var))
    b.ops[mark:] = reversed(kept)
