"""Rules that Python programs write: `custom_fwd`, `custom_rev`."""

from __future__ import annotations

import pickle
from typing import Any, TypeVar

import numpy as np
import pytest

import loma
from loma import Array, Diff, In, Out, exp, f32, f64, log, make__dfloat, thread_id


@loma.function
def softplus(x: In[float]) -> float:
    return log(1.0 + exp(x))


@loma.function
def loss(x: In[float], y: In[float]) -> float:
    return softplus(x * y) * y


@loma.kernel
def each(x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = softplus(x[i])


UNRULED = loma.grad(loss)(20.0, 2.0), loma.grad(softplus, wrt="x")(1000.0)


@loma.custom_rev(softplus)
def softplus_rev(x: In[float], dx: Out[float], dy: In[float]):
    dx += dy / (1.0 + exp(-x))


def test_a_rule_is_used_wherever_the_function_is() -> None:
    for _ in range(5):
        assert loma.grad(loss)(20.0, 2.0) == UNRULED[0]
        assert UNRULED[1] == 0.0 and loma.grad(softplus, wrt="x")(1000.0) == 1.0
        assert loma.jvp(softplus, (1000.0,), (2.0,))[1] == 2.0
        pulled = loma.vjp(each, np.array([1000.0, 0.0]))[1](np.ones(2))
        assert pulled.x.tolist() == [1.0, 0.5]
        s = 1 / (1 + np.exp(-0.3))
        np.testing.assert_allclose(loma.hessian(softplus)(0.3), [[s * (1 - s)]])
    assert loma.check_rule(softplus).passed
    assert softplus_rev(0.0, 2.0) == 1.0
    assert pickle.loads(pickle.dumps(softplus_rev)) is softplus_rev


def test_the_text_is_a_program() -> None:
    program = loma.load(loss.source, float_type="f64")
    assert "@custom_rev(softplus)" in loss.source
    assert loma.grad(program.loss)(20.0, 2.0) == UNRULED[0]
    assert loma.grad(program.softplus, wrt="x")(1000.0) == 1.0


def test_a_rule_may_come_late_and_come_again() -> None:
    @loma.function
    def cube(x: In[float]) -> float:
        return x * x * x

    @loma.function
    def user(x: In[float]) -> float:
        return cube(x) + x

    gradient = loma.grad(user, wrt="x")
    for _ in range(5):
        assert gradient(2.0) == 13.0

    @loma.custom_fwd(cube)
    def rule(x: In[Diff[float]]) -> Diff[float]:
        return make__dfloat(cube(x.val), 100.0 * x.dval)

    for _ in range(5):
        assert gradient(2.0) == 101.0
        assert loma.jvp(user, (2.0,), (1.0,)) == (10.0, 101.0)

    @loma.custom_fwd(cube)
    def other(x: In[Diff[float]]) -> Diff[float]:
        return make__dfloat(cube(x.val), 200.0 * x.dval)

    assert gradient(2.0) == 201.0


def test_what_cannot_be_a_rule() -> None:
    with pytest.raises(loma.CompileError) as caught:
        @loma.custom_rev(softplus)
        def wrong(x: In[float], dx: Out[float]):
            dx += 1.0
    assert [d.code for d in caught.value.diagnostics] == ["E0611"]
    assert caught.value.diagnostics[0].span.file == __file__
    assert loma.grad(softplus, wrt="x")(1000.0) == 1.0, "the rule before it stays"
    member: Any = loma.load("def q(x : In[float]) -> float:\n    return x\n").q
    with pytest.raises(loma.ArgumentTypeError, match="write `@custom_rev` in the text"):
        loma.custom_rev(member)(softplus_rev)


R = TypeVar("R", f32, f64)


@loma.function
def clipped(x: In[R]) -> R:
    return min(max(x, 0.0), 1.0)


@loma.custom_rev(clipped)
def clipped_rev(x: In[R], dx: Out[R], dy: In[R]):
    dx += dy


@loma.function
def both(x: In[f32], y: In[f64]) -> f64:
    return clipped(x) + 2.0 * clipped(y)


def test_a_rule_of_a_generic_function() -> None:
    assert tuple(loma.grad(both)(3.0, 4.0)) == (1.0, 2.0)
    assert loma.grad(clipped, wrt="x")(np.float32(4.0)) == 1.0
