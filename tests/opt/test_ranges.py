"""Ranges of integers decide comparisons, and never wrongly."""

from __future__ import annotations

import itertools

import pytest

from loma.ir.builder import Builder, const
from loma.ir.nodes import Apply, Check, Const, For, Function, Module, Region, Signature, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import walk
from loma.ir.types import BOOL, F64, I32
from loma.opt import ranges

COMPARISONS = (A.LT, A.LE, A.GT, A.GE)


def decided(start: int, count: int, step: int, prim: object, bound: int) -> bool | None:
    """What the pass makes of `index prim bound` in a loop; None if it is left."""
    b = Builder({})
    i = Var("i", I32)
    with b.nested() as ops:
        found = b.apply(prim, i, const(bound, I32))  # type: ignore[arg-type]
        b.emit(Check(found, Trap.INDEX))
    loop = For(
        const(start, I32), const(count, I32), const(step, I32), (), Region((i,), tuple(ops), ()), ()
    )
    f = Function("f", (), Region((), (loop,), ()), Signature(()))
    out = ranges.run(f, Module({}, {}, F64))
    (check,) = [op for op in walk(out.body) if isinstance(op, Check)]
    if isinstance(check.cond, Const):
        return bool(check.cond.value)
    assert any(isinstance(op, Apply) for op in walk(out.body))
    return None


@pytest.mark.parametrize("prim", COMPARISONS, ids=lambda p: p.name)
def test_exactly_what_holds_for_all_indices(prim: object) -> None:
    for start, count, step, bound in itertools.product(
        (-2, 0, 3), (1, 2, 4), (-2, -1, 1, 3), range(-6, 8)
    ):
        indices = range(start, start + count * step, step)
        outcomes = {bool(prim.meaning(i, bound)) for i in indices}  # type: ignore[attr-defined]
        found = decided(start, count, step, prim, bound)
        assert found is (outcomes.pop() if len(outcomes) == 1 else None)


def test_what_may_wrap_is_not_known() -> None:
    b = Builder({})
    x = Var("x", I32)
    y = b.add(x, const(1, I32))
    big = b.apply(A.GT, y, const(-(1 << 31), I32))
    f = Function("f", (x,), Region((), tuple(b.ops), (big,)), Signature((), BOOL))
    assert len(ranges.run(f, Module({}, {}, F64)).body.ops) == 2
