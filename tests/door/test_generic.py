"""Generic functions, functions as operands and closures at the Python door."""

from __future__ import annotations

from typing import Callable, TypeVar  # noqa: UP035

import numpy as np
import pytest

import loma
from loma import ArgumentTypeError, Array, In, InOut, UserError, fwd_diff, make__dfloat

T = TypeVar("T")
R = TypeVar("R", np.float32, np.float64)
FACTOR = 3.0


@loma.function
def square(x: In[R]) -> R:
    return x * x


@loma.function
def total(a: In[Array[R]], w: In[R], n: In[int]) -> R:
    s: R = 0.0
    for i in range(n):
        s = s + square(a[i]) * w
    return s


@loma.function
def integrate(f: Callable[[T], T], a: In[T], b: In[T], n: In[int]) -> T:
    h: T = (b - a) / n
    s: T = 0.0
    for i in range(n):
        s = s + f(a + (i + 0.5) * h) * h
    return s


@loma.function
def cube(x: In[float]) -> float:
    return x * x * x


@loma.function
def area(x: In[float], y: In[float]) -> float:
    def line(t: In[float]) -> float:
        slope: float = FACTOR * y
        return t * slope

    return integrate(line, 0.0, x, 2) + integrate(lambda t: t * y, 0.0, x, 2) + square(x)


@loma.function
def broken(x: In[T]) -> T:
    y: T = x
    return y.nothing


@loma.kernel
def scale(x: InOut[Array[R]], by: In[R]):
    i: int = loma.thread_id()
    x[i] = by * x[i]


def test_dtypes_decide() -> None:
    """Arrays and NumPy numbers decide; Python's numbers take what they say."""
    one = total(np.arange(4, dtype=np.float32), 2.0, 4)
    two = total(np.arange(4, dtype=np.float64), 2.0, 4)
    assert (one, one.dtype, two) == (28.0, np.float32, 28.0)
    assert square(3.0) == 9.0 and square(np.float32(1.1)).dtype == np.float32
    assert square[np.float32](1.1) == np.float32(1.1) * np.float32(1.1)
    assert square[np.float32] is square[np.float32]
    x = np.arange(3, dtype=np.float32)
    scale(x, 2.0)
    assert x.tolist() == [0.0, 2.0, 4.0]


def test_gradients() -> None:
    """Derivatives are those of the instance that the arguments ask for."""
    g = loma.grad(total)(np.arange(3.0), 2.0, 3)
    assert g.a.tolist() == [0.0, 4.0, 8.0] and g.w == 5.0
    assert loma.grad(total)(np.arange(3, dtype=np.float32), 2.0, 3).a.dtype == np.float32
    assert loma.hessian(square)(3.0) == 2.0
    g = loma.grad(area)(2.0, 5.0)
    assert (g.x, g.y) == (pytest.approx(4 * 2.0 * 5.0 + 4.0), pytest.approx(8.0))


def test_functions_are_passed() -> None:
    """loma functions and plain ones; the result is differentiated by the numbers."""

    def double(x: In[float]) -> float:
        return 2.0 * x

    assert integrate(double, 0.0, 3.0, 4) == pytest.approx(9.0)
    assert integrate(cube, 0.0, 2.0, 200) == pytest.approx(4.0, rel=1e-4)
    assert loma.grad(integrate)(cube, 0.0, 2.0, 200).b == pytest.approx(8.0, rel=1e-4)
    lib = loma.load("""
def apply(f : Callable[[float, int], float], x : In[float]) -> float:
    return f(x, 2) + f(2.0, 3)
def power(x : In[float], n : In[int]) -> float:
    return x ** n
""", float_type="f64")
    assert lib.apply(lib.power, 3.0) == 17.0
    assert "apply" in repr(lib.apply)


@loma.function
def newton(f: Callable[[float], float], start: In[float]) -> float:
    slope = loma.fwd_diff(f)
    x = start
    for i in range(30):
        at = slope(make__dfloat(x, 1.0))
        x -= at.val / at.dval
    return x


@loma.function
def root(a: In[float]) -> float:
    cubed = fwd_diff(cube)(make__dfloat(a, 1.0))
    return newton(lambda x: x * x - a, a) + cubed.dval


def test_derivatives_of_functions_that_are_passed() -> None:
    @loma.function
    def line(x: In[float]) -> float:
        return 2.0 * x - 3.0

    assert newton(line, 1.0) == 1.5
    assert root(4.0) == pytest.approx(2.0 + 48.0)
    assert loma.grad(root)(4.0).a == pytest.approx(0.25 + 24.0)
    assert loma.hessian(root)(4.0) == pytest.approx(-1 / 32 + 6.0)


def test_constants_are_watched() -> None:
    """A constant that an inner function names may change."""
    global FACTOR
    before = area(1.0, 2.0)
    FACTOR = 5.0
    try:
        assert area(1.0, 2.0) == before + 2.0
    finally:
        FACTOR = 3.0


def test_source_is_a_program() -> None:
    """The text of a function that calls generic ones says what their types are."""
    text = area.source
    assert 'R = TypeVar("R", f32, f64)' in text and "def line(" in text
    assert loma.load(text, float_type="f64").area(2.0, 1.0) == area(2.0, 1.0)


def test_refusals() -> None:
    """What a call does not determine is an error with a way out."""
    with pytest.raises(ArgumentTypeError, match=r"`square\[np.float64\]"):
        square("text")
    with pytest.raises(ArgumentTypeError, match="is a function"):
        integrate(lambda x: x, 0.0, 1.0, 2)
    with pytest.raises(ArgumentTypeError, match="f64 and f32"):
        total(np.arange(3.0), np.float32(1.0), 3)
    with pytest.raises(ArgumentTypeError, match="no kernel"):
        square[3]
    with pytest.raises(UserError) as caught:
        broken(1.0)
    assert "return y.nothing" in str(caught.value) and "`T = " in str(caught.value)
