"""Array indices that move with a loop are computed in 64 bits, and are those of the language."""

from __future__ import annotations

import ctypes
import re

import pytest
from llvm_programs import compiled

from loma import driver
from loma.backends.base import Options
from loma.backends.llvm import LLVM


def text(body: str, arguments: str = "x : In[Array[float]], n : In[int], k : In[int]") -> str:
    source = f"def f({arguments}) -> float:\n    s : float\n{body}    return s\n"
    return LLVM.text(driver.core_module(source), Options())


def test_an_index_that_moves_with_the_loop_is_in_64_bits() -> None:
    found = text("    for i in range(n):\n        s = s + x[2 * i + k * n + 1]\n")
    assert re.search(r"mul nuw nsw i64 %v\d+, 2", found) and "inbounds float, ptr %v1, i64" in found
    found = text("    for i in range(n):\n        if k > i:\n            s = s + x[2 * i + 1]\n")
    assert "float, ptr %v1, i64" not in found, "the access may not follow"
    found = text("    for i in range(n):\n        s = s + x[2 * i - 2147483647]\n")
    assert "float, ptr %v1, i64" not in found


def test_neighbours_share_an_address() -> None:
    found = text(
        "    c : int = n * k\n    for i in range(k, n):\n"
        "        s = s + x[i + c - 1] + x[i + c] + x[c + 1 + i]\n"
    )
    assert len(re.findall("sext i32", found)) == 1


@pytest.mark.parametrize(
    ("loop", "index", "k"),
    [
        ("range(n)", "i", 0),
        ("range(n)", "2 * i + 1", 0),
        ("range(n)", "3 * i - i + k", 5),
        ("range(n)", "n - 1 - i", 0),
        ("range(n)", "i + 4 * k", 2**30),
        ("range(n)", "i + k + k", -(2**31)),
        ("range(n)", "(i + 2147483647) - 2147483647", 0),
        ("range(n)", "(i * 2 + k + k + 2147483647) + 1", 2**30),
        ("range(k, n + k)", "i - k", 2**31 - 70),
        ("range(k, n + k)", "2 * i - 2 * k", 2**30 + 5),
        ("range(k, n + k, 3)", "i - k + 1", -(2**31)),
        ("range(n - 1, -1, -2)", "2 * i + 1", 0),
        ("range(n, k, -1)", "3 * (i - k) - 2", 7),
        ("range(k - 3, n + k - 3)", "i - k + 3", 2**31 - 30),
        ("range(n)", "(k + 1) + i - (k - 2)", -(2**31)),
        ("range(n)", "(k + 2147483647) + i + 1", -(2**31)),
    ],
)
@pytest.mark.parametrize("n", [0, 1, 7, 64])
def test_moving_indices_are_exact(loop: str, index: str, k: int, n: int) -> None:
    body = f"    for i in {loop}:\n        s = s * 0.5 + x[{index}]\n"
    arguments = "x : In[Array[float]], n : In[int], k : In[int]"
    lib = compiled(f"def f({arguments}) -> float:\n    s : float\n{body}    return s\n").lib
    x = [float((37 * i) % 101) for i in range(256)]
    s = ctypes.c_float(0.0)
    for i in eval(loop, {"n": n, "k": k}):
        at = (eval(index, {"n": n, "k": k, "i": i}) + 2**31) % 2**32 - 2**31
        s = ctypes.c_float(s.value * 0.5 + x[at])
    assert lib.f((ctypes.c_float * 256)(*x), n, k) == pytest.approx(s.value, rel=1e-6)


def test_integers_wrap() -> None:
    lib = compiled("def f(n : In[int]) -> int:\n    return n * 31 + 2147483647\n").lib
    assert lib.f(1) == 31 + 2147483647 - 2**32
