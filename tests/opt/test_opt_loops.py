"""Counted loops: exact counts and last values, also at the ends of int; others stay a While."""

from __future__ import annotations

import pytest
from opt.programs import apply, core, kinds, result

from loma.ir.nodes import For
from loma.ir.traverse import walk
from loma.ir.types import I64
from loma.opt import dce, fold, induction, pipeline, promote, raise_loops

MAX, MIN = 2**31 - 1, -(2**31)


def counted(condition: str, step: str, before: str = "") -> str:
    return f"""
def f(start : In[int], n : In[int]) -> int:
    i : int = start
    trips : int
    {before or "pass"}
    while {condition}:
        trips = trips + 1
        i = {step}
    return i * 1000 + trips
"""


STARTS = [
    (0, 5),
    (5, 0),
    (5, 5),
    (-3, 4),
    (4, -3),
    (MAX - 30, MAX - 16),
    (MIN, MIN + 9),
    (MIN + 40, MIN + 16),
    (7, MIN + 20),
    (MAX, MIN),
    (MIN + 16, MAX - 16),
]


@pytest.mark.parametrize(
    ("condition", "step"),
    [
        ("i < n", "i + 1"),
        ("i < n", "i + 3"),
        ("n > i", "1 + i"),
        ("i > n", "i - 1"),
        ("i > n", "i - 3"),
        ("i >= n", "i + -1"),
        ("i <= n", "i + 1"),
        ("i <= n", "i + 2"),
        ("i >= n", "i - 2"),
    ],
)
def test_counts_are_exact(condition: str, step: str) -> None:
    module = core(counted(condition, step))
    done = apply(raise_loops.run, module)
    assert "While" not in kinds(done) and "For" in kinds(done)
    freed = apply(pipeline.simplify, apply(induction.run, done))
    steps = {
        "i + 1": 1,
        "1 + i": 1,
        "i + 3": 3,
        "i + 2": 2,
        "i - 1": -1,
        "i + -1": -1,
        "i - 3": -3,
        "i - 2": -2,
    }
    for start, n in STARTS:
        away = (n - start) * (1 if steps[step] > 0 else -1)
        if away > 1000 or n + 4 * steps[step] < MIN or n + 4 * steps[step] > MAX and away >= 0:
            continue  # too long, or never ends
        wanted = result(module, "f", [start, n])
        assert result(done, "f", [start, n]) == wanted
        assert result(freed, "f", [start, n]) == wanted


@pytest.mark.parametrize(("step", "sign"), [("i + 1", 1), ("i - 1", -1)])
def test_not_equal_counts(step: str, sign: int) -> None:
    module = core(counted("i != n", step))
    done = apply(raise_loops.run, module)
    assert "For" in kinds(done)
    for start, n in [(0, 5), (3, 3), (-2, 2), (MAX - 1, MIN + 2)]:
        start, n = (start, n) if sign > 0 else (n, start)
        assert result(done, "f", [start, n]) == result(module, "f", [start, n])


@pytest.mark.parametrize(
    ("condition", "step"),
    [
        ("i < n", "i - 1"),
        ("i != n", "i + 2"),
        ("i < n", "i * 2"),
        ("i < n", "i + n"),
        ("i == n", "i + 1"),
        ("i < n - i", "i + 1"),
    ],
)
def test_other_loops_stay(condition: str, step: str) -> None:
    assert "While" in kinds(apply(raise_loops.run, core(counted(condition, step))))


def test_a_loop_from_zero_counts_in_int() -> None:
    done = apply(raise_loops.run, core(counted("i < n", "i + 1", "i = 0")))
    (loop,) = (op for op in walk(done.functions["f"].body) if isinstance(op, For))
    assert loop.body.args[0].scalar is not I64


def test_bounds_in_memory() -> None:
    source = """
def f(ns : In[Array[int]], out : Out[Array[float]]) -> int:
    i : int
    while i < ns[0]:
        {write}
        i = i + 1
    return i
"""
    done = apply(raise_loops.run, core(source.format(write="out[i] = i")))
    assert "For" in kinds(done)
    args = [[3], [0.0, 0.0, 0.0]]
    assert result(done, "f", args) == ["3", "3", "0.0", "1.0", "2.0"]
    changed = core(source.replace("Array[float]", "Array[int]").format(write="out[0] = 2"))
    assert "While" in kinds(apply(raise_loops.run, changed))


def test_every_affine_integer_is_freed() -> None:
    module = core("""
def f(n : In[int], m : In[int]) -> int:
    j : int = 5
    row : int = m
    s : int
    for i in range(n):
        s = s * 3 + j + row
        j = j - 2
        row = row + m
    return s * 7 + j + row
""")
    done = apply(pipeline.simplify, apply(induction.run, module))
    (loop,) = (op for op in walk(done.functions["f"].body) if isinstance(op, For))
    assert len(loop.inits) == 1
    for args in ([4, 3], [0, 3], [-2, 9]):
        assert result(done, "f", args) == result(module, "f", args)


def test_a_nest_of_while_loops_is_a_nest_of_counted_loops() -> None:
    module = core("""
def f(xs : In[Array[float]], n : In[int]) -> float:
    s : float
    i : int
    j : int
    while i < n:
        j = 0
        while j <= i:
            s = s + xs[j] * xs[i]
            j = j + 1
        i = i + 1
    return s
""")
    done = apply(lambda f, m: pipeline.run(pipeline.BEFORE_AD, f, m), module)
    assert kinds(done).count("For") == 2 and "While" not in kinds(done)
    carried = [len(op.inits) for op in walk(done.functions["f"].body) if isinstance(op, For)]
    assert carried == [1, 1]
    assert result(done, "f", [[1.0, 2.0, 3.0], 3]) == result(module, "f", [[1.0, 2.0, 3.0], 3])


def test_dead_loops_go() -> None:
    module = core("""
def f(x : In[float], n : In[int]) -> float:
    i : int
    unused : float
    scratch : Array[float, 4]
    while i < n:
        unused = unused * x + 1.0
        scratch[3] = unused
        i = i + 1
    return x
""")
    done = apply(dce.run, apply(fold.run, apply(promote.run, module)))
    assert kinds(done) == []
