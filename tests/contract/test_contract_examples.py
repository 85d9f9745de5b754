"""The contract, part 6: the example programs as a host runs them, and buffers that are the same
memory.
"""

from __future__ import annotations

import ctypes
from functools import cache
from math import cos, sin
from typing import Any

import pytest
from subjects import COMPILED

from loma import compile, driver
from loma.backends.toolchain import find_compiler

BOTH = pytest.mark.parametrize("float_type", ["f32", "f64"])
TARGETS = pytest.mark.parametrize("target", COMPILED)

TEXT = """
def sum_array(a : In[Array[float]], n : In[int]) -> float:
    i : int
    s : float
    while (i < n, max_iter := 100000):
        s = s + a[i]
        i = i + 1
    return s
d_sum_array = rev_diff(sum_array)

class Vec:
    x : float
    y : float
    z : float
class Sphere:
    center : Vec
    radius : float
class Ray:
    org : Vec
    dir : Vec
def vec(x : In[float], y : In[float], z : In[float]) -> Vec:
    v : Vec
    v.x = x
    v.y = y
    v.z = z
    return v
def dot(a : In[Vec], b : In[Vec]) -> float:
    return a.x * b.x + a.y * b.y + a.z * b.z
def sub(a : In[Vec], b : In[Vec]) -> Vec:
    return vec(a.x - b.x, a.y - b.y, a.z - b.z)
def mul(a : In[float], b : In[Vec]) -> Vec:
    return vec(a * b.x, a * b.y, a * b.z)
def normalize(v : In[Vec]) -> Vec:
    return mul(1 / sqrt(dot(v, v)), v)
def hit(s : In[Sphere], r : In[Ray]) -> float:
    oc : Vec = sub(r.org, s.center)
    b : float = dot(oc, r.dir)
    c : float = dot(oc, oc) - s.radius * s.radius
    d : float = b * b - c
    t : float = -1
    if d > 0:
        t = -b - sqrt(d)
    return t
@simd
def raytrace(w : In[int], h : In[int], s : In[Sphere], light : In[Vec], image : Out[Array[Vec]]):
    i : int = thread_id()
    x : int = i - i / w * w
    y : int = i / w
    ray : Ray
    ray.org = vec(0, 0, 0)
    ray.dir = normalize(vec((x + 0.5) / h - 0.5 * w / h, 0.5 - (y + 0.5) / h, -1))
    t : float = hit(s, ray)
    if t > 0:
        n : Vec = normalize(sub(mul(t, ray.dir), s.center))
        shade : float = dot(n, light)
        if shade < 0.1:
            shade = 0.1
        image[i] = vec(shade, 0.5 * shade, shade * shade)
    else:
        image[i] = vec(0.5 + 0.5 * ray.dir.y, 0.7, 1.0)
d_raytrace = rev_diff(raytrace)

def poly(x : In[float], y : In[float]) -> float:
    a : float = 0.05 * x * x * x + 0.03 * y * y * y - 0.02 * x * x * y - 0.04 * x * y * y
    return a + 1.2 * x * x + 0.6 * y * y - 0.5 * x * y + 0.3 * x - 0.2 * y - 0.15
fwd_poly = fwd_diff(poly)
rev_poly = rev_diff(poly)
def grad_poly(x : In[float], y : In[float], gx : Out[float], gy : Out[float]):
    u : Diff[float] = make__dfloat(x, 1.0)
    v : Diff[float] = make__dfloat(y, 0.0)
    r : Diff[float] = fwd_poly(u, v)
    gx = r.dval
    u.dval = 0
    v.dval = 1
    r = fwd_poly(u, v)
    gy = r.dval
rev_grad_poly = rev_diff(grad_poly)
def hess_poly(x : In[float], y : In[float], hxx : Out[float], hxy : Out[float], hyy : Out[float]):
    rev_grad_poly(x, hxx, y, hxy, 1.0, 0.0)
    rev_grad_poly(x, hxy, y, hyy, 0.0, 1.0)

def bigger(a : In[Array[float]]) -> float:
    b : float = a[0] * a[1] * a[2] - a[3] * a[4] * a[4]
    return b * b + (a[0] - 1) * (a[0] - 1) + a[1] * a[1] + a[2] * a[2] + a[3] * a[3] + a[4] * a[4]
d_bigger = rev_diff(bigger)

def pendulum(q : In[float], p : In[float]) -> float:
    return p * p / 2 - 9.8 * cos(q)
d_pendulum = fwd_diff(pendulum)

def chain(q : In[Array[float]], p : In[Array[float]], n : In[int]) -> float:
    e : float
    i : int
    while (i < n, max_iter := 100):
        e = e + 0.5 * p[i] * p[i]
        left : float
        if i > 0:
            left = q[i - 1]
        e = e + 2.0 * (q[i] - left) * (q[i] - left)
        i = i + 1
    return e
d_chain = rev_diff(chain)

def nest(x : In[float], n : In[int]) -> float:
    s : float
    i : int
    while (i < n, max_iter := 4096):
        j : int
        while (j < n, max_iter := 4096):
            s = s * 0.999 + x
            x = x * 1.0000001
            j = j + 1
        i = i + 1
    return s
d_nest = rev_diff(nest)

def double(a : In[Array[float]], b : Out[Array[float]], n : In[int]):
    for i in range(n):
        b[i] = a[n - 1 - i] * 2
def product(a : In[Array[float]], b : In[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + a[i] * b[i] * b[i]
    return s
d_product = rev_diff(product)
"""


