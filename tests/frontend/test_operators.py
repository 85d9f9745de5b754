"""Operators mean what Python's mean, as far as 32 bits go, however the program is run."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from subjects import on

from loma.diagnostics import RunError, UserError
from loma.ir.types import F32, F64

EVERY = ["oracle", "core", "plain", "llvm", "c"]
LEAST = -(2**31)
WHOLE = (0, 1, -1, 2, -2, 3, -3, 7, -7, 12, -13, 1 << 30, LEAST, 2**31 - 1)

TEXT = """
def floor(a : In[int], b : In[int]) -> int:
    return a // b
def rest(a : In[int], b : In[int]) -> int:
    return a % b
def floor_by(a : In[int]) -> int:
    return a // 3 + a // -4
def rest_by(a : In[int]) -> int:
    return a % 3 + 10 * (a % -4)
def both(a : In[int], b : In[int]) -> int:
    return a & b
def either(a : In[int], b : In[int]) -> int:
    return a | b
def one(a : In[int], b : In[int]) -> int:
    return a ^ b
def none(a : In[int], b : In[int]) -> int:
    return ~a
def left(a : In[int], b : In[int]) -> int:
    return a << b
def right(a : In[int], b : In[int]) -> int:
    return a >> b
def wide_left(a : In[i64], b : In[i64]) -> i64:
    return a << b
def wide_right(a : In[i64], b : In[i64]) -> i64:
    return a >> b
def truths(a : In[int], b : In[int]) -> int:
    return ((a > 0) & (b > 0)) + 2 * ((a > 0) | (b > 0)) + 4 * ((a > 0) ^ (b > 0))
def cube(a : In[int], b : In[int]) -> int:
    return a ** 3 + b ** 0 + b ** 1
def power(a : In[int], n : In[int]) -> int:
    return a ** n
def between(a : In[int], b : In[int]) -> int:
    return 1 if a < b <= 7 != a > -100 else 2 if a < 0 else 3
def tight(a : In[int], b : In[int]) -> int:
    return -a ** 2 + a & b | a ^ 3 << 2 + 1 == 7
def float_floor(x : In[float], y : In[float]) -> float:
    return x // y
def float_rest(x : In[float], y : In[float]) -> float:
    return x % y
"""


def wrapped(x: int, bits: int = 32) -> int:
    half = 1 << (bits - 1)
    return (x + half) % (2 * half) - half


def shifted(x: int, by: int, left: bool, bits: int) -> int:
    """A count outside the width moves all bits out."""
    by = by if 0 <= by < bits else bits
    return wrapped(x << by if left else x >> by, bits)


MEANINGS: dict[str, Callable[[int, int], int]] = {
    "both": lambda a, b: a & b,
    "either": lambda a, b: a | b,
    "one": lambda a, b: a ^ b,
    "none": lambda a, b: ~a,
    "left": lambda a, b: shifted(a, b, True, 32),
    "right": lambda a, b: shifted(a, b, False, 32),
    "wide_left": lambda a, b: shifted(a, b, True, 64),
    "wide_right": lambda a, b: shifted(a, b, False, 64),
    "truths": lambda a, b: ((a > 0) & (b > 0)) + 2 * ((a > 0) | (b > 0)) + 4 * ((a > 0) ^ (b > 0)),
    "cube": lambda a, b: wrapped(a**3 + 1 + b),
    "between": lambda a, b: 1 if a < b <= 7 != a > -100 else 2 if a < 0 else 3,
    "tight": lambda a, b: int(wrapped(-(a**2) + a) & b | a ^ 3 << 2 + 1 == 7),
}


@pytest.mark.parametrize("how", EVERY)
@pytest.mark.parametrize("name", list(MEANINGS))
def test_as_in_python(name: str, how: str) -> None:
    subject = on(how, TEXT)
    for a in WHOLE:
        for b in (*WHOLE, 31, 32, 33, 63, 64):
            assert subject.outputs(name, [a, b]) == [MEANINGS[name](a, b)], (a, b)


@pytest.mark.parametrize("how", EVERY)
def test_division_rounds_down(how: str) -> None:
    subject = on(how, TEXT)
    for a in WHOLE:
        assert subject.outputs("floor_by", [a]) == [a // 3 + a // -4]
        assert subject.outputs("rest_by", [a]) == [a % 3 + 10 * (a % -4)]
        for b in WHOLE:
            if b == 0 or (a, b) == (LEAST, -1):
                for name in ("floor", "rest"):
                    with pytest.raises(RunError) as caught:
                        subject.outputs(name, [a, b])
                    assert caught.value.code == ("DIVISION" if b == 0 else "OVERFLOW")
            else:
                assert subject.outputs("floor", [a, b]) == [a // b]
                assert subject.outputs("rest", [a, b]) == [a % b]


@pytest.mark.parametrize("float_type", [None, F32])
@pytest.mark.parametrize("how", EVERY)
def test_floats_round_down(how: str, float_type: object) -> None:
    subject = on(how, TEXT) if float_type is None else on(how, TEXT, F32)
    for x in (0.0, 0.75, -0.75, 7.5, -7.5, 1e6):
        for y in (0.5, -0.5, 2.0, -3.0):
            assert subject.outputs("float_floor", [x, y]) == [x // y]
            assert subject.outputs("float_rest", [x, y]) == [x % y]


@pytest.mark.parametrize("how", EVERY)
def test_power_of_integers(how: str) -> None:
    subject = on(how, TEXT)
    for a in WHOLE:
        for n in (0, 1, 2, 3, 7, 31, 40):
            assert subject.outputs("power", [a, n]) == [wrapped(a**n)]
        with pytest.raises(RunError) as caught:
            subject.outputs("power", [a, -1])
        assert caught.value.code == "ASSERT"


EFFECTS = """
def next(n : In[Array[int]]) -> int:
    n[0] = n[0] + 1
    return n[0]
