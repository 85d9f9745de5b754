"""Calls that come often are compiled: what they give is what the first calls gave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import loma
from loma import Array, Diff, In, InOut, NoDiff, Out, sin, sqrt, thread_id
from loma.host.function import Function
from loma.host.ready import Ready

OFTEN = 6


@dataclass
class Vec:
    x: float
    y: float


class Ball(NamedTuple):
    at: Vec
    size: float
    steps: Array[float, 2]


class Curve:
    points: Array[float]
    scale: float


@loma.function
def product(x: In[float], y: In[float]) -> float:
    return sin(x * y)


@loma.function
def scaled(n: In[int], on: In[bool], x: In[float], fixed: In[NoDiff[float]]) -> float:
    return x * n * fixed if on else x


@loma.function
def dot(a: In[Array[float, "n"]], b: In[Array[float, "n"]]) -> float:
    return sum(a[i] * b[i] for i in range(n))


@loma.function
def told(n: In[int], a: In[Array[float, "n"]]) -> float:
    return sum(a[i] ** 2 for i in range(n))


@loma.function
def matvec(a: In[Array[float, "n", "m"]], x: In[Array[float, "m"]], y: Out[Array[float, "n"]]):
    for i in range(n):
        for j in range(m):
            y[i] += a[i, j] * x[j]


@loma.function
def several(x: In[float], z: In[float], y: Out[float], w: Out[Array[float, 2]]) -> float:
    y = x * z
    w[0] = x
    w[1] = x * x * z
    return x + z


@loma.function
def stepped(u: InOut[Array[float, "n"]], k: InOut[float], by: In[float]):
    for i in range(n):
        u[i] *= by
        k += u[i]


@loma.function
def area(b: In[Ball], v: In[Vec]) -> Vec:
    r: Vec
    r.x = b.at.x * v.x * b.size + b.steps[1]
    r.y = v.y * b.steps[0] * b.at.y
    return r


@loma.function
def bent(c: In[Curve], n: In[int]) -> float:
    return c.scale * sum(c.points[i] ** 3 for i in range(n))


@loma.function
def grid(a: In[Array[Array[float, 3], 2]]) -> float:
    return a[0][1] * a[1][2] + a[1][0] ** 2


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])


@loma.function
def length(v: In[Vec]) -> float:
    return sqrt(v.x * v.x + v.y * v.y)


@loma.function(debug=True)
def checked(x: In[float], y: In[float]) -> float:
    return x / y


A, B = np.linspace(0.1, 1.0, 5), np.linspace(-1.0, 2.0, 5)
M = np.arange(15.0).reshape(3, 5)
BALL = Ball(Vec(0.5, 0.25), 2.0, np.array([1.0, 3.0]))
CURVE = {"points": A, "scale": 0.5}
CALLS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "product": (product, (0.5, 2.0)),
    "scaled": (scaled, (3, True, 0.5, 2.0)),
    "dot": (dot, (A, B)),
    "dot, narrow": (dot, (A.astype(np.float32), B.astype(np.float32))),
    "told": (told, (5, A)),
    "matvec": (matvec, (M, A)),
    "matvec, empty": (matvec, (M[:0], A)),
    "several": (several, (0.5, 2.0)),
    "stepped": (stepped, (A, 0.5, 2.0)),
    "area": (area, (BALL, Vec(0.5, 2.0))),
    "area, dicts": (area, (BALL, {"x": 0.5, "y": 2.0})),
    "bent": (bent, (CURVE, 3)),
    "grid": (grid, (np.arange(6.0).reshape(2, 3),)),
    "waves": (waves, (2.0, A)),
    "waves[3]": (waves[3], (2.0, A)),
    "length": (length, (Vec(3.0, 4.0),)),
}
EXACT = [n for n in CALLS]


def same(a: Any, b: Any) -> None:
    """Fails unless two values are alike to the last bit, types and names included."""
    assert type(a) is type(b), f"{type(a)} is not {type(b)}"
    if isinstance(a, tuple):
        assert getattr(a, "_fields", None) == getattr(b, "_fields", None)
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)
    elif hasattr(a, "__dict__"):
        same(tuple(vars(a).items()), tuple(vars(b).items()))
    else:
        assert a == b or (a != a and b != b)


def often(f: Any, key: str, call: Callable[[], Any]) -> None:
    """Fails unless a call gives the same when it is made often, and is compiled then."""
    function = f if isinstance(f, Function) else f.function
    function.ready = Ready()
    first = call()
    for _ in range(OFTEN):
        same(first, call())
    kinds = {k[0] for k in function.ready.routes}
    if key == "call":
        assert function.ready.calls or function.ready.led
    else:
        assert key in kinds, f"no route for {key}"


def ones(x: Any) -> Any:
    """An adjoint, or a tangent, in the form of a value."""
    if isinstance(x, np.ndarray):
        return np.linspace(1.0, 2.0, x.size).reshape(x.shape).astype(x.dtype)
    if isinstance(x, dict):
        return {k: ones(v) for k, v in x.items()}
    if isinstance(x, Ball):
        return Ball(*map(ones, x))
    if isinstance(x, Vec):
        return Vec(1.5, -0.5)
    return 1.5 if isinstance(x, float) else 0


@pytest.mark.parametrize("name", [n for n in CALLS if n != "stepped"])
def test_calls(name: str) -> None:
    f, args = CALLS[name]
    function = f if isinstance(f, Function) else f.function
    instance = function.instance(function.real_type(dict(enumerate(args))))
    instance.calls[:] = [0, 0]
    often(f, "call", lambda: f(*args))
    names = function.ready.inputs
    same(f(*args), f(**dict(zip(names, args))))


@pytest.mark.parametrize("name", CALLS)
def test_pushing(name: str) -> None:
    f, args = CALLS[name]
    rates = tuple(map(ones, args))
    often(f, "jvp", lambda: loma.jvp(f, args, rates))
    names = (f if isinstance(f, Function) else f.function).ready.inputs
    same(loma.jvp(f, args, rates),
         loma.jvp(f, dict(zip(names, args)), dict(zip(names, rates))))


@pytest.mark.parametrize("name", CALLS)
def test_a_tangent_that_is_none_is_zero(name: str) -> None:
    f, args = CALLS[name]
    often(f, "jvp", lambda: loma.jvp(f, args, (None,) * len(args)))


@pytest.mark.parametrize("name", CALLS)
def test_pulling_back(name: str) -> None:
    f, args = CALLS[name]
    out, _ = loma.vjp(f, *args)
    outputs = (out,) if not isinstance(out, tuple) or isinstance(out, Ball) else tuple(out)
    seeds = tuple(map(ones, map(plain, outputs)))
    often(f, "pullback", lambda: loma.vjp(f, *args)[1](*seeds))
    often(f, "value", lambda: loma.vjp(f, *args)[0])


def plain(x: Any) -> Any:
    """A value without NumPy's scalars."""
    return float(x) if isinstance(x, np.floating) else x


