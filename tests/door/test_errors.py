"""Errors: at decoration with the user's line, at calls with the argument's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, sin, thread_id

TABLE = [1, 2, 3]


@loma.function
def f(a: In[float], n: In[int]) -> float:
    return a * n


@loma.kernel
def k(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])


@loma.kernel
def two(x: In[Array[float]], y: In[Array[float]], z: Out[Array[float]]):
    i: int = thread_id()
    z[i] = x[i] + y[i]


@loma.function
def swap(x: InOut[Array[float]], y: InOut[Array[float]]):
    t: float = x[0]
    x[0] = y[0]
    y[0] = t


X = np.arange(4.0)
FROZEN = np.arange(4.0)
FROZEN.flags.writeable = False
CALLS: list[tuple[str, type[Exception], str]] = [
    ("f(1.0)", TypeError, "`f`: missing argument `n`"),
    ("f()", TypeError, "`f`: missing arguments `a`, `n`"),
    ("f(1.0, 2, 3)", TypeError, "`f` takes 2 arguments, and 3 are given; they are `a`, `n`"),
    ("f(1.0, a=2)", TypeError, "`f`: argument `a` is given twice"),
    ("f(1.0, 2, b=3)", TypeError, "`f` has no argument `b`; it has `a`, `n`"),
    ("f(None, 2)", TypeError, "`f`: argument `a` must be a number of type `float`, not `None`"),
    ("f('1', 2)", TypeError, "`f`: argument `a` must be a number of type `float`, not a `str`"),
    ("f(1.0, 2.0)", TypeError, "`f`: argument `n` must be a number of type `int`, not the float "
     "2.0; convert it with `int(...)`"),
    ("f(1.0, 2**31)", ValueError,
     "`f`: argument `n` must be an `int`, and 2147483648 does not fit into one"),
    ("f(10**400, 2)", ValueError, "`f`: argument `a` is too large for a float"),
    ("f(np.float16(1), 2)", TypeError, "`f`: argument `a` must be a number of type `float`, not "
     "the float16 1.0; convert it with `float(...)`"),
    ("k(1.0, X.astype(np.float16))", TypeError, "`k`: argument `x` must be a 1-D float64 array, "
     "not a float16 array of shape (4,); convert it with `.astype(np.float64)`"),
    ("k(1.0, np.ma.array(X, mask=X > 2))", TypeError, "`k`: argument `x` must be a 1-D float64 "
     "array, not a masked array; `.filled(...)` gives one without a mask"),
    ("k(1.0, [[1.0], [2.0, 3.0]])", TypeError, "`k`: argument `x` must be a 1-D float64 array, "
     "and the rows of the list differ in length"),
    ("k(1.0, X[0])", TypeError, "`k`: argument `x` must be a 1-D float64 array, not a float64 "
     "array of shape ()"),
    ("f.map(np.arange(3), 2)", TypeError, "`f.map`: argument `a` must be a 1-D float64 array, not "
     "an int64 array of shape (3,); convert it with `.astype(np.float64)`"),
    ("f(1j, 2)", TypeError,
     "`f`: argument `a` must be a number of type `float`, not a `complex`"),
    ("f[3](1.0, 2)", TypeError, "`f` is no kernel: it has no number of threads"),
    ("k[-1](1.0, X)", ValueError,
     "`k[n]`: the number of threads must be between 0 and 2147483647, not -1"),
    ("k['n'](1.0, X)", TypeError, "`k[n]`: the number of threads must be an int, not 'n'"),
    ("k(1.0, X.astype(int))", TypeError, "`k`: argument `x` must be a 1-D float64 array, not an "
     "int64 array of shape (4,); convert it with `.astype(np.float64)`"),
    ("k(1.0, X.reshape(2, 2))", TypeError, "`k`: argument `x` must be a 1-D float64 array, not a "
     "float64 array of shape (2, 2); `.ravel()` makes it one-dimensional"),
    ("k(1.0, 'abc')", TypeError, "`k`: argument `x` must be a 1-D float64 array, not a `str`"),
    ("k(1.0, X.astype('>f8'))", TypeError, "`k`: argument `x` must be a 1-D float64 array, not a "
     ">f8 array of shape (4,); convert it with `.astype(np.float64)`"),
    ("k(1.0, X, y=X[1:])", ValueError, "`k`: argument `y` is written, and its memory overlaps "
     "that of argument `x`"),
    ("k(1.0, X, y=FROZEN)", ValueError,
     "`k`: argument `y` is written, and the array is read-only"),
    ("k(1.0, X, y=np.zeros(8)[::2])", ValueError, "`k`: argument `y` is written, and its elements "
     "do not lie side by side in memory; pass a contiguous array"),
    ("k(1.0, X, y=[0.0] * 4)", TypeError,
     "`k`: argument `y` must be a 1-D float64 array, not a `list`"),
    ("two(X, X[:3])", ValueError, "`two` indexes inputs of different lengths by `thread_id()`: "
     "`x` has 4, `y` has 3; write `two[n](...)`"),
    ("swap(X, X)", ValueError, "`swap`: argument `x` is written, and its memory is that of "
     "argument `y`"),
    ("loma.grad(k)(1.0, X)", TypeError, "`k` has no single number as its output, but `y`; "
     "use `jacobian`, or `vjp` with the adjoints of the outputs"),
    ("loma.grad(f, wrt='n')(1.0, 2)", TypeError, "`wrt` names `n`, which has no float part of "
     "`f`; choose among `a`"),
    ("loma.grad(f, wrt='b')(1.0, 2)", TypeError, "`wrt` names `b`, which is no argument of "
     "`f`; choose among `a`"),
    ("loma.grad(f, wrt=0)(1.0, 2)", TypeError,
     "`wrt` must be the name of an argument or a tuple of names, not 0"),
    ("loma.hessian(f, wrt=0)(1.0, 2)", TypeError,
     "`wrt` must be the name of an argument or a tuple of names, not 0"),
    ("loma.jvp(k, (1.0, X), (1.0, X.astype(np.float32)))", TypeError, "`k`: the tangent of `x` "
     "must be a float64 array, not a float32 array of shape (4,); convert it with "
     "`.astype(np.float64)`"),
    ("loma.jvp(f, (1.0, 2), (1.0,))", TypeError,
     "`f`: 2 primals need as many tangents, and 1 is given"),
    ("loma.jvp(k, (1.0, X), (1.0, X[1:]))", ValueError,
     "`k`: the tangent of `x` must have the shape (4,), not (3,)"),
]


@pytest.mark.parametrize("call, kind, message", CALLS, ids=[c[0] for c in CALLS])
def test_a_wrong_call(call: str, kind: type[Exception], message: str) -> None:
    before = X.copy()
    for _ in range(4):
        with pytest.raises(kind) as caught:
            eval(call)
        assert isinstance(caught.value, loma.UserError)
        assert str(caught.value) == message
    np.testing.assert_array_equal(X, before)


def test_the_compiled_call_refuses_the_same() -> None:
    """After a few good calls another path takes them apart: its refusals are the same."""
    for _ in range(6):
        k(1.0, X)
        two(X, X)
        f(1.0, 2)
    for call, kind, message in CALLS:
        with pytest.raises(kind) as caught:
            eval(call)
        assert str(caught.value) == message


def test_nothing_is_written_before_all_is_checked() -> None:
    y = np.full(4, 7.0)
    for bad in (X.astype(np.int32), None, X.reshape(2, 2)):
        with pytest.raises(loma.UserError):
            k(1.0, bad, y=y)
    np.testing.assert_array_equal(y, 7)


def test_an_error_points_at_the_users_call() -> None:
    with pytest.raises(loma.ArgumentTypeError) as caught:
        f(1.0)  # here
    span = caught.value.diagnostics[0].span
    line = Path(__file__).read_text().split("\n")[span.line - 1]
    assert span.file == __file__ and line[span.column:span.end_column] == "f(1.0)"
    assert "f(1.0)  # here" in caught.value.to_string()


def test_the_same_array_in_and_out_is_one_array() -> None:
    x = np.arange(4.0)
    for _ in range(5):
        before = x.copy()
        k(1.0, x, y=x)
        np.testing.assert_allclose(x, np.sin(before))


def shown(caught: pytest.ExceptionInfo[loma.UserError]) -> tuple[str, str]:
    """The source text under the carets, and the message."""
    first = caught.value.diagnostics[0]
    assert first.span.file == __file__
    line = Path(__file__).read_text().split("\n")[first.span.line - 1]
    assert line in caught.value.to_string()
    return line[first.span.column:first.span.end_column], first.message


def test_errors_come_at_decoration() -> None:
    with pytest.raises(loma.UserError) as caught:
        @loma.function
        def wrong(x: In[float]) -> float:
            z: int = 3
            return x[z]

    assert shown(caught)[0].startswith("x")


def test_an_array_from_outside_is_refused() -> None:
    table = np.arange(3.0)
    with pytest.raises(loma.UserError, match="`table` is a `ndarray`, which is no constant"):
        @loma.function
        def entry(i: In[int]) -> float:
            return table[i]


def test_what_a_function_may_not_name() -> None:
    with pytest.raises(loma.UserError) as caught:
        @loma.function
        def listed(x: In[float]) -> float:
            return x + TABLE

    assert shown(caught) == ("TABLE", "`TABLE` is a `list`, which is no constant number")
    with pytest.raises(loma.UserError) as caught:
        @loma.function
        def numpy_call(x: In[float]) -> float:
            return np.interp(x, x, x)

    assert shown(caught)[0] == "np.interp"

    def helper(x: float) -> float:
        return x

    with pytest.raises(loma.UserError, match="decorate it with `@loma.function`"):
        @loma.function
        def calls_python(x: In[float]) -> float:
            return helper(x)


def test_a_name_that_is_defined_later() -> None:
    @loma.function
    def first(x: In[float]) -> float:
        return second(x) + 1

    with pytest.raises(loma.UserError, match="second"):
        first(1.0)
    globals()["second"] = loma.function(identity)
    assert first(1.0) == 2
    del globals()["second"]


def identity(x: In[float]) -> float:
    return x


def test_an_error_in_a_derivative_shows_the_primal_line() -> None:
    @loma.function
    def cleared(x: In[Array[float]]) -> float:
        x[0] = 0.0
        return x[1]

    with pytest.raises(loma.UserError) as caught:
        loma.grad(cleared)(np.ones(2))
    assert shown(caught)[0] == "x: In[Array[float]]"


def test_what_cannot_be_decorated() -> None:
    things: list[Any] = [3, len, lambda x: x, f]
    for thing in things:
        with pytest.raises(TypeError):
            loma.function(thing)
    with pytest.raises(TypeError, match="only what `@loma.function`"):
        loma.grad(len)
