"""Gradients that are zero everywhere: who is told, of what, and who is not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import loma
from loma import driver
from loma.frontend import load
from loma.host.course import compile

CAUSES = {
    "it becomes an integer": "    n : int = float2int(x)\n    return y * n\n",
    "it is only compared": "    if x > 1.0:\n        return y\n    return 2.0 * y\n",
    "it passes through `stop_gradient`": "    return stop_gradient(x) * y\n",
    "`floor` has the derivative zero": "    return floor(x) * y\n",
    "it is not used": "    return y\n",
    "no output depends on it": "    t : float = x * x\n    print(t)\n    return y\n",
}
HEAD = "def f(x : In[float], y : In[float]) -> float:\n"


def found(source: str) -> dict[str, str]:
    """The causes of all zero gradients of `f`."""
    program = load(source)
    return {n: d.label for n, d in driver.zero_gradients(program, "f").items()}


@pytest.mark.parametrize("cause", list(CAUSES))
def test_each_cause_is_told(cause: str) -> None:
    assert found(HEAD + CAUSES[cause]) == {"x": cause}


@pytest.mark.parametrize("source", [
    HEAD + "    return x * y\n",
    HEAD + "    return x * 0.0 + y\n",
    "def f(_x : In[float], y : In[float]) -> float:\n    return y\n",
    "def f(x : In[NoDiff[float]], y : In[float]) -> float:\n    return y * x\n",
    "def f(x : In[float], n : In[int], y : Out[Array[float]]):\n    y[n] = x\n",
    "def f(x : InOut[Array[float]], n : In[int]):\n    x[n] = 1.0\n",
    "def g(x : In[float], n : In[int], y : Out[float]):\n    t : float\n    if n > 0:\n"
    "        g(x * x, n - 1, t)\n        y = t * x\n"
    "def f(x : In[float]) -> float:\n    y : float\n    g(x, 3, y)\n    return y\n",
    "def f(x : In[float]) -> float:\n    return floor(x)\n@custom_rev(f)\n"
    "def r(x : In[float], adj_x : Out[float], s : In[float]):\n    adj_x += s\n",
    "@simd\ndef f(x : In[Array[float]], y : Out[Array[float]]):\n"
    "    y[thread_id()] = x[thread_id()]\n",
])
def test_no_false_alarm(source: str) -> None:
    assert found(source) == {}


def test_through_calls_and_memory() -> None:
    source = (
        "class V:\n    x : float\n"
        "def g(v : In[V]) -> int:\n    return float2int(v.x)\n"
        "def f(x : In[float], a : In[Array[float]], y : In[float]) -> float:\n"
        "    v : V\n    v.x = x\n    return g(v) * y * round(a[0])\n")
    assert found(source) == {
        "x": "it becomes an integer", "a": "`round` has the derivative zero"}


def loaded(tmp_path: Path, source: str) -> loma.Function:
    file = tmp_path / "program.loma"
    file.write_text(source)
    return loma.load(file).f  # type: ignore[no-any-return]


def test_grad_warns_once_at_the_call(tmp_path: Path) -> None:
    f = loaded(tmp_path, HEAD + CAUSES["it is not used"])
    with pytest.warns(loma.LomaWarning, match="`x` is zero everywhere: it is not used") as caught:
        loma.grad(f)(1.0, 2.0)
    assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loma.grad(f)(1.0, 2.0)
        loma.value_and_grad(f)(3.0, 2.0)


def test_only_what_is_asked_for(tmp_path: Path) -> None:
    f = loaded(tmp_path, HEAD + CAUSES["it is not used"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loma.grad(f, wrt="y")(1.0, 2.0)
        loma.jacobian(f, wrt="y")(1.0, 2.0)
    with pytest.warns(loma.LomaWarning):
        loma.jacobian(f)(1.0, 2.0)


def test_a_zero_that_is_not_everywhere_is_silent(tmp_path: Path) -> None:
    f = loaded(tmp_path, HEAD + "    return x * x * y\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loma.grad(f)(0.0, 2.0).x == 0


def test_a_derivative_that_is_asked_for(tmp_path: Path) -> None:
    f = loaded(tmp_path, HEAD + CAUSES["it is not used"])
    with pytest.warns(loma.LomaWarning, match="`x` is zero everywhere"):
        loma.rev_diff(f)(1.0, 2.0, _dreturn=1.0)


def test_nodiff_has_no_gradient(tmp_path: Path) -> None:
    f = loaded(tmp_path, "def f(x : In[Array[float]], w : In[NoDiff[Array[float]]], n : In[int]) "
                         "-> float:\n    s = 0.0\n    for i in range(n):\n"
                         "        s += x[i] * x[i] * w[i]\n    return s\n")
    x, w = np.arange(3, dtype=np.float32), np.full(3, 2, np.float32)
    found = loma.grad(f)(x, w, 3)
    assert found._fields == ("x",)
    np.testing.assert_allclose(found.x, 4 * x)
    np.testing.assert_allclose(loma.jacobian(f)(x, w, 3).x, 4 * x)
    np.testing.assert_allclose(loma.hessian(f)(x, w, 3).x.x, 4 * np.eye(3))
    np.testing.assert_allclose(loma.jvp(f, (x, w, 3), {"x": w})[1], (4 * x * w).sum())
    with pytest.raises(loma.ArgumentTypeError):
        loma.grad(f, wrt="w")(x, w, 3)


def test_the_course_door_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(HEAD + CAUSES["it is not used"] + "r = rev_diff(f)\n", target="llvm")
    assert capsys.readouterr() == ("", "")
