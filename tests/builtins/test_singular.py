"""Derivatives at singular points: a zero tangent or adjoint contributes zero, others honest
infinities.
"""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from subjects import COMPILED, CORES, differences, on

from loma.ir.types import F32, F64, Scalar

TEXT = """
def root(x : In[float]) -> float:
    return sqrt(x)
def logarithm(x : In[float]) -> float:
    return log(x)
def quotient(x : In[float], y : In[float]) -> float:
    return x / y
def power(x : In[float], y : In[float]) -> float:
    return pow(x, y)
def square(x : In[float]) -> float:
    return pow(x, 2.0)
def cube(x : In[float]) -> float:
    return pow(x, 3)
def itself(x : In[float]) -> float:
    return pow(x, 1.0)
def one(x : In[float]) -> float:
    return pow(x, 0.0)
def reciprocal(x : In[float]) -> float:
    return pow(x, -2.0)
def norm(x : In[float], y : In[float]) -> float:
    return sqrt(x * x + y * y)
def guarded(x : In[float]) -> float:
    r : float = 1.0
    if x > 0:
        r = sqrt(x) + log(x) / x
    return r
def chosen(x : In[float]) -> float:
    return select(x > 0, sqrt(x) + log(x) / x, 1.0)
"""
NAMES = [line.split("(")[0][4:] for line in TEXT.splitlines() if line.startswith("def ")]
TEXT += "".join(
    f"d_{n} = fwd_diff({n})\nr_{n} = rev_diff({n})\ndr_{n} = fwd_diff(r_{n})\n" for n in NAMES
)
TEXT += "rd_power = rev_diff(d_power)\n"
HOWS = [(how, t) for how in (*CORES, *COMPILED) for t in ((F64,) if how in CORES else (F32, F64))]
everywhere = pytest.mark.parametrize(
    "how,float_type", HOWS, ids=[f"{how}-{t.value}" for how, t in HOWS]
)

# function, point, derivatives with seed 1
DERIVATIVES: list[tuple[str, list[float], list[float]]] = [
    ("root", [0.0], [inf]),
    ("logarithm", [0.0], [inf]),
    ("square", [-1.5], [-3.0]),
    ("square", [0.0], [0.0]),
    ("cube", [-2.0], [12.0]),
    ("cube", [0.0], [0.0]),
    ("itself", [0.0], [1.0]),
    ("itself", [-2.0], [1.0]),
    ("one", [0.0], [0.0]),
    ("one", [-2.0], [0.0]),
    ("reciprocal", [-2.0], [0.25]),
    ("power", [0.0, 2.0], [0.0, 0.0]),
    ("power", [0.0, 1.0], [1.0, 0.0]),
    ("power", [0.0, 3.0], [0.0, 0.0]),
    ("guarded", [0.0], [0.0]),
    ("guarded", [-1.0], [0.0]),
    ("chosen", [0.0], [0.0]),
    ("chosen", [-1.0], [0.0]),
]
POINTS: list[tuple[str, list[float], float]] = [
    ("root", [0.0], 0.0),
    ("logarithm", [0.0], -inf),
    ("quotient", [1.0, 0.0], inf),
    ("quotient", [-1.0, 0.0], -inf),
    ("power", [0.0, 0.5], 0.0),
    ("power", [0.0, 0.0], 1.0),
    ("power", [-2.0, 2.0], 4.0),
    ("norm", [0.0, 0.0], 0.0),
]


def dual(v: float, t: float) -> dict[str, float]:
    """A dual number."""
    return {"val": v, "dval": t}


def reversed_at(how: str, float_type: Scalar, name: str, point: list[float], seed: float) -> Any:
    """The adjoints of a function's operands."""
    args = [a for x in point for a in (x, 0.0)]
    return on(how, TEXT, float_type).outputs(f"r_{name}", [*args, seed])


@everywhere
@pytest.mark.parametrize("name,point,wanted", DERIVATIVES)
def test_derivative(
    how: str, float_type: Scalar, name: str, point: list[float], wanted: list[float]
) -> None:
    """Both modes give the derivative where there is one, and the right infinity where there is
    not.
    """
    assert differences(reversed_at(how, float_type, name, point, 1.0), wanted) == []
    for k, g in enumerate(wanted):
        duals = [dual(x, float(j == k)) for j, x in enumerate(point)]
        result = on(how, TEXT, float_type).call(f"d_{name}", duals)[1]
        assert differences(result["dval"], g) == []


@everywhere
@pytest.mark.parametrize("name,point,value", POINTS)
def test_zero_seed(
    how: str, float_type: Scalar, name: str, point: list[float], value: float
) -> None:
    """A tangent and an adjoint of exactly 0 stay exactly 0 through an infinite partial."""
    result = on(how, TEXT, float_type).call(f"d_{name}", [dual(x, 0.0) for x in point])[1]
    assert result == dual(value, 0.0)
    assert reversed_at(how, float_type, name, point, 0.0) == [0.0] * len(point)


@everywhere
@pytest.mark.parametrize("name,point,value", POINTS)
def test_zero_seed_second_order(
    how: str, float_type: Scalar, name: str, point: list[float], value: float
) -> None:
    """The same for the derivative of the derivative."""
    args = [a for x in point for a in (dual(x, 0.0), dual(0.0, 0.0))]
    outputs = on(how, TEXT, float_type).outputs(f"dr_{name}", [*args, dual(0.0, 0.0)])
    assert outputs == [dual(0.0, 0.0)] * len(point)


# y and the mixed second derivative y x^(y-1) (log x + 1/y) of pow(x, y) at x = 0
MIXED = [(3.0, 0.0), (2.0, 0.0), (1.0, -inf), (0.0, inf)]


@everywhere
@pytest.mark.parametrize("y,mixed", MIXED)
def test_mixed_derivative_of_pow(how: str, float_type: Scalar, y: float, mixed: float) -> None:
    """The mixed derivative of a power at 0 is its limit, in either order of the modes."""
    program = on(how, TEXT, float_type)
    zero, seed, upward = dual(0.0, 0.0), dual(1.0, 0.0), dual(0.0, 1.0)
    forward_of_reverse = [
        program.outputs("dr_power", [dual(0.0, dx), zero, dual(y, dy), zero, seed])[k]["dval"]
        for dx, dy, k in ((1.0, 0.0, 1), (0.0, 1.0, 0))
    ]
    reverse_of_forward = [
        program.outputs("rd_power", [dual(0.0, dx), zero, dual(y, dy), zero, upward])[k]["val"]
        for dx, dy, k in ((1.0, 0.0, 1), (0.0, 1.0, 0))
    ]
    assert [*forward_of_reverse, *reverse_of_forward] == [mixed] * 4
