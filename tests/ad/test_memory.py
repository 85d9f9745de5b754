"""Out arrays that are set and then added to: the caller's adjoint is read where it stands."""

from __future__ import annotations

import pytest
from ad.finite import Given, check

from loma.driver import core_module
from loma.ir.nodes import Alloc
from loma.ir.traverse import walk
from loma.ir.types import F64

PRODUCT = """
def f(a : In[Array[float]], x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        y[i] = 0.5
        for j in range(n):
            y[i] = y[i] + a[i * n + j] * x[j]
r = rev_diff(f)
"""
ROWS = """
def f(a : In[Array[Array[float]]], b : In[Array[Array[float]]], n : In[int],
      c : Out[Array[Array[float]]]):
    for i in range(n):
        for j in range(n):
            c[i][j] = 0.0
            for k in range(n):
                c[i][j] = c[i][j] + a[i][k] * b[k][j]
r = rev_diff(f)
"""
OVERWRITTEN = """
def f(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        y[i] = x[i]
        y[0] = y[0] + x[i] * x[i]
        y[i] = y[i] + x[0]
r = rev_diff(f)
"""


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "display"])
@pytest.mark.parametrize("source", [PRODUCT, OVERWRITTEN], ids=["product", "overwritten"])
def test_against_differences(source: str, fast: bool) -> None:
    x = Given("in[]", [0.7, 0.8, 0.9])
    y = Given("out[]", [0.0, 0.0, 0.0])
    a = [Given("in[]", [0.1 * i for i in range(9)])] if source is PRODUCT else []
    check(source, "f", "r", [*a, x, Given("in", 3), y], fast)


def test_no_scratch() -> None:
    module = core_module(PRODUCT, float_type=F64)
    assert not any(isinstance(op, Alloc) for op in walk(module.functions["r"].body))


def test_product_of_rows() -> None:
    from loma.ir.interp import run

    a, b = [[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.6], [0.7, 0.8]]
    da, db = [[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]
    run(core_module(ROWS, float_type=F64), "r", [a, da, b, db, 2, [0], [[1.0, 2.0], [3.0, 4.0]]])
    assert da == [pytest.approx([1.7, 2.3]), pytest.approx([3.9, 5.3])]
    assert db == [pytest.approx([1.0, 1.4]), pytest.approx([1.4, 2.0])]
