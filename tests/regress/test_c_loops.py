"""C for loops whose bound does not print: two counters, which OpenMP's reductions do not allow."""

from __future__ import annotations

import ctypes

from loma.host.course import compile

SOURCE = """
def f(x : In[Array[float]], n : In[int]) -> float:
    s : float
    i : int = 1
    k : int
    while k < n:
        s = s + x[i]
        i = i + 2
        k = k + 1
    return s
r = rev_diff(f)
"""


def test_sum_with_two_counters() -> None:
    _, lib = compile(SOURCE, target="c")
    x = (ctypes.c_float * 7)(*range(7))
    assert lib.f(x, 3) == 9.0