@cache
def built(target: str, float_type: str) -> Any:
    """The structs, the library and the ctypes float."""
    if target not in driver.BACKENDS or target == "c" and find_compiler() is None:
        pytest.skip("no C compiler")
    structs, lib = compile(TEXT, target=target, float_type=float_type)
    return structs, lib, ctypes.c_float if float_type == "f32" else ctypes.c_double


@TARGETS
@BOTH
def test_array_sum(target: str, float_type: str) -> None:
    _, lib, real = built(target, float_type)
    a, g = (real * 1000)(*range(1000)), (real * 1000)()
    n = ctypes.c_int(0)
    assert lib.sum_array(a, 1000) == 499500
    lib.d_sum_array(a, g, 1000, ctypes.byref(n), 2.0)
    assert list(g) == [2.0] * 1000


@TARGETS
@BOTH
def test_ray_tracer(target: str, float_type: str) -> None:
    """The derivative of a 400 x 225 image by radius, centre and light, against finite
    differences.
    """
    structs, lib, real = built(target, float_type)
    w, h = 400, 225

    def image(radius: float, z: float, light: float) -> tuple[Any, float]:
        s = structs["Sphere"](structs["Vec"](0.1, 0, z), radius)
        pixels = (structs["Vec"] * (w * h))()
        lib.raytrace(w, h, s, structs["Vec"](light, 0.6, 0.5), pixels, w * h)
        inside = [p for p in pixels if p.z != 1.0 or p.y != ctypes.c_float(0.7).value]
        return pixels, sum(p.x + p.y + p.z for p in inside)

    pixels, _ = image(0.5, -1.5, 0.4)
    assert abs(pixels[w * (h // 2) + w // 2].x - pixels[w * (h // 2) + w // 2].y * 2) < 1e-6
    sphere, adjoint = structs["Sphere"](structs["Vec"](0.1, 0, -1.5), 0.5), structs["Sphere"]()
    light, d_light = structs["Vec"](0.4, 0.6, 0.5), structs["Vec"]()
    seeds = (structs["Vec"] * (w * h))(*[structs["Vec"](1, 1, 1)] * (w * h))
    dw, dh = ctypes.c_int(7), ctypes.c_int(7)
    lib.d_raytrace(
        w, ctypes.byref(dw), h, ctypes.byref(dh), sphere, adjoint, light, d_light, seeds, w * h
    )
    assert (dw.value, dh.value) == (7, 7)
    if float_type == "f64":
        # The light changes no silhouette, so the sum of all pixels is smooth in it.
        def total(x: float) -> float:
            return sum(p.x + p.y + p.z for p in image(0.5, -1.5, x)[0])

        assert abs(d_light.x - (total(0.4 + 1e-6) - total(0.4 - 1e-6)) / 2e-6) < 1e-3 * abs(
            d_light.x
        )
    assert adjoint.radius != 0 and adjoint.center.z != 0


@TARGETS
@BOTH
def test_gradient_descent(target: str, float_type: str) -> None:
    """Forward and reverse descend to the same minimum."""
    structs, lib, real = built(target, float_type)
    ends = []
    for mode in ("fwd", "rev"):
        x = y = 2.0
        for _ in range(60):
            gx, gy = real(0), real(0)
            if mode == "fwd":
                lib.grad_poly(x, y, gx, gy)
            else:
                lib.rev_poly(x, ctypes.byref(gx), y, ctypes.byref(gy), 1.0)
            x, y = x - 0.2 * gx.value, y - 0.2 * gy.value
        assert abs(gx.value) + abs(gy.value) < 1e-4
        ends.append((x, y))
    assert ends[0] == pytest.approx(ends[1], abs=1e-5)


@TARGETS
@BOTH
def test_newton(target: str, float_type: str) -> None:
    """Written in two calls, the mixed derivative accumulates twice: the course's figures show
    that.
    """
    _, lib, real = built(target, float_type)
    x, y = 2.0, 2.0
    hxx, hxy, hyy = real(0), real(0), real(0)
    lib.hess_poly(x, y, hxx, hxy, hyy)
    mixed = -0.04 * x - 0.08 * y - 0.5
    assert [hxx.value, hxy.value, hyy.value] == pytest.approx(
        [0.3 * x - 0.04 * y + 2.4, 2 * mixed, 0.18 * y - 0.08 * x + 1.2], abs=1e-5
    )
    lib.hess_poly(x, y, hxx, hxy, hyy)
    assert hxy.value == pytest.approx(4 * mixed, abs=1e-5)


@TARGETS
@BOTH
def test_five_dimensional_polynomial(target: str, float_type: str) -> None:
    _, lib, real = built(target, float_type)
    a = (real * 5)(2, 2, 2, 2, 2)
    for _ in range(400):
        g = (real * 5)()
        lib.d_bigger(a, g, 1.0)
        for k in range(5):
            a[k] -= 0.01 * g[k]
    assert list(a) == pytest.approx([1, 0, 0, 0, 0], abs=2e-2)


@TARGETS
@BOTH
def test_pendulum(target: str, float_type: str) -> None:
    """Hamilton's equations by forward mode keep the energy."""
    structs, lib, real = built(target, float_type)
    dual = structs["_dfloat"]
    q, p = 1.0, 0.0
    for _ in range(200):
        p -= 0.01 * lib.d_pendulum(dual(q, 1), dual(p, 0)).dval
        q += 0.01 * lib.d_pendulum(dual(q, 0), dual(p, 1)).dval
    assert abs(p * p / 2 - 9.8 * cos(q) + 9.8 * cos(1.0)) < 0.2
    assert lib.d_pendulum(dual(q, 1), dual(p, 0)).dval == pytest.approx(9.8 * sin(q), abs=1e-4)


@TARGETS
@BOTH
@pytest.mark.parametrize("n", [5, 40])
def test_mass_spring_chain(target: str, float_type: str, n: int) -> None:
    """Hamilton's equations by reverse mode, 5 and 40 nodes."""
    _, lib, real = built(target, float_type)
    q, p, k = (real * n)(*[0.1 * (i % 3) for i in range(n)]), (real * n)(), ctypes.c_int(0)
    start = lib.chain(q, p, n)
    for _ in range(100):
        dq, dp = (real * n)(), (real * n)()
        lib.d_chain(q, dq, p, dp, n, ctypes.byref(k), 1.0)
        for i in range(n):
            p[i] -= 0.01 * dq[i]
        dq, dp = (real * n)(), (real * n)()
        lib.d_chain(q, dq, p, dp, n, ctypes.byref(k), 1.0)
        for i in range(n):
            q[i] += 0.01 * dp[i]
    assert lib.chain(q, p, n) == pytest.approx(start, rel=0.05)


@TARGETS
def test_a_large_nest(target: str) -> None:
    """4096 x 4096 iterations: tapes follow the real trip counts."""
    _, lib, real = built(target, "f64")
    g, k, step = real(0), ctypes.c_int(0), 1e-6
    lib.d_nest(0.5, ctypes.byref(g), 4096, ctypes.byref(k), 1.0)
    slope = (lib.nest(0.5 + step, 4096) - lib.nest(0.5 - step, 4096)) / (2 * step)
    assert g.value == pytest.approx(slope, rel=1e-6)


@TARGETS
@BOTH
def test_in_and_out_are_one_buffer(target: str, float_type: str) -> None:
    """As the loop says, element by element."""
    _, lib, real = built(target, float_type)
    a = (real * 5)(1, 2, 3, 4, 5)
    lib.double(a, a, 5)
    assert list(a) == [10, 8, 6, 16, 20]


@TARGETS
@BOTH
def test_two_adjoints_are_one_buffer(target: str, float_type: str) -> None:
    """They sum."""
    _, lib, real = built(target, float_type)
    a, g, k = (real * 3)(1, 2, 3), (real * 3)(), ctypes.c_int(0)
    lib.d_product(a, g, a, g, 3, ctypes.byref(k), 2.0)
    assert list(g) == [6 * x * x for x in (1, 2, 3)]
