"""Printed text of programs whose functions have the names of builtins; codes of errors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
from subjects import by_core, differences, on

from loma.driver import core_module
from loma.frontend.codes import index as codes
from loma.ir.text import module_text
from loma.ir.types import F64

PROGRAM = """def {name}(x : In[float], y : In[float]) -> float:
    return x * y * y

def f(x : InOut[Array[float, "n"]], k : In[float]) -> float:
    for t in range(3):
        for i in range(n):
            x[i] = {name}(x[i], k) + abs(sin(x[i])) + cbrt(x[i]) + erfc(x[i])
    s = 0.0
    for i in parallel(n):
        atomic_add(s, x[i] * x[i])
    return s

r_f = rev_diff(f)
"""


@pytest.mark.parametrize("name", ["push", "pop", "print", "sum", "flat", "own"])
def test_printed_text_means_the_builtins(name: str) -> None:
    text = PROGRAM.format(name=name)
    data = [[1.0, 0.5], [0.5, 2.0], 0.7, 0.0, 1.5, 2]
    wanted = on("oracle", text).call("r_f", data)
    printed = module_text(core_module(text, "test.py", F64))
    found = by_core(core_module(printed, "printed.py", F64, fast=False)).call("r_f", data)
    assert not differences(found[0], wanted[0], 1e-8)


@pytest.mark.parametrize("how", ["oracle", "core", "llvm", "c"])
def test_a_builtin_under_its_full_name(how: str) -> None:
    text = """def push(x : In[float]) -> float:
    return x * x

def f(x : In[float]) -> float:
    t : Tape
    builtin_push(t, push(x))
    y = 0.0
    builtin_pop(t, y)
    builtin_atomic_add(y, x)
    return y

r_f = rev_diff(f)
"""
    assert on(how, text).call("f", [3.0])[1] == 12.0
    assert on(how, text).call("r_f", [3.0, 0.0, 1.0])[0][1] == 7.0


def families() -> Iterator[tuple[str, str]]:
    for module in vars(codes).values():
        if inspect.ismodule(module) and module.__name__.startswith("loma.frontend.codes"):
            for code in set(re.findall(r'"(E\d{4})"', inspect.getsource(module))):
                yield code, module.__name__


def test_a_code_belongs_to_one_family() -> None:
    seen: dict[str, str] = {}
    for code, module in families():
        assert seen.setdefault(code, module) == module, code
    assert {e.code for e in codes.index()} <= seen.keys()
