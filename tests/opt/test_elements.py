"""Endless arrays of known elements become values, and others stay."""

from __future__ import annotations

import pytest

from loma.driver import core_module
from loma.ir.interp import run
from loma.ir.nodes import Alloc, Function, Module
from loma.ir.traverse import walk
from loma.ir.types import F64, Ref
from loma.ir.verify import verify
from loma.opt import elements

APART = """
def f(x : In[float], i : In[int], n : In[int]) -> float:
    a : Array[float, ...]
    s : float = a[3 * i]
    a[3 * i] = x
    for k in range(n):
        a[i + 2 * i + 1] += a[3 * i] * x
        s = s + a[3 * i - 4]
    return s + a[3 * i] + a[1 + 3 * i]
"""
ANEW = """
def f(x : In[float], i : In[int], n : In[int]) -> float:
    s : float
    for k in range(n):
        a : Array[float, ...]
        s = s + a[k]
        a[k] = x
        s = s + a[k] * k
    return s
"""
MEETING = {
    "a loop's index": "    for k in range(n):\n        a[k] = a[k] + x\n    return a[1]\n",
    "two terms": "    a[i] = x\n    a[n] = x * x\n    return a[i]\n",
    "a place that changes": "    a[i] = x\n    i = i * n\n    return a[i]\n",
    "from memory": "    b : Array[int, ...]\n    b[n] = n\n    a[b[i]] = x\n    return a[i]\n",
}
HEAD = "def f(x : In[float], i : In[int], n : In[int]) -> float:\n    a : Array[float, ...]\n"


def endless(f: Function) -> int:
    """How many arrays of the kind a function has."""
    made = [op.out.type for op in walk(f.body) if isinstance(op, Alloc)]
    return sum(isinstance(t, Ref) and t.growable for t in made)


def changed(text: str) -> tuple[int, int]:
    """How many arrays there were, and are; both forms compute the same."""
    module = core_module(text, "test.py", F64, fast=False)
    new = elements.run(module.functions["f"], module)
    after = Module(module.structs, {"f": new}, F64)
    verify(after)
    for i in (2, 3, 5):
        for n in (0, 1, 4):
            wanted = run(module, "f", [1.5, i, n])
            assert run(after, "f", [1.5, i, n]) == pytest.approx(wanted)
    return endless(module.functions["f"]), endless(new)


def test_elements_apart_are_values() -> None:
    assert changed(APART) == (1, 0)


def test_an_array_is_zero_whenever_it_is_made() -> None:
    assert changed(ANEW) == (1, 0)


@pytest.mark.parametrize("body", MEETING.values(), ids=MEETING)
def test_others_stay(body: str) -> None:
    assert changed(HEAD + body)[1] > 0
