"""Gathered adjoints of stencils equal scattered ones, at every size and on every rim."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from loma import driver
from loma.ir.interp import Interpreter
from loma.ir.nodes import Accum, For, If, Module
from loma.ir.traverse import walk
from loma.ir.types import F64
from loma.ir.verify import verify

ONE = """
def f(x : In[Array[float]], n : In[int], w : In[float], y : Out[Array[float]]):
    for i in range({low}, n - {high}{step}):
        y[i] = {body}
g = rev_diff(f)
"""
TWO = """
def f(x : In[Array[float]], n : In[int], w : In[float], y : Out[Array[float]]):
    c : int
    for i in range({low}, n - {high}):
        for j in range({low}, n - {high}{step}):
            c = i * n + j
            y[c] = {body}
g = rev_diff(f)
"""
THREE = """
def f(x : In[Array[float]], n : In[int], w : In[float], y : Out[Array[float]]):
    i : int = {low}
    j : int
    k : int
    c : int
    while (i < n - {high}, max_iter := 100):
        j = {low}
        while (j < n - {high}, max_iter := 100):
            k = {low}
            while (k < n - {high}, max_iter := 100):
                c = (i * n + j) * n + k
                y[c] = {body}
                k = k + 1
            j = j + 1
        i = i + 1
g = rev_diff(f)
"""
CASES = {
    "mean": (ONE, 1, "w * (x[i - 1] + x[i + 1]) + x[i]", 1, ""),
    "wide": (ONE, 1, "x[i - 2] * w + x[i - 1] - x[i + 1] * x[i] + 2.0 * x[i + 2]", 2, ""),
    "forward": (ONE, 1, "x[i + 1] - x[i]", 1, ""),
    "later": (ONE, 1, "x[i + 1] - w * x[i + 2]", 2, ""),
    "hop": (ONE, 1, "x[i - 2] + x[i + 1] * w", 2, ", 3"),
    "hop aligned": (ONE, 1, "x[i - 2] * x[i + 2] + x[i] * w", 2, ", 2"),
    "weighted": (ONE, 1, "i * x[i - 1] + (i - n) * x[i + 1]", 1, ""),
    "scaled": (ONE, 2, "x[2 * i] * w + x[2 * i + 2] * x[2 * i + 1]", 1, ""),
    "mirrored": (ONE, 1, "x[n - 1 - i] + w * x[n - i]", 1, ""),
    "five points": (TWO, 1, "w * (x[c - 1] + x[c + 1] + x[c - n] + x[c + n]) - x[c]", 1, ""),
    "nine points": (
        TWO,
        1,
        "w * x[c - n - 1] + x[c - n] + x[c - n + 1] * 2.0 + x[c - 1] + x[c] + x[c + 1]"
        " + x[c + n - 1] + x[c + n] + 3.0 * x[c + n + 1]",
        1,
        "",
    ),
    "two wide": (TWO, 1, "w * (x[c - 2] + x[c + 2]) + x[c - 2 * n] * x[c] + x[c + n + n]", 2, ""),
    "every other": (TWO, 1, "w * (x[c - 2] + x[c + 2]) + x[c - n] + x[c + n]", 2, ", 2"),
    "column": (TWO, 1, "x[c - n] - w * x[c + n]", 1, ""),
    "seven points": (
        THREE,
        1,
        "x[c] + w * (x[c - 1] + x[c + 1] + x[c - n] + x[c + n] + x[c - n * n] + x[c + n * n])",
        1,
        "",
    ),
    "three wide": (
        THREE,
        1,
        "w * (x[c - 2] + x[c + 2] + x[c - 2 * n] + x[c + 2 * n * n]) + x[c + n * n + n + 1]",
        2,
        "",
    ),
}
SCATTERED = {"every other"}
"""Not proven to write each element once, so their adjoints go through a scratch array."""


def made(name: str) -> tuple[Module, int]:
    text, scale, body, rim, step = CASES[name]
    source = text.format(low=rim, high=rim, body=body, step=step)
    module = driver.core_module(source, float_type=F64)
    verify(module)
    plain = driver.core_module(source, float_type=F64, fast=False)
    functions = {**module.functions, "plain": replace(plain.functions["g"], name="plain")}
    return replace(module, functions=functions), scale


def is_gathered(module: Module) -> bool:
    """Whether the fast twin has a row with its two ways."""
    ops = list(walk(module.functions["_distinct_g"].body))
    return any(
        isinstance(op, If)
        and any(isinstance(x, For) and x.independent for x in op.then.ops)
        and any(isinstance(x, Accum) for x in walk(op.orelse))
        for op in ops
    )


@pytest.mark.parametrize("name", CASES)
def test_gathered_is_scattered(name: str) -> None:
    module, scale = made(name)
    assert is_gathered(module) or name in SCATTERED
    text = CASES[name][0]
    draw = random.Random(1)
    rank = 1 if text is ONE else 2 if text is TWO else 3
    for n in [*range(10), 13, 20] if rank < 3 else range(8):
        size = scale * n**rank + 4
        x, adj_y, before = ([draw.uniform(-1, 1) for _ in range(size)] for _ in range(3))
        left = []
        for function in ("plain", "_distinct_g"):
            adj_x, adj_n, adj_w = list(before), [0], [0.25]
            args = [list(x), adj_x, n, adj_n, 0.7, adj_w, list(adj_y)]
            Interpreter(module).run(function, args)
            left.append([*args[1], args[5]])
        flat = [[v[0] if isinstance(v, list) else v for v in values] for values in left]
        assert flat[1] == pytest.approx(flat[0], abs=1e-12), (name, n)
