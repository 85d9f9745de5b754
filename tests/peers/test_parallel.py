"""What went wrong in other systems with parallel loops, launches and reductions."""

from __future__ import annotations

from parallel.judging import agree, codes, shown
from subjects import module_of, on

from loma.ir.nodes import Accum
from loma.ir.traverse import regions, walk
from loma.ir.types import F64


def test_the_gradient_of_an_argmax_goes_to_the_right_iteration() -> None:
    """warp#1552: it went to another one."""
    agree(
        """
def f(x : In[Array[float]], w : In[Array[float]], n : In[int]) -> float:
    k = argmax(x[i] * w[i] for i in range(n))
    return x[k] * x[k] * w[k] + max(sin(x[i]) for i in range(n))
""",
        "f",
        n=5,
    )


def test_a_kernel_that_reads_and_writes_an_array() -> None:
    """warp#1294: the gradient took the overwritten values."""
    agree(
        """
@simd
def k(x : InOut[Array[float]], w : In[float]):
    i : int = thread_id()
    x[i] = x[i] * x[i] * w

def f(x : InOut[Array[float]], w : In[float], n : In[int], steps : In[int]):
    for t in range(steps):
        k[n](x, w)
""",
        "f",
        n=4,
        steps=3,
    )


def test_an_array_that_is_changed_after_the_launch() -> None:
    """warp#1350: the reverse sweep read what came later."""
    agree(
        """
def f(x : InOut[Array[float]], n : In[int]) -> float:
    s : float
    for i in parallel(n):
        atomic_add(s, x[i] * x[i] * x[i])
    for i in parallel(n):
        x[i] = 100.0 * s
    return s
""",
        "f",
        n=4,
    )


def test_parallel_loops_between_statements() -> None:
    """taichi#3003: loops beside other statements had wrong gradients without a word."""
    agree(
        """
def f(a : In[Array[float]], n : In[int]) -> float:
    t : float = a[0]
    for j in range(3):
        t = t * a[j]
        for i in parallel(n):
            atomic_add(t, a[i] * a[j])
        t = sin(t)
    return t
""",
        "f",
        n=4,
    )


WEIGHTED = """
def f(x : In[Array[float]], w : In[float], n : In[int], y : Out[Array[float]]):
    for i in parallel(n):
        y[i] = w * x[i]

r = rev_diff(f)
"""


def test_what_all_rounds_read_is_summed_before_it_is_added() -> None:
    """slangpy#910, taichi#576: 30 times slower, unless the user wrote the sum by hand."""
    assert "atomic_add(adj_w_1, " in shown(WEIGHTED, "r")
    loops = [x for x in walk(module_of(WEIGHTED, F64, True).functions["r"].body) if regions(x)]
    inside = [x for loop in loops for region in regions(loop) for x in walk(region)]
    assert not [x for x in inside if isinstance(x, Accum) and x.root.name.startswith("adj_w")]
    args = [[1.0, 2.0], [0.0, 0.0], 3.0, 0.0, 2, 0, [1.0, 10.0]]
    assert on("llvm", WEIGHTED, F64).call("r", args)[0][3] == 21.0


def test_a_race_is_told_not_differentiated() -> None:
    """taichi#8356: a loop that was made parallel silently had another gradient."""
    text = "def f(x : InOut[Array[float]], n : In[int]):\n    for i in {}(n):\n"
    text += "        x[i + 1] = x[i] * x[i]\n"
    assert codes(text.format("parallel")) == ["E0605"]
    agree(text.format("range"), "f", n=4)
