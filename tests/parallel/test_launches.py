"""Kernels that are launched from loma functions."""

from __future__ import annotations

import numpy as np
import pytest
from parallel.judging import HOWS, agree, codes, shown, traps
from subjects import on

import loma
from loma import thread_id
from loma.driver import core_module
from loma.ir.types import F64

KERNELS = """
class P:
    at : Array[float, 2]
    w : float

@simd
def push_all(x : InOut[Array[float]], v : In[Array[float]], dt : In[float]):
    i : int = thread_id()
    dt = dt * 2.0
    x[i] = x[i] + dt * sin(v[i])

@simd
def energy(x : In[Array[float]], p : In[P], total : Out[float]):
    i : int = thread_id()
    p.w = p.w + x[i]
    if x[i] < -100.0:
        return
    atomic_add(total, x[i] * p.w * p.at[1])
"""
TIME = KERNELS + """
def scaled(p : In[P], k : In[float]) -> P:
    q : P = p
    q.w = q.w * k
    return q

def substep(x : InOut[Array[float]], v : InOut[Array[float]], n : In[int], dt : In[float]):
    push_all[n](x, v, dt)
    push_all[n - 1](v, x, 0.5 * dt)

def f(x : InOut[Array[float]], v : InOut[Array[float]], p : In[P], n : In[int],
        steps : In[int], dt : In[float], y : Out[float]) -> float:
    e : float = 0.5
    for t in range(steps):
        substep(x, v, n, dt)
        if x[0] > 0.0:
            energy[n](x, scaled(p, dt), e)
    energy[n](v, p, y)
    return e * e
"""
FILL = """
@simd
def fill(a : Out[Array[float]], k : In[float]):
    i : int = thread_id()
    a[i] = sin(k * i) + k

def g(k : In[float], n : In[int]) -> float:
    a : Array[float, n]
    fill[n](a, k)
    return sum(a[i] * a[i] for i in range(n))

def f(k : In[float], n : In[int]) -> float:
    s : float
    for i in parallel(n):
        atomic_add(s, g(k * i, i + 1))
    return s
"""
DERIVATIVES = """
@simd
def square(x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = x[i] * x[i] * x[i]

d_square = fwd_diff(square)
r_square = rev_diff(square)

def f(x : In[Array[float]], n : In[int]) -> float:
    duals : Array[Diff[float], n]
    outs : Array[Diff[float], n]
    ones : Array[float, n]
    slopes : Array[float, n]
    for i in range(n):
        duals[i].val = x[i]
        duals[i].dval = x[i]
        ones[i] = 1.0
    d_square[n](duals, outs)
    r_square[n](x, slopes, ones)
    return sum(outs[i].dval + slopes[i] for i in range(n))
"""
SIZED = """
T = TypeVar("T")

@simd
def rows(a : In[Array[T, "n", "m"]], k : In[T], y : Out[Array[T, "n"]]):
    i : int = thread_id()
    y[i] = k * sum(a[i, j] * a[i, j] for j in range(m))

def f(x : In[Array[float]], k : In[float]) -> float:
    a : Array[float, 2, 3]
    y : Array[float, 2]
    for i in parallel(2):
        for j in range(3):
            a[i, j] = x[i + j] * k
    rows[2](a, k, y)
    return y[0] * y[1]
"""


@pytest.mark.parametrize("text", [TIME, FILL, DERIVATIVES, SIZED])
def test_derivatives(text: str) -> None:
    agree(text, "f", n=4, steps=2)


def test_values() -> None:
    for how in ("oracle", *HOWS):
        run = on(how, DERIVATIVES, F64)
        assert run.call("f", [[1.0, 2.0], 2])[1] == pytest.approx(42.0), how


def test_operands_are_evaluated_once() -> None:
    text = """
@simd
def k(s : In[float], total : InOut[float]):
    atomic_add(total, s)

def f(n : In[i64]) -> float:
    s : float = 1.0
    k[n](s, s)
    k[n - n](s, s)
    return s
"""
    for how in ("oracle", *HOWS):
        assert on(how, text, F64).call("f", [4])[1] == 5.0, how


def test_kernels_launch_kernels() -> None:
    agree(
        """
@simd
def inner(a : InOut[Array[float]], i : In[int], k : In[float]):
    a[3 * i + thread_id()] *= k

@simd
def outer(a : InOut[Array[float]], k : In[float]):
    thread : int = thread_id()
    inner[3](a, thread, k)

def f(a : InOut[Array[float]], k : In[float]) -> float:
    outer[2](a, k)
    outer[2](a, k * a[1])
    return a[0] + a[5]
""",
        "f",
    )


def test_a_kernel_that_launches_itself() -> None:
    agree(
        """
@simd
def halve(a : InOut[Array[float]], low : In[int], n : In[int], k : In[float]):
    i : int = low + thread_id() * n
    a[i] = sin(a[i]) * k
    if n > 1:
        halve[2](a, i, n / 2, a[i])

def f(a : InOut[Array[float]], k : In[float]) -> float:
    halve[1](a, 0, 4, k)
    return a[0] * a[3]
""",
        "f",
        order=1,
    )


def test_text_shows_a_parallel_loop() -> None:
    text = FILL + "r = rev_diff(g)\n"
    assert "    for thread in parallel(n):\n        a[thread] = sin(" in shown(text, "g")
    assert shown(text, "r").count("in parallel(n):") == 2
    assert "fill_thread" not in "".join(core_module(text, "test.py", F64).functions)