NUMBERS = ("product", "scaled", "dot", "dot, narrow", "told", "bent", "grid", "length")


@pytest.mark.parametrize("name", NUMBERS)
def test_gradients(name: str) -> None:
    f, args = CALLS[name]
    gradient, both = loma.grad(f), loma.value_and_grad(f)
    often(f, "grad", lambda: gradient(*args))
    often(f, "grad", lambda: both(*args))
    last = list(gradient(*args)._fields)[-1]
    often(f, "grad", lambda: loma.grad(f, wrt=last)(*args))
    often(f, "grad", lambda: loma.grad(f, wrt=(last,))(*args))
    names = f.ready.inputs
    same(gradient(*args), gradient(**dict(zip(names, args))))


@pytest.mark.parametrize("name", [n for n in NUMBERS if n not in ("bent", "length")])
def test_products_with_a_hessian(name: str) -> None:
    f, args = CALLS[name]
    product = loma.hvp(f)
    often(f, "hvp", lambda: product(args, tuple(map(ones, args))))


def test_a_gradient_by_one_output_among_several() -> None:
    @loma.function
    def f(x: In[Array[float, "n"]], y: Out[float], z: Out[Array[int, "n"]]):
        for i in range(n):
            y += x[i] * x[i]
            z[i] = i

    gradient = loma.grad(f)
    often(f, "grad", lambda: gradient(A))


