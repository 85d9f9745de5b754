"""What a program did not evaluate, or does not depend on, makes no derivative nan: moved and
speculated operations, derivatives that overflow, empty loops.
"""

from __future__ import annotations

from math import exp, isfinite, log

import pytest
from subjects import COMPILED, CORES, EXACT, differences, on

from loma.ir.types import F32, F64, Scalar

Point = tuple[float, float, int]
HOWS = (*CORES, *COMPILED)
TEXT = """
def product(x : In[float], y : In[float], n : In[int]) -> float:
    return sqrt(x) * y if x > 0.0 else y * y
def quotient(x : In[float], y : In[float], n : In[int]) -> float:
    return y * (1.0 / x) if x != 0.0 else y * y
def square(x : In[float], y : In[float], n : In[int]) -> float:
    return x * x * y if x < 1e10 else 2.0 * y
def side(x : In[float], y : In[float], n : In[int]) -> float:
    root = sqrt(x) if x > 0.0 else 0.5 * x
    return root * y if x > 0.0 else y - root
def mean(x : In[float], y : In[float], n : In[int]) -> float:
    s = y
    for i in range(n):
        s += log(x) * y * (i + 1) + y / n
    return s
def nest(x : In[float], y : In[float], n : In[int]) -> float:
    s = y
    for i in range(2):
        for j in range(n):
            for k in range(n):
                s += sin(log(x) * y) + exp(x) * y
    return s
def counted(x : In[float], y : In[float], n : In[int]) -> float:
    s = y
    k = 0
    while k < n:
        k = k + 1
        s = sin(y * (1.0 / x)) * s
    return s
def searched(x : In[float], y : In[float], n : In[int]) -> float:
    s = y
    while s < x * log(x):
        s = s + log(x) * y + 1.0
    return s
def capped(x : In[float], y : In[float], n : In[int]) -> float:
    return min(exp(x), 3.0) * y + min(cosh(x), 3.0) + min(exp2(x), 3.0) + min(expm1(x), 3.0)
def bounded(x : In[float], y : In[float], n : In[int]) -> float:
    t = exp(x)
    if t > 3.0:
        t = 3.0
    return max(sinh(x), -3.0) + t * y if x < 0.0 else t * y
def sigmoid(x : In[float], y : In[float], n : In[int]) -> float:
    return y / (1.0 + exp(-x))
def length(x : In[float], y : In[float], n : In[int]) -> float:
    return hypot(x, n) * y
"""
NAMES = [line.split()[1].partition("(")[0] for line in TEXT.splitlines() if line[:3] == "def"]
FINITE: dict[str, list[tuple[Point, tuple[float, float]]]] = {
    "product": [((-0.5, 0.3, 0), (0.0, 0.6)), ((4.0, 0.5, 0), (0.125, 2.0))],
    "quotient": [((0.0, 0.3, 0), (0.0, 0.6)), ((2.0, 0.5, 0), (-0.125, 0.5))],
    "square": [((1e30, 0.3, 0), (0.0, 2.0)), ((3.0, 0.5, 0), (3.0, 9.0))],
    "side": [((-0.5, 0.3, 0), (-0.5, 1.0)), ((4.0, 0.5, 0), (0.125, 2.0))],
    "mean": [((-0.5, 0.3, 0), (0.0, 1.0)), ((0.0, 0.3, -1), (0.0, 1.0)),
             ((2.0, 0.5, 2), (0.75, 2.0 + 3.0 * log(2.0)))],
    "nest": [((-0.5, 0.3, 0), (0.0, 1.0)), ((1e3, 0.3, -2), (0.0, 1.0))],
    "counted": [((0.0, 0.3, 0), (0.0, 1.0))],
    "searched": [((0.0, 0.3, 0), (0.0, 1.0)), ((-1.0, 0.3, 0), (0.0, 1.0))],
    "capped": [((1e4, 0.5, 0), (0.0, 3.0))],
    "bounded": [((1e4, 0.5, 0), (0.0, 3.0)), ((-1e4, 0.5, 0), (0.0, 0.0))],
    "sigmoid": [((-1e4, 0.5, 0), (0.0, 0.0)), ((0.0, 2.0, 0), (0.5, 0.5))],
    "length": [((0.0, 0.5, 0), (0.0, 0.0)), ((3.0, 0.5, 4), (0.3, 5.0))],
}  # fmt: skip
ORDERS = "r_{0} = rev_diff({0})\nrr_{0} = rev_diff(r_{0})\nfr_{0} = fwd_diff(r_{0})\n"
ALL = TEXT + "".join(ORDERS.format(name) for name in NAMES)
CASES = [(name, *case) for name in NAMES for case in FINITE[name]]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("float_type", [F32, F64])
@pytest.mark.parametrize("name, point, gradient", CASES)
def test_gradient(
    name: str, point: Point, gradient: tuple[float, float], how: str, float_type: Scalar
) -> None:
    x, y, n = point
    by_x, by_y, _ = on(how, ALL, float_type).outputs(f"r_{name}", [x, 0.0, y, 0.0, n, 0, 1.0])
    assert differences([by_x, by_y], list(gradient), EXACT[float_type]) == []


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name, point, gradient", CASES)
def test_second_order(name: str, point: Point, gradient: tuple[float, float], how: str) -> None:
    """Reverse over reverse and forward over reverse are finite, and agree."""
    x, y, n = point
    if name == "sigmoid" and x < 0.0:
        return  # exp(-x) has an infinite tangent there, which is honest
    run = on(how, ALL, F64)
    args = [{"val": v, "dval": 0.0} for v in (x, 0.0, y, 0.0)]
    args[0]["dval"], args[2]["dval"] = 0.7, -0.4
    forward = run.outputs(f"fr_{name}", [*args, n, 0, {"val": 1.0, "dval": 0.0}])
    back = run.outputs(f"rr_{name}", [x, 0.0, 0.7, y, 0.0, -0.4, n, 0, 0, 1.0, 0.0])
    moved = [forward[0]["dval"], forward[1]["dval"]]
    assert all(map(isfinite, [*moved, *back]))
    assert differences([back[0], back[1]], moved) == []


def test_what_overflows_is_still_honest() -> None:
    """A tangent that is not zero meets an infinite derivative."""
    run = on("llvm", ALL, F64)
    assert run.outputs("r_sigmoid", [2.0, 0.0, 1.0, 0.0, 0, 0, 1.0])[0] == pytest.approx(
        exp(-2.0) / (1.0 + exp(-2.0)) ** 2
    )
