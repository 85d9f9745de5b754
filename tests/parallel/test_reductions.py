"""Reductions over a range: `sum`, `min`, `max`, `argmin`, `argmax`."""

from __future__ import annotations

import math

import pytest
from parallel.judging import HOWS, agree, codes, shown, traps
from subjects import on

import loma
from loma import argmax
from loma.driver import core_module
from loma.ir.text import module_text
from loma.ir.types import F32, F64

MANY = """
def f(a : In[Array[float]], b : In[Array[float]], n : In[int]) -> float:
    s = sum(sum(a[i] * b[j] * sin(a[j]) for j in range(i + 1)) for i in range(n))
    if max(a[i] for i in range(n)) > 10.0:
        s = 0.0
    t = min(max(a[i] * b[j] for j in range(1, n)) for i in range(n - 1, -1, -2))
    k = argmax(a[i] - b[i] for i in range(n))
    return s * t + b[k] + min(a[0], b[0], sum(a[i] for i in range(0)))
"""


def test_nested_reductions_and_their_derivatives() -> None:
    agree(MANY, "f", n=5)


def test_they_are_expressions_like_others() -> None:
    agree(
        """
def g(x : In[float], n : In[int]) -> float:
    return sum(x ** k for k in range(n))

def f(a : InOut[Array[float]], n : In[int], y : Out[float]):
    i = 0
    while sum(a[k] for k in range(n)) > 1.0 and i < 3:
        a[argmax(a[k] for k in range(n))] *= 0.5
        i += 1
    y = g(min(a[k] for k in range(n)), n) if sum(1 for k in range(n)) == n else 0.0
""",
        "f",
        n=4,
    )


def test_integers() -> None:
    text = """
def f(a : In[Array[int]], n : In[int]) -> int:
    total = sum(a[i] for i in range(n))
    return total * 1000 + max(a[i] for i in range(n)) * 10 + argmin(a[i] for i in range(n))

def above(a : In[Array[float]], n : In[int]) -> int:
    return sum(a[i] > 0.5 for i in range(n))

def wide(n : In[i64]) -> i64:
    return sum(k * k for k in range(n)) + argmax(-k for k in range(n - 3, n))
"""
    for how in ("oracle", *HOWS):
        run = on(how, text, F64)
        assert run.call("f", [[3, -2, 7, -2], 4])[1] == 6071
        assert run.call("above", [[0.3, 0.6, 0.9, 0.1], 4])[1] == 2
        assert run.call("wide", [3_000])[1] == sum(k * k for k in range(3000)) + 2997


SEARCH = """
def least(a : In[Array[float]], n : In[int]) -> int:
    return argmin(a[i] for i in range(n))

def most(a : In[Array[float]], n : In[int]) -> int:
    return argmax(a[i] for i in range(n))

def high(a : In[Array[float]], n : In[int]) -> float:
    return max(a[i] for i in range(n))
"""
INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("a", "least", "most"),
    [
        ([2.0, 1.0, 1.0, 2.0], 1, 0),
        ([INF, INF, INF, INF], 0, 0),
        ([-INF, -INF, 0.0, 1.0], 0, 3),
        ([1.0, NAN, -5.0, NAN], 1, 1),
        ([0.0, -0.0, 0.0, -0.0], 0, 0),
    ],
)
def test_ties_infinities_and_nan(a: list[float], least: int, most: int) -> None:
    for how in ("oracle", *HOWS):
        run = on(how, SEARCH, F64)
        assert run.call("least", [a, 4])[1] == least, how
        assert run.call("most", [a, 4])[1] == most, how
        assert repr(float(run.call("high", [a, 4])[1])) == repr(a[most]), how


def test_the_first_of_equal_values_takes_the_gradient() -> None:
    text = SEARCH + "r = rev_diff(high)\n"
    for how in ("oracle", *HOWS):
        after, _ = on(how, text, F64).call("r", [[1.0, 3.0, 3.0, 2.0], [0.0] * 4, 4, 0, 2.0])
        assert after[1] == [0.0, 2.0, 0.0, 0.0], how


def test_nothing_is_kept_for_an_extreme_value() -> None:
    text = "def f(a : In[Array[float]], n : In[int]) -> float:\n"
    text += "    return max(sin(a[i]) for i in range(n))\nr = rev_diff(f)\n"
    assert "Tape" not in shown(text, "r", fast=True)


@pytest.mark.parametrize("kind", ["min", "max", "argmin", "argmax"])
def test_an_empty_range_has_no_best_value(kind: str) -> None:
    text = "def f(a : In[Array[float]], n : In[int]) -> float:\n    x : float\n"
    text += f"    x = {kind}(a[i] for i in range(3, n))\n    return x\n"
    assert traps(text, "f", [[1.0, 2.0, 3.0, 4.0], 3]) == {("EMPTY", 3)}


def test_misuse_is_reported() -> None:
    head = "def f(x : In[Array[float]], n : In[int]) -> float:\n    return "
    assert codes(head + "max(x[i] for i in range(n) if i > 1)\n") == ["E1701"]
    assert codes(head + "sum(x for i in range(n))\n") == ["E1702"]
    assert codes(head + "sum(x[i] for n in range(n))\n") == ["E0201", "E0202"]


def test_in_decorated_functions() -> None:
    @loma.function
    def spread(x: loma.In[loma.Array[float]], n: loma.In[int]) -> float:
        mean = sum(x[i] for i in range(n)) / n
        at = argmax(x[k] for k in range(n))
        return sum((x[i] - mean) ** 2 for i in range(n)) + x[at]

    assert spread([1.0, 2.0, 6.0], 3) == pytest.approx(20.0)
    (gradient,) = loma.grad(spread)([1.0, 2.0, 6.0], 3)
    assert list(gradient) == pytest.approx([-4.0, -2.0, 7.0])


def test_a_sum_is_the_loop_that_one_would_write() -> None:
    head = "def f(a : In[Array[float]], n : In[int]) -> float:\n"
    loop = "    total : float\n    for i in range(n):\n        total += a[i] * a[i]\n"
    loop += "    return total\n"
    summed = "    return sum(a[i] * a[i] for i in range(n))\n"
    written, made = (module_text(core_module(head + body)) for body in (loop, summed))
    assert made == written
    assert on("llvm", head + summed, F32).call("f", [[0.25] * 8, 8])[1] == 0.5
