"""Elementary functions within 2 units in the last place (erf and erfc 4), against mpmath: extremes,
subnormals, neighbourhoods of special points, random points.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any, Final

import mpmath
import pytest

from loma import driver
from loma.backends.toolchain import find_compiler
from loma.host.course import compile

INF, NAN = math.inf, math.nan
MP: Final = mpmath.mp.clone()
MP.prec = 200
WIDTHS = {"f32": (24, -149, 128, ctypes.c_float), "f64": (53, -1074, 1024, ctypes.c_double)}
BOUND = {"erf": 4.0, "erfc": 4.0}
Exact = Callable[..., Any]


def cube_root(x: Any) -> Any:
    """The real root."""
    return -MP.cbrt(-x) if x < 0 else MP.cbrt(x)


def logarithm(base: int) -> Exact:
    """The logarithm; -infinity at 0, nan below."""
    return lambda x: MP.log(x, base) if x > 0 else -INF if x == 0 else NAN


ONE: dict[str, Exact] = {
    "sin": MP.sin,
    "cos": MP.cos,
    "sqrt": lambda x: MP.sqrt(x) if x >= 0 else NAN,
    "exp": MP.exp,
    "log": lambda x: MP.log(x) if x > 0 else -INF if x == 0 else NAN,
    "tan": MP.tan,
    "asin": lambda x: MP.asin(x) if abs(x) <= 1 else NAN,
    "acos": lambda x: MP.acos(x) if abs(x) <= 1 else NAN,
    "atan": MP.atan,
    "sinh": MP.sinh,
    "cosh": MP.cosh,
    "tanh": MP.tanh,
    "exp2": lambda x: MP.power(2, x),
    "expm1": MP.expm1,
    "log2": logarithm(2),
    "log10": logarithm(10),
    "log1p": lambda x: MP.log1p(x) if x > -1 else -INF if x == -1 else NAN,
    "cbrt": cube_root,
    "erf": MP.erf,
    "erfc": MP.erfc,
}
TWO: dict[str, Exact] = {
    "atan2": MP.atan2,
    "hypot": MP.hypot,
    "fmod": lambda x, y: MP.fmod(abs(x), abs(y)) * (-1 if x < 0 else 1) if y else NAN,
    "pow": lambda x, y: MP.power(abs(x), y),
}
ODD = (
    "sin", "sqrt", "tan", "asin", "atan", "sinh", "tanh", "expm1", "log1p", "cbrt", "erf")
NEAR = (0.0, 0.5, 0.625, 1.0, 1.25, math.pi / 2, 2.0, math.pi, 10.0, 27.0, 88.7, 709.5, 1e22)
SPAN = {"f32": 140, "f64": 1050}
LARGEST = 1100.0  # beyond, exponentials are 0 or infinite, and mpmath would compute them


@cache
def library(target: str) -> Any:
    """Every function over an array, in both widths."""
    if target == "c" and find_compiler() is None:
        pytest.skip("no C compiler")
    assert target in driver.BACKENDS
    text = ""
    for t in WIDTHS:
        for name in ONE:
            text += (f"def {name}_{t}(n : In[int], x : In[Array[{t}]], out : Out[Array[{t}]]):\n"
                     f"    for i in range(n):\n        out[i] = {name}(x[i])\n")
        for name in TWO:
            text += (f"def {name}_{t}(n : In[int], x : In[Array[{t}]], y : In[Array[{t}]],\n"
                     f"        out : Out[Array[{t}]]):\n"
                     f"    for i in range(n):\n        out[i] = {name}(x[i], y[i])\n")
    return compile(text, target)[1]


def rounded(x: float, t: str) -> float:
    """The nearest number of the width, infinite beyond the largest."""
    try:
        value: float = struct.unpack("f", struct.pack("f", x))[0] if t == "f32" else x
    except OverflowError:
        return math.copysign(INF, x)
    return value


def positive(t: str, draw: Random) -> Iterator[float]:
    """Points above 0."""
    digits, lowest, highest, _ = WIDTHS[t]
    least, largest = math.ldexp(1.0, lowest), math.ldexp(2.0 - 2.0 ** (1 - digits), highest - 1)
    normal = math.ldexp(1.0, lowest + digits - 1)
    yield from (least, 3 * least, normal - least, normal, largest, INF)
    for x in NEAR:
        for k in (-2, -1, 0, 1, 2):
            yield abs(x + k * max(x, normal) * 2.0 ** (1 - digits))
    for _ in range(120):
        yield math.ldexp(draw.uniform(1, 2), draw.randint(-SPAN[t], SPAN[t] - 30))
        yield draw.uniform(0, 3)
        yield draw.uniform(0, 30)
        yield draw.uniform(0.9, 1.3)


@cache
def points(t: str, seed: str) -> list[float]:
    """Points of both signs, zeros and nan."""
    found = [rounded(x, t) for x in positive(t, Random(seed))]
    return [0.0, -0.0, NAN, *found, *(-x for x in found)]


def off(got: float, exact: Any, t: str) -> float:
    """By how many units in the last place a result is off; nan and infinities must be met."""
    digits, lowest, highest, _ = WIDTHS[t]
    if exact != exact or got != got:
        return 0.0 if (exact != exact) == (got != got) else INF
    limit = MP.ldexp(1, highest) - MP.ldexp(1, highest - digits - 1)
    if abs(exact) >= limit:
        return 0.0 if got == math.copysign(INF, exact) else INF
    if math.isinf(got):
        return INF
    unit = MP.ldexp(1, max(MP.frexp(exact)[1] - digits, lowest)) if exact else MP.ldexp(1, lowest)
    return float(abs(MP.mpf(got) - exact) / unit)


def exactly(name: str, x: float) -> Any:
    """The exact value, or its limit where mpmath would take long or has none."""
    if x != x:
        return NAN
    if name in ("sin", "cos", "tan") and math.isinf(x):
        return NAN
    if name in ("exp", "exp2", "sinh", "cosh", "expm1") and abs(x) > LARGEST:
        low = {"sinh": -INF, "cosh": INF, "expm1": -1.0}.get(name, 0.0)
        return INF if x > 0 else low
    if name in ("tanh", "erf", "erfc") and abs(x) > LARGEST:
        return (0.0 if x > 0 else 2.0) if name == "erfc" else math.copysign(1.0, x)
    if name == "cbrt" and math.isinf(x):
        return x
    return ONE[name](MP.mpf(x))


@cache
def wanted(name: str, t: str) -> list[Any]:
    """The exact values at the points."""
    return [exactly(name, x) for x in points(t, name)]


@pytest.mark.parametrize("target", ["llvm", "c"])
@pytest.mark.parametrize("t", WIDTHS)
@pytest.mark.parametrize("name", ONE)
def test_one_operand(name: str, t: str, target: str) -> None:
    xs, exact = points(t, name), wanted(name, t)
    kind = WIDTHS[t][3] * len(xs)
    out = kind()
    getattr(library(target), f"{name}_{t}")(len(xs), kind(*xs), out)
    for x, got, value in zip(xs, out, exact, strict=True):
        assert off(got, value, t) <= BOUND.get(name, 2.0), (x, got, value)


@pytest.mark.parametrize("target", ["llvm", "c"])
@pytest.mark.parametrize("t", WIDTHS)
@pytest.mark.parametrize("name", TWO)
def test_two_operands(name: str, t: str, target: str) -> None:
    draw = Random(name)
    pool = [x for x in points(t, name) if math.isfinite(x)]
    if name == "fmod":  # exact, but mpmath's is not for quotients of thousands of bits
        pool = [x for x in pool if x == 0 or 1e-20 < abs(x) < 1e20]
    if name == "pow":
        pool = [x for x in pool if 1e-3 < x < 1e3]
    pairs = [(draw.choice(pool), draw.choice(pool)) for _ in range(400)]
    kind = WIDTHS[t][3] * len(pairs)
    out = kind()
    run = getattr(library(target), f"{name}_{t}")
    run(len(pairs), kind(*(x for x, _ in pairs)), kind(*(y for _, y in pairs)), out)
    for (x, y), got in zip(pairs, out, strict=True):
        if name == "atan2" and x == 0:
            assert got == rounded(math.atan2(x, y), t)
            continue
        exact = TWO[name](MP.mpf(x), MP.mpf(y))
        assert off(got, exact, t) <= (0.0 if name == "fmod" else 2.0), (x, y, got, exact)


@pytest.mark.parametrize("target", ["llvm", "c"])
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("x", [0.0, -0.0])
def test_zeros_keep_their_sign(name: str, x: float, target: str) -> None:
    kind = ctypes.c_double * 1
    out = kind(1.0)
    getattr(library(target), f"{name}_f64")(1, kind(x), out)
    assert str(out[0]) == str(x)
