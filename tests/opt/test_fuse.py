"""Neighbouring loops over the same arrays become one, and leave the same sums."""

from __future__ import annotations

import ctypes

import pytest
from llvm_programs import compiled
from opt.programs import apply, core, result

from loma.ir.nodes import For, Module
from loma.ir.types import F64
from loma.opt import fuse, pipeline

HEAD = "def f(x : In[Array[float]], z : In[Array[float]], n : In[int], k : In[int]) -> float:\n"
JOINED = {
    "alike": """
    for i in range(n):
        s = s + x[i]
    for i in range(n):
        s = s + 2.0 * x[i + 1]
""",
    "two sums": """
    for i in range(n):
        s = s + x[i]
    for i in range(n - 2):
        t = t + 2.0 * x[i + 1] * x[i]
""",
    "the second is longer": """
    for i in range(n - 1):
        s = s + x[i] * x[i + 1]
        t = t + x[i]
    for i in range(n):
        t = t - x[i]
""",
    "from elsewhere": """
    for i in range(k, n + k):
        s = s + x[i]
    t = t + z[k] * 3.0
    for i in range(k, n + k + 3):
        s = s + 4.0 * x[i]
""",
    "three": """
    for i in range(n):
        s = s + x[i]
    for i in range(n):
        t = t + 2.0 * x[i]
    for i in range(n - 1):
        t = t + s0 * x[i + 1]
""",
}
APART = {
    "the second reads the first sum": """
    for i in range(n):
        s = s + x[i]
    for i in range(n):
        t = t + s * x[i]
""",
    "something between reads the first sum": """
    for i in range(n):
        s = s + x[i]
    u = s * s
    for i in range(n):
        s = s + 2.0 * x[i]
    t = u
""",
    "other arrays": """
    for i in range(n):
        s = s + x[i]
    for i in range(n):
        s = s + z[i]
""",
    "other starts": """
    for i in range(n):
        s = s + x[i]
    for i in range(1, n + 1):
        s = s + x[i]
""",
    "other counts": """
    for i in range(n):
        s = s + x[i]
    for i in range(k):
        s = s + x[i]
""",
    "the order matters": """
    for i in range(n):
        s = s * 0.5 + x[i]
    for i in range(n):
        s = s + x[i]
""",
    "one calls a library": """
    for i in range(n):
        s = s + x[i]
    for i in range(n):
        t = t + floor(sin(x[i]))
""",
}
CASES = JOINED | APART
SIZES = [-5, -1, 0, 1, 2, 3, 4, 7, 20]


def source(name: str) -> str:
    return (
        f"{HEAD}    s : float\n    t : float\n    u : float\n    s0 : float = z[0]\n"
        f"{CASES[name]}    return s + 1024.0 * t\n"
    )


def prepared(text: str) -> Module:
    """The program as it comes to the pass, but for what only the reverse sweep needs."""
    return apply(lambda f, m: pipeline.run(pipeline.BEFORE_AD, f, m), core(text, F64))


def loops(module: Module) -> int:
    return sum(isinstance(x, For) and not x.short for x in module.functions["f"].body.ops)


def values() -> tuple[list[float], list[float]]:
    """Whole numbers: their sums are exact in any order."""
    return [float((7 * i) % 11 - 4) for i in range(64)], [float(i % 5 + 1) for i in range(64)]


@pytest.mark.parametrize("name", CASES)
def test_joined_sums_are_the_same(name: str) -> None:
    before = prepared(source(name))
    after = apply(fuse.run, before)
    assert (loops(after) == 1) == (name in JOINED)
    lib = compiled(source(name), F64).lib
    for n in SIZES:
        for k in (1, 3):
            wanted = result(before, "f", [*values(), n, k])
            assert result(after, "f", [*values(), n, k]) == wanted, (name, n, k)
            arrays = [(ctypes.c_double * 64)(*v) for v in values()]
            assert repr(lib.f(*arrays, n, k)) == wanted[0], (name, n, k)


def test_wrapped_counts() -> None:
    """Counts that differ by 1 as they wrap are not those of almost the same loops."""
    text = f"""{HEAD}    s : float
    for i in range(n):
        s = s + x[i % 4]
    for i in range(n - 2147483647 - 1 + 2147483647 + 1 - 1):
        s = s + x[i % 4]
    return s
"""
    before = prepared(text)
    for n in SIZES:
        args = [*values(), n, 0]
        assert result(apply(fuse.run, before), "f", args) == result(before, "f", args)


GRADIENT = """
def f(x : In[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + x[i] * x[i]
    for i in range(n - 1):
        s = s + x[i] * x[i] * x[i + 1]
    return s
g = rev_diff(f)
"""


def test_adjoints_join() -> None:
    lib = compiled(GRADIENT, F64).lib
    for n in [0, 1, 2, 3, 30, 65]:
        x = [float(i % 7 - 3) for i in range(n + 1)]
        adjoint = (ctypes.c_double * (n + 1))(*([1.0] * (n + 1)))
        lib.g((ctypes.c_double * (n + 1))(*x), adjoint, n, ctypes.c_int(), 2.0)
        wanted = [1.0] * (n + 1)
        for i in range(n):
            wanted[i] += 4.0 * x[i]
        for i in range(n - 1):
            wanted[i] += 4.0 * x[i] * x[i + 1]
            wanted[i + 1] += 2.0 * x[i] * x[i]
        assert list(adjoint) == wanted
