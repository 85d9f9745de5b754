"""Jacobians and Hessians are differentiated again, as functions of the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, NoDiff, Out, f32, f64, int2float, sin, thread_id

X = np.array([1.0, 2.0, 3.0])
M = np.arange(1.0, 7.0).reshape(2, 3)
T = np.array([1.0, 2.0])


@loma.function
def wave(a: In[float], x: In[float]) -> float:
    return sin(a * x) + a ** 3 * x ** 2


@loma.function
def chained(x: In[Array[float, "n"]]) -> float:
    return sum(x[i] ** 3 * x[i + 1] ** 2 for i in range(n - 1))


@loma.function
def ring(x: In[Array[float, "n"]], k: In[float], y: Out[Array[float, "n"]]):
    for i in range(n):
        y[i] = k * x[i] ** 3 * x[(i + 1) % n]


@loma.function
def last(x: In[Array[float]], n: In[int], k: In[float]) -> float:
    return k * x[n - 1] ** 3


@loma.function
def explicit(x: In[f32], y: In[Array[f64, 2]]) -> f64:
    return x * x * x * y[1]


@loma.function
def changing(
    m: In[Array[float, "r", 3]], c: InOut[int], t: InOut[Array[float, "r"]], e: In[NoDiff[f64]],
    z: Out[float], counts: Out[Array[int, "r"]],
):
    s: float = 0.0
    for i in range(r):
        c += 1
        counts[i] = c
        t[i] = t[i] ** 2 * m[i, c % 3]
        for j in range(3):
            s += m[i, j] ** 3 * t[i] * int2float(counts[i])
    z = s * s * e


@loma.kernel
def waves(x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(x[i])


class Pair:
    x: float
    y: float


@loma.function
def pair(t: In[float]) -> Pair:
    return Pair(t, t * t)


@loma.function
def both(x: In[Array[float, "n"]], y: Out[Array[float, "n"]]) -> float:
    y[0] = x[0]
    return x[0]


def slopes(f: Callable[[Any], Any], x: Any, h: float = 1e-5) -> Any:
    """Central differences by each element of an array; the last dimensions are its own."""
    found = []
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = h
        found.append((np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * h))
    whole = np.stack(found, -1)
    return whole.reshape((*whole.shape[:-1], *x.shape))


def test_the_jacobian_of_a_jacobian() -> None:
    inner = loma.jacobian(ring, wrt="x")
    twice = loma.jacobian(inner, wrt="x")(X, 2.0)
    np.testing.assert_allclose(twice, slopes(lambda x: inner(x, 2.0), X), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(twice, twice.transpose(0, 2, 1))
    np.testing.assert_allclose(loma.jacobian(inner, wrt="k")(X, 2.0), inner(X, 1.0))
    np.testing.assert_allclose(loma.jvp(inner, (X, 2.0), (X, 0.0))[1], twice @ X)
    np.testing.assert_allclose(
        loma.vjp(inner, X, 2.0)[1](np.eye(3)).x, np.einsum("iij->j", twice))
    third = loma.jacobian(loma.jacobian(inner, wrt="x"), wrt="k")(X, 2.0)
    np.testing.assert_allclose(third, twice / 2)


def test_all_blocks_are_outputs() -> None:
    found = loma.jacobian(loma.jacobian(ring))(X, 2.0)
    np.testing.assert_allclose(found.jacobian_y_x.k, found.jacobian_y_k.x)
    np.testing.assert_array_equal(found.jacobian_y_k.k, np.zeros(3))


def test_third_derivatives_from_hessians() -> None:
    third = loma.jacobian(loma.hessian(chained, wrt="x"), wrt="x")(X)
    np.testing.assert_allclose(
        third, slopes(loma.hessian(chained, wrt="x"), X), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(third, third.transpose(2, 0, 1))
    of_grad = loma.jacobian(loma.jacobian(loma.grad(chained, wrt="x"), wrt="x"), wrt="x")
    np.testing.assert_array_equal(of_grad(X), third)
    second = loma.grad(loma.grad(wave, wrt="x"), wrt="x")
    by_hessian = loma.grad(loma.hessian(wave, wrt="x"))(2.0, 0.5)
    np.testing.assert_allclose(by_hessian, loma.grad(
        loma.grad(loma.grad(wave, wrt="x"), wrt="x"))(2.0, 0.5))
    assert loma.grad(loma.jacobian(wave, wrt="x"), wrt="x")(2.0, 0.5) == second(2.0, 0.5)


def test_what_is_changed_begins_anew_in_each_direction() -> None:
    t = T.copy()
    found = loma.jacobian(loma.jacobian(changing, wrt="m"), wrt="t")(M, 1, t, 2.0)
    inner = loma.jacobian(changing, wrt="m")
    for one, name in ((found.jacobian_t_m, "t"), (found.jacobian_z_m, "z")):
        expected = slopes(lambda t, name=name: getattr(inner(M, 1, t, 2.0), name), T)
        np.testing.assert_allclose(one, expected, rtol=1e-7, atol=1e-6)
    np.testing.assert_array_equal(t, T)


def test_types_and_sizes() -> None:
    inner = loma.jacobian(ring, wrt="x")
    assert loma.jacobian(inner, wrt="x")(X.astype(np.float32), 2.0).dtype == np.float32
    assert loma.jacobian(loma.jacobian(explicit, "x"), "x")(np.float32(2.0), np.ones(2)) == 12.0
    assert loma.grad(loma.jacobian(last, wrt="k"))(X, 2, 3.0).x.tolist() == [0.0, 12.0, 0.0]


@loma.function
def named(jacobian: In[float], x: In[float]) -> float:
    return jacobian * x ** 2


def test_arguments_may_be_called_as_transforms() -> None:
    assert loma.grad(loma.jacobian(named, wrt="x"))(3.0, 2.0).x == 6.0
    assert named.map(np.full(2, 3.0), np.full(2, 2.0)).tolist() == [12.0, 12.0]
    assert loma.grad(loma.jacobian(named, wrt="jacobian"))(3.0, 2.0).x == 4.0


def test_what_has_no_second_derivative_by_matrices() -> None:
    with pytest.raises(TypeError, match="of the kernel `waves` cannot be differentiated again"):
        loma.jacobian(loma.jacobian(waves))
    with pytest.raises(loma.ArgumentTypeError, match="`pair`: .* since its result holds structs"):
        loma.jacobian(loma.jacobian(pair))
    with pytest.raises(loma.ArgumentTypeError, match="`both`: .* is returned, and `y` is written"):
        loma.jacobian(loma.jacobian(both))
