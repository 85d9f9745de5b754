"""Derivatives that nobody asked for by name are made when they are looked up."""

from __future__ import annotations

import ctypes

import pytest

from loma import driver
from loma.host.course import compile

SOURCE = """
def square(x : In[float]) -> float:
    return x * x

def f(x : In[float], y : In[float]) -> float:
    return square(x) * y

g = rev_diff(f)
d = fwd_diff(f)
"""


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_they_are_exported(target: str) -> None:
    structs, lib = compile(SOURCE, target=target)
    dx = ctypes.c_float()
    lib._d_rev_square(3.0, ctypes.byref(dx), 1.0)
    assert dx.value == 6.0
    dual = lib._d_fwd_square(structs["_dfloat"](3.0, 1.0))
    assert (dual.val, dual.dval) == (9.0, 6.0)
    assert lib._d_rev_square is lib._d_rev_square
    assert not hasattr(lib, "_d_rev_cube") and not hasattr(lib, "cube")


def test_a_module_can_be_made_without_them() -> None:
    assert "_d_rev_square" in driver.core_module(SOURCE).functions
    assert "_d_rev_square" not in driver.core_module(SOURCE, callees=False).functions


def test_helpers_that_are_inlined_are_not_optimised() -> None:
    functions = driver.core_module(SOURCE).functions
    assert functions["square"].cold and functions["_d_rev_square"].cold
    assert not any(functions[name].cold for name in ("f", "g", "d"))
