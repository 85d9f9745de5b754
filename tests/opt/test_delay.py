"""Additions carried to later iterations equal those scattered, at every size."""

from __future__ import annotations

import ctypes
import random
from dataclasses import replace

import pytest
from llvm_programs import compiled

from loma import driver
from loma.ir.interp import Interpreter
from loma.ir.nodes import Alloc, For, Module
from loma.ir.traverse import walk
from loma.ir.types import F64
from loma.ir.verify import verify

LOOP = """
def f(x : In[Array[float]], n : In[int], w : In[float], y : Out[Array[float]]):
    k : int = 1
    for i in range({low}, n - {high}{step}):
        y[i] = {body}
g = rev_diff(f)
"""
CARRIED = {
    "next": (0, 1, "", "sqrt(1.0 + x[i] * x[i + 1] * x[i] * x[i + 1])"),
    "around": (1, 1, "", "sqrt(4.0 + x[i - 1] * x[i] * x[i + 1])"),
    "far": (2, 3, "", "exp(x[i - 1] * x[i + 3]) * w"),
    "pairs": (0, 3, "", "sqrt(9.0 + x[2 * i] * x[2 * i + 2] + x[2 * i + 1] * x[2 * i + 3])"),
    "hop": (0, 5, ", 2", "exp(x[i] * x[i + 4] * w)"),
    "mirrored": (0, 1, "", "exp(x[n - i] * x[n - i - 1])"),
    "same twice": (0, 1, "", "exp(x[i] * x[i + 1]) + sin(x[i]) * w"),
}
LEFT = {
    "too far": (0, 9, "", "exp(x[i] * x[i + 9])"),
    "unknown": (0, 4, "", "exp(x[i] * x[i + k * n - n])"),
    "uneven": (0, 4, "", "exp(x[i] * x[2 * i])"),
}
CASES = CARRIED | LEFT


def made(name: str) -> Module:
    low, high, step, body = CASES[name]
    source = LOOP.format(low=low, high=high, step=step, body=body)
    module = driver.core_module(source, float_type=F64)
    verify(module)
    plain = driver.core_module(source, float_type=F64, fast=False)
    functions = {**module.functions, "plain": replace(plain.functions["g"], name="plain")}
    return replace(module, functions=functions)


def is_carried(module: Module) -> bool:
    ops = list(walk(module.functions["_distinct_g"].body))
    waits = any(isinstance(x, For) and any(v.name == "wait" for v in x.body.args) for x in ops)
    return waits and not any(isinstance(x, Alloc) and x.out.name.startswith("part") for x in ops)


def arguments(n: int) -> list[list[float]]:
    """x, what is in adj_x before, and adj_y."""
    draw = random.Random(n)
    return [[draw.uniform(-1, 1) for _ in range(2 * n + 16)] for _ in range(3)]


def interpreted(module: Module, function: str, n: int) -> list[float]:
    x, adj_x, adj_y = arguments(n)
    adj_n, adj_w = [0], [0.25]
    Interpreter(module).run(function, [x, adj_x, n, adj_n, 0.7, adj_w, adj_y])
    return [*adj_x, *adj_w]


@pytest.mark.parametrize("name", CASES)
def test_carried_is_scattered(name: str) -> None:
    module = made(name)
    assert is_carried(module) == (name in CARRIED)
    for n in [*range(12), 33]:
        plain, fast = (interpreted(module, f, n) for f in ("plain", "_distinct_g"))
        assert fast == pytest.approx(plain, abs=1e-12), (name, n)


@pytest.mark.parametrize("name", CASES)
def test_machine_code_carries_too(name: str) -> None:
    low, high, step, body = CASES[name]
    source = LOOP.format(low=low, high=high, step=step, body=body)
    lib, module = compiled(source, F64).lib, made(name)
    for n in [0, 1, 5, 17, 64, 131, 400]:
        x, adj_x, adj_y = ((ctypes.c_double * len(v))(*v) for v in arguments(n))
        adj_w = ctypes.c_double(0.25)
        lib.g(x, adj_x, n, ctypes.c_int(), 0.7, adj_w, adj_y)
        wanted = interpreted(module, "plain", n)
        assert [*adj_x, adj_w.value] == pytest.approx(wanted, abs=1e-11), (name, n)
