"""Parallel loops in ordinary functions: values, derivatives of every order, errors."""

from __future__ import annotations

import random

import numpy as np
import pytest
from parallel.judging import HOWS, agree, codes, remarks, shown, traps
from subjects import on

import loma
from loma import atomic_add, parallel
from loma.driver import core_module
from loma.frontend import load
from loma.frontend.oracle.program import Cell, Oracle
from loma.ir.nodes import For
from loma.ir.traverse import walk
from loma.ir.types import F64

STATE = """
def f(x : InOut[Array[float]], v : InOut[Array[float]], n : In[int], k : In[float],
        steps : In[int]) -> float:
    energy : float
    for t in range(steps):
        for i in parallel(n):
            v[i] = v[i] - 0.1 * k * sin(x[i])
        for i in parallel(n):
            x[i] = x[i] + 0.1 * v[i]
            atomic_add(energy, k * x[i] * v[i])
    return energy
"""
BRANCHES = """
class P:
    at : Array[float, 2]
    w : float

def weight(p : In[P], k : In[float]) -> float:
    total : float
    for j in parallel(2):
        atomic_add(total, p.at[j] * k)
    return total * p.w

def move(p : InOut[P], dt : In[float], m : In[int]):
    for j in range(m):
        p.at[j] = p.at[j] * (1.0 + dt)

def f(ps : InOut[Array[P]], n : In[int], k : In[float], y : Out[Array[float]]) -> float:
    z : Array[float, 6]
    best = max(ps[i].w for i in range(n))
    if best > 0.3:
        for i in parallel(n):
            if ps[i].w < 0.6:
                y[i] = 2.0 * ps[i].w
                continue
            move(ps[i], k, 2)
            z[i] = weight(ps[i], k) + best
            y[i] = z[i] * z[i]
    else:
        for i in parallel(n):
            y[i] = ps[i].w
    return sum(z[i] * y[i] for i in range(n))
"""
OVERWRITTEN = """
def f(x : In[Array[float]], n : In[int], k : In[float], steps : In[int],
        y : Out[Array[float]], s : Out[float]):
    a : Array[float, n]
    for i in parallel(n):
        a[i] = x[i]
    t = 0
    while t < steps and a[0] < 2.0:
        for i in parallel(n):
            b : float = a[i]
            for j in range(3):
                b = sin(b * k + a[i])
            y[i] = a[i] + b
        for i in parallel(n):
            a[i] = y[i] * y[n - 1 - i]
        t += 1
    s = 0.0
    for i in parallel(n):
        for j in parallel(i + 1):
            atomic_add(s, a[i] * a[j] * k)
"""
RECURSIVE = """
def f(x : In[Array[float]], n : In[int], depth : In[int], k : In[float]) -> float:
    s : float = k
    b : Array[float, 6]
    if depth > 0:
        for i in parallel(n):
            b[i] = x[i] * k + sin(x[i])
            atomic_add(s, b[i])
        return s * f(b, n, depth - 1, 0.5 * s)
    return s + x[0] * x[1]
"""
KERNEL = """
@simd
def f(a : In[Array[float]], n : In[int], k : In[float], y : Out[Array[float]]):
    i : int = thread_id()
    s : float
    for j in parallel(n):
        atomic_add(s, a[j] * sin(k * a[i]))
    y[i] = s * s
"""


@pytest.mark.parametrize("text", [STATE, BRANCHES, OVERWRITTEN, RECURSIVE])
def test_derivatives(text: str) -> None:
    agree(text, "f", n=4, steps=2, depth=2)


def test_in_a_kernel() -> None:
    agree(KERNEL, "f", n=4, threads=3)


def test_one_after_the_other_gives_what_any_order_gives() -> None:
    rng = random.Random(1)
    module = load(STATE, "test.py", F64)
    args = [[0.3, 0.4, 0.5], [1.0, 2.0, 3.0], 3, 0.7, 4]
    results = set()
    for order in (range, lambda n: reversed(range(n)), lambda n: rng.sample(range(n), n)):
        data = [[Cell(v) for v in a] if isinstance(a, list) else a for a in args]
        oracle = Oracle(module, "f64", order=lambda n, order=order: list(order(n)))
        results.add(round(oracle.call("f", data), 12))
    assert len(results) == 1


def test_integers_and_shared_elements() -> None:
    text = """
def f(a : In[Array[int]], n : In[int], bins : InOut[Array[float]]) -> int:
    most : int
    count : i64 = 10
    for i in parallel(n):
        atomic_add(bins[a[i] % 3], 1.0)
        atomic_add(count, 1)
        atomic_add(most, a[i])
    return most * 100 + count
"""
    for how in ("oracle", *HOWS):
        after, result = on(how, text, F64).call("f", [[0, 1, 4, 5], 4, [0.0, 0.0, 0.5]])
        assert (after[2], result) == ([1.0, 2.0, 1.5], 1014), how


