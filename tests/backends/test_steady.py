"""Loads stay before the branch that alone uses them, where a loop may become vectors."""

from __future__ import annotations

import pytest

from loma import driver
from loma.backends.base import Options
from loma.backends.llvm import LLVM

PROGRAM = """
def f(a : In[Array[float]], b : In[Array[float]], n : In[int]) -> float:
    s : float = 0.0
    for i in range(n):
        x : float = a[i]
        y : float = {y}
        if b[i] > 0.0:
            s = s + sin(b[i]) * exp({used}) / cos(b[i])
        {after}
    return s
"""


def held(y: str, used: str, after: str = "pass") -> bool:
    text = LLVM.text(driver.core_module(PROGRAM.format(y=y, used=used, after=after)), Options())
    return "call void @llvm.sideeffect()" in text


@pytest.mark.parametrize("y", ["x", "2.0 * x", "x * x + b[i]"])
def test_a_load_that_one_branch_uses_is_held(y: str) -> None:
    assert held(y, "y * sqrt(y)")


@pytest.mark.parametrize(
    ("y", "used", "after"),
    [
        ("x", "b[i]", "pass"),  # nobody uses the load
        ("x", "y * sqrt(y)", "s = s + x"),  # something else uses it in any case
    ],
)
def test_other_loads_need_not_be_held(y: str, used: str, after: str) -> None:
    assert not held(y, used, after)
