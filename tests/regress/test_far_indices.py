"""Growable arrays at the ends of the index range, and what a host must not be able to call."""

from __future__ import annotations

import pytest

from loma.diagnostics import RunError
from loma.host.course import compile

SOURCE = """
def two(i : In[i64], j : In[i64]) -> float:
    a : Array[float, ...]
    a[i] = 1.0
    a[j] = 3.0
    return 10.0 * a[i] + a[j]

def read(i : In[i64]) -> float:
    a : Array[float, ...]
    return a[i]

def fill(a : InOut[Array[float, ...]], n : In[int]):
    a[n] = 1.0
    a[n - 5] = 2.0

def filled(n : In[int]) -> float:
    a : Array[float, ...]
    fill(a, n)
    return 10.0 * a[n - 5] + a[n]

def keep(t : InOut[Tape], x : In[float]):
    push(t, x)

def kept(x : In[float]) -> float:
    t : Tape
    keep(t, x)
    y : float
    pop(t, y)
    return y
"""
LOW, HIGH = -(2**63), 2**63 - 1
TARGETS = pytest.mark.parametrize("target", ["llvm", "c"])


@TARGETS
@pytest.mark.parametrize(("i", "j"), [(HIGH, HIGH - 1), (LOW, LOW + 1), (HIGH - 3, HIGH)])
def test_neighbours_at_the_ends(target: str, i: int, j: int) -> None:
    _, lib = compile(SOURCE, target)
    assert lib.two(i, j) == 13.0
    assert lib.two(j, i) == 13.0


@TARGETS
@pytest.mark.parametrize(("i", "j"), [(HIGH, LOW), (LOW, HIGH), (HIGH, 0), (0, LOW), (0, 2**62)])
def test_spans_that_no_memory_holds(target: str, i: int, j: int) -> None:
    _, lib = compile(SOURCE, target)
    with pytest.raises(RunError):
        lib.two(i, j)
    assert lib.read(i) == lib.read(j) == 0.0


@TARGETS
def test_growable_arrays_and_tapes_stay_inside(target: str) -> None:
    _, lib = compile(SOURCE, target)
    assert lib.filled(7) == 21.0
    assert lib.kept(2.5) == 2.5
    assert not hasattr(lib, "fill")
    assert not hasattr(lib, "keep")