def test_misuse_is_reported() -> None:
    head = "@simd\ndef k(a : Out[Array[float]], s : In[float]):\n    a[thread_id()] = s\n"
    head += "def g(a : Out[Array[float]]):\n    a[0] = 1.0\n"
    head += "def f(a : Out[Array[float]], n : In[int]) -> float:\n"
    end = "\n    return 1.0\n"
    assert codes(head + "    k(a, 1.0)" + end) == ["E0406"]
    assert codes(head + "    k[n](a)" + end) == ["E0401"]
    assert codes(head + "    g[n](a)" + end) == ["E1706"]
    assert codes(head + "    h[n](a)" + end) == ["E1706"]
    assert codes(head + "    k[n, n](a, 1.0)" + end) == ["E1705"]
    assert codes(head + "    return k[n](a, 1.0)\n") == ["E1705"]
    assert codes(head + "    k[1.5](a, 1.0)" + end) == ["E0320"]
    assert codes(head + "    k[n](a, a)" + end) == ["E0402"]
    assert codes(head + "    k[n](a, s=1.0)" + end) == ["E0110"]


def test_races_between_threads_are_found_once() -> None:
    kernel = "@simd\ndef k(a : In[Array[float]], b : Out[Array[float]]):\n"
    kernel += "    i : int = thread_id()\n    b[i] = a[i + 1]\n"
    host = "def f(a : InOut[Array[float]], n : In[int]):\n    k[n](a, a)\n"
    assert codes(kernel + host) == ["E0605"]
    kernel = "@simd\ndef k(a : InOut[Array[float]]):\n    i : int = thread_id()\n"
    kernel += "    a[i] = a[i + 1]\n"
    host = "def f(a : InOut[Array[float]], n : In[int]):\n    k[n](a)\n"
    assert codes(kernel + host) == ["E0605"]


def test_a_trap_in_a_thread_names_its_line() -> None:
    text = "@simd\ndef k(a : InOut[Array[int]]):\n    a[thread_id()] = 6 / a[thread_id()]\n"
    text += "def f(a : InOut[Array[int]], n : In[int]):\n    k[n](a)\n"
    assert traps(text, "f", [[1, 0], 2]) == {("DIVISION", 3)}


def test_in_decorated_functions() -> None:
    @loma.kernel
    def square(x: loma.In[loma.Array[float]], y: loma.Out[loma.Array[float]]) -> None:
        y[thread_id()] = x[thread_id()] * x[thread_id()]

    @loma.function
    def norm(
        x: loma.In[loma.Array[float]], y: loma.Out[loma.Array[float]], n: loma.In[int]
    ) -> float:
        square[n](x, y)
        return sum(y[i] for i in range(n))

    assert norm([1.0, 2.0, 3.0], np.zeros(3), 3) == 14.0


SHARED = """
@simd
def k(s : InOut[float], x : In[Array[float]]):
    atomic_add(s, sin(x[thread_id()]))

d_k = fwd_diff(k)
r_k = rev_diff(k)
"""


def test_derivatives_of_a_kernel_with_a_shared_number_are_launched() -> None:
    agree(
        SHARED + """
def f(x : In[float]) -> float:
    a : Array[float, 4]
    b : Array[float, 4]
    adj : float = cos(x)
    t : Array[Diff[float], 4]
    s : Diff[float]
    for i in range(4):
        a[i] = x * i
        t[i].val = a[i]
        t[i].dval = x
    r_k[4](0.5, adj, a, b)
    d_k[3](s, t)
    return b[1] + b[2] * adj + s.dval * s.val
""",
        "f",
    )


def test_a_function_that_adds_to_a_member_is_called_in_rounds() -> None:
    agree(
        """
class Sum:
    total : float
    count : float

def note(s : InOut[Sum], x : In[float]):
    atomic_add(s.total, x * x)
    atomic_add(s.count, 1.0)

r_note = rev_diff(note)

def f(x : In[Array[float]], n : In[int]) -> float:
    s : Array[Sum, 2]
    for i in parallel(n):
        note(s[0], x[i])
    return s[0].total / s[0].count
""",
        "f",
        n=4,
    )


WRITERS = {
    "atomic_add(s, x)": [],
    "k = s * x\n    print(k)": [],
    "s = s + x": ["E1703"],
    "atomic_add(s, s * x)": ["E1703"],
    "atomic_add(s, x)\n    if x < 4.0:\n        note(s, x + 1.0)": [],
    "more(s, x)": [],
    "more(s, s)": ["E1703"],
    "r_more(x, s, 1.0)": [],
}


@pytest.mark.parametrize("body", WRITERS)
def test_what_rounds_share_may_be_added_to_by_a_function(body: str) -> None:
    text = f"""
def more(s : Out[float], x : In[float]):
    atomic_add(s, sin(x))

def more_of(x : In[float]) -> float:
    return sin(x)

r_more = rev_diff(more_of)

def note(s : InOut[float], x : In[float]):
    {body}

def f(x : In[Array[float]], n : In[int]) -> float:
    t = 0.5
    for i in parallel(n):
        note(t, x[i])
    return t
"""
    if WRITERS[body]:
        assert codes(text) == WRITERS[body]
    else:
        agree(text, "f", n=4)
