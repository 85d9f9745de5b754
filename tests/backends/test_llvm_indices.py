"""Sums that are array indices are taken not to overflow; every other sum wraps."""

from __future__ import annotations

import re

from llvm_programs import compiled

from loma import driver
from loma.backends.base import Options
from loma.backends.llvm import LLVM


def text(body: str, arguments: str = "x : In[Array[float]], n : In[int], k : In[int]") -> str:
    source = f"def f({arguments}) -> float:\n    s : float\n{body}    return s\n"
    return LLVM.text(driver.core_module(source), Options())


def test_an_index_of_a_plain_body_does_not_overflow() -> None:
    found = text("    for i in range(n):\n        s = s + x[i + k]\n")
    assert re.search(r"add nsw i32 %v\d+, %v\d+", found)


def test_a_sum_below_an_index_wraps() -> None:
    found = text("    for i in range(n):\n        s = s + x[(i * i + k) - k * i]\n")
    assert len(re.findall(r"(add|sub) nsw i32 %v\d+, %v\d+", found)) == 1


def test_an_index_behind_a_check_wraps() -> None:
    found = text("    for i in range(n):\n        assert i < k\n        s = s + x[i + k]\n")
    assert not re.search(r"add nsw i32 %v\d+, %v\d+", found)


def test_integers_wrap() -> None:
    lib = compiled("def f(n : In[int]) -> int:\n    return n * 31 + 2147483647\n").lib
    assert lib.f(1) == 31 + 2147483647 - 2**32
