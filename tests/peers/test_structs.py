"""What went wrong in other systems with structs, stacks and several results; see test_peer_faults.
"""

from __future__ import annotations

import ctypes
import math

import pytest
from subjects import COMPILED, on

from loma import compile
from loma.ir.types import F64

VEC = """
class Vec2:
    x : float
    y : float

    def norm(self) -> float:
        return sqrt(self.x * self.x + self.y * self.y)

    def __add__(self, o : In[Vec2]) -> Vec2:
        return Vec2(self.x + o.x, self.y + o.y)

    def __mul__(self, s : In[float]) -> Vec2:
        return Vec2(self.x * s, self.y * s)
"""


@pytest.mark.parametrize("how", ("core", "plain", *COMPILED))
def test_loop_carried_struct(how: str) -> None:
    """quadrants#797: a struct carried by a loop loses its gradient."""
    source = VEC + """
def f(v : In[Vec2], n : In[int]) -> float:
    p = v
    for i in range(n):
        p = p * 0.5 + v
    return p.norm()
r = rev_diff(f)
"""
    found = on(how, source, F64).outputs("r", [{"x": 3.0, "y": 4.0}, {"x": 0.0, "y": 0.0},
                                              4, 0, 1.0])
    c = 2 - 0.5**4
    gradient = next(v for v in numbers(found) if v)
    assert gradient == pytest.approx([c * 0.6, c * 0.8])


def numbers(x: object) -> list[list[float]]:
    """The structs of two numbers in some data."""
    if isinstance(x, dict):
        if set(x) == {"x", "y"}:
            return [[x["x"], x["y"]]]
        return [n for v in x.values() for n in numbers(v)]
    return [n for v in x for n in numbers(v)] if isinstance(x, list | tuple) else []


def test_stack_has_no_fixed_size() -> None:
    """taichi#8027, taichi#4226: a fixed stack overflows when a loop runs long."""
    source = """
def f(x : In[float], n : In[int]) -> float:
    s : Stack[float]
    for i in range(n):
        s.push(x)
    total = 0.0
    while s.size() > 0:
        total = 0.5 * total + s.pop()
    return total
r = rev_diff(f)
"""
    _, lib = compile(source, "llvm", float_type="f64")
    g, none = ctypes.c_double(0), ctypes.c_int(0)
    lib.r(1.0, g, 300_000, none, 1.0)
    assert lib.f(1.0, 300_000) == pytest.approx(2.0)
    assert g.value == pytest.approx(2.0)


def test_gradient_through_a_member_of_a_result() -> None:
    """slangpy#874: gradients are lost through a struct member."""
    source = VEC + """
def both(v : In[Vec2]) -> tuple[Vec2, float]:
    return v * v.norm(), v.x
def f(v : In[Vec2]) -> float:
    w, x = both(v)
    return w.norm() * x
r = rev_diff(f)
"""
    structs, lib = compile(source, "llvm", float_type="f64")
    Vec2 = structs["Vec2"]
    g = Vec2()
    lib.r(Vec2(3.0, 4.0), g, 1.0)
    assert (g.x, g.y) == pytest.approx((25 + 18, 24))


def test_second_order_through_methods() -> None:
    """warp#1813, taichi#385: second derivatives asked for and missing."""
    source = VEC + """
def f(v : In[Vec2]) -> float:
    return (v * v.norm()).norm()
d = fwd_diff(f)
def slope(x : In[float], y : In[float]) -> float:
    v : Diff[Vec2]
    v.x.val = x
    v.x.dval = 1.0
    v.y.val = y
    return d(v).dval
r = rev_diff(slope)
"""
    _, lib = compile(source, "llvm", float_type="f64")
    gx, gy = ctypes.c_double(0), ctypes.c_double(0)
    lib.r(3.0, gx, 4.0, gy, 1.0)
    assert (gx.value, gy.value) == pytest.approx((2.0, 0.0), abs=1e-12)


def test_norm_at_zero_gives_no_nan() -> None:
    """taichi#4332: the gradient of a norm at zero is NaN."""
    structs, lib = compile("""
from loma.std.vec import vec3
def f(v : In[vec3]) -> float:
    return v.length() + v.normalized().x
r = rev_diff(f)
""", "llvm")
    g = structs["vec3"]()
    lib.r(structs["vec3"](), g, 1.0)
    assert all(math.isfinite(x) for x in (g.x, g.y, g.z))
