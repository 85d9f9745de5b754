"""The standard library: values against NumPy, derivatives against differences and the oracle."""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from std.cases import CASES, Case, Numbers
from subjects import on

from loma.host.course import compile

STEP = 1e-6


@cache
def library(name: str) -> tuple[dict[str, Any], Any]:
    structs, lib = compile(CASES[name].text, "llvm", float_type="f64")
    return structs, lib


def points(case: Case) -> list[Numbers]:
    rng = np.random.default_rng(case.size * 100 + case.outputs)
    found = [rng.uniform(-1.0, 1.0, case.size) for _ in range(3)]
    for x in found:  # away from singular matrices and axes
        n = math.isqrt(case.size)
        if n * n == case.size:
            x[:: n + 1] += 2.0
    return found


def pointer(x: Numbers) -> Any:
    return x.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def jacobian(case: Case, x: Numbers) -> Numbers:
    """By central differences of what NumPy computes."""
    columns = []
    for k in range(case.size):
        e = np.zeros(case.size)
        e[k] = STEP
        high, low = (np.asarray(case.meaning(p), dtype=float) for p in (x + e, x - e))
        columns.append((high - low) / (2 * STEP))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name: str) -> None:
    case = CASES[name]
    structs, lib = library(name)
    for x in points(case):
        y = np.zeros(case.outputs)
        lib.f(pointer(x), pointer(y))
        assert y == pytest.approx(np.asarray(case.meaning(x), dtype=float), rel=1e-10, abs=1e-12)
        slopes = jacobian(case, x)
        scale = 1 + float(np.abs(slopes).max())
        w = np.linspace(0.5, 1.5, case.outputs)
        gx = np.zeros(case.size)
        lib.r(pointer(x), pointer(gx), pointer(w.copy()))
        assert gx == pytest.approx(w @ slopes, rel=1e-6, abs=1e-7 * scale)
        v = np.linspace(-1.0, 1.0, case.size)
        duals = np.ascontiguousarray(np.stack([x, v], axis=1))
        out = np.zeros((case.outputs, 2))
        dual = ctypes.POINTER(structs["_dfloat"])
        lib.d(duals.ctypes.data_as(dual), out.ctypes.data_as(dual))
        assert out[:, 1] == pytest.approx(slopes @ v, rel=1e-6, abs=1e-7 * scale)


@pytest.mark.parametrize("name", CASES)
def test_second_order_agrees_with_the_oracle(name: str) -> None:
    case = CASES[name]
    text = case.text + "rd = rev_diff(d)\n"
    x = points(case)[0]
    duals = [{"val": float(a), "dval": 0.3 + 0.1 * k} for k, a in enumerate(x)]
    zeros = [{"val": 0.0, "dval": 0.0} for _ in x]
    seeds = [{"val": 0.4, "dval": 1.0 + 0.1 * k} for k in range(case.outputs)]
    found, wanted = (
        on(how, text).outputs("rd", [[dict(d) for d in part] for part in (duals, zeros, seeds)])
        for how in ("core", "oracle"))
    assert flat(found) == pytest.approx(flat(wanted), rel=1e-9, abs=1e-10)


def flat(x: Any) -> list[float]:
    """The numbers in some data."""
    if isinstance(x, dict):
        return [n for v in x.values() for n in flat(v)]
    if isinstance(x, list | tuple):
        return [n for v in x for n in flat(v)]
    return [] if x is None else [float(x)]


def gradient(imports: str, body: str, x: list[float]) -> list[float]:
    """The derivatives of a number of a program by its inputs."""
    case = Case(imports, body, len(x), 1, lambda _: [0.0])
    _, lib = compile(case.text, "llvm", float_type="f64")
    at, g, w = np.array(x), np.zeros(len(x)), np.ones(1)
    lib.r(pointer(at), pointer(g), pointer(w))
    return list(g)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_length_and_direction_of_zero(n: int) -> None:
    """Both have the derivative 0 there, as documented."""
    v = f"vec{n}({', '.join(f'x[{k}]' for k in range(n))})"
    imports = f"from loma.std.vec import vec{n}, normalize"
    assert gradient(imports, f"y[0] = {v}.length()", [0.0] * n) == [0.0] * n
    assert gradient(imports, f"y[0] = normalize({v}).x", [0.0] * n) == [0.0] * n


def test_large_and_small_exponents() -> None:
    imports = "from loma.std.logexp import logaddexp, logsumexp, sigmoid, softplus"
    rows = "t : Array[float, 3]\nfor i in range(3):\n    t[i] = x[i]\n"
    assert gradient(imports, rows + "y[0] = logsumexp(t)", [1000.0, 1000.0, -1000.0]) == (
        pytest.approx([0.5, 0.5, 0.0]))
    assert gradient(imports, "y[0] = logaddexp(x[0], x[1])", [800.0, 800.0]) == [0.5, 0.5]
    assert gradient(imports, "y[0] = softplus(x[0])", [900.0]) == [1.0]
    assert gradient(imports, "y[0] = softplus(x[0])", [-900.0]) == [0.0]
    assert gradient(imports, "y[0] = softplus(x[0])", [0.0]) == [0.5]
    assert gradient(imports, "y[0] = sigmoid(x[0])", [0.0]) == pytest.approx([0.25])
    assert gradient(imports, "y[0] = sigmoid(x[0])", [-1000.0]) == [0.0]
    lowest = "low = log(0.0 * x[0])\n"
    assert gradient(imports, lowest + "y[0] = logaddexp(low, x[1])", [1.0, 2.0])[1] == 1.0


def test_second_derivatives_where_two_exponents_are_equal() -> None:
    """A kink in the way of computing is not one of the function."""
    text = ("from loma.std.logexp import logaddexp\n"
            "def f(x : In[float]) -> float:\n    return logaddexp(x, 1.0)\n"
            "d = fwd_diff(f)\n"
            "def slope(x : In[float]) -> float:\n    return d(make__dfloat(x, 1.0)).dval\n"
            "r = rev_diff(slope)\n")
    _, lib = compile(text, "llvm", float_type="f64")
    g = ctypes.c_double(0)
    lib.r(1.0, g, 1.0)
    assert (lib.slope(1.0), g.value) == (0.5, 0.25)


def test_interpolation_beyond_the_edge() -> None:
    imports = "from loma.std.interp import linear, cubic"
    rows = "t : Array[float, 4]\nfor i in range(4):\n    t[i] = i * i\n"
    for name in ("linear", "cubic"):
        for at in (-0.5, 3.5, 1e9, -1e9):
            assert gradient(imports, f"{rows}y[0] = {name}(t, x[0])", [at]) == [0.0]
    one = "t : Array[float, 1]\nt[0] = x[0]\n"
    assert gradient(imports, one + "y[0] = linear(t, 0.5) + cubic(t, 0.0)", [3.0]) == [2.0]


def test_index_is_checked() -> None:
    structs, lib = compile(
        "from loma.std.vec import vec3\ndef f(v : In[vec3], i : In[int]) -> float:\n"
        "    return v[i]\n", "llvm")
    assert lib.f(structs["vec3"](1.0, 2.0, 3.0), 2) == 3.0
    with pytest.raises(Exception, match="the index of a vec3"):
        lib.f(structs["vec3"](1.0, 2.0, 3.0), 3)
