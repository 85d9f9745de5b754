"""What is checked in calls with tensors and JAX arrays, and what is copied: always announced."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import loma
from loma import Array, In, Out, thread_id


@loma.function
def matvec(a: In[Array[float, "n", "m"]], x: In[Array[float, "m"]], y: Out[Array[float, "n"]]):
    for i in range(n):
        y[i] = sum(a[i, j] * x[j] for j in range(m))


@loma.kernel
def scaled(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = a * x[i]


@loma.function
def counted(n: In[Array[int, 3]], x: In[float]) -> float:
    return x * (n[0] + n[1] + n[2])


T, M = torch.ones(3), torch.ones(2, 3)
J = jnp.ones(3)
WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "dtype": (lambda: scaled(2.0, T.int()), TypeError, "`x` must be a .* tensor of shape"),
    "two precisions": (lambda: matvec(M, T.double()), TypeError, "mix float32 and float64"),
    "dimensions": (lambda: matvec(T, T), TypeError, "`a` must be a float32 tensor of shape"),
    "size": (lambda: matvec(M, T[:2]), ValueError, "`x` must have length 3, as argument `a` has"),
    "device": (lambda: scaled(2.0, T.to("meta")), TypeError, "`x` must be on the CPU, not on meta"),
    "layout": (lambda: scaled(2.0, T.to_sparse()), TypeError, "`x` must be a dense tensor"),
    "output": (lambda: scaled(2.0, T, T), TypeError, "`y` is written, and a call with tensors"),
    "missing": (lambda: scaled(T), TypeError, "missing argument `x`"),
    "fractions in a list": (lambda: counted([1, 2, 2.5], T[0]), TypeError, "`n` must be an int32"),
    "numbers in a list": (lambda: counted([1, 2, 2**40], T[0]), TypeError, "`n` must be an int32"),
    "JAX: dtype": (lambda: scaled(2.0, J.astype(int)), TypeError, "`x` must be a"),
    "JAX: size": (lambda: matvec(jnp.ones((2, 3)), J[:2]), ValueError, "`x` must have length 3"),
    "JAX: dimensions": (lambda: matvec(J, J), TypeError, "`a` must be a"),
    "JAX: missing": (lambda: matvec(J), TypeError, "missing argument `x`"),
    "JAX: fractions": (lambda: counted([1, 2, 2.5], J[0]), TypeError, "`n` must be an int32"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name: str) -> None:
    call, kind, message = WRONG[name]
    for _ in range(5):
        with pytest.raises(kind, match=message) as caught:
            call()
        assert isinstance(caught.value, loma.UserError)
        assert caught.value.diagnostics[0].span.file == __file__
        scaled(2.0, T)
        matvec(M, T)
        scaled(2.0, J)


def test_an_error_under_a_transform_points_at_the_user() -> None:
    with pytest.raises(TypeError) as caught:
        torch.func.vmap(scaled)(T, torch.ones(3, 3).int())
    assert isinstance(caught.value, loma.UserError)
    assert caught.value.diagnostics[0].span.file == __file__


STRIDED = torch.arange(6.0)[::2]


@pytest.mark.parametrize("call", [
    lambda: scaled(2.0, STRIDED),
    lambda: scaled(2.0, STRIDED.requires_grad_()).sum().backward(),
    lambda: torch.func.grad(lambda x: scaled(2.0, x).sum())(STRIDED),
    lambda: matvec(torch.eye(3, 2).T, torch.ones(3)),
])
def test_a_copy_is_announced(call: Callable[[], Any]) -> None:
    for _ in range(5):
        with pytest.warns(loma.CopyWarning, match="argument `[ax]` is copied") as caught:
            call()
        assert {w.filename for w in caught} == {__file__}


def test_what_autograd_makes_is_not_the_users_copy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            x = torch.ones(3, requires_grad=True)
            scaled(2.0, x).sum().backward()  # the adjoint of a sum is one number, expanded
            torch.func.vmap(scaled, in_dims=(None, 1))(2.0, torch.ones(3, 4))
            np.testing.assert_array_equal(x.grad, 2)
