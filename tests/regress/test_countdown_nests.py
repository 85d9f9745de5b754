"""A reverse sweep is a nest of loops that count down, which gcc 12 vectorises wrongly."""

from __future__ import annotations

import ctypes

import pytest

from loma.host.course import compile

TEXT = """
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 4]
    b : Array[float, 4]
    t : Array[float, 4]
    s : float
    a[0] = x
    b[2] = y
    for i in range(2):
        for j in range(2):
            t[i * 2 + j] = b[i * 2 + j] * y
    for i in range(2):
        s = s + t[2]
    return s

r_f = rev_diff(f)
"""


@pytest.mark.parametrize("target", ["c", "llvm"])
def test_an_inner_loop_that_counts_down(target: str) -> None:
    _, lib = compile(TEXT, target=target, float_type="f64")
    gx, gy = ctypes.c_double(), ctypes.c_double()
    lib.r_f(0.7, ctypes.byref(gx), 1.3, ctypes.byref(gy), 1.0)
    assert (gx.value, gy.value) == (0.0, pytest.approx(4 * 1.3))
