"""A rule's function that writes into an array of the caller whose length only the caller knows."""

from __future__ import annotations

import ctypes
import math

import pytest

from loma import compile
from loma.diagnostics import RunError

TEXT = """
def part(a : In[Array[float]], s : In[float], b : Out[Array[float]]):
    for i in range({rounds}):
        b[i] = sin(a[i]) * s
@custom_fwd(part)
def part_fwd(a : In[Array[Diff[float]]], s : In[Diff[float]], b : Out[Array[Diff[float]]]):
    for i in range({rounds}):
        b[i].val = sin(a[i].val) * s.val
        b[i].dval = cos(a[i].val) * a[i].dval * s.val + sin(a[i].val) * s.dval
def f(x : In[Array[float]], k : In[int], y : Out[Array[float, 4]]) -> float:
    y[k] = 0.5 * x[0]
    part(x, 0.7 + x[0], y)
    return y[2] * x[1]
r = rev_diff(f)
"""
Four = ctypes.c_float * 4


def gradient(rounds: int) -> list[float]:
    _, lib = compile(TEXT.format(rounds=rounds), target="llvm")
    x, g, n, seed = Four(0.3, 0.4, 0.5, 0.6), Four(), ctypes.c_int(), Four()
    lib.r(x, g, 1, ctypes.byref(n), seed, 1.0)
    return list(g)


def test_all_is_written() -> None:
    s = 1.0
    wanted = [math.sin(0.5) * 0.4, math.sin(0.5) * s, math.cos(0.5) * s * 0.4, 0.0]
    assert gradient(4) == pytest.approx(wanted, rel=1e-5)


def test_what_is_not_written_stops_the_derivative() -> None:
    with pytest.raises(RunError, match="declare the argument InOut"):
        gradient(3)
