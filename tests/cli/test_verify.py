"""`loma verify`: right derivatives pass, wrong ones are found, with their line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from cli.conftest import Loma

from loma.ir.prims import math as prims

COSINES = """\
def inner(x : In[float], y : Out[float]):
    a : float = sin(x)
    y = a * x + cos(a)

def f(x : In[float], n : In[int]) -> float:
    s : float = x
    for i in range(n):
        if i > 0:
            s = s * 1.1
            s = s + cos(s)
    return s

def outer(x : In[float]) -> float:
    y : float
    inner(x, y)
    return y * y

@simd
def k(x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    b : float = x[i] * x[i]
    y[i] = b * cos(x[i])
"""
FEATURES = """\
class Body:
    pos : Array[float, 2]
    mass : float

def energy(bodies : In[Array[Body]], n : In[int], out : Out[float], scale : InOut[float]):
    total : float = 0
    i : int = 0
    while i < n:
        v : float = bodies[i].pos[0] * bodies[i].mass
        if v > 0.0:
            total = total + sqrt(v) * pow(bodies[i].pos[1], 2.0)
        else:
            total = total - exp(v) * scale
        i = i + 1
    out = total
    scale = scale * total

r_energy = rev_diff(energy)
d_energy = fwd_diff(energy)
rd_energy = rev_diff(d_energy)
dr_energy = fwd_diff(r_energy)
"""


@pytest.fixture
def wrong_cosine() -> Iterator[None]:
    """Breaks the derivative of cos: its sign is wrong."""
    right = prims.COS.partials
    object.__setattr__(prims.COS, "partials", lambda b, out, x: (b.apply(prims.SIN, x),))
    yield
    object.__setattr__(prims.COS, "partials", right)


def test_every_derivative_of_a_file(loma: Loma) -> None:
    ran = loma("verify", "p.py", "--samples", "1")
    assert ran.code == 0
    rows = [line.split() for line in ran.out.strip().split("\n")]
    assert [row[:3] for row in rows[1:]] == [
        ["ok", "d_f", "fwd_diff(f)"],
        ["ok", "r_f", "rev_diff(f)"],
        ["ok", "r_k", "rev_diff(k)"],
    ]


def test_structs_branches_and_higher_orders(loma: Loma, write: Callable[[str, str], None]) -> None:
    write("e.py", FEATURES)
    ran = loma("verify", "e.py", "--samples", "1", "--sizes", "3")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("ok ") == 4


def test_one_function_without_a_request(loma: Loma) -> None:
    ran = loma("verify", "p.py:swap", "--inputs")
    assert ran.code == 0
    assert "fwd_diff(swap)" in ran.out and "rev_diff(swap)" in ran.out
    assert "_d_rev_swap at p=Pair(" in ran.out


def test_the_seed_decides_the_inputs(loma: Loma) -> None:
    first, again, other = (
        loma("verify", "p.py:swap", "--inputs", "--seed", seed).out for seed in ("1", "1", "2")
    )
    assert first == again != other


def test_a_given_input_and_sizes(loma: Loma) -> None:
    ran = loma("verify", "p.py:f", "--at", "0.5, 2", "--inputs")
    assert ran.code == 0 and "n=2" in ran.out and "d_f at x=_dfloat(val=0.5," in ran.out
    ran = loma("verify", "p.py:k", "--sizes", "x=3,y=3,threads=3", "--inputs", "--samples", "1")
    assert ran.code == 0 and "threads=3" in ran.out
    assert "needs `n`" in loma("verify", "p.py:f", "--at", "0.5").err
    assert "--at gives the arguments of one function" in loma("verify", "p.py", "--at", "1").err
    assert "--sizes takes a number" in loma("verify", "p.py", "--sizes", "a=[1]").err


def test_a_derivative_that_nobody_asked_for_may_be_refused(
    loma: Loma, write: Callable[[str, str], None]
) -> None:
    write("w.py", "def f(x : In[Array[float]]):\n    x[0] = x[1] * 2.0\n")
    ran = loma("verify", "w.py")
    assert ran.code == 0
    assert "ok   _d_fwd_f" in ran.out and "-    _d_rev_f" in ran.out
    assert "`f` cannot be differentiated" in ran.out


def test_in_single_precision(loma: Loma) -> None:
    assert loma("verify", "p.py", "--float", "f32", "--samples", "1").code == 0


@pytest.mark.usefixtures("wrong_cosine")
@pytest.mark.parametrize(
    ("function", "line", "culprit"), [("f", 10, "f"), ("outer", 3, "inner"), ("k", 22, "k")]
)
def test_a_wrong_partial_is_found_with_its_line(
    loma: Loma, write: Callable[[str, str], None], function: str, line: int, culprit: str
) -> None:
    write("c.py", COSINES)
    ran = loma("verify", f"c.py:{function}", "--samples", "1")
    assert ran.code == 1
    assert ran.out.count("\nno ") == 2
    assert f"--> c.py:{line}:" in ran.out
    assert f"the derivative of this is wrong, in `{culprit}`" in ran.out
    assert "dual numbers" in ran.out and f"{function} at " in ran.out


def test_a_program_without_usable_inputs(loma: Loma, write: Callable[[str, str], None]) -> None:
    write("s.py", "def f(x : In[float]) -> float:\n    assert x > 9.0\n    return x\n")
    ran = loma("verify", "s.py")
    assert ran.code == 1
    assert "not judged: no input was found on which it runs" in ran.out and "--at" in ran.out
    assert loma("verify", "s.py:f", "--at", "10.0").code == 0


def test_a_kink_is_shown_but_accepted(loma: Loma, write: Callable[[str, str], None]) -> None:
    text = "def f(x : In[float]) -> float:\n    if x > 0.5:\n        return x\n    return 2 * x\n"
    write("kink.py", text)
    ran = loma("verify", "kink.py:f", "--at", "0.5")
    assert ran.code == 0
    assert "only finite differences part" in ran.out


def test_what_is_not_there(loma: Loma, write: Callable[[str, str], None]) -> None:
    assert "no function `zz`" in loma("verify", "p.py:zz").err
    write("empty.py", "")
    assert loma("verify", "empty.py").code == 1
    write("refused.py", "def f(x : In[Array[float]]):\n    x[0] = 1\nr_f = rev_diff(f)\n")
    ran = loma("verify", "refused.py")
    assert ran.code == 1 and "error[E0603]" in ran.err
