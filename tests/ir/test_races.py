"""Independence of a kernel's threads: proven conflicts are errors, undecided ones are reported."""

from __future__ import annotations

import pytest

from loma.diagnostics import UserError
from loma.driver import assumptions, core_module
from loma.frontend import load

HEAD = """
@simd
def k(x : In[Array[float]], j : In[Array[int]], n : In[int],
      y : InOut[Array[float]], z : Out[float]):
    i : int = thread_id()
"""
SAFE = {
    "own element": "    y[i] = y[i] * x[i + 1]",
    "own pair": "    y[2 * i] = x[i]\n    y[2 * i + 1] = y[2 * i]",
    "sum": "    atomic_add(z, x[i])",
    "scatter sum": "    atomic_add(y[j[i]], x[i])",
    "reads only": "    y[i + n] = x[i] + x[i + 1]",
}
PROVEN = {
    "neighbour": "    y[i] = y[i + 1]",
    "neighbour row": "    y[3 * i] = y[3 * i - 3]",
    "shared place": "    y[i + n] = y[0]\n    y[0] = x[i]",
    "sum read back": "    atomic_add(y[n], x[i])\n    z = y[n]",
}
UNDECIDED = {
    "indirect": "    y[j[i]] = y[i] + 1.0",
    "behind a condition": "    if i > 0:\n        y[i] = y[i - 1]",
    "symbolic distance": "    y[i] = y[i + n]",
    "loop": "    for m in range(3):\n        y[i] = y[m]",
}


@pytest.mark.parametrize("body", SAFE.values(), ids=SAFE.keys())
def test_independent(body: str) -> None:
    assert assumptions(load(HEAD + body + "\n")) == []


@pytest.mark.parametrize("body", PROVEN.values(), ids=PROVEN.keys())
def test_proven(body: str) -> None:
    with pytest.raises(UserError) as caught:
        core_module(HEAD + body + "\n")
    assert {d.code for d in caught.value.diagnostics} == {"E0605"}


@pytest.mark.parametrize("body", UNDECIDED.values(), ids=UNDECIDED.keys())
def test_undecided(body: str) -> None:
    core_module(HEAD + body + "\n")
    remarks = assumptions(load(HEAD + body + "\n"))
    assert remarks and all(d.code == "R0605" and d.span.line >= 5 for d in remarks)
