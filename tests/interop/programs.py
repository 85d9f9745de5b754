"""Functions and kernels with the arguments at which their derivatives are checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import loma
from loma import (
    Array,
    In,
    InOut,
    NoDiff,
    Out,
    atomic_add,
    cos,
    exp,
    float2int,
    int2float,
    log,
    sin,
    sqrt,
    thread_id,
)


class Vec(NamedTuple):
    x: float
    y: float


@dataclasses.dataclass
class Ball:
    centre: Vec
    radius: float
    kind: int


class Poly:
    c: Array[float, 3]


class Mesh:
    points: Array[Vec]
    weights: Array[float]


@loma.function
def product(x: In[float], y: In[float]) -> float:
    return x * y + sin(x)


@loma.function
def dot(x: In[Array[float, "n"]], y: In[Array[float, "n"]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = s + x[i] * y[i] * y[i]
    return s


@loma.function
def power(x: In[float], n: In[int]) -> float:
    r: float = 1.0
    i: int = 0
    while i < n:
        r = r * x
        i = i + 1
    return r


@loma.function
def branch(x: In[float], y: In[float]) -> float:
    if x < y:
        return x * x * y
    else:
        return sin(x) * y


@loma.function
def recursive(x: In[float], n: In[int]) -> float:
    if n <= 0:
        return cos(x)
    return x * recursive(x * 0.5, n - 1)


@loma.function
def two(x: In[float], p: Out[float], q: Out[float]):
    p = exp(x)
    q = p * x


@loma.function
def changed(x: In[float], s: InOut[float]):
    s = s * x + sin(s)


@loma.function
def norm(v: In[Vec]) -> float:
    return sqrt(v.x * v.x + v.y * v.y)


@loma.function
def turned(v: In[Vec], angle: In[float]) -> Vec:
    r: Vec
    r.x = cos(angle) * v.x - sin(angle) * v.y
    r.y = sin(angle) * v.x + cos(angle) * v.y
    return r


@loma.function
def volume(b: In[Ball]) -> float:
    return b.radius * b.radius * b.radius * (b.centre.x + int2float(b.kind) * b.centre.y)


@loma.function
def horner(p: In[Poly], x: In[float]) -> float:
    return p.c[0] + x * (p.c[1] + x * p.c[2])


@loma.function
def moment(m: In[Mesh], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = s + m.weights[i] * m.points[i].x * m.points[i].y
    return s


@loma.function
def grown(x: InOut[Array[float, "n"]], n: In[int], r: In[float]):
    i: int = 0
    while i < n:
        x[i] = x[i] * r + log(x[i])
        i = i + 1


@loma.function
def stepped(x: In[float]) -> float:
    n: int = float2int(x * 3.0)
    return x * int2float(n) + x * x


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])


@loma.kernel
def total(x: In[Array[float]], s: Out[float]):
    i: int = thread_id()
    atomic_add(s, x[i] * x[i] * x[i])


@loma.kernel
def histogram(x: In[Array[float]], bin: In[Array[int]], h: Out[Array[float, 3]]):
    i: int = thread_id()
    atomic_add(h[bin[i]], exp(x[i]))


@loma.kernel
def gathered(x: In[Array[float]], at: In[Array[int]], y: Out[Array[float]]):
    i: int = thread_id()
    y[at[i]] = x[i] * x[at[i]]


@loma.kernel
def scaled(v: In[Array[Vec]], s: In[Array[float]], w: Out[Array[Vec]]):
    i: int = thread_id()
    w[i].x = v[i].x * s[i]
    w[i].y = v[i].y * s[i] * v[i].x


@loma.kernel
def moved(x: InOut[Array[float]], v: In[Array[float]], dt: In[float]):
    i: int = thread_id()
    x[i] = x[i] + dt * sin(v[i] * x[i])


@loma.kernel
def rows(a: In[Array[Array[float]]], n: In[int], y: Out[Array[float]], k: In[Array[float]]):
    i: int = thread_id()
    s: float = 0.0
    for j in range(n):
        s = s + a[i][j] * a[i][j] * k[i]
    y[i] = s


@loma.kernel
def columns(p: In[Array[Array[float, 3]]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = p[i][0] * p[i][1] + exp(p[i][2])


@loma.function
def ramp(n: In[int], a: In[float], y: Out[Array[float, "n"]]):
    for i in range(n):
        y[i] = a * i


@loma.function
def steps(n: In[int], x: In[float]) -> float:
    y: float = x
    for i in range(n):
        y = sin(y)
    return y


@loma.kernel
def masked(x: In[Array[float]], keep: In[Array[bool]], y: Out[Array[float]]):
    i: int = thread_id()
    if keep[i]:
        y[i] = x[i] * x[i]
    else:
        y[i] = -x[i]


@loma.function
def weighed(x: In[Array[float, "n"]], w: In[NoDiff[Array[float, "n"]]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = s + w[i] * x[i] * x[i]
    return s


@loma.function
def matrix(a: In[Array[float, "n", "m"]], x: In[Array[float, "m"]], y: Out[Array[float, "n"]]):
    for i in range(n):
        for j in range(m):
            y[i] = y[i] + a[i, j] * x[j] * a[i, j]


@loma.function
def both(x: In[float], y: In[float]) -> tuple[float, float]:
    return x * y, sin(x)


@loma.kernel
def filled(r: In[float], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = r * r * int2float(i)


@dataclasses.dataclass(frozen=True)
class Case:
    """A function, or a kernel with its number of threads, and its arguments."""

    name: str
    f: Any
    args: tuple[Any, ...]

    def leaves(self) -> list[Any]:
        """The floats among the arguments."""
        return [x for x in _flat(self.args) if _is_float(x)]

    def outputs(self, made: Callable[[Any], Any]) -> Callable[..., tuple[Any, ...]]:
        """The function from those floats to all outputs; `made` converts other arrays."""

        def function(*floats: Any) -> tuple[Any, ...]:
            rest = iter(floats)
            args = _rebuilt(self.args, lambda x: next(rest) if _is_float(x) else made(x))
            return tuple(_flat(self.f(*args)))

        return function


def _is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _flat(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return [y for v in x.values() for y in _flat(v)]
    if isinstance(x, tuple | list):
        return [y for v in x for y in _flat(v)]
    if dataclasses.is_dataclass(x):
        return _flat([getattr(x, m.name) for m in dataclasses.fields(x)])
    return [x]


def _rebuilt(x: Any, leaf: Callable[[Any], Any]) -> Any:
    if isinstance(x, dict):
        return {k: _rebuilt(v, leaf) for k, v in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(_rebuilt(v, leaf) for v in x))
    if isinstance(x, tuple):
        return tuple(_rebuilt(v, leaf) for v in x)
    if dataclasses.is_dataclass(x):
        inner = {m.name: _rebuilt(getattr(x, m.name), leaf) for m in dataclasses.fields(x)}
        return type(x)(**inner)  # type: ignore[operator]
    return leaf(x)


def _at(*numbers: float) -> Any:
    return np.array(numbers if len(numbers) > 1 else numbers[0])


A, B = _at(0.7), _at(1.3)
X, Y = _at(0.3, 0.8, 1.4, 0.5), _at(1.1, -0.4, 0.6, 0.9)
INTS = np.array([2, 0, 1, 3], np.int32)
CASES = (
    Case("product", product, (A, B)),
    Case("dot", dot, (X, Y, 4)),
    Case("power", power, (B, 5)),
    Case("branch taken", branch, (A, B)),
    Case("branch not taken", branch, (B, A)),
    Case("recursive", recursive, (A, 4)),
    Case("two outputs", two, (A,)),
    Case("InOut number", changed, (A, B)),
    Case("struct", norm, (Vec(A, B),)),
    Case("struct as a dict, and returned", turned, ({"x": A, "y": B}, _at(0.2))),
    Case("nested struct", volume, (Ball(Vec(A, B), _at(0.9), 2),)),
    Case("array in a struct", horner, ({"c": _at(0.1, 0.2, 0.3)}, B)),
    Case("pointers in a struct", moment, ({"points": Vec(X, Y), "weights": Y}, 4)),
    Case("InOut array", grown, (X, 4, B)),
    Case("float2int", stepped, (B,)),
    Case("kernel", waves, (A, X)),
    Case("kernel with threads", waves[3], (A, X[:3])),
    Case("atomic sum", total, (X,)),
    Case("atomic histogram", histogram, (X, np.array([0, 2, 1, 0], np.int32))),
    Case("indices", gathered, (X, INTS)),
    Case("array of structs", scaled, ({"x": X, "y": Y}, Y)),
    Case("InOut in a kernel", moved, (X, Y, A)),
    Case("rows", rows, (np.stack([X, Y, X * Y]), 4, _at(0.4, 0.6, 0.8))),
    Case("columns", columns, (np.stack([X, Y, X * Y], axis=1),)),
    Case("bools", masked, (X, np.array([True, False, True, True]))),
    Case("two dimensions", matrix, (np.stack([X, Y, X * Y]), Y)),
    Case("tuple", both, (A, B)),
    Case("threads only", filled[4], (A,)),
)
"""Every one is checked to second order."""
SIMPLE = [c for c in CASES if c.name in (
    "product", "dot", "power", "recursive", "two outputs", "kernel", "kernel with threads",
    "atomic sum", "atomic histogram", "indices", "rows", "columns", "two dimensions", "tuple",
    "threads only")]
"""Those that NumPy's door takes in the same form."""
