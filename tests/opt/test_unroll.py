"""Short loops without rounds: what they saved on tapes stands in variables."""

from __future__ import annotations

import pytest

from loma import driver
from loma.ir.nodes import For, Pop, Push
from loma.ir.traverse import walk
from loma.ir.types import F64

PROGRAM = """
@simd
def poly(c : In[Array[float]], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for k in range({count}):
        s = sin(s) * x[i] + c[{count} - 1 - k]
    y[i] = s
r_poly = rev_diff(poly)
"""


@pytest.mark.parametrize(("count", "sums"), [("4", 4), ("32", 32), ("33", 0)])
def test_short_loops_have_sums_and_no_tape(count: str, sums: int) -> None:
    module = driver.core_module(PROGRAM.replace("{count}", count), "poly.py", F64)
    kernel = next(k for k in driver.kernels(module) if k.name == "r_poly")
    assert len(kernel.sums) == sums
    used = any(isinstance(op, Push | Pop | For) for op in walk(kernel.thread.body))
    assert used == (sums == 0)


def test_tapes_in_branches_stay() -> None:
    text = PROGRAM.replace("{count}", "5").replace(
        "        s = sin(s)", "        if x[i] > s:\n            s = s * s\n        s = sin(s)")
    module = driver.core_module(text, "poly.py", F64)
    kernel = next(k for k in driver.kernels(module) if k.name == "r_poly")
    assert len(kernel.sums) == 5
