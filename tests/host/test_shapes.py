# ruff: noqa: F821, UP037 - sizes are named in annotations
"""Arrays of several dimensions and named sizes at the Python door."""

from __future__ import annotations

import numpy as np
import pytest

import loma
from loma import Array, In, Out, thread_id
from loma.host.refusals import ArgumentTypeError, ArgumentValueError

A = np.arange(6.0).reshape(2, 3)
X = np.array([1.0, 2.0, 3.0])


@loma.function
def matvec(a: In[Array[float, "n", "m"]], x: In[Array[float, "m"]], y: Out[Array[float, "n"]]):
    for i in range(n):
        y[i] = 0.0
        for j in range(m):
            y[i] += a[i, j] * x[j]


@loma.function
def energy(a: In[Array[float, "n", "m"]], p: In[Array[float, "n", 3]]) -> float:
    total = 0.0
    for i in range(n):
        r = a[i]
        for j in range(len(r)):
            total += r[j] * r[j] * p[i, j % 3]
    return total


@loma.function
def outer(x: In[Array[float, "n"]], z: In[Array[float, "m"]], y: Out[Array[float, "n", "m"]]):
    for i in range(n):
        for j in range(m):
            y[i, j] = x[i] * z[j]


@loma.function
def last(x: In[Array[float, "size"]], k: In[int]) -> float:
    return x[size - k]


@loma.function
def told(n: In[int], x: In[Array[float, "n"]]) -> float:
    return x[n - 1]


@loma.function
def lonely(x: In[float], y: Out[Array[float, "q"]]):
    for i in range(q):
        y[i] = x


@loma.kernel
def rows(a: In[Array[float, "n", "m"]], y: Out[Array[float, "n"]]):
    i: int = thread_id()
    y[i] = sum(a[i, j] for j in range(m))


def test_outputs_are_made_with_the_sizes_that_the_inputs_tell() -> None:
    for _ in range(20):
        assert np.array_equal(matvec(A, X), A @ X)
        assert np.array_equal(outer(X, A[0]), np.outer(X, A[0]))
    assert np.array_equal(rows(A), A.sum(1))
    assert outer(X, A[0]).shape == (3, 3)
    assert np.array_equal(lonely(x=2.0, y=(y := np.zeros(3))) or y, [2.0, 2.0, 2.0])


def test_any_layout_and_lists() -> None:
    p = np.ones((2, 3))
    assert energy(A, p) == 55.0 == energy(A.tolist(), p.tolist())
    assert energy(A.astype(np.float32), p.astype(np.float32)) == 55.0
    with pytest.warns(loma.CopyWarning):
        assert energy(np.asfortranarray(A), p) == 55.0


def test_transforms() -> None:
    p = np.ones((2, 3))
    g = loma.grad(energy)(A, p)
    assert np.array_equal(g.a, 2 * A) and np.array_equal(g.p, A * A)
    y, tangent = loma.jvp(matvec, (A, X), (p, X))
    assert np.array_equal(y, A @ X) and np.array_equal(tangent, p @ X + A @ X)
    pulled = loma.vjp(outer, X, A[0])[1](np.ones((3, 3)))
    assert np.array_equal(pulled.x, [3.0] * 3) and np.array_equal(pulled.z, [6.0] * 3)
    assert np.array_equal(loma.jacobian(matvec, wrt="x")(A, X), A)
    assert loma.jacobian(matvec, wrt="a")(A, X).shape == (2, 2, 3)
    assert np.array_equal(loma.hvp(energy)((A, p), (p, 0 * p)).p, 2 * A)
    assert np.array_equal(loma.vjp(rows, A)[1](np.array([1.0, 2.0])).a, [[1.0] * 3, [2.0] * 3])


def test_repeated_calls_of_one_dimension() -> None:
    for n in range(2, 40):
        x = np.arange(float(n))
        assert last(x, 1) == n - 1 and told(n, x) == n - 1


def test_a_shape_that_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(ArgumentValueError, match="`x` must have length 3, which is `m` by .* `a`"):
        matvec(A, X[:2])
    with pytest.raises(ArgumentTypeError, match=r"`a` must be a float64 array of shape \(n, m\)"):
        matvec(X, X)
    with pytest.raises(ArgumentValueError, match=r"`p` must be a float64 array of shape \(n, 3\)"):
        energy(A, np.ones((2, 2)))
    with pytest.raises(ArgumentValueError, match="`y` must have length 2"):
        matvec(A, X, y=np.zeros(3))
    with pytest.raises(ArgumentValueError, match="`x` must have length 4, which is `n`"):
        told(4, X)
    with pytest.raises(ArgumentTypeError, match="no argument `n`"):
        matvec(A, X, n=3)
    with pytest.raises(ArgumentTypeError, match="pass an array to write to"):
        lonely(2.0)


def test_a_head_shows_sizes() -> None:
    assert 'a: In[Array[float, "n", "m"]], x: In[Array[float, "m"]]' in repr(matvec)
