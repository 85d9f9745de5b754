"""The Python door on OpenCL: decorated kernels, their derivatives, texts."""

from __future__ import annotations

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, sin, thread_id


class Ball:
    height: float
    speed: float


@loma.kernel(target="opencl")
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = a * sin(x[i])


@loma.kernel(target="opencl")
def fall(ball: In[Ball], drag: In[Array[float]], total: InOut[float], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = ball.height - ball.speed * drag[i]
    loma.atomic_add(total, drag[i])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_and_their_derivatives(dtype: type) -> None:
    x = np.linspace(0, 1, 100, dtype=dtype)
    y = waves(2.0, x)
    assert y.dtype == dtype and np.allclose(y, 2 * np.sin(x))
    out = np.zeros_like(x)
    waves[50](2.0, x, out)
    assert np.allclose(out[:50], y[:50]) and not out[50:].any()
    value, pull = loma.vjp(waves, 2.0, x)
    back = pull(np.ones_like(x))
    assert np.allclose(value, y) and np.allclose(back.x, 2 * np.cos(x))
    assert np.isclose(back.a, np.sin(x).sum(), rtol=1e-5)
    _, dot = loma.jvp(waves, (2.0, x), (1.0, np.ones_like(x)))
    assert np.allclose(dot, np.sin(x) + 2 * np.cos(x), rtol=1e-5)


def test_structs_and_numbers() -> None:
    drag = np.linspace(0, 1, 64)
    total, y = fall({"height": 3.0, "speed": 2.0}, drag, 1.0)
    assert np.allclose(y, 3 - 2 * drag) and np.isclose(total, 1 + drag.sum())
    _, pull = loma.vjp(fall, {"height": 3.0, "speed": 2.0}, drag, 1.0)
    back = pull(0.0, np.ones(64))
    assert np.isclose(back.ball.speed, -drag.sum()) and np.isclose(back.ball.height, 64)


def test_texts() -> None:
    lib = loma.load(
        "@simd\ndef k(x : In[Array[float]], y : Out[Array[float]]):\n"
        "    y[thread_id()] = x[thread_id()] * x[thread_id()]\n\n"
        "def f(x : In[float]) -> float:\n    return x\n", target="opencl")
    x = np.arange(5, dtype="f4")
    assert (lib.k(x) == x * x).all()
    assert (loma.rev_diff(lib.k)(x, np.ones(5, "f4")) == 2 * x).all()
    with pytest.raises(loma.ArgumentTypeError, match="`f` is no kernel"):
        lib.f(1.0)


def test_a_target_that_is_none() -> None:
    with pytest.raises(ValueError, match="unknown target 'abacus': a kernel runs on cuda, opencl"):
        loma.kernel(target="abacus")
