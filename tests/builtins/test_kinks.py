"""The convention at kinks, ties, poles and nan: both modes, both orders, every way to run."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

import pytest
from subjects import COMPILED, CORES, differences, on

from loma.ir.types import F32, F64, Scalar

ONE = ("abs", "sign", "floor", "ceil", "round", "trunc", "asin", "acos", "cbrt", "log1p", "log2",
       "log10", "tanh", "erf")
TWO = ("min", "max", "fmod", "copysign", "hypot", "atan2")
TEXT = "".join(
    f"def {n}_(x : In[float]) -> float:\n    return {n}(x)\n" for n in ONE
) + "".join(
    f"def {n}_(x : In[float], y : In[float]) -> float:\n    return {n}(x, y)\n" for n in TWO
) + """
def clamp_(x : In[float], low : In[float], high : In[float]) -> float:
    return clamp(x, low, high)
def fma_(x : In[float], y : In[float], z : In[float]) -> float:
    return fma(x, y, z)
def root_above(x : In[float]) -> float:
    return max(sqrt(x), 0.5)
def root_clamped(x : In[float]) -> float:
    return clamp(sqrt(x), 1.0, 2.0)
def root_of_abs(x : In[float]) -> float:
    return min(sqrt(abs(x)), -1.0)
def norm(x : In[float], y : In[float]) -> float:
    return hypot(x * x, y)
def finite(x : In[float]) -> float:
    return select(isnan(x) or isinf(x), 0.0, x * x)
