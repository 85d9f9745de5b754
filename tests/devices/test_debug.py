"""Debug mode on devices: checks of indices, divisions and assertions, with file and line."""

from __future__ import annotations

import numpy as np
import pytest
from devices.toolchains import MISSING

import loma
from loma import Array, In, Out, thread_id
from loma.diagnostics import RunError
from loma.host.course import compile

HERE = [t for t in ("opencl", "wgsl") if t not in MISSING]
CHECKED = """
@simd
def pick(x : In[Array[float, 8]], j : In[Array[int, 8]], y : Out[Array[float, 8]]):
    i : int = thread_id()
    assert j[i] != 5, "five"
    y[i] = x[j[i]] / (8 // (2 + j[i]))

r_pick = rev_diff(pick)
"""
CASES = [
    (5, "checked.py:5: five: j"), (9, "checked.py:6: index ... is outside an array of length 8"),
    (-1, "checked.py:6: index ... is outside an array of length 8"), (1, "")]


def checks(target: str, index: int, said: str) -> None:
    """What a program says of an index on a target, and that its derivative says the same."""
    _, lib = compile(CHECKED, target=target, debug=True, file="checked.py")
    x, y, j = np.ones(8, "f"), np.zeros(8, "f"), np.ones(8, "i4")
    gx, gj = np.zeros(8, "f"), np.zeros(8, "i4")
    j[3] = index
    for call in (lambda: lib.pick(x, j, y, 8), lambda: lib.r_pick(x, gx, j, gj, y, 8)):
        if said:
            with pytest.raises(RunError, match=said):
                call()
        else:
            call()


def lengths(target: str) -> None:
    """An array of the Python door knows its length."""

    @loma.kernel(target=target, debug=True)
    def lookup(x: In[Array[float]], j: In[Array[int]], y: Out[Array[float]]):
        i: int = thread_id()
        y[i] = x[j[i]]

    x = np.arange(3.0, dtype="f")
    assert (lookup(x, np.array([2, 0, 1], "i4")) == [2, 0, 1]).all()
    with pytest.raises(RunError, match=r"test_debug.py:\d+: index ... is outside an array"):
        lookup(x, np.array([2, 7, 1], "i4"))


@pytest.mark.parametrize(("index", "said"), CASES)
@pytest.mark.parametrize("target", HERE)
def test_indices_divisions_and_assertions(target: str, index: int, said: str) -> None:
    checks(target, index, said)


@pytest.mark.parametrize("target", HERE)
def test_lengths_are_known(target: str) -> None:
    lengths(target)