def middle(n : In[Array[int]]) -> int:
    return 0 < next(n) < 100 if 5 > next(n) else 7
def stops(n : In[Array[int]]) -> int:
    return 0 > next(n) < next(n) < next(n)
def index(n : In[Array[int]], a : Out[Array[int]]):
    a[next(n)] += 10
    a[next(n) % 2] *= 3
"""


@pytest.mark.parametrize("how", EVERY)
def test_each_operand_is_evaluated_once(how: str) -> None:
    subject = on(how, EFFECTS)
    assert subject.call("middle", [[0]]) == ([[2]], 1)
    assert subject.call("middle", [[9]]) == ([[10]], 7)
    assert subject.call("stops", [[5]]) == ([[6]], 0)
    assert subject.call("index", [[0], [5, 6, 7]]) == ([[2], [15, 16, 7]], None)


MASKS = """
BITS = 5
MASK = (1 << BITS) - 1
FLAGS = MASK & 12 | 64 >> 1 ^ 3
def low(a : In[int]) -> int:
    t : Array[int, 1 << BITS]
    t[MASK] = a & MASK
    return t[31] * 1000 + FLAGS
"""


@pytest.mark.parametrize("how", EVERY)
def test_constants_of_bits(how: str) -> None:
    assert on(how, MASKS).call("low", [-1])[1] == 31000 + (31 & 12 | 64 >> 1 ^ 3)


@pytest.mark.parametrize("value", ["1.5 << 2", "1 << 2.0", "1 << 80", "1 << 10 ** 15", "1 >> -1"])
def test_no_constants_of_bits(value: str) -> None:
    with pytest.raises(UserError):
        on("core", f"K = {value}\ndef f() -> float:\n    return 1.0 * K\n")


def test_functions_in_constants() -> None:
    """Builtins whose names are taken give numbers in constants, where these are real."""
    text = ("A = ROOT * pow(2, 3) - log(1.0)\nROOT = sqrt(2.0)\nB = [exp(0.0), A]\nN = len(B)\n"
            "def f(x : In[float]) -> float:\n    return x * B[1] + B[0] * (N - 1)\n")
    for how in EVERY:
        assert on(how, text, F64).call("f", [2.0])[1] == 2.0 * (math.sqrt(2.0) * 8.0) + 1.0
    for wrong in ("log(-1.0)", "sin(1.0, 2.0)", "sqrt(x)"):
        with pytest.raises(UserError):
            on("llvm", f"A = {wrong}\ndef f() -> float:\n    return A\n", F64)
