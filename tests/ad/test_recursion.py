"""Split mode: recursion with values, with arrays of every direction, with structs; and its second
order.
"""

from __future__ import annotations

import pytest
from ad.finite import Given, check

PROGRAMS: dict[str, tuple[str, str, str, list[Given]]] = {}


def program(name: str, f: str, r: str, given: list[Given], source: str) -> None:
    PROGRAMS[name] = (source, f, r, given)


program(
    "out scalar in nested loops",
    "f",
    "r",
    [Given("in", 0.7), Given("in", 3)],
    """
def g(x: In[float], n: In[int], y: Out[float]):
    t: float
    if n > 0:
        g(x * x, n - 1, t)
        y = sin(t) * x
def f(x: In[float], m: In[int]) -> float:
    a: Array[float, 8]
    s: float
    y: float = x
    i: int
    j: int
    while i < m:
        j = 0
        while a[j] < s + x and j < 7:
            a[j] = a[j] * x + s + 0.1
            g(a[j], j, y)
            s = s + y * a[j]
            j = j + 1
        i = i + 1
    return s
r = rev_diff(f)
""",
)
program(
    "two calls",
    "fib",
    "r",
    [Given("in", 0.9), Given("in", 6)],
    """
def fib(x: In[float], n: In[int]) -> float:
    if n < 2:
        return x
    return fib(x, n - 1) * x + fib(x * x, n - 2)
r = rev_diff(fib)
""",
)
program(
    "inout scalar",
    "f",
    "r",
    [Given("in[]", [0.7, 0.8, 0.9, 1.4]), Given("in", 3)],
    """
def walk(x: In[Array[float]], n: In[int], acc: InOut[float]):
    if n > 0:
        acc = acc * x[n] + x[n-1]
        walk(x, n - 1, acc)
        acc = acc + x[0] * acc
def f(x: In[Array[float]], n: In[int]) -> float:
    a : float = 0.5
    walk(x, n, a)
    return a
r = rev_diff(f)
""",
)
program(
    "quicksort in place",
    "sort",
    "r",
    [Given("inout[]", [0.7, 0.2, 0.9, 1.4, 0.33, 0.6]), Given("in", 0), Given("in", 5)],
    """
def sort(a: InOut[Array[float]], lo: In[int], hi: In[int]):
    if lo < hi:
        p : float = a[hi]
        i : int = lo
        t : float
        for j in range(lo, hi):
            if a[j] < p:
                t = a[i]
                a[i] = a[j] * 1.1
                a[j] = t
                i = i + 1
        t = a[i]
        a[i] = a[hi] * a[i]
        a[hi] = t
        sort(a, lo, i - 1)
        sort(a, i + 1, hi)
r = rev_diff(sort)
""",
)
program(
    "out array, read back",
    "g",
    "r",
    [Given("in", 0.7), Given("in", 3), Given("out[]", [0.0, 0.0, 0.0, 0.0])],
    """
def g(x : In[float], n : In[int], y : Out[Array[float]]):
    y[n] = x * n
    if n > 0:
        g(x * x, n - 1, y)
        y[n] = y[n - 1] * y[n] + x
r = rev_diff(g)
""",
)
program(
    "array of structs",
    "f",
    "r",
    [Given("in", 0.7), Given("inout[]", [0.1, 0.2, 0.3, 0.4])],
    """
class P:
    a : float
    b : Array[float, 2]
    k : int
def g(x : In[float], n : In[int], y : InOut[Array[P]]):
    y[n].a = x * n + y[n].b[1]
    y[n].k = y[n].k + n
    if n > 0:
        g(x * x, n - 1, y)
        y[n].b[0] = y[n - 1].a * y[n].a + x
        y[n].b[1] = y[n].b[0] * y[n-1].b[1] * int2float(y[n-1].k)
def f(x : In[float], y : InOut[Array[float]]) -> float:
    p : Array[P, 5]
    for i in range(4):
        p[i].b[1] = y[i]
        p[i].k = i
    g(x, 3, p)
    s : float
    for i in range(4):
        s = s + p[i].a * p[i].b[0] + p[i].b[1]
        y[i] = p[i].b[1]
    return s
r = rev_diff(f)
rg = rev_diff(g)
rrg = rev_diff(rg)
""",
)
program(
    "second order through an inout array",
    "h",
    "rh",
    [Given("in[]", [0.7, 0.8, 0.9, 0.6]), Given("inout[]", [0.3, 0.1, 0.2, 0.5]), Given("in", 3)],
    """
def mix(a: InOut[Array[float]], lo: In[int], hi: In[int]):
    if lo < hi:
        a[lo] = a[lo] * a[hi]
        if a[lo] > 0.2:
            a[hi] = sin(a[lo]) * a[hi]
        mix(a, lo + 1, hi)
        a[hi] = a[hi] * a[lo]
r = rev_diff(mix)
def h(a: In[Array[float]], g: InOut[Array[float]], n: In[int]) -> float:
    low : int
    high : int
    r(a, g, 0, low, n, high)
    s : float
    for i in range(n):
        s = s + g[i] * a[i]
    return s
rh = rev_diff(h)
""",
)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "display"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_against_differences(name: str, fast: bool) -> None:
    check(*PROGRAMS[name], fast)
