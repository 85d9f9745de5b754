"""Arguments whose sizes have names, which a reverse derivative copies where loops write them."""

from __future__ import annotations

import ctypes

import pytest
from subjects import differences, on

from loma import compile
from loma.driver import core_module
from loma.ir.nodes import Alloc
from loma.ir.traverse import walk

TEXT = """
class P:
    v : float
    k : int

def f(a : InOut[Array[P, "n"]], y : Out[Array[float, "n", 2]], w : Out[Array[float, "n"]],
      u : Out[Array[float, "n"]], s : In[float]):
    for i in range(n):
        a[i].v = a[i].v * s
        a[i].k = a[i].k + 1
        y[i, 0] = a[i].v * a[i].k
        y[i, 1] = 2.0
        w[i] = 1.0
        w[i] = s * i
    for i in range(1, n):
        y[i, 1] = y[i, 0] * y[i - 1, 0] + y[i - 1, 1]
        u[i] = s
        w[i] = w[i] * w[0] + y[i, 1]
    u[0] = u[n - 1] * 2.0

def down(x : InOut[Array[float, "n"]], m : In[int]):
    for i in range(n):
        x[i] = x[i] * x[0]
    if m > 0:
        down(x, m - 1)
        down(x[1:], m - 1)

r = rev_diff(f)
d = fwd_diff(r)
r_down = rev_diff(down)
"""
SEEDS = [0.5, 0.75, -1.0, 0.25]


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
def test_derivatives(how: str) -> None:
    points = [{"v": 0.5 + 0.125 * i, "k": i} for i in range(4)]
    adjoints = [{"v": 1.0 - 0.25 * i, "k": 0} for i in range(4)]
    pairs = [[x, 2.0 * x] for x in SEEDS]
    duals = [{"val": x, "dval": 1.0 + x} for x in SEEDS]
    for name, data in (
        ("r", [points, adjoints, pairs, SEEDS, SEEDS, 0.75, 0.0, 4]),
        ("r_down", [SEEDS, SEEDS[::-1], 2, 0, 4]),
        ("d", [[{"v": x, "k": 1} for x in duals], [{"v": x, "k": 0} for x in duals],
               [[x, x] for x in duals], duals, duals, duals[0], duals[1], 4]),
    ):
        wanted = on("oracle", TEXT).call(name, data)
        assert not differences(on(how, TEXT).call(name, data)[0], wanted[0])


SQUARED = """
def f(a : InOut[Array[float, "n", "m"]]):
    for i in range(n):
        {loop}
r = rev_diff(f)
"""


def growing(loop: str) -> bool:
    """Whether the derivative has scratch arrays that grow."""
    r = core_module(SQUARED.format(loop=loop)).functions["r"]
    return any(isinstance(op, Alloc) and op.out.type.growable for op in walk(r.body))


def test_a_copy_is_made_where_loops_write_the_whole() -> None:
    assert not growing("for j in range(m):\n            a[i, j] = a[i, j] * a[i, j]")
    assert growing("a[i, 0] = a[i, 0] * a[i, 1]")


def test_sizes_that_are_not_positive() -> None:
    text = SQUARED.format(loop="for j in range(m):\n            a[i, j] = a[i, j] * a[i, j]")
    _, lib = compile(text, target="llvm")
    floats = ctypes.c_float * 4
    for n, m, wanted in ((0, 3, [1.0] * 4), (-2, 3, [1.0] * 4), (-2, -2, [1.0] * 4),
                         (2, 2, [2.0, 4.0, 6.0, 8.0])):
        adjoint = floats(1.0, 1.0, 1.0, 1.0)
        lib.r(floats(1.0, 2.0, 3.0, 4.0), adjoint, n, m)
        assert list(adjoint) == wanted
