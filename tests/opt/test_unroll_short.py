"""Loops of a few rounds are written out before differentiation; longer ones stay."""

from __future__ import annotations

import pytest

from loma.driver import core_module
from loma.ir.nodes import Alloc, For, Function, Push
from loma.ir.traverse import walk

HORNER = """
def f(x : In[Array[float]], c : In[Array[float]], n : In[int]) -> float:
    s : float = 0.0
    for i in range(n):
        p : float = 0.0
        for k in range({rounds}):
            p = p * x[i] + c[k]
        s += p
    return s
r = rev_diff(f)
"""
LOCAL = """
def f(x : In[Array[float]], n : In[int]) -> float:
    s : float = 0.0
    for i in range(n):
        v : Array[float, 3]
        for k in range(3):
            v[k] = x[3 * i + k] * x[i]
        for k in range(3):
            s += v[k] * v[2 - k]
    return s
r = rev_diff(f)
"""

LARGE = """
def f(x : In[Array[float]], n : In[int]) -> float:
    a : Array[float, {rounds}]
    for i in range({rounds}):
        if x[i] > 0.0 or n > 3:
            a[i] = sin(x[i]) * cos(x[n + i]) + exp(x[i] - x[n]) / sqrt(x[i] * x[n] + x[i] + 2.0)
    return a[n % {rounds}]
"""


def compiled(text: str, name: str) -> Function:
    return core_module(text).functions[name]


@pytest.mark.parametrize(("rounds", "loops"), [("6", 1), ("16", 1), ("17", 2), ("n", 2)])
def test_loops_that_are_left(rounds: str, loops: int) -> None:
    f = compiled(HORNER.format(rounds=rounds), "f")
    assert sum(isinstance(op, For) for op in walk(f.body)) == loops


def test_no_tape_for_a_short_loop() -> None:
    short, long = (compiled(HORNER.format(rounds=rounds), "r") for rounds in ("6", "n"))
    assert not any(isinstance(op, Push) for op in walk(short.body))
    assert any(isinstance(op, Push) for op in walk(long.body))


@pytest.mark.parametrize(("rounds", "left"), [(3, False), (13, False), (14, True), (40, True)])
def test_rounds_times_operations_count(rounds: int, left: bool) -> None:
    f = compiled(LARGE.format(rounds=rounds), "f")
    assert any(isinstance(op, For) for op in walk(f.body)) == left


@pytest.mark.parametrize("name", ["f", "r"])
def test_local_arrays_of_short_loops_become_variables(name: str) -> None:
    assert not any(isinstance(op, Alloc) for op in walk(compiled(LOCAL, name).body))