"""
NAMES = [line.split("(")[0][4:] for line in TEXT.splitlines() if line.startswith("def ")]
TEXT += "".join(f"d_{n} = fwd_diff({n})\nr_{n} = rev_diff({n})\ndr_{n} = fwd_diff(r_{n})\n"
                for n in NAMES)
HOWS = [(how, t) for how in ("oracle", *CORES, *COMPILED)
        for t in ((F64,) if how in ("oracle", *CORES) else (F32, F64))]
everywhere = pytest.mark.parametrize(
    "how,float_type", HOWS, ids=[f"{how}-{t.value}" for how, t in HOWS])

# function, point, value, derivatives with seed 1
ROWS: list[tuple[str, list[float], float, list[float]]] = [
    ("abs_", [0.0], 0.0, [0.0]), ("abs_", [-0.0], 0.0, [0.0]), ("abs_", [-2.0], 2.0, [-1.0]),
    ("abs_", [-inf], inf, [-1.0]), ("abs_", [nan], nan, [1.0]),
    ("sign_", [0.0], 0.0, [0.0]), ("sign_", [-3.0], -1.0, [0.0]), ("sign_", [nan], nan, [0.0]),
    ("floor_", [-1.5], -2.0, [0.0]), ("floor_", [2.0], 2.0, [0.0]), ("floor_", [-inf], -inf, [0.0]),
    ("ceil_", [-1.5], -1.0, [0.0]), ("trunc_", [-1.5], -1.0, [0.0]), ("ceil_", [nan], nan, [0.0]),
    ("round_", [-2.5], -3.0, [0.0]), ("round_", [2.5], 3.0, [0.0]), ("round_", [0.25], 0.0, [0.0]),
    ("min_", [1.0, 1.0], 1.0, [1.0, 0.0]), ("max_", [1.0, 1.0], 1.0, [1.0, 0.0]),
    ("min_", [2.0, 1.0], 1.0, [0.0, 1.0]), ("max_", [2.0, 1.0], 2.0, [1.0, 0.0]),
    ("min_", [nan, 1.0], nan, [1.0, 0.0]), ("min_", [1.0, nan], nan, [0.0, 1.0]),
    ("max_", [nan, 1.0], nan, [1.0, 0.0]), ("max_", [1.0, nan], nan, [0.0, 1.0]),
    ("min_", [inf, -inf], -inf, [0.0, 1.0]), ("max_", [0.0, -0.0], 0.0, [1.0, 0.0]),
    ("clamp_", [0.5, 0.0, 1.0], 0.5, [1.0, 0.0, 0.0]),
    ("clamp_", [0.0, 0.0, 1.0], 0.0, [1.0, 0.0, 0.0]),
    ("clamp_", [1.0, 0.0, 1.0], 1.0, [1.0, 0.0, 0.0]),
    ("clamp_", [-1.0, 0.0, 1.0], 0.0, [0.0, 1.0, 0.0]),
    ("clamp_", [3.0, 0.0, 1.0], 1.0, [0.0, 0.0, 1.0]),
    ("clamp_", [0.5, 2.0, 1.0], 1.0, [0.0, 0.0, 1.0]),
    ("clamp_", [nan, 0.0, 1.0], nan, [1.0, 0.0, 0.0]),
    ("clamp_", [0.5, nan, 1.0], nan, [0.0, 1.0, 0.0]),
    ("copysign_", [0.0, -1.0], -0.0, [0.0, 0.0]), ("copysign_", [2.0, -0.0], -2.0, [-1.0, 0.0]),
    ("copysign_", [-2.0, -1.0], -2.0, [1.0, 0.0]), ("copysign_", [-2.0, 5.0], 2.0, [-1.0, 0.0]),
    ("fmod_", [5.5, 2.0], 1.5, [1.0, -2.0]), ("fmod_", [-5.5, 2.0], -1.5, [1.0, 2.0]),
    ("fmod_", [6.0, 2.0], 0.0, [1.0, -3.0]), ("fmod_", [1.5, inf], 1.5, [1.0, 0.0]),
    ("hypot_", [0.0, 0.0], 0.0, [0.0, 0.0]), ("hypot_", [3.0, -4.0], 5.0, [0.6, -0.8]),
    ("atan2_", [0.0, 0.0], 0.0, [0.0, 0.0]), ("atan2_", [3.0, 4.0], 0.643501108793, [0.16, -0.12]),
    ("asin_", [1.0], 1.5707963267949, [inf]), ("acos_", [-1.0], 3.1415926535898, [-inf]),
    ("cbrt_", [0.0], 0.0, [inf]), ("cbrt_", [-8.0], -2.0, [1 / 12]),
    ("log1p_", [-1.0], -inf, [inf]), ("log2_", [0.0], -inf, [inf]), ("log10_", [0.0], -inf, [inf]),
    ("tanh_", [30.0], 1.0, [0.0]), ("erf_", [-9.0], -1.0, [0.0]),
    ("fma_", [2.0, 3.0, 4.0], 10.0, [3.0, 2.0, 1.0]),
    ("root_above", [0.0], 0.5, [0.0]), ("root_clamped", [0.0], 1.0, [0.0]),
    ("root_of_abs", [0.0], -1.0, [0.0]), ("norm", [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("finite", [3.0], 9.0, [6.0]),
]
SINGULAR = [("asin_", [1.0]), ("acos_", [1.0]), ("cbrt_", [0.0]), ("log1p_", [-1.0]),
            ("log2_", [0.0]), ("log10_", [0.0]), ("hypot_", [0.0, 0.0]), ("atan2_", [0.0, 0.0])]


def dual(v: float, t: float) -> dict[str, float]:
    """A dual number."""
    return {"val": v, "dval": t}


def tolerance(float_type: Scalar) -> float:
    """How exactly a width meets the numbers above."""
    return 1e-6 if float_type is F32 else 1e-11


@everywhere
@pytest.mark.parametrize("name,point,value,wanted", ROWS)
def test_value_and_derivatives(
    how: str, float_type: Scalar, name: str, point: list[float], value: float, wanted: list[float]
) -> None:
    """The value, every tangent and every adjoint."""
    subject, near = on(how, TEXT, float_type), tolerance(float_type)
    got = subject.call(name, point)[1]
    assert differences(got, value, near) == [] or isnan(got) and isnan(value)
    adjoints = subject.outputs(f"r_{name}", [*(a for x in point for a in (x, 0.0)), 1.0])
    assert differences(adjoints, wanted, near) == []
    for k, g in enumerate(wanted):
        duals = [dual(x, float(j == k)) for j, x in enumerate(point)]
        assert differences(subject.call(f"d_{name}", duals)[1]["dval"], g, near) == []


@everywhere
@pytest.mark.parametrize("x", [inf, -inf, nan])
def test_what_is_not_finite_is_told(how: str, float_type: Scalar, x: float) -> None:
    """isnan and isinf guard a value."""
    assert on(how, TEXT, float_type).call("finite", [x])[1] == 0.0


@everywhere
@pytest.mark.parametrize("name,point", SINGULAR)
def test_zero_seeds_stay_zero(
    how: str, float_type: Scalar, name: str, point: list[float]
) -> None:
    """Through an infinite partial, at first and second order."""
    subject = on(how, TEXT, float_type)
    assert subject.call(f"d_{name}", [dual(x, 0.0) for x in point])[1]["dval"] == 0.0
    zeros = [0.0] * len(point)
    assert subject.outputs(f"r_{name}", [*(a for x in point for a in (x, 0.0)), 0.0]) == zeros
    args = [a for x in point for a in (dual(x, 0.0), dual(0.0, 0.0))]
    outputs = subject.outputs(f"dr_{name}", [*args, dual(0.0, 0.0)])
    assert outputs == [dual(0.0, 0.0)] * len(point)


@pytest.mark.parametrize("how", [*CORES, *COMPILED])
@pytest.mark.parametrize("name,point", [(r[0], r[1]) for r in ROWS
                                        if r[0] not in {s[0] for s in SINGULAR}])
def test_second_order_is_the_oracles(how: str, name: str, point: list[float]) -> None:
    """Forward over reverse, every direction, at the same points."""
    for k in range(len(point)):
        args: list[Any] = []
        for j, x in enumerate(point):
            args += [dual(x, float(j == k)), dual(0.0, 0.0)]
        args.append(dual(1.0, 0.0))
        got = on(how, TEXT, F64).outputs(f"dr_{name}", args)
        assert differences(got, on("oracle", TEXT, F64).outputs(f"dr_{name}", args)) == []
