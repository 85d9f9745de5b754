"""Derivatives that were refused, wrong or not accepted by the C compiler."""

from __future__ import annotations

import pytest
from subjects import COMPILED, CORES, differences, on

from loma.diagnostics import RunError

READ_BACK = """
def f(x : In[float], y : Out[Array[float, 2]], n : In[int]) -> float:
    for i in range(n):
        y[i] = x * (i + 1)
    return y[0] * y[1]
r = rev_diff(f)
"""


@pytest.mark.parametrize("how", [*CORES, *COMPILED])
def test_literal_reads_after_writes_in_a_loop(how: str) -> None:
    after, _ = on(how, READ_BACK).call("r", [3.0, 0.0, [1.0, 10.0], 2, 0, 1.0])
    assert after[1] == 33.0
    with pytest.raises(RunError, match="before it is written"):
        on(how, READ_BACK).call("r", [3.0, 0.0, [1.0, 10.0], 1, 0, 1.0])


POWERS = """
def f(x : In[float], n : In[int]) -> float:
    s : float
    for k in range(n):
        s = s + pow(x, int2float(k)) * (k + 1)
    return s
d = fwd_diff(f)
r = rev_diff(f)
dd = fwd_diff(d)
dr = fwd_diff(r)
"""


@pytest.mark.parametrize("how", [*CORES, *COMPILED])
def test_second_derivative_of_powers_at_zero(how: str) -> None:
    """1 + 2 x + 3 x^2: x^0 and x^1 have no part in it."""
    one = {"val": {"val": 0.0, "dval": 1.0}, "dval": {"val": 1.0, "dval": 0.0}}
    _, result = on(how, POWERS).call("dd", [one, 3])
    assert result == {"val": {"val": 1.0, "dval": 2.0}, "dval": {"val": 2.0, "dval": 6.0}}
    x, g = {"val": 0.0, "dval": 1.0}, {"val": 0.0, "dval": 0.0}
    after, _ = on(how, POWERS).call("dr", [x, g, 3, 0, {"val": 1.0, "dval": 0.0}])
    assert after[1] == {"val": 2.0, "dval": 6.0}


TREE = """
class Node:
    left : int
    right : int
    v : float

def tree(t : In[Array[Node]], i : In[int], x : In[float]) -> float:
    if i < 0:
        return x
    a : float = tree(t, t[i].left, x * t[i].v)
    b : float = tree(t, t[i].right, x + t[i].v)
    if a > b:
        return sin(a) * t[i].v
    return a * b
r = rev_diff(tree)
rr = rev_diff(r)
"""


@pytest.mark.parametrize("how", [*CORES, *COMPILED])
def test_second_order_of_recursion_over_an_array(how: str) -> None:
    """In the second order, scratch arrays travel through the split calls."""
    nodes = [{"left": a, "right": b, "v": v} for a, b, v in [(1, -1, 0.3), (-1, -1, 0.8)]]
    zeros = [{"left": 0, "right": 0, "v": 0.0} for _ in nodes]
    seeds = [{"left": 0, "right": 0, "v": v} for v in (0.5, -1.5)]
    args = [nodes, zeros, seeds, 0, 0, 0, 0.7, 0.0, 1.3, 0.9, 0.0]
    wanted, _ = on("oracle", TREE).call("rr", args)
    found, _ = on(how, TREE).call("rr", args)
    assert differences(found, wanted) == []


ROWS = """
def squares(a : In[Array[float, "n", "m"]]) -> float:
    return sum(a[i, j] * a[i, j] for i in range(n) for j in range(m))

def f(x : In[Array[float, "k"]]) -> float:
    a : Array[float, k, 3]
    for i in range(k):
        for j in range(3):
            a[i, j] = x[i] * x[j]
    s = squares(a)
    a[1, 2] = 0.0
    return s
r = rev_diff(f)
"""


@pytest.mark.parametrize("how", [*CORES, *COMPILED])
def test_an_element_overwritten_after_its_array_was_read_as_one_block(how: str) -> None:
    """The callee's index counts through all rows, the caller's through one of them."""
    after, _ = on(how, ROWS).call("r", [[1.0, 2.0, 3.0], [0.0] * 3, 1.0, 3])
    assert after[1] == pytest.approx([56.0, 112.0, 168.0], rel=1e-12)