# Printed text, and what stays parallel.

SHARED = """
def f(x : In[Array[float]], n : In[int], k : In[float], y : Out[Array[float]]) -> float:
    s : float
    for i in parallel(n):
        t = sin(x[i] * k)
        y[i] = t * t
        atomic_add(s, t * k)
    return s * s
"""


def test_a_derivative_shows_its_parallel_loops() -> None:
    text = SHARED + "r = rev_diff(f)\nd = fwd_diff(f)\nrr = rev_diff(r)\n"
    assert "    for i in parallel(n):\n" in shown(text, "f")
    assert "atomic_add(s_dval, " in shown(text, "d")
    reverse = shown(text, "r")
    assert reverse.count("    for i in parallel(n):\n") == 2
    assert "atomic_add(adj_k_1, " in reverse and "atomic_add(adj_x[i], " in reverse
    assert "range" not in shown(text, "rr")


def test_what_keeps_values_runs_in_order() -> None:
    """A tape is filled and emptied in one order."""
    reverse = shown(STATE + "r = rev_diff(f)\n", "r")
    assert "push(tape, " in reverse and "parallel" not in reverse


def test_what_may_meet_runs_backwards() -> None:
    """Rounds that write one element: the last one counts, as it does on one thread."""
    text = """
def f(x : In[Array[float]], at : In[Array[int]], n : In[int], y : Out[Array[float]]):
    for i in parallel(n):
        y[at[i]] = x[i] * x[i]

r = rev_diff(f)
"""
    assert remarks(text) == ["R0605"]
    args = [[1.0, 2.0, 3.0], [0.0] * 3, [0, 1, 0], [0] * 3, 3, 0, [10.0, 100.0]]
    for how in ("oracle", *HOWS):
        assert on(how, text, F64).call("r", args)[0][1] == [0.0, 400.0, 60.0], how


def test_the_fast_product_has_plain_loops() -> None:
    module = core_module(SHARED + "r = rev_diff(f)\n", "test.py", F64)
    loops = [op for f in module.functions.values() for op in walk(f.body) if isinstance(op, For)]
    assert loops and not any(op.parallel for op in loops)


# Errors.


def test_races_are_errors_and_assumptions_are_remarks() -> None:
    head = "def f(a : InOut[Array[float]], n : In[int], k : In[int]):\n    for i in parallel(n):\n"
    assert codes(head + "        a[i] = a[i + 1]\n") == ["E0605"]
    assert codes(head + "        a[2 * i] = a[2 * i + 4] + 1.0\n") == ["E0605"]
    assert codes(head + "        a[0] = a[0] * a[i]\n")
    assert remarks(head + "        a[i] = a[i + k]\n") == ["R0605"]
    assert remarks(head + "        a[2 * i] = a[2 * i + 1]\n") == []
    assert remarks(head + "        a[0] = a[0] + a[5]\n") == []


def test_a_race_through_a_call() -> None:
    text = """
def g(a : InOut[Array[float]], i : In[int]):
    a[i] = 2.0 * a[i + 1]

def f(a : InOut[Array[float]], n : In[int]):
    for i in parallel(n):
        g(a, i)
"""
    assert codes(text) == ["E0605"]


def test_a_trap_in_a_round_names_its_line() -> None:
    text = "def f(a : In[Array[int]], n : In[int], y : Out[Array[float]]):\n"
    text += "    for i in parallel(n):\n        y[i] = 6 / a[i]\n"
    assert traps(text, "f", [[1, 0], 2, [0.0, 0.0]]) == {("DIVISION", 3)}


def test_no_rounds() -> None:
    text = SHARED + "r = rev_diff(f)\n"
    for how in ("oracle", *HOWS):
        for n in (0, -3):
            assert on(how, text, F64).call("f", [[1.0], n, 2.0, [5.0]])[1] == 0.0
            after, _ = on(how, text, F64).call("r", [[1.0], [0.0], n, 0, 2.0, 0.5, [5.0], 1.0])
            assert (after[1], after[5]) == ([0.0], 0.5), how


def test_in_decorated_functions() -> None:
    @loma.function
    def heat(
        u: loma.In[loma.Array[float]], n: loma.In[int], k: loma.In[float],
        v: loma.Out[loma.Array[float]],
    ) -> float:
        total = 0.0
        for i in parallel(n):
            v[i] = u[i] + k * (u[max(i - 1, 0)] - 2.0 * u[i] + u[min(i + 1, n - 1)])
            atomic_add(total, v[i] * v[i])
        return total

    assert heat([0.0, 1.0, 0.0], 3, 0.25, np.zeros(3)) == pytest.approx(0.375)
