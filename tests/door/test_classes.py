"""Classes of Python files: methods, operators, defaults, and what else decorated functions name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Tuple  # noqa: UP035

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, Stack, UserError

GRAVITY = 9.5


@dataclass
class Vec:
    """A vector; what Python alone understands stays out of programs."""

    x: float
    y: float = 0.5

    def __add__(self, other: In[Vec]) -> Vec:
        return Vec(self.x + other.x, self.y + other.y)

    def __mul__(self, s: In[float]) -> Vec:
        return Vec(self.x * s, self.y * s)

    def __rmul__(self, s: In[float]) -> Vec:
        return self * s

    def __neg__(self) -> Vec:
        return Vec(-self.x, -self.y)

    def __getitem__(self, i: In[int]) -> float:
        return self.x if i == 0 else self.y

    def __sub__(self, other):
        return [*vars(self), *vars(other)]

    def dot(self, other: In[Vec]) -> float:
        return self.x * other.x + self.y * other.y

    def length(self) -> float:
        return math.sqrt(self.square())

    def cross(self, other: In["Vec"]) -> "float":
        return self.x * other.y - self.y * other.x

    def square(self) -> float:
        return self.x * self.x + self.y * self.y

    def fall(self: InOut, dt: In[float]) -> float:
        self.y -= drop(dt)
        return self.y

    @staticmethod
    def unit(angle: In[float]) -> Vec:
        return Vec(np.cos(angle), np.sin(angle))

    def show(self):
        return [f"{self.x!r}", *vars(self)]


class Ball(Vec):
    """Methods are inherited, members too."""

    mass: float

    def energy(self) -> float:
        return self.mass * (self.square() / 2.0 + GRAVITY * self.y)


class Pair(NamedTuple):
    """A named tuple."""

    a: float
    b: float = 4.0

    def product(self) -> float:
        return self.a * self.b


@loma.function
def drop(dt: In[float]) -> float:
    return 0.5 * GRAVITY * dt * dt


@loma.function
def path(v: In[Vec], s: In[float]) -> float:
    w = v + 2.0 * v * s + Vec.unit(s) + -v
    height = w.fall(s) + w.fall(s)
    return w.dot(v) + w.length() + height * w[1] + w.cross(w)


def by_hand(x: float, y: float, s: float) -> float:
    """The same in Python."""
    wx, wy = 2.0 * x * s + math.cos(s), 2.0 * y * s + math.sin(s)
    first = wy - 0.5 * GRAVITY * s * s
    wy = first - 0.5 * GRAVITY * s * s
    return wx * x + wy * y + math.hypot(wx, wy) + (first + wy) * wy


def test_methods_and_operators() -> None:
    """Values and gradients."""
    v, s = Vec(1.5, -0.25), 0.75
    assert path(v, s) == pytest.approx(by_hand(v.x, v.y, s))
    g = loma.grad(path)(v, s)
    h = 1e-6
    assert g.v.x == pytest.approx((by_hand(1.5 + h, -0.25, s) - by_hand(1.5 - h, -0.25, s)) / 2 / h)
    assert g.s == pytest.approx((by_hand(1.5, -0.25, s + h) - by_hand(1.5, -0.25, s - h)) / 2 / h)
    assert isinstance(g.v, Vec)


def test_its_text_is_a_program() -> None:
    """The text of a function with methods compiles to the same."""
    again = loma.load(path.source, float_type="f64").path
    assert "@staticmethod" in path.source and "show" not in path.source
    assert again(Vec(1.5, -0.25), 0.75) == path(Vec(1.5, -0.25), 0.75)


def test_inherited() -> None:
    """Methods and members of base classes."""
    @loma.function
    def f(b: In[Ball]) -> float:
        return b.energy() + b.length()

    ball = {"x": 3.0, "y": 4.0, "mass": 2.0}
    assert f(ball) == pytest.approx(2.0 * (12.5 + GRAVITY * 4.0) + 5.0)


def test_defaults() -> None:
    """Defaults of dataclasses and named tuples."""
    @loma.function
    def f(x: In[float]) -> float:
        return Vec(x).y * Pair(x).product() + Pair(x, x).product()

    assert f(3.0) == 0.5 * 12.0 + 9.0
    assert loma.grad(f)(3.0).x == 2.0 + 6.0


def test_a_constant_in_a_method_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in methods are looked up as those in functions are."""
    before = path(Vec(1.0, 1.0), 0.5)
    monkeypatch.setitem(globals(), "GRAVITY", 1.5)
    assert path(Vec(1.0, 1.0), 0.5) == pytest.approx(by_hand(1.0, 1.0, 0.5)) != before


def test_local_classes() -> None:
    """Classes inside of a function, named in annotations alone."""
    @dataclass
    class Line:
        slope: float

        def at(self, x: In[float]) -> float:
            return self.slope * x

    @loma.function
    def f(line: In[Line], x: In[float]) -> float:
        return line.at(x) + line.at(1.0)

    assert f(Line(2.0), 3.0) == 8.0


def test_an_error_in_a_method() -> None:
    """It points into the method."""
    @dataclass
    class Wrong:
        x: float

        def half(self) -> float:
            return self.y / 2.0

    with pytest.raises(UserError) as caught:
        @loma.function
        def f(w: In[Wrong]) -> float:
            return w.half()

        f(Wrong(1.0))
    found = caught.value.diagnostics[0]
    assert (found.code, found.span.file) == ("E0304", __file__)
    assert "return self.y / 2.0" in str(caught.value)


def test_stacks_tuples_and_functions_of_numpy() -> None:
    """Annotations that are evaluated, and functions of NumPy and `math`."""
    @loma.function
    def fill(s: InOut[Stack[float]], x: In[float], n: In[int]):
        for i in range(n):
            s.push(x * i)

    @loma.function
    def both(x: In[float]) -> Tuple[float, float]:  # noqa: UP006
        return np.exp(x), np.maximum(x, math.fabs(-2.0))

    @loma.function
    def f(x: In[float], n: In[int]) -> float:
        s: Stack[float]
        fill(s, x, n)
        total = 0.0
        while s.size() > 0:
            total += s.pop() * x
        e, m = both(x)
        return total + e * m + np.arctan2(x, np.absolute(x)) + np.pi

    x = 0.5
    assert f(x, 3) == pytest.approx(3 * x * x + 2.0 * math.exp(x) + math.pi / 4 + math.pi)
    assert loma.grad(f)(x, 3).x == pytest.approx(6 * x + 2.0 * math.exp(x))


def test_kernels_call_methods() -> None:
    """A kernel over an array of structs' members."""
    @loma.kernel
    def lengths(x: In[Array[float]], y: In[Array[float]], out: Out[Array[float]]):
        i: int = loma.thread_id()
        out[i] = Vec(x[i], y[i]).length()

    out = np.zeros(2)
    lengths(np.array([3.0, 6.0]), np.array([4.0, 8.0]), out)
    assert out.tolist() == [5.0, 10.0]
