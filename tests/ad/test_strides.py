"""Stores whose indices look as if they told iterations apart: strides that are 0, steps,
variables that loops carry. The last write of an element receives the caller's adjoint.
"""

from __future__ import annotations

import pytest
from ad.finite import Given, check
from subjects import module_of

from loma.ir.nodes import Alloc
from loma.ir.traverse import walk
from loma.ir.types import F64, Ref

HEAD = "def f(a : In[Array[float]], y : Out[Array[float]], m : In[int], k : In[int]):\n"
SHAPED = HEAD.replace('Out[Array[float]]', 'Out[Array[float, "n", "w"]]')
BODIES = {
    "a shift that the loop carries": """
    for i in range(m):
        y[8 + i + k] = a[i]
        k = -i
""",
    "a stride that the loop carries": """
    for i in range(m):
        y[8 + k * i] = a[i]
        k = (i + k) % 3
""",
    "a shift that the outer loop carries": """
    for i in range(3):
        for j in range(m):
            y[k + j] = a[i] * a[j]
        k = k + 1
""",
    "a stride that may be 0": """
    for i in range(m):
        y[8 + i * k] = a[i]
""",
    "strides that may be 0": """
    for i in range(m):
        for j in range(m):
            y[16 + i * k * m + j * k] = a[i] * a[j]
""",
    "a product that wraps around to 0": """
    for i in range(m):
        y[i * 65536 * 65536] = a[i]
""",
    "columns two apart": """
    for i in range(2):
        for j in range(0, 8, 2):
            y[i * 4 + j] = a[i] * a[j / 2]
""",
    "columns two apart, backwards": """
    for i in range(2):
        for j in range(2 * m - 2, -1, -2):
            y[i * m + j] = a[i] * a[j / 2]
""",
    "rows two apart": """
    for i in range(0, 6, 2):
        for j in range(4):
            y[i * 2 + j] = a[i / 2] * a[j]
""",
}
KEPT = {
    "rows": (HEAD, """
    for i in range(3):
        for j in range(m):
            y[i * m + j] = a[i] * a[j]
"""),
    "columns two apart, in wide rows": (HEAD, """
    for i in range(2):
        for j in range(0, 8, 2):
            y[i * 8 + j] = a[i] * a[j / 2]
"""),
    "a row": (HEAD, """
    for j in range(m):
        y[k * m + j] = a[j]
"""),
    "a column of a square": (HEAD, """
    for i in range(m):
        y[i * m + 1] = a[i]
"""),
    "a column of a matrix": (SHAPED, """
    for i in range(n):
        y[i, 1] = a[i]
"""),
}  # fmt: skip
A = [0.3, 0.9, 0.7, 0.2]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("k", [0, 1, -1])
@pytest.mark.parametrize("name", BODIES)
def test_the_last_write_wins(name: str, k: int, fast: bool) -> None:
    k = abs(k) if "outer" in name else k
    given = [Given("in", A), Given("out[]", [0.0] * 32), Given("in", 4), Given("in", k)]
    check(f"{HEAD}{BODIES[name]}r = rev_diff(f)\n", "f", "r", given, fast)


@pytest.mark.parametrize("name", KEPT)
def test_nothing_is_kept_where_iterations_are_apart(name: str) -> None:
    head, body = KEPT[name]
    module = module_of(f"{head}{body}r = rev_diff(f)\n", F64, False)
    kept = [op for op in walk(module.functions["r"].body) if isinstance(op, Alloc)]
    assert not any(isinstance(op.out.type, Ref) and op.out.type.growable for op in kept)
