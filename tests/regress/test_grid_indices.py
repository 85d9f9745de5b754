"""Threads that take their number apart into row and column never meet: no remark, no doubt."""

from __future__ import annotations

import pytest
from subjects import COMPILED, CORES, on

from loma.frontend import load
from loma.frontend.lower.program import lower
from loma.ir.analysis.races import Race, races
from loma.ir.types import F64

KERNEL = """
@simd
def f(a : Out[Array[float, "d", "h", "w"]], x : In[float]):
    p = thread_id()
    i, j = p // w, p % w
    {write} = x * (p + i + j)
r = rev_diff(f)
"""
LOOP = """
def f(a : Out[Array[float, "d", "h", "w"]], x : In[float]):
    for p in parallel(d * h * w):
        i = p // w
        {write} = x * (p + i)
"""
APART = ["a[i // h, i % h, p % w]", "a[0, i, p % w]", "a[p // w // h, p // w % h, p - p / w * w]"]
MEETING = ["a[i // w, i % h, p % w]", "a[0, p // h, p % w]", "a[0, i, p % h]",
           "a[0, i, (p + 1) % w]", "a[0, p / w, p % w]"]


@pytest.mark.parametrize("program", [KERNEL, LOOP])
@pytest.mark.parametrize("write", APART[:2])
def test_rows_and_columns_of_one_number_are_apart(program: str, write: str) -> None:
    assert not found(program.format(write=write))


@pytest.mark.parametrize("program", [KERNEL, LOOP])
@pytest.mark.parametrize("write", [*MEETING, APART[2]])
def test_others_are_not_decided(program: str, write: str) -> None:
    """Also where quotient and remainder are rounded in two ways."""
    doubts = found(program.format(write=write))
    assert doubts and not any(r.proven for r in doubts)


def found(text: str) -> list[Race]:
    """What may meet in the function `f`."""
    return list(races(lower(load(text, "<test>", F64)).functions["f"]))


@pytest.mark.parametrize("how", [*CORES, *COMPILED])
def test_their_gradient(how: str) -> None:
    text = KERNEL.format(write=APART[0])
    seeds = [float(k * k) for k in range(12)]
    after, _ = on(how, text).call("r", [seeds, 0.5, 0.0, 2, 2, 3], threads=12)
    assert after[2] == sum(s * (p + p // 3 + p % 3) for p, s in enumerate(seeds))
