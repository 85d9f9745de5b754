"""Branches whose operations may run again are repeated in the reverse sweep, not stored."""

from __future__ import annotations

import ctypes
import math

import pytest

from loma import driver
from loma.host.course import compile
from loma.ir.nodes import Pop, Push
from loma.ir.traverse import walk

SOURCE = """
def f(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        t : float = -1.0
        u : float
        if x[i] >= 0.0:
            t = sqrt(x[i])
            u = t * x[i]
        if t > 0.5:
            y[i] = t * t * u
        else:
            y[i] = t * u
g = rev_diff(f)
"""


def test_nothing_is_stored() -> None:
    functions = driver.core_module(SOURCE).functions.values()
    assert not any(isinstance(op, Push | Pop) for f in functions for op in walk(f.body))


def slope(x: float) -> float:
    if x < 0:
        return 0.0
    return 2.5 * x**1.5 if math.sqrt(x) > 0.5 else 2.0 * x


def test_the_gradient_is_right() -> None:
    _, lib = compile(SOURCE, target="llvm", float_type="f64")
    values = [-1.0, 0.04, 0.1, 0.3, 2.0]
    array = ctypes.c_double * len(values)
    dx, dn = array(), ctypes.c_int()
    lib.g(array(*values), dx, len(values), ctypes.byref(dn), array(*[1.0] * len(values)))
    assert list(dx) == pytest.approx([slope(x) for x in values])