def test_arrays_that_need_a_copy_take_the_other_way() -> None:
    gradient = loma.grad(dot)
    first = gradient(A[:3], B[:3])
    for _ in range(OFTEN):
        gradient(A[:3], B[:3])
    with pytest.warns(loma.CopyWarning):
        found = gradient(np.repeat(A, 2)[:6:2], B[:3])
    same(first, found)


def test_wrong_arguments_are_refused_as_ever() -> None:
    gradient = loma.grad(dot)
    for _ in range(OFTEN):
        gradient(A, B)
    with pytest.raises(ValueError, match="`b` must have length 5"):
        gradient(A, B[:3])
    with pytest.raises(TypeError, match="mix float32 and float64"):
        gradient(A, B.astype(np.float32))
    with pytest.raises(TypeError, match="missing argument `b`"):
        gradient(A)
    with pytest.raises(TypeError, match="`y` must be a 1-D float64 array"):
        matvec(M, A, np.zeros((3, 3)))


def test_a_stop_is_an_error_of_the_user() -> None:
    gradient = loma.grad(checked)
    for _ in range(OFTEN):
        gradient(1.0, 2.0)
    with pytest.raises(loma.RunError):
        gradient(1.0, 0.0)
    assert gradient(1.0, 2.0).x == 0.5


def test_results_are_fresh_and_the_arguments_are_not_written() -> None:
    u = A.copy()
    seen = []
    for _ in range(OFTEN):
        out, back = loma.vjp(stepped, u, 0.5, 2.0)
        first = back(np.ones(5), 1.0)
        seen += [out.u, first.u]
        u_before = u.copy()
        np.testing.assert_array_equal(u, u_before)
    assert len({x.ctypes.data for x in seen}) == len(seen)


def test_the_pullback_keeps_the_values_of_its_call() -> None:
    x = A.copy()
    for _ in range(OFTEN):
        x[:] = A
        _, back = loma.vjp(dot, x, B)
        x[:] = 0
        np.testing.assert_array_equal(back(1.0).b, A)


def test_a_constant_that_changes_changes_the_gradient() -> None:
    global SCALE
    SCALE = 2.0
    gradient = loma.grad(with_constant)
    for _ in range(OFTEN):
        assert gradient(1.0).x == 2.0
    SCALE = 3.0
    for _ in range(OFTEN):
        assert gradient(1.0).x == 3.0


SCALE = 2.0


@loma.function
def with_constant(x: In[float]) -> float:
    return x * SCALE


def test_objects_are_given_back() -> None:
    import sys

    x = Vec(3.0, 4.0)
    gradient = loma.grad(length)
    for _ in range(OFTEN):
        gradient(x)
    before = sys.getrefcount(x.x), sys.getrefcount(A), sys.getrefcount(None)
    for _ in range(1000):
        gradient(x)
        loma.jvp(dot, (A, B), (A, None))
    after = sys.getrefcount(x.x), sys.getrefcount(A), sys.getrefcount(None)
    assert all(abs(a - b) < 50 for a, b in zip(before, after))


def test_threads_may_call_at_once() -> None:
    gradient = loma.grad(dot)
    for _ in range(OFTEN):
        gradient(A, B)
    wrong: list[int] = []

    def work(k: int) -> None:
        a = A * k
        for _ in range(200):
            if not np.array_equal(gradient(a, B).b, a):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_what_is_written_must_be_long_enough() -> None:
    for _ in range(OFTEN):
        waves(2.0, A, np.zeros(5))
        waves(2.0, A, np.zeros(9))
        with pytest.raises(ValueError, match="`y` must have length 5, one for each thread, not 3"):
            waves(2.0, A, np.zeros(3))
    back = loma.rev_diff(dot)
    for _ in range(OFTEN):
        with pytest.raises(ValueError, match=r"`adj_a` must have"):
            back(A, np.zeros(3), B, np.zeros(5), 1.0)


def test_a_dual_array_of_the_user_takes_the_other_way() -> None:
    @loma.function
    def f(x: In[Array[Diff[float]]]) -> float:
        return x[0].val * x[1].dval

    pairs = np.array([(1.0, 2.0), (3.0, 4.0)], [("val", "f8"), ("dval", "f8")])
    first = loma.grad(f)(pairs)
    for _ in range(OFTEN):
        np.testing.assert_array_equal(loma.grad(f)(pairs).x, first.x)
