"""Jacobians and Hessians: many directions in one call of machine code, or one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, NoDiff, Out, exp, sin, thread_id
from loma.host import matrices


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])


@loma.kernel
def moved(x: InOut[Array[float]], v: In[Array[float]]):
    i: int = thread_id()
    x[i] = x[i] * v[i] * v[i]


@loma.function
def product(x: In[Array[float, "n"]], a: In[float], n: In[int]) -> float:
    s: float = a
    for i in range(n):
        s = s * (x[i] + exp(a * x[i]))
    return s


@loma.function
def ragged(x: In[Array[Array[float]]], a: In[float]) -> float:
    return x[0][0] * x[1][1] * a * a


X = np.array([0.3, 0.8, 1.4, 0.5])


def both(monkeypatch: pytest.MonkeyPatch, call: Any) -> tuple[Any, Any]:
    """What a call gives by batches, and one direction after another."""
    found = call()
    with monkeypatch.context() as m:
        m.setattr(matrices.Plain, "of", lambda point: None)
        return found, call()


CALLS = {
    "columns": lambda: loma.jacobian(waves)(0.7, X),
    "rows": lambda: loma.jacobian(product)(X, 0.7, 4),
    "by one": lambda: loma.jacobian(waves, wrt="a")(0.7, X),
    "threads": lambda: loma.jacobian(waves[2], wrt="x")(0.7, X),
    "float32": lambda: loma.jacobian(waves, wrt="x")(0.7, X.astype(np.float32)),
    "InOut": lambda: loma.jacobian(moved)(X.copy(), X + 1),
    "strides": lambda: loma.jacobian(waves, wrt="x")(0.7, X[::-2]),
    "hessian": lambda: loma.hessian(product)(X, 0.7, 4),
    "hessian by a number": lambda: loma.hessian(product, wrt="a")(X, 0.7, 4),
    "empty": lambda: loma.jacobian(waves, wrt="x")(0.7, X[:0]),
}


def leaves(x: Any) -> list[Any]:
    return [y for part in x for y in leaves(part)] if isinstance(x, tuple) else [x]


@pytest.mark.filterwarnings("ignore::loma.CopyWarning")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_batches_of_directions_are_single_ones(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for a, b in zip(*map(leaves, both(monkeypatch, call))):
        assert np.shape(a) == np.shape(b) and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6 if a.dtype == np.float32 else 1e-14)


def test_large_matrices_take_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = loma.hessian(product)(X, 0.7, 4)
    monkeypatch.setattr(matrices, "AT_ONCE", 15)
    for a, b in zip(leaves(whole), leaves(loma.hessian(product)(X, 0.7, 4))):
        np.testing.assert_array_equal(a, b)


def test_arguments_that_are_no_buffers_take_one_call_for_each_direction() -> None:
    x = [np.array([2.0]), np.array([1.0, 3.0])]
    assert loma.jacobian(ragged, wrt="a")(x, 0.5) == 6.0
    assert loma.hessian(ragged, wrt="a")(x, 0.5) == 12.0


@loma.function
def weighed(x: In[Array[float, "n"]], w: In[NoDiff[Array[float, "n"]]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = s + w[i] * x[i] * x[i] * x[i]
    return s


def test_arguments_without_derivatives_have_none() -> None:
    w = np.array([1.0, 2.0, 0.5, 3.0])
    g = loma.grad(weighed)(X, w, 4)
    assert g._fields == ("x",)
    np.testing.assert_allclose(g.x, 3 * w * X * X)
    np.testing.assert_allclose(loma.jvp(weighed, (X, w, 4), (X, None, None))[1], 3 * sum(w * X**3))
    np.testing.assert_allclose(loma.jacobian(weighed, wrt="x")(X, w, 4), g.x)
    np.testing.assert_allclose(loma.hessian(weighed, wrt="x")(X, w, 4), np.diag(6 * w * X))
    np.testing.assert_allclose(
        loma.hvp(weighed)((X, w, 4), (X, None, None)).x, 6 * w * X * X)
    with pytest.raises(loma.ArgumentTypeError, match="`w`, which has no float part"):
        loma.grad(weighed, wrt="w")(X, w, 4)
