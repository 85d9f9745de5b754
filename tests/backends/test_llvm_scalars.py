"""Scalar operations on LLVM equal their meaning in the table of primitives."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable

import pytest
from llvm_programs import Program, compiled

INT_MAX, INT_MIN = 2**31 - 1, -2**31


def function(source: str) -> Callable[..., float]:
    """The function f of a program."""
    return compiled(source).lib.f


@pytest.mark.parametrize(("type", "x", "y"), [
    ("i32", 7, -2), ("i64", 2**40, 3), ("f32", 1.5, -0.25), ("f64", 1e300, 1e-300)])
@pytest.mark.parametrize("operator", ["+", "-", "*"])
def test_arithmetic(type: str, x: float, y: float, operator: str) -> None:
    f = function(f"def f(x: In[{type}], y: In[{type}]) -> {type}:\n    return x {operator} y\n")
    expected = {"+": x + y, "-": x - y, "*": x * y}[operator]
    assert f(x, y) == expected


def test_integers_wrap() -> None:
    f = function("def f(x: In[int], y: In[int]) -> int:\n    return x * y + x\n")
    assert f(INT_MAX, 1) == -2
    assert f(INT_MIN, 1) == 0


@pytest.mark.parametrize(("x", "y", "expected"), [
    (7, 2, 3), (-7, 2, -3), (7, -2, -3), (INT_MIN, 1, INT_MIN)])
def test_integer_division_truncates(x: int, y: int, expected: int) -> None:
    f = function("def f(x: In[int], y: In[int]) -> int:\n    return x / y\n")
    assert f(x, y) == expected


@pytest.mark.parametrize(("x", "expected"), [
    (2.9, 2), (-2.9, -2), (1e20, INT_MAX), (-1e20, INT_MIN), (math.inf, INT_MAX), (math.nan, 0)])
def test_float2int_saturates(x: float, expected: int) -> None:
    f = function("def f(x: In[float]) -> int:\n    return float2int(x)\n")
    assert f(x) == expected


@pytest.mark.parametrize(("operator", "python"), [
    ("<", lambda x, y: x < y), ("<=", lambda x, y: x <= y), (">", lambda x, y: x > y),
    (">=", lambda x, y: x >= y), ("==", lambda x, y: x == y), ("!=", lambda x, y: x != y)])
@pytest.mark.parametrize(("x", "y"), [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (math.nan, 1.0)])
def test_comparisons_know_nan(
    operator: str, python: Callable[[float, float], bool], x: float, y: float,
) -> None:
    f = function(
        "def f(x: In[float], y: In[float]) -> int:\n"
        f"    r: int = 0\n    if x {operator} y:\n        r = 1\n    return r\n")
    assert f(x, y) == int(python(x, y))


@pytest.mark.parametrize("name", ["sin", "cos", "exp", "log", "sqrt"])
@pytest.mark.parametrize("type", ["f32", "f64"])
def test_elementary_functions(name: str, type: str) -> None:
    f = function(f"def f(x: In[{type}]) -> {type}:\n    return {name}(x)\n")
    tolerance = 1e-6 if type == "f32" else 1e-15
    for x in (0.25, 1.0, 3.5):
        assert f(x) == pytest.approx(getattr(math, name)(x), rel=tolerance)


def test_pow() -> None:
    f = function("def f(x: In[f64], y: In[f64]) -> f64:\n    return pow(x, y)\n")
    assert f(2.0, 10.0) == 1024.0
    assert f(-2.0, 3.0) == -8.0


@pytest.mark.parametrize(("source", "target", "x", "expected"), [
    ("f64", "f32", 0.1, 0.10000000149011612), ("f32", "f64", 0.5, 0.5),
    ("i32", "f64", INT_MIN, float(INT_MIN)), ("i64", "i32", 2**32 + 5, 5), ("i32", "i64", -3, -3),
    ("bool", "f32", 1, 1.0), ("f32", "bool", math.nan, 1),
    ("i32", "bool", 7, 1), ("bool", "i32", 5, 1)])
def test_conversions(source: str, target: str, x: float, expected: float) -> None:
    f = function(f"def f(x: In[{source}]) -> {target}:\n    return {target}(x)\n")
    assert f(x) == expected


def kahan(strict: bool) -> Program:
    """Compensated summation in f32, which reassociation would destroy."""
    return compiled("""
def f(x: In[Array[float]], n: In[int]) -> float:
    s: float = 0.0
    c: float = 0.0
    i: int = 0
    while i < n:
        y: float = x[i] - c
        t: float = s + y
        c = (t - s) - y
        s = t
        i = i + 1
    return s
""", strict=strict)


@pytest.mark.parametrize("strict", [False, True])
def test_compensated_sums_survive(strict: bool) -> None:
    n = 100_000
    x = (ctypes.c_float * n)(*([0.1] * n))
    assert kahan(strict=strict).lib.f(x, n) == pytest.approx(0.1 * n, rel=1e-7)


def test_strict_sums_keep_their_order() -> None:
    source = """
def f(x: In[Array[float]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = s + x[i]
    return s
"""
    values = [1e8, 1.0, -1e8, 1.0] * 16
    x = (ctypes.c_float * 64)(*values)
    s = ctypes.c_float(0)
    for v in values:
        s = ctypes.c_float(s.value + v)
    assert compiled(source, strict=True).lib.f(x, 64) == s.value
