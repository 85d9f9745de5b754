"""What goes wrong in a thread is an exception with file and line, on every target that is here."""

from __future__ import annotations

from typing import Any

import pytest
from devices.running import on_device
from devices.toolchains import MISSING

from loma.diagnostics import RunError
from loma.ir.types import F32

TARGETS = [t for t in ("opencl", "wgsl", "slang", "ispc") if t not in MISSING]
TEXT = """
@simd
def named(x : In[Array[float, "n"]], k : In[Array[int]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = x[k[i]] * 2.0

r_named = rev_diff(named)

@simd
def given(x : In[Array[float]], k : In[Array[int]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = x[k[i]] * x[k[i]]

r_given = rev_diff(given)

@simd
def local(k : In[Array[int]], y : Out[Array[float]]):
    i : int = thread_id()
    a : Array[float, 4]
    a[k[i]] = 3.0
    y[i] = a[0]

@simd
def sure(x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    assert x[i] > 0.0, "a root"
    y[i] = sqrt(x[i])

@simd
def root(x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = sqrt(x[i])

@simd
def ratio(a : In[Array[int]], b : In[Array[int]], y : Out[Array[int]]):
    i : int = thread_id()
    y[i] = a[i] / b[i]
"""
XS, ZEROS = [1.0, 2.0, 3.0], [0.0, 0.0]
GOOD: dict[str, list[Any]] = {
    "named": [XS, [0, 2], ZEROS, 3],
    "r_named": [XS, [0.0] * 3, [0, 2], [0, 0], [1.0, 1.0], 3],
    "given": [XS, [0, 2], ZEROS],
    "r_given": [XS, [0.0] * 3, [0, 2], [0, 0], [1.0, 1.0]],
    "local": [[0, 3], ZEROS],
    "sure": [[1.0, 4.0], ZEROS],
    "root": [[1.0, 4.0], ZEROS],
    "ratio": [[7, 8], [2, 3], [0, 0]],
}
BAD: dict[str, tuple[int, Any, str, int, str]] = {
    "named": (1, [0, 3], "INDEX", 5, "is outside an array of length ...: x[k[i]]"),
    "r_named": (2, [-1, 0], "INDEX", 5, "is outside an array of length ...: x[k[i]]"),
    "given": (1, [3, 0], "INDEX", 12, "is outside an array of length ...: x[k[i]]"),
    "r_given": (2, [0, -1], "INDEX", 12, "is below zero: x[k[i]]"),
    "local": (0, [0, 4], "INDEX", 20, "is outside an array of length 4: a[k[i]]"),
    "sure": (0, [1.0, -1.0], "ASSERT", 26, "a root: x[i] > 0.0"),
    "root": (0, [-1.0, 1.0], "DOMAIN", 32, "root of a negative number: sqrt(x[i])"),
    "ratio": (1, [2, 0], "DIVISION", 37, "division by zero: a[i] / b[i]"),
}
ALWAYS = {"local": "index out of bounds", "sure": "a root", "ratio": "integer division by zero"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", BAD)
def test_debug_mode(name: str, target: str) -> None:
    at, wrong, code, line, said = BAD[name]
    subject = on_device(target, TEXT, F32, debug=True)
    subject.call(name, GOOD[name], 2)
    args = [wrong if i == at else x for i, x in enumerate(GOOD[name])]
    with pytest.raises(RunError) as caught:
        subject.call(name, args, 2)
    assert (caught.value.code, caught.value.line) == (code, line)
    assert said in str(caught.value) and str(caught.value).startswith(f"test.py:{line}: ")
    subject.call(name, GOOD[name], 2)


@pytest.mark.parametrize("target", TARGETS)
def test_a_thread_beyond_the_end(target: str) -> None:
    subject = on_device(target, TEXT, F32, debug=True)
    with pytest.raises(RunError, match=r"test.py:32: index ... is outside an array .*: x\[i\]"):
        subject.call("root", GOOD["root"], 3)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ALWAYS)
def test_without_debug_mode(name: str, target: str) -> None:
    at, wrong, _, line, _ = BAD[name]
    args = [wrong if i == at else x for i, x in enumerate(GOOD[name])]
    with pytest.raises(RunError, match=f"test.py:{line}: {ALWAYS[name]}"):
        on_device(target, TEXT, F32).call(name, args, 2)
