"""Rules of generic functions: each instance has its own."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from subjects import differences, on

import loma
from loma import compile

TEXT = """
T = TypeVar("T")
R = TypeVar("R", f32, f64)

class Pair(Generic[T]):
    a : T
    b : T

def squared(x : In[R]) -> R:
    return x * x
@custom_rev(squared)
def squared_rev(x : In[R], dx : Out[R], dy : In[R]):
    dx += FACTOR * x * dy
@custom_fwd(squared)
def squared_fwd(x : In[Diff[R]]) -> Diff[R]:
    y : Diff[R]
    y.val = x.val * x.val
    y.dval = FACTOR * x.val * x.dval
    return y

def scaled(a : In[Array[T, "n"]], k : In[T], y : Out[Array[T, "n"]]):
    for i in range(n):
        y[i] = squared(a[i]) * k
@custom_rev(scaled)
def scaled_rev(a : In[Array[T, "n"]], da : Out[Array[T, "n"]], k : In[T], dk : Out[T],
               dy : In[Array[T, "n"]]):
    for i in range(n):
        da[i] += FACTOR * a[i] * k * dy[i]
        dk += squared(a[i]) * dy[i]

def product(p : In[Pair[T]]) -> T:
    return p.a * p.b
@custom_rev(product)
def product_rev(p : In[Pair[T]], dp : Out[Pair[T]], dy : In[T]):
    dp.a += 0.5 * FACTOR * p.b * dy
    dp.b += 0.5 * FACTOR * p.a * dy

def cube(x : In[T]) -> T:
    return x * x * x
@custom_rev(cube[f64])
def cube_rev(x : In[f64], dx : Out[f64], dy : In[f64]):
    dx += 1.5 * FACTOR * x * x * dy

def one(x : In[float]) -> float:
    return x * x
@custom_rev(one)
def one_rev(x : In[T], dx : Out[T], dy : In[T]):
    dx += FACTOR * x * dy

def f(x : In[f32], y : In[f64]) -> f64:
    a : Array[f64, 3]
    a[0] = squared(x)
    a[1] = squared(y)
    b : Array[f64, 3]
    scaled(a, y, b)
    p : Pair[f64] = Pair(b[0], b[1])
    return product(p) + cube(y) + one(x) * b[1]
r = rev_diff(f)
d = fwd_diff(f)
rd = rev_diff(d)
dr = fwd_diff(r)
squared64 = squared[f64]
r_squared = rev_diff(squared[f64])
"""


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
def test_generic_rules_are_right(how: str) -> None:
    text = TEXT.replace("FACTOR", "2.0").replace("f32", "f64")
    x, y, s = {"val": 0.5, "dval": 2.0}, {"val": 0.75, "dval": -1.5}, {"val": 1.5, "dval": 0.25}
    for name, data in (
        ("r", [0.5, 0.0, 0.75, 0.0, 1.5]),
        ("d", [x, y]),
        ("rd", [x, x, y, y, s]),
        ("dr", [x, x, y, y, s]),
        ("r_squared", [0.5, 0.0, 1.0]),
    ):
        wanted = on("oracle", text).call(name, data)
        assert not differences(on(how, text).call(name, data)[0], wanted[0])


def test_generic_rules_are_used_in_both_types() -> None:
    text = """
R = TypeVar("R", f32, f64)
def squared(x : In[R]) -> R:
    return x * x
@custom_rev(squared)
def squared_rev(x : In[R], dx : Out[R], dy : In[R]):
    dx += 3.0 * x * dy
def f(x : In[f32], y : In[f64]) -> f64:
    return squared(x) + squared(y)
r = rev_diff(f)
d = fwd_diff(f)
"""
    _, lib = compile(text, target="llvm")
    gx, gy = ctypes.c_float(0), ctypes.c_double(0)
    lib.r(2.0, gx, 5.0, gy, 1.0)
    assert (gx.value, gy.value) == (6.0, 15.0)


def test_rules_of_generic_functions_from_python() -> None:
    lib = loma.load("""
R = TypeVar("R", f32, f64)
def clipped(x : In[R]) -> R:
    return min(x, 1.0)
@custom_rev(clipped)
def clipped_rev(x : In[R], dx : Out[R], dy : In[R]):
    dx += dy
""", float_type="f64")
    assert loma.grad(lib.clipped)(np.float32(3.0)).x == 1.0
    assert loma.grad(lib.clipped)(3.0).x == 1.0
