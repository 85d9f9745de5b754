"""Transforms against finite differences, each other, and known derivatives."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import optimize

import loma
from loma import (
    Array,
    In,
    InOut,
    NoDiff,
    Out,
    atomic_add,
    cos,
    exp,
    f64,
    fwd_diff,
    log,
    rev_diff,
    sin,
    sqrt,
    thread_id,
)

RNG = np.random.default_rng(1)


@dataclasses.dataclass
class Pair:
    x: float
    y: float


@loma.function
def wave(a: In[float], x: In[float]) -> float:
    return sin(a * x)


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = wave(a, x[i])


@loma.function
def rosenbrock(x: In[Array[float, "n"]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n - 1):
        u: float = x[i + 1] - x[i] * x[i]
        v: float = 1.0 - x[i]
        s = s + 100.0 * u * u + v * v
    return s


@loma.function
def by_out(x: In[float], y: Out[float]):
    y = exp(x) * x


@loma.function
def branching(x: In[float], n: In[int]) -> float:
    y: float = x
    i: int = 0
    while i < n:
        if y > 1.0:
            y = log(y)
        else:
            y = y * y + 0.5
        i = i + 1
    return y


@loma.function
def of_pair(p: In[Pair], k: In[int]) -> float:
    return sqrt(p.x * p.x + k * p.y)


@loma.function
def pair_of(x: In[float]) -> Pair:
    p: Pair
    p.x = x * x
    p.y = cos(x)
    return p


@loma.kernel
def total(x: In[Array[float]], s: Out[float]):
    atomic_add(s, x[thread_id()] * x[thread_id()])


@loma.function
def scaled(a: In[float], x: InOut[Array[float, 3]]) -> float:
    for i in range(3):
        x[i] = a * x[i]
    return x[0] * x[1]


@loma.function
def rows(m: In[Array[Array[float]]], n: In[int]) -> float:
    s: float = 1.0
    for i in range(n):
        s = s * (m[i][0] + m[i][1] * m[i][1])
    return s


def slope(f: Any, x: np.ndarray[Any, Any], step: float = 1e-6) -> np.ndarray[Any, Any]:
    """The gradient of a function of an array by central differences."""
    found = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[at] = step
        found[at] = (f(x + d) - f(x - d)) / (2 * step)
    return found


def test_grad_names_its_members() -> None:
    g = loma.grad(wave)(2.0, 0.5)
    np.testing.assert_allclose([g.a, g.x], [0.5 * np.cos(1), 2 * np.cos(1)], rtol=1e-15)
    assert g._fields == ("a", "x")
    assert loma.grad(wave, wrt=("x",))(2.0, 0.5)._fields == ("x",)
    assert loma.grad(wave, wrt="x")(2.0, 0.5) == g.x
    assert loma.grad(branching)(0.3, 4)._fields == ("x",)
    np.testing.assert_allclose(np.asarray(g), [g.a, g.x])


def test_value_and_grad() -> None:
    v, g = loma.value_and_grad(wave)(a=2.0, x=0.5)
    assert v == wave(2.0, 0.5) and g == loma.grad(wave)(2.0, 0.5)
    v, g = loma.value_and_grad(by_out)(0.7)
    np.testing.assert_allclose([v, g.x], [0.7 * np.exp(0.7), 1.7 * np.exp(0.7)])


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("x", [0.3, 1.7])
def test_branches_and_loops(x: float, n: int) -> None:
    expected = slope(lambda v: branching(float(v[0]), n), np.array([x]))[0]
    np.testing.assert_allclose(loma.grad(branching)(x, n).x, expected, rtol=1e-6)
    np.testing.assert_allclose(loma.jvp(branching, (x, n), (1.0, None))[1], expected, rtol=1e-6)


def test_arrays() -> None:
    x = RNG.normal(size=5)
    expected = slope(lambda v: rosenbrock(v, 5), x)
    np.testing.assert_allclose(loma.grad(rosenbrock)(x, 5).x, expected, rtol=1e-6, atol=1e-5)


def test_gradients_keep_the_form_of_the_input() -> None:
    m = RNG.normal(size=(3, 2))
    g = loma.grad(rows, wrt="m")(m, 3)
    np.testing.assert_allclose(g, slope(lambda v: rows(v, 3), m), rtol=1e-6)
    listed = loma.grad(rows, wrt="m")([*m], 3)
    assert isinstance(listed, list)
    np.testing.assert_allclose(listed, g)
    assert isinstance(loma.grad(of_pair)(Pair(1.0, 2.0), 3).p, Pair)
    found = loma.grad(of_pair)({"x": 3.0, "y": 4.0}, 4).p
    np.testing.assert_allclose([found.x, found.y], [0.6, 0.4])


def test_inputs_are_not_written() -> None:
    x = np.ones(3)
    assert scaled(2.0, x) == 4 and x[0] == 2
    x[:] = 1
    v, g = loma.value_and_grad(scaled)(2.0, x)
    np.testing.assert_array_equal(x, 1)
    assert v == 4 and g.a == 4
    np.testing.assert_array_equal(g.x, [4, 4, 0])


def test_jvp_and_vjp_of_a_kernel() -> None:
    x, dx, w = RNG.normal(size=(3, 6))
    y, ydot = loma.jvp(waves, (2.0, x), (0.5, dx))
    np.testing.assert_allclose(y, np.sin(2 * x))
    np.testing.assert_allclose(ydot, np.cos(2 * x) * (0.5 * x + 2 * dx))
    y, pullback = loma.vjp(waves, 2.0, x)
    before = pullback(w)
    np.testing.assert_allclose(before.a * 0.5 + before.x @ dx, ydot @ w)
    x[:] = 0
    after = pullback(y=w)
    assert after.a == before.a
    np.testing.assert_array_equal(after.x, before.x)
    with pytest.raises(loma.ArgumentTypeError, match="missing adjoints of `y`"):
        pullback()


def test_kernels_with_a_number_of_threads() -> None:
    x = RNG.normal(size=6)
    y, pullback = loma.vjp(waves[3], 2.0, x)
    np.testing.assert_allclose(y, np.sin(2 * x[:3]))
    np.testing.assert_allclose(pullback(np.ones(3)).x[3:], 0)


def test_structs_as_outputs() -> None:
    y, ydot = loma.jvp(pair_of, (0.7,), (1.0,))
    assert y == pair_of(0.7)
    np.testing.assert_allclose([ydot.x, ydot.y], [1.4, -np.sin(0.7)])
    y, pullback = loma.vjp(pair_of, 0.7)
    np.testing.assert_allclose(pullback(Pair(1.0, 2.0)).x, 1.4 - 2 * np.sin(0.7))
    with pytest.raises(loma.ArgumentTypeError, match="holds structs"):
        loma.jacobian(pair_of)(0.7)


def test_jacobians_by_columns_and_by_rows() -> None:
    x = RNG.normal(size=4)
    j = loma.jacobian(waves, wrt="x")(2.0, x)
    np.testing.assert_allclose(j, np.diag(2 * np.cos(2 * x)), atol=1e-15)
    both = loma.jacobian(waves)(2.0, x)
    np.testing.assert_allclose(both.a, x * np.cos(2 * x))
    np.testing.assert_allclose(both.x, j)
    row = loma.jacobian(rosenbrock, wrt="x")(x, 4)
    np.testing.assert_allclose(row, loma.grad(rosenbrock, wrt="x")(x, 4))
    np.testing.assert_allclose(loma.jacobian(total, wrt="x")(x), 2 * x)


def test_hessians() -> None:
    h = loma.hessian(wave)(2.0, 0.5)
    s, c = np.sin(1), np.cos(1)
    np.testing.assert_allclose(h, [[-0.25 * s, c - s], [c - s, -4 * s]])
    x = RNG.normal(size=4)
    h = loma.hessian(rosenbrock, wrt="x")(x, 4)
    np.testing.assert_allclose(h, optimize.rosen_hess(x), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(loma.hessian(rosenbrock)(x, 4).x.x, h)
    v = RNG.normal(size=4)
    np.testing.assert_allclose(loma.hvp(rosenbrock)((x, 4), (v, None)).x, h @ v, rtol=1e-12)
    np.testing.assert_allclose(
        loma.hvp(rosenbrock, wrt="x")({"x": x, "n": 4}, {"x": v}), h @ v, rtol=1e-12)
    m = RNG.normal(size=(2, 2))
    np.testing.assert_allclose(
        loma.hessian(rows, wrt="m")(m, 2).reshape(4, 4),
        loma.hessian(rows, wrt="m")(m, 2).reshape(4, 4).T)
    np.testing.assert_allclose(loma.hessian(by_out)(0.7), [[2.7 * np.exp(0.7)]])


def test_transforms_of_transforms() -> None:
    x, seed = 0.5, 1.0
    second = loma.jvp(rev_diff(wave), (2.0, x, seed), (0.0, 1.0, 0.0))[1]
    np.testing.assert_allclose(second.adj_x, -4 * np.sin(1))
    forward = fwd_diff(fwd_diff(wave))
    one = {"val": {"val": 2.0, "dval": 0.0}, "dval": {"val": 0.0, "dval": 0.0}}
    two = {"val": {"val": x, "dval": 1.0}, "dval": {"val": 1.0, "dval": 0.0}}
    np.testing.assert_allclose(forward(one, two).dval.dval, -4 * np.sin(1))
    over = rev_diff(fwd_diff(wave))((2.0, 0.0), (x, 1.0), (0.0, 1.0))
    np.testing.assert_allclose(over.adj_x.val, -4 * np.sin(1))


@loma.function
def quartic(x: In[float], scale: In[NoDiff[f64]]) -> float:
    return scale * x ** 4


@loma.function
def chained(x: In[Array[float, "n"]], k: In[float], n: In[int]) -> float:
    return sum(k * x[i] * x[i] * x[i + 1] for i in range(n - 1))


@loma.function
def cubes(m: In[Array[float, "r", "c"]], x: In[Array[float]], n: In[int], s: Out[float]):
    s = m[0, 1] ** 3 + sum(x[i] ** 3 for i in range(n))


@loma.function
def squaring(x: InOut[Array[float, "n"]], by: InOut[float], other: Out[Array[float, "n"]]) -> float:
    s: float = 0.0
    for i in range(n):
        x[i] = x[i] * x[i] * by
        s += x[i] * x[i]
    by = 0.0
    return s


@loma.function
def of_pairs(p: In[Pair], ps: In[Array[Pair, 2]]) -> float:
    return p.x ** 3 * p.y + ps[1].x ** 2 * p.x


def test_gradients_of_gradients() -> None:
    grad = loma.grad
    g = grad(quartic)
    for n, expected in enumerate((32.0, 48.0, 48.0, 24.0)):
        assert g(2.0, 1.0).x == expected, n
        assert isinstance(g(np.float32(2.0), 1.0).x, np.float32)
        g = grad(g)
    assert grad(grad(wave, wrt="x"), wrt="a")(2.0, 0.5) == loma.hessian(wave)(2.0, 0.5)[0, 1]
    h, of_second = loma.hessian(grad(wave, wrt="x")), loma.jacobian(grad(grad(wave, "x"), "x"))
    np.testing.assert_allclose(h(2.0, 0.5)[1, 1], of_second(2.0, 0.5).x)
    v, by = loma.value_and_grad(grad(quartic))(2.0, 1.0)
    assert (v, by.x) == (32.0, 48.0)


def test_all_transforms_of_gradients() -> None:
    x, grad = np.array([1.0, 2.0, 3.0]), loma.grad
    hessian = loma.hessian(chained, wrt="x")(x, 2.0, 3)
    of_x = grad(chained, wrt="x")
    np.testing.assert_allclose(loma.jacobian(of_x, wrt="x")(x, 2.0, 3), hessian)
    np.testing.assert_allclose(loma.jvp(of_x, (x, 2.0, 3), (x, None, None))[1], hessian @ x)
    np.testing.assert_allclose(loma.vjp(of_x, x, 2.0, 3)[1](x).x, hessian @ x)
    both = loma.jvp(grad(chained), (x, 2.0, 3), (x, 0.0, None))[1]
    np.testing.assert_allclose(both.grad_x, hessian @ x)
    m = RNG.normal(size=(2, 2))
    by_m = loma.jacobian(grad(cubes, wrt="m"), wrt="m")(m, x, 3)
    np.testing.assert_allclose(by_m, loma.hessian(cubes, wrt="m")(m, x, 3))
    np.testing.assert_allclose(
        loma.jacobian(grad(cubes, wrt="x"), wrt="x")(m, x, 3), np.diag(6 * x))
    np.testing.assert_allclose(
        loma.jacobian(grad(squaring, wrt="x"), wrt="x")(x, 1.0), np.diag(12 * x * x))
    np.testing.assert_array_equal(x, [1.0, 2.0, 3.0])
    p, ps = Pair(2.0, 3.0), [Pair(0.0, 0.0), Pair(5.0, 0.0)]
    found = loma.vjp(grad(of_pairs, wrt="p"), p, ps)[1](Pair(1.0, 0.0))
    np.testing.assert_allclose([found.p.x, found.p.y], [36.0, 12.0])


def test_what_is_differentiated_once() -> None:
    with pytest.raises(loma.ArgumentTypeError, match="`grad_wave` has no single number .*grad_a"):
        loma.grad(loma.grad(wave))(1.0, 2.0)
    with pytest.raises(TypeError, match="`hvp_wave` gives no outputs of a function"):
        loma.jacobian(loma.hvp(wave))
    with pytest.raises(loma.ArgumentTypeError, match="`m` is an array without sizes"):
        loma.grad(loma.grad(rows))


def test_in_single_precision() -> None:
    x = np.linspace(0, 1, 4, dtype=np.float32)
    assert loma.jacobian(waves, wrt="x")(2.0, x).dtype == np.float32
    assert loma.vjp(waves, 2.0, x)[1](np.ones(4, np.float32)).x.dtype == np.float32
    assert loma.jvp(waves, (2.0, x), (0.0, x))[1].dtype == np.float32


def test_gradients_accumulate_into_what_is_passed() -> None:
    x, into = np.arange(3.0), np.full(3, 10.0)
    fresh = rev_diff(waves)(2.0, x, np.ones(3)).adj_x
    rev_diff(waves)(2.0, x, np.ones(3), adj_x=into)
    np.testing.assert_allclose(into, 10 + fresh)


def test_scipy_takes_value_and_grad() -> None:
    found = optimize.minimize(
        loma.value_and_grad(rosenbrock), np.zeros(5), args=(5,), jac=True, method="BFGS")
    np.testing.assert_allclose(found.x, 1, atol=1e-4)
    found = optimize.minimize(
        rosenbrock, np.zeros(5), args=(5,), jac=loma.grad(rosenbrock),
        hess=loma.hessian(rosenbrock, wrt="x"), method="trust-exact")
    np.testing.assert_allclose(found.x, 1, atol=1e-4)
