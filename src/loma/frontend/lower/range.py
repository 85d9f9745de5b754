"""Lowers ranges, and the reductions over them.

A smallest or largest value is looked for first and computed again where it was found. So the
derivative goes to one round, and nothing of the others is kept for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from loma.frontend.typed import For, Reduce
from loma.ir import nodes as core
from loma.ir.builder import const, type_of
from loma.ir.nodes import Const, Operand, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import Scalar

if TYPE_CHECKING:
    from loma.frontend.lower.expr import Expressions


def rounds(walk: Expressions, s: For | Reduce) -> tuple[Operand, Operand, Const]:
    """Start, number of rounds, step; the number is not positive where the range is empty."""
    start, stop = walk.value(s.start), walk.value(s.stop)
    walk.b.span = s.span
    step = const(s.step, type_of(start))
    if isinstance(start, Const) and isinstance(stop, Const):
        count = len(range(int(start.value), int(stop.value), s.step))
        return start, const(count, step.type), step
    low, high = (start, stop) if s.step > 0 else (stop, start)
    zero = isinstance(low, Const) and low.value == 0
    span = high if zero else walk.b.sub(high, low)
    return start, _divided(walk, span, abs(s.step)), step


def _divided(walk: Expressions, span: Operand, step: int) -> Operand:
    """The steps in a span, rounded up without overflow: (span - 1) / step + 1 if span > 0."""
    if step == 1:
        return span
    b = walk.b
    one, zero = b.one(span), b.number(0, span)
    whole = b.apply(A.IDIV, b.sub(span, one), b.number(step, span))
    return b.select(b.apply(A.GT, span, zero), b.add(whole, one), zero)


def reduction(walk: Expressions, e: Reduce) -> Operand:
    """The value of a reduction."""
    if e.kind == "sum":
        return _sum(walk, e)
    at = _best(walk, e)
    if e.kind.startswith("arg"):
        return at
    with walk.env.bound(e.symbol, at):
        return walk.value(e.value)


def _sum(walk: Expressions, e: Reduce) -> Operand:
    bounds, b = rounds(walk, e), walk.b
    index, total = Var(e.symbol.name, bounds[2].type), Var("total", e.type)
    with b.nested() as ops, walk.env.bound(e.symbol, index):
        value = walk.value(e.value)
        b.span = e.span
        after = b.add(total, value)
    out = Var("sum", e.type)
    body = b.region(ops, (after,), (index, total))
    b.emit(core.For(*bounds, (const(0, e.type),), body, (out,), span=e.span))
    return out


def _best(walk: Expressions, e: Reduce) -> Operand:
    """Where the best value is: the first of equal ones, and the first NaN if there is one."""
    start, count, step = rounds(walk, e)
    kind, b = type_of_value(e), walk.b
    walk.check(b.apply(A.GT, count, b.number(0, count)), Trap.EMPTY)
    index, best, at = Var(e.symbol.name, step.type), Var("best", kind), Var("at", step.type)
    with b.nested() as ops, walk.env.bound(e.symbol, index):
        value = walk.value(e.value)
        b.span = e.span
        taken = _better(walk, e, value, best)
        yields = b.select(taken, value, best), b.select(taken, index, at)
    body = b.region(ops, yields, (index, best, at))
    outs = Var("best", kind), Var(e.kind, step.type)
    worst = const(_worst(kind, e.kind.endswith("min")), kind)
    b.emit(core.For(start, count, step, (worst, start), body, outs, span=e.span))
    return outs[1]


def _better(walk: Expressions, e: Reduce, value: Operand, best: Operand) -> Operand:
    """Whether a value replaces the best one so far."""
    b, low = walk.b, e.kind.endswith("min")
    if not type_of_value(e).is_float:
        return b.apply(A.LT if low else A.GT, value, best)
    kept = b.apply(A.LE if low else A.GE, best, value)
    number = b.apply(A.EQ, best, best)
    return b.apply(A.AND, number, b.apply(A.NOT, kept))


def type_of_value(e: Reduce) -> Scalar:
    """The type of what is compared or added."""
    assert isinstance(e.value.type, Scalar), "numbers are reduced"
    return e.value.type


def _worst(kind: Scalar, low: bool) -> float | int:
    """What every value is at least as good as."""
    if kind.is_float:
        return math.inf if low else -math.inf
    limit = 1 << (8 * kind.bytes - 1)
    return limit - 1 if low else -limit
