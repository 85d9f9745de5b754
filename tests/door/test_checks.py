"""What is checked at every call, of derivatives too, and what is copied: always announced."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, thread_id

OFTEN = 5


@loma.function
def matvec(a: In[Array[float, "n", "m"]], x: In[Array[float, "m"]], y: Out[Array[float, "n"]]):
    for i in range(n):
        y[i] = sum(a[i, j] * x[j] for j in range(m))


@loma.function
def energy(x: In[Array[float, "n"]], k: In[Array[float, "n"]]) -> float:
    return sum(k[i] * x[i] * x[i] for i in range(n))


@loma.function
def smooth(u: InOut[Array[float, "n"]], by: In[float]):
    for i in range(1, n):
        u[i] += by * u[i - 1]


@loma.kernel
def scaled(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = a * x[i]


@loma.function
def counted(n: In[Array[int, 3]], x: In[float]) -> float:
    return x * (n[0] + n[1] + n[2])


A, X, K = np.ones((2, 3)), np.ones(3), np.ones(3)
FROZEN = np.ones(3)
FROZEN.flags.writeable = False
Call = Callable[[], Any]

WRONG: dict[str, tuple[Call, type[Exception], str]] = {
    "dtype": (lambda: energy(X, K.astype(int)), TypeError, "`k` must be a 1-D float64 array"),
    "two precisions": (lambda: energy(X, K.astype(np.float32)), TypeError, "mix float32 and"),
    "dimensions": (lambda: matvec(X, X), TypeError, r"`a` must be a float64 array of shape"),
    "size": (lambda: matvec(A, K[:2]), ValueError, "`x` must have length 3, which is `m` by"),
    "size of an output": (lambda: matvec(A, X, np.zeros(3)), ValueError, "`y` must have length 2"),
    "threads": (lambda: scaled(2.0, X, np.zeros(2)), ValueError, "one for each thread, not 2"),
    "overlap": (lambda: scaled(2.0, (b := np.ones(4))[:3], b[1:]), ValueError,
                "`y` is written, and its memory overlaps that of argument `x`"),
    "read-only": (lambda: smooth(FROZEN, 0.5), ValueError, "`u` is written, .* read-only"),
    "layout of an output": (lambda: smooth(np.ones(6)[::2], 0.5), ValueError,
                            "do not lie side by side in memory; pass a contiguous array"),
    "missing": (lambda: energy(X), TypeError, "missing argument `k`"),
    "numbers in a list": (lambda: counted([1, 2, 2**40], 1.0), ValueError, "does not fit"),
    "fractions in a list": (lambda: counted([1, 2, 2.5], 1.0), TypeError, "`n` must be"),
    "gradient: size": (lambda: loma.grad(energy)(X, K[:2]), ValueError, "`k` must have length 3"),
    "gradient: dtype": (lambda: loma.grad(energy)(X, K.astype(int)), TypeError, "`k` must be"),
    "gradient: missing": (lambda: loma.grad(energy)(X), TypeError, "missing argument `k`"),
    "value and gradient: size": (lambda: loma.value_and_grad(energy)(X, K[:2]), ValueError,
                                 "`k` must have length 3"),
    "pullback: size": (lambda: loma.vjp(matvec, A, X)[1](np.ones(3)), ValueError,
                       r"the adjoint of `y` must have the shape \(2,\), not \(3,\)"),
    "pullback of a kernel: size": (lambda: loma.vjp(scaled, 2.0, X)[1](np.ones(4)), ValueError,
                                   r"the adjoint of `y` must have the shape \(3,\)"),
    "pullback: an array for the result": (
        lambda: loma.vjp(energy, X, K)[1](np.ones(3)), TypeError,
        "the adjoint of `result` must be a number of type `float`, not a float64 array"),
    "pullback: a number for an array": (lambda: loma.vjp(matvec, A, X)[1](1.0), TypeError,
                                        "the adjoint of `y` must be a 1-D float64 array"),
    "threads: input": (lambda: scaled[4](2.0, X), ValueError,
                       "`x` must have at least length 4, one for each thread, not 3"),
    "threads: output": (lambda: scaled[3](2.0, X, y=np.zeros(2)), ValueError,
                        "`y` must have at least length 3, one for each thread, not 2"),
    "threads: tangents": (lambda: loma.jvp(scaled[4], (2.0, X), (1.0, X)), ValueError,
                          "`x` must have at least length 4"),
    "pullback: missing": (lambda: loma.vjp(matvec, A, X)[1](), TypeError, "missing adjoint"),
    "pullback: read-only is fine": (lambda: loma.vjp(smooth, FROZEN, 0.5)[1](K[:2]), ValueError,
                                    "must have"),
    "tangent: size": (lambda: loma.jvp(energy, (X, K), (X[:2], K)), ValueError,
                      r"the tangent of `x` must have the shape \(3,\)"),
    "tangent: primal": (lambda: loma.jvp(energy, (X, K[:2]), (X, K)), ValueError, "`k` must have"),
    "tangent: missing": (lambda: loma.jvp(energy, (X, K), (X,)), TypeError, "as many tangents"),
    "jacobian: size": (lambda: loma.jacobian(matvec)(A, K[:2]), ValueError, "`x` must have"),
    "hessian: size": (lambda: loma.hessian(energy)(X, K[:2]), ValueError, "`k` must have"),
    "hvp: size": (lambda: loma.hvp(energy)((X, K[:2]), (X, K)), ValueError, "`k` must have"),
}


def warm() -> None:
    """Calls everything so often that compiled calls take the arguments apart."""
    for _ in range(OFTEN):
        matvec(A, X)
        matvec(A, X, np.zeros(2))
        energy(X, K)
        scaled(2.0, X, np.zeros(3))
        scaled[2](2.0, X)
        scaled[2](2.0, X, y=np.zeros(2))
        loma.vjp(scaled, 2.0, X)[1](X)
        loma.jvp(scaled[2], (2.0, X), (1.0, X))
        counted(np.arange(3, dtype=np.int32), 1.0)
        smooth(np.ones(3), 0.5)
        loma.value_and_grad(energy)(X, K)
        loma.vjp(matvec, A, X)[1](np.ones(2))
        loma.vjp(smooth, X, 0.5)[1](X)
        loma.jvp(energy, (X, K), (X, K))
        loma.hvp(energy)((X, K), (X, K))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name: str) -> None:
    call, kind, message = WRONG[name]
    before = X.copy(), K.copy(), A.copy()
    for _ in range(2):
        with pytest.raises(kind, match=message) as caught:
            call()
        assert isinstance(caught.value, loma.UserError)
        span = caught.value.diagnostics[0].span
        assert span.file == __file__
        assert "lambda" in Path(__file__).read_text().split("\n")[span.line - 1] or span.line
        assert "_d_" not in str(caught.value), "the name of a derivative says nothing to a user"
        warm()
    for x, y in zip(before, (X, K, A)):
        np.testing.assert_array_equal(x, y)


def test_nothing_is_written_before_all_is_checked() -> None:
    u, y = np.ones(3), np.full(2, 7.0)
    for _ in range(OFTEN):
        with pytest.raises(TypeError):
            smooth(u, "half")
        with pytest.raises(ValueError):
            matvec(A, X[:2], y)
    np.testing.assert_array_equal(u, 1)
    np.testing.assert_array_equal(y, 7)


STRIDED = np.ones(6)[::2]
COPIES: dict[str, tuple[Call, str]] = {
    "call": (lambda: energy(STRIDED, K), "`energy`: argument `x` is copied"),
    "two dimensions": (lambda: matvec(np.asfortranarray(np.eye(2, 3)), X), "argument `a` is"),
    "gradient": (lambda: loma.grad(energy)(X, STRIDED), "`energy`: argument `k` is copied"),
    "pullback": (lambda: loma.vjp(matvec, A, X)[1](np.ones(4)[::2]), "is copied"),
    "tangents": (lambda: loma.jvp(energy, (STRIDED, K), (X, K)), "argument `x` is copied"),
    "jacobian": (lambda: loma.jacobian(matvec)(A, STRIDED), "argument `x` is copied"),
    "hessian": (lambda: loma.hessian(energy)(X, STRIDED), "argument `k` is copied"),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_announced(name: str) -> None:
    call, message = COPIES[name]
    for _ in range(2):
        with pytest.warns(loma.CopyWarning, match=message) as caught:
            call()
        copies = [w for w in caught if w.category is loma.CopyWarning]
        assert {w.filename for w in copies} == {__file__}
        assert len({str(w.message) for w in copies}) == 1
        warm()


def test_a_copy_is_announced_once_for_each_place() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(OFTEN):
            energy(STRIDED, K)
        energy(STRIDED, K)
    assert len(caught) == 2
    assert issubclass(loma.CopyWarning, UserWarning)


def test_no_copy_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warm()
