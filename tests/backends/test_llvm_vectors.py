"""Elementary functions of several lanes at once: the C library's versions, and our own."""

from __future__ import annotations

import ctypes
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llvm_programs import compiled

from loma import driver
from loma.backends.base import Options
from loma.backends.llvm import LLVM, optimised_text, vectors
from loma.ir.types import F32, F64, Scalar

ONE = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "exp2", "log",
       "log2", "log10", "expm1", "log1p", "cbrt", "erf", "erfc")
TWO = ("pow", "atan2", "hypot")
SPECIAL = (0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-310, -1e-310, 5e-324, 1e-45,
           1e38, -1e300, 1e22, 1e-20, 88.8, -103.5, 709.7, 710.0, -745.2, 0.5, 2.0, -3.0, 2.5)
ULPS = 4
KINDS: dict[Scalar, tuple[Any, Any]] = {
    F32: (np.float32, ctypes.c_float), F64: (np.float64, ctypes.c_double)}
AVAILABLE = bool(vectors.registers())
LANES = re.compile("@_ZGV|@loma_lanes_")


def loop(value: str) -> str:
    """A function that fills an array, and its gradient."""
    return (
        "def f(n : In[int], x : In[Array[float]], z : In[Array[float]], y : Out[Array[float]]):\n"
        f"    for i in range(n):\n        y[i] = {value}\ng = rev_diff(f)\n")


def text(source: str, strict: bool = False, output: Path | None = None) -> str:
    """The program as LLVM text, unoptimised."""
    return LLVM.text(driver.core_module(source), Options(strict=strict, output=output))


def ran(source: str, t: Scalar, strict: bool, given: list[Any]) -> list[Any]:
    """The outputs of f, and the gradients by x and z for adjoints 1, on two arrays."""
    p, (_, number) = compiled(source, t, strict), KINDS[t]
    n, (x, z) = len(given[0]), given

    def at(a: Any) -> Any:
        return a.ctypes.data_as(ctypes.POINTER(number))

    y, dx, dz, dy = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x), np.ones_like(x)
    p.lib.f(n, at(x), at(z), at(y))
    p.lib.g(n, ctypes.c_int(0), at(x), at(dx), at(z), at(dz), at(dy))
    return [y, dx, dz]


def numbers(t: Scalar, name: str) -> list[Any]:
    """Two arrays of numbers of all sizes, the special ones (with each other) among them."""
    draw = np.random.default_rng(len(name))
    kind, _ = KINDS[t]
    sizes = [draw.normal(size=900), 50 * draw.normal(size=900), 10 ** draw.uniform(-30, 30, 900)]
    with np.errstate(over="ignore"):
        special = np.array(SPECIAL).astype(kind)
        x = np.concatenate([np.repeat(special, len(special)), *sizes]).astype(kind)
        z = np.concatenate([np.tile(special, len(special)), draw.normal(size=2700)]).astype(kind)
    return [x, z]


@pytest.mark.parametrize("t", [F32, F64])
@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_close_to_the_scalar_function(name: str, t: Scalar) -> None:
    given = numbers(t, name)
    source = loop(f"{name}(x[i])" if name in ONE else f"{name}(x[i], z[i])")
    lanes, one = (ran(source, t, strict, given) for strict in (False, True))
    with np.errstate(all="ignore"):
        a, b = lanes[0].astype(np.float64), one[0].astype(np.float64)
        ordinary = np.isfinite(b)
        assert np.array_equal(a[~ordinary], b[~ordinary], equal_nan=True)
        assert np.array_equal(np.signbit(a[b == 0]), np.signbit(b[b == 0]))
        assert np.max(np.abs(a - b)[ordinary] / np.spacing(np.abs(one[0]))[ordinary]) <= ULPS
        eps = np.finfo(a.dtype if t is F64 else np.float32).eps
        for d, e in zip(lanes[1:], one[1:], strict=True):
            assert np.allclose(d, e, rtol=2000 * eps, atol=2 * ULPS * eps, equal_nan=True)


@pytest.mark.parametrize("t", [F32, F64])
def test_exact_where_the_function_is(t: Scalar) -> None:
    x = np.linspace(-40, 40, 161).astype(KINDS[t][0])
    zero, one = np.zeros_like(x), np.ones_like(x)
    for value, second, exact in (
        ("exp(z[i])", zero, one), ("log(z[i])", one, zero), ("sin(z[i])", zero, zero),
        ("cos(z[i])", zero, one), ("tanh(z[i])", zero, zero), ("pow(x[i], z[i])", zero, one),
        ("pow(x[i], z[i])", one, x), ("pow(x[i], z[i])", 2 * one, x * x),
    ):
        assert np.array_equal(ran(loop(value), t, False, [x, second])[0], exact), value


def test_a_loop_calls_them() -> None:
    for value in ("exp(x[i])", "pow(x[i], z[i]) * atan2(x[i], 2.0)", "log(1.0 + exp(x[i]))"):
        found = optimised_text(driver.core_module(loop(value)), Options())
        for head in ("f(", "g("):
            body = found.split(f"@loma_f_{head}")[1].split("\n}")[0]
            assert bool(LANES.search(body)) == AVAILABLE, (value, head)


@pytest.mark.parametrize("body", [
    "    while exp(s) < 3.0:\n        s = s + 0.1\n",
    "    for i in range(float2int(exp(x))):\n        s = s + x\n",
    "    if sin(x) * 2.0 > 0.5:\n        for i in range(9):\n            s = s + x * s\n",
    "    t : float = exp(x)\n    for i in range(9):\n        t = t * x\n"
    "    if t > 1.0:\n        for i in range(9):\n            s = s + x * s\n",
])
def test_what_decides_is_the_scalar_function(body: str) -> None:
    source = f"def f(x : In[float]) -> float:\n    s : float = 0.0\n{body}    return s\n"
    assert not LANES.search(text(source))
    shown = source.replace("return s", "return s + exp(s)")
    assert text(shown).count("vector-function-abi-variant") == AVAILABLE


def test_not_in_strict_mode_nor_in_libraries(tmp_path: Path) -> None:
    source = loop("exp(x[i])")
    assert bool(LANES.search(text(source))) == AVAILABLE
    assert not LANES.search(text(source, strict=True))
    assert not LANES.search(text(source, output=tmp_path / "library"))


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors.versions.cache_clear()
    with monkeypatch.context() as without:
        without.setattr(vectors, "library", lambda: None)
        assert not LANES.search(text(loop("log10(x[i]) + tan(z[i])")))
        assert bool(LANES.search(text(loop("exp(x[i])")))) == AVAILABLE
    vectors.versions.cache_clear()


def test_code_from_the_cache_finds_its_kernels(tmp_path: Path) -> None:
    script = (
        "import loma, sys\n"
        f"lib = loma.load({loop('exp(x[i]) + atan2(x[i], z[i])')!r}, float_type='f64')\n"
        "import numpy as np\ny = np.zeros(99)\n"
        "lib.f(99, np.linspace(-1, 1, 99), np.linspace(3, 4, 99), y)\nprint(repr(y.sum()))\n")
    results = {
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "LOMA_CACHE_DIR": str(tmp_path)},
            capture_output=True, text=True, check=True).stdout
        for _ in range(2)}
    assert len(results) == 1
