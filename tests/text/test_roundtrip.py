"""Printed programs parse, check, and compute the same values; printing them again gives the same
text."""

from __future__ import annotations

import copy

import pytest

from loma.driver import core_module
from loma.ir.interp import Interpreter
from loma.ir.nodes import Module
from loma.ir.text import function_lines, function_text, module_text
from loma.ir.types import F32, F64, Scalar

from .corpus import CASES, Case

FLOATS = (F32, F64)


def run(module: Module, function: str, args: tuple[object, ...]) -> tuple[object, list[object]]:
    """The result of a call on the core interpreter, and the arguments as it left them."""
    given = copy.deepcopy(list(args))
    return Interpreter(module).run(function, given), given  # type: ignore[arg-type]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("float_type", FLOATS)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_printed_program_computes_the_same(case: Case, float_type: Scalar, fast: bool) -> None:
    module = core_module(case.source, "case.py", float_type, fast=fast)
    again = core_module(module_text(module), "case.py", float_type, fast=False)
    for function, args in case.calls:
        assert repr(run(again, function, args)) == repr(run(module, function, args)), function


@pytest.mark.parametrize("case", CASES[:6], ids=lambda c: c.name)
def test_printing_is_stable(case: Case) -> None:
    text = module_text(core_module(case.source, "case.py", F32, fast=False))
    once = module_text(core_module(text, "case.py", F32, fast=False))
    assert module_text(core_module(once, "case.py", F32, fast=False)) == once


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_lines_are_short_and_mapped(case: Case) -> None:
    module = core_module(case.source, "case.py", F32, fast=False)
    for f in module.functions.values():
        lines = function_lines(f, module)
        assert "\n".join(text for text, _ in lines) + "\n" == function_text(f, module)
        assert all(len(text) <= 100 for text, _ in lines)


def test_a_loop_reads_as_written() -> None:
    source = (
        "def f(x : In[float], n : In[int]) -> float:\n"
        "    z : float = x\n"
        "    for i in range(n):\n"
        "        z = sin(z)\n"
        "        if z < 0.5:\n"
        "            z = z * z\n"
        "    return z\n"
    )
    module = core_module(source, "f.py", F32, fast=False)
    assert function_text(module.functions["f"], module) == source


def test_swapped_variables_need_one_more() -> None:
    source = (
        "def f(n : In[int]) -> int:\n"
        "    a : int = 0\n    b : int = 1\n"
        "    for i in range(n):\n"
        "        t : int = a\n        a = b\n        b = t\n"
        "    return a * 10 + b\n"
    )
    module = core_module(source, "f.py", F32, fast=False)
    again = core_module(module_text(module), "f.py", F32, fast=False)
    for n in range(4):
        assert run(again, "f", (n,)) == run(module, "f", (n,))


def test_a_load_does_not_move_past_a_write() -> None:
    source = (
        "def f(x : InOut[Array[float]]) -> float:\n"
        "    a : float = x[0]\n    x[0] = 2.0 * x[1]\n    return a - x[0]\n"
    )
    module = core_module(source, "f.py", F32, fast=False)
    again = core_module(module_text(module), "f.py", F32, fast=False)
    assert run(again, "f", ([5.0, 1.0],)) == run(module, "f", ([5.0, 1.0],)) == (3.0, [[2.0, 1.0]])
