"""Loops that are exchanged compute what they did, at every size, and only those are that may be."""

from __future__ import annotations

import random

import pytest

from loma import driver
from loma.ir.interp import Interpreter
from loma.ir.nodes import Accum, For, Function, Load, Module
from loma.ir.traverse import walk
from loma.ir.types import F64
from loma.ir.verify import verify

HEAD = """
def f(a : In[Array[float]], b : In[Array[float]], c : InOut[Array[float]], n : In[int],
        m : In[int], w : In[float]):
"""
EXCHANGED = {
    "product": """
    for i in range(n):
        for j in range(m):
            s : float = 0.0
            for k in range(n):
                s += a[i * n + k] * b[k * m + j]
            c[i * m + j] = s
""",
    "in place": """
    for i in range(n):
        for j in range(m):
            for k in range(n):
                c[i * m + j] += a[i * n + k] * b[k * m + j]
""",
    "added after": """
    for i in range(n):
        for j in range(m):
            s : float = w
            for k in range(n):
                s -= a[i * n + k] * b[k * m + j]
            c[i * m + j] += s
""",
    "begun elsewhere": """
    for j in range(m):
        s : float = w
        for k in range(n):
            s += a[k * m + j] * b[k]
        c[j + 1] = s
""",
    "backward": """
    for j in range(m - 1, -1, -1):
        s : float = 0.0
        for k in range(n - 1, -1, -1):
            s += a[k * m + j] * b[k]
        c[j] = s
""",
}
LEFT = {
    "rows already": """
    for j in range(m):
        s : float = 0.0
        for k in range(n):
            s += a[j * n + k] * b[k]
        c[j] = s
""",
    "one place": """
    for j in range(m):
        s : float = 0.0
        for k in range(n):
            s += a[k * m + j] * b[k]
        c[0] = s
""",
    "places that meet": """
    for j in range(m):
        s : float = 0.0
        for k in range(n):
            s += a[k * m + j] * b[k]
        c[j // 2] = s
""",
    "unknown steps": """
    for j in range(m):
        s : float = 0.0
        for k in range(n):
            s += a[k * m + j] * b[k]
        c[j * (n // 2)] = s
""",
    "what it writes": """
    for j in range(m):
        s : float = 0.0
        for k in range(n):
            s += a[k * m + j] * c[k]
        c[j] = s
""",
    "triangle": """
    for j in range(m):
        s : float = 0.0
        for k in range(j):
            s += a[k * m + j] * b[k]
        c[j] = s
""",
    "costly": """
    for j in range(m):
        s : float = 0.0
        e : float = exp(b[j])
        for k in range(n):
            s += a[k * m + j] * e
        c[j] = s
""",
    "no sum": """
    for j in range(m):
        s : float = 0.0
        for k in range(n):
            s = s * w + a[k * m + j]
        c[j] = s
""",
    "two sums in one place": """
    for j in range(m):
        s : float = 0.0
        t : float = w
        for k in range(n):
            s += a[k * m + j] * b[k]
            t = a[k * m + j] * w + t
        c[j] = s + 0.0
        c[j] += t
""",
    "used twice": """
    for j in range(m):
        s : float = 0.0
        for k in range(n):
            s += a[k * m + j] * b[k]
        c[j] = s
        c[m + j] = s
""",
}
CASES = EXCHANGED | LEFT
SIZES = [(0, 3), (3, 0), (1, 1), (1, 5), (5, 1), (4, 4), (7, 3), (3, 9)]


def made(name: str) -> tuple[Module, Module]:
    """The module, and one that nothing but checking and lowering has seen."""
    source = HEAD + CASES[name].lstrip("\n") + "g = rev_diff(f)\n"
    module = driver.core_module(source, float_type=F64)
    verify(module)
    return module, driver.core_module(source, float_type=F64, fast=False)


def is_exchanged(f: Function) -> bool:
    """Whether the innermost loop of every nest adds along memory: its index moves what it adds."""
    return any(
        isinstance(op, For)
        and not any(isinstance(x, For) for x in op.body.ops)
        and op.body.args[0].name.startswith("j")
        for op in walk(f.body)
    ) and any(isinstance(x, Accum | Load) for x in walk(f.body))


def arguments(n: int, m: int) -> list[list[float]]:
    draw = random.Random(100 * n + m)
    return [[draw.uniform(-1, 1) for _ in range(200)] for _ in range(6)]


def primal(module: Module, function: str, n: int, m: int) -> list[float]:
    a, b, c, *_ = arguments(n, m)
    Interpreter(module).run(function, [a, b, c, n, m, 0.7])
    return c


def adjoints(module: Module, function: str, n: int, m: int) -> list[float]:
    a, b, c, da, db, dc = arguments(n, m)
    dn, dm, dw = [0], [0], [0.25]
    Interpreter(module).run(function, [a, da, b, db, c, dc, n, dn, m, dm, 0.7, dw])
    return [*da, *db, *dc, *dw]


@pytest.mark.parametrize("name", CASES)
def test_exchanged_is_plain(name: str) -> None:
    fast, plain = made(name)
    assert is_exchanged(fast.functions["_distinct_f"]) == (name in EXCHANGED)
    for n, m in SIZES:
        for run, function in ((primal, "f"), (adjoints, "g")):
            wanted = run(plain, function, n, m)
            for twin in (function, f"_distinct_{function}"):
                assert run(fast, twin, n, m) == pytest.approx(wanted, abs=1e-12), (twin, n, m)


@pytest.mark.parametrize("name", ["product", "begun elsewhere"])
def test_gradient_is_exchanged(name: str) -> None:
    """The adjoint of an exchanged nest walks along memory too."""
    fast, _ = made(name)
    assert is_exchanged(fast.functions["_distinct_g"])
