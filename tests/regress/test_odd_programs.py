"""Programs that ended in a Python traceback of ours, or took minutes."""

from __future__ import annotations

import pytest

from loma import driver
from loma.diagnostics import UserError
from loma.host.course import TargetError, compile
from loma.ir.nodes import Push
from loma.ir.traverse import walk
from loma.ir.types import F32
from loma.opt.inline import BUDGET


def test_dual_numbers_without_a_derivative() -> None:
    _, lib = compile("def f(a : In[float]) -> float:\n    return make__dfloat(a, 2).dval\n", "llvm")
    assert lib.f(1.0) == 2.0


def test_reverse_of_a_function_that_takes_a_tape() -> None:
    text = "def g(t : InOut[Tape], x : In[float]):\n    push(t, x)\nr = rev_diff(g)\n"
    with pytest.raises(UserError, match="tape of the caller"):
        compile(text, "llvm", print_error=False)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_output_that_is_a_folder(name: str) -> None:
    with pytest.raises(TargetError, match="not a file"):
        compile("def f():\n    pass\n", "llvm", output_filename=name)


def test_a_chain_of_calls_stays_small() -> None:
    """Each function calls the next one twice: not every one of them fills its budget."""
    calls = "".join(
        f"def f{k}(a : In[float]) -> float:\n    return f{k + 1}(f{k + 1}(a))\n" for k in range(24)
    )
    text = f"{calls}def f24(a : In[float]) -> float:\n    return sin(a)\n"
    module = driver.core_module(text, "test.py", F32)
    assert sum(1 for f in module.functions.values() for _ in walk(f.body)) < 6 * BUDGET


def test_running_out_of_tape_has_a_line() -> None:
    text = """
def f(x : In[float], n : In[int]) -> float:
    i : int
    while i < n:
        x = sin(x)
        i = i + 1
    return x
r = rev_diff(f)
"""
    module = driver.core_module(text, "test.py", F32)
    pushes = [op for op in walk(module.functions["r"].body) if isinstance(op, Push)]
    assert [op.span.line > 0 for op in pushes] == [True] * len(pushes) != []
