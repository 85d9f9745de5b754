"""Loops of a few rounds over local arrays are unrolled, and others stay loops."""

from __future__ import annotations

import pytest
from subjects import module_of

from loma.backends.base import Options
from loma.backends.llvm import backend
from loma.ir.types import F64

TEXT = """
def f(x : In[Array[float]], n : In[int]) -> float:
    a : Array[float, {rounds}]
    for i in range({rounds}):
        if x[i] > 0.0 or n > 3:
            a[i] = sin(x[i]) * cos(x[n + i]) + exp(x[i] - x[n]) / sqrt(x[i] * x[n] + x[i] + 2.0)
    return a[n % {rounds}]
"""


@pytest.mark.parametrize(("rounds", "unrolled"), [(15, True), (40, False)])
def test_a_loop_of_a_few_rounds_is_unrolled(rounds: int, unrolled: bool) -> None:
    """LLVM is told so only where the rounds are few."""
    text = backend.text(module_of(TEXT.format(rounds=rounds), F64, True), Options())
    assert ("llvm.loop.unroll.full" in text) == unrolled
