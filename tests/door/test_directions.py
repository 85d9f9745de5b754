"""Jacobians and Hessians: several directions in each pass give what one at a time gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, cos, exp, sin, thread_id
from loma.host import matrices
from loma.host.definitions import Derived
from loma.host.function import Function
from loma.ir.derived import Mode


@loma.function
def mixed(x: In[Array[float, "n"]], a: In[float], b: In[float], k: In[int]) -> float:
    s: float = a
    for i in range(n):
        if i == k:
            s += sin(b * x[i])
        else:
            s += x[i] ** 3 * exp(-s)
    return s * b


@loma.function
def outputs(x: In[Array[float, "n"]], a: In[float], y: Out[Array[float, "n"]]) -> float:
    for i in range(n):
        y[i] = sin(a * x[i]) * x[0]
    return a * a * x[n - 1]


@loma.function
def stepped(u: InOut[Array[float, "n"]], by: In[float]):
    t: int = 0
    while t < 3:
        for i in range(1, n):
            u[i] = by * (u[i] + u[i - 1] * u[i - 1])
        t += 1


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = cos(a * x[i])


@loma.function
def rows(a: In[Array[float, "n", "m"]], y: Out[Array[float, "n"]]):
    for i in range(n):
        for j in range(m):
            y[i] += a[i, j] ** 2


@loma.function
def power(x: In[float], n: In[int]) -> float:
    if n == 0:
        return 1.0
    return x * power(x, n - 1)


@loma.function
def called(x: In[Array[float, 9]]) -> float:
    return sum(power(x[i], i) for i in range(9))


def one_at_a_time(call: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same without passes of several directions."""
    with monkeypatch.context() as m:
        m.setattr(matrices, "WIDTHS", ())
        return call()


def close(a: Any, b: Any) -> None:
    """Fails unless two trees of arrays have the same form and nearly the same numbers."""
    assert type(a) is type(b)
    if isinstance(a, tuple):
        for x, y in zip(a, b, strict=True):
            close(x, y)
    else:
        assert a.dtype == b.dtype and a.shape == b.shape
        tolerance = 1e-5 if a.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 9, 16, 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_any_number_of_inputs(
    size: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.linspace(0.1, 0.9, size, dtype=dtype)
    for call in (
        lambda: loma.hessian(mixed)(x, 0.5, 2.0, 1),
        lambda: loma.jacobian(outputs, wrt=("x", "a"))(x, 0.5),
        lambda: loma.jacobian(stepped)(x, 0.5),
        lambda: loma.jacobian(waves)(2.0, x),
    ):
        close(call(), one_at_a_time(call, monkeypatch))


def test_of_matrices_and_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    a = np.linspace(0.1, 0.9, 12)
    monkeypatch.setattr(matrices, "AT_ONCE", 200)  # in several parts
    for call in (
        lambda: loma.jacobian(rows)(a.reshape(3, 4)),
        lambda: loma.jacobian(stepped, wrt="u")(a, 0.5),
        lambda: loma.hessian(called)(a[:9]),
        lambda: loma.jacobian(waves[5], wrt="x")(2.0, a),
        lambda: loma.jacobian(stepped)(a[:0], 0.5),
    ):
        close(call(), one_at_a_time(call, monkeypatch))


def test_a_pass_evaluates_the_function_once() -> None:
    @loma.function
    def f(x: In[Array[float, "n"]], y: Out[Array[float, "n"]]):
        for i in range(n):
            y[i] = sin(x[i]) * exp(x[0])

    several = Function(Derived(Mode.FORWARD, f.__loma_definition__, 8), f)
    for word in ("sin(", "cos(", "exp(", "for "):
        assert several.source.count(word) == 1
    back = loma.rev_diff(f)
    several = Function(Derived(Mode.FORWARD, back.__loma_definition__, 8), back)
    for word in ("sin(", "cos(", "exp("):
        assert several.source.count(word) == back.source.count(word)


def test_a_function_with_a_rule_takes_one_direction_at_a_time() -> None:
    lib = loma.load("""
def square(x : In[float]) -> float:
    return x * x

@custom_fwd(square)
def d_square(x : In[Diff[float]]) -> Diff[float]:
    return make__dfloat(x.val * x.val, 3.0 * x.val * x.dval)

def f(x : In[Array[float, 8]], y : Out[Array[float, 8]]):
    for i in range(8):
        y[i] = square(x[i])
""", float_type="f64")
    x = np.arange(8.0)
    np.testing.assert_array_equal(loma.jacobian(lib.f)(x).x, np.diag(3 * x))
