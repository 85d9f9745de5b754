"""`loma.explain`: predicted bytes are the measured ones; every stored value has its reason."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from properties.generator import generate
from properties.inputs import Inputs

import loma
from loma import Array, In, Out, atomic_add, exp, sin, thread_id
from loma.diagnostics import RunError, UserError
from loma.frontend import load
from loma.host.calls import Operands, bound
from loma.host.explain import Explanation, explained
from loma.host.literals import CallError, parse_arguments
from loma.host.requests import signature_of
from loma.ir.types import F64

NESTED = """\
def f(x : In[Array[float]], n : In[int], k : In[int]) -> float:
    s : float = 1.0
    a : Array[float, 8]
    for i in range(n):
        j : int = 0
        while j < k:
            a[j] = a[j] * x[i] + s
            s = sin(s * a[j]) + sqrt(x[i])
            j = j + 1
        if s > 0.5:
            s = s * s * exp(x[i])
    return s
"""
RECURSIVE = """\
def r(x : In[float], n : In[int]) -> float:
    if n <= 0:
        return x
    return sin(r(x * x, n - 1)) * r(x, n - 2)
"""
HEAP = """\
def f(x : In[Array[float, "n"]]) -> float:
    a : Array[float, n]
    b : Array[float, ...]
    s = 0.0
    for i in range(n):
        a[i] = exp(x[i]) * s
        b[2 * i] = a[i] + s
        s = sin(s + a[i])
        m = 0
        while a[i] * m < 3 and m < 100:
            m += 1
            s *= 1.1 * b[i]
    for t in range(1, n):
        s += b[t] * a[t - 1]
    return s
"""
CALLEE = """\
def g(x : In[float], n : In[int], y : Out[float]):
    t : float
    if n > 0:
        g(x * x, n - 1, t)
        y = cos(t) * x

def f(x : In[float], m : In[int]) -> float:
    a : Array[float, 8]
    s : float
    y : float = x
    for i in range(m):
        for j in range(3):
            if a[j] < s + x:
                a[j] = a[j] * x + s
                g(a[j], j, y)
                s = s + y * a[j] + x
    return s
"""
KERNEL = """\
@simd
def k(x : In[Array[float]], y : Out[Array[float]], total : Out[Array[float]]):
    i : int = thread_id()
    s = x[i]
    for j in range(200):
        s = sin(s) * x[i]
    y[i] = s
    atomic_add(total[0], s)
"""
SUM = """\
def f(x : In[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + x[i] * x[i]
    return s
"""
PROGRAMS = [
    (NESTED, "f", "[0.1] * 60, 60, 7"),
    (NESTED, "f", "[0.1], 0, 7"),
    (RECURSIVE, "r", "0.5, 12"),
    (HEAP, "f", "[0.1] * 300"),
    (HEAP, "f", "[0.1] * 3"),
    (CALLEE, "f", "0.3, 20"),
    (KERNEL, "k", "[0.1] * 5"),
    (SUM, "f", "[0.1] * 5, 5"),
]


def explain(source: str, function: str, at: str | None) -> Explanation:
    """The explanation of a function of a text."""
    program = load(source, "program.py")
    operands = None
    if at is not None:
        signature = signature_of(program, function)
        operands = bound(function, signature, parse_arguments(at), program.structs)
    return explained(program, function, operands)


@pytest.mark.parametrize(("source", "function", "at"), PROGRAMS)
def test_predicted_bytes_are_the_measured_ones(source: str, function: str, at: str) -> None:
    """Frames by the formula, memory by the rules of the runtime."""
    e = explain(source, function, at)
    assert e.figures is not None
    assert e.figures.predicted_bytes == e.figures.measured_bytes
    assert e.figures.tape_bytes == sum(f.bytes * (f.times or 0) for f in e.frames)
    assert e.figures.tape_bytes == sum(s.bytes * (s.times or 0) for s in e.stored)


def test_random_programs_use_the_predicted_bytes() -> None:
    """Over random programs, the interpreter's account of memory is that of the machine code."""
    compared = 0
    for seed in range(100_003, 100_027):
        program = generate(seed, 1)
        module = load(program.text, f"seed {seed}", F64)
        inputs = Inputs(module, Random(seed))
        for entry in program.entries:
            case = inputs.case(entry)
            try:
                e = explained(module, entry.name, Operands(tuple(case.data), case.threads))
            except (RunError, UserError, CallError):
                continue
            assert e.figures is not None
            predicted, measured = e.figures.predicted_bytes, e.figures.measured_bytes
            assert predicted == measured, (seed, entry.name, predicted, measured)
            compared += measured > 0
    assert compared >= 10


def test_the_formula_in_terms_of_arguments() -> None:
    e = explain(NESTED, "f", "[0.1] * 6, 6, 7")
    assert e.formula == "8*n*k + 4*n"
    assert e.figures is not None
    assert e.figures.tape_bytes == eval(e.formula, {"n": 6, "k": 7})


def test_reasons() -> None:
    e = explain(NESTED, "f", None)
    assert e.figures is None
    found = {(s.line, s.what): (s.reason.kind, s.reason.line) for s in e.stored}
    assert found == {
        (8, "s"): ("carried", 6),
        (7, "a[j]"): ("overwritten", 7),
        (6, "s"): ("loop", 6),
    }
    assert {(r.line, r.what, r.stored) for r in e.recomputed} >= {
        (7, "x[i]", ()), (8, "s * a[j]", ("s", "a[j]")), (11, "exp(x[i])", ())}


def test_a_sum_stores_nothing() -> None:
    e = explain(SUM, "f", "[0.5] * 4, 4")
    assert (e.stored, e.formula) == ((), "0")
    assert e.figures is not None and e.figures.measured_bytes == 0


def test_an_argument_that_is_overwritten() -> None:
    """An InOut array of unknown length is kept beside what is written: reads of it have reasons."""
    source = (
        "def f(u : InOut[Array[float]], n : In[int]) -> float:\n"
        "    for i in range(1, n):\n"
        "        u[i] = sin(u[i]) * u[i - 1]\n"
        "    return u[n - 1]\n")
    e = explain(source, "f", "[0.5] * 9, 9")
    assert {(s.reason.kind, s.reason.line) for s in e.stored} == {
        ("overwritten", 3), ("computed", 3)}
    assert e.figures is not None
    assert e.figures.predicted_bytes == e.figures.measured_bytes > 0


def test_callees_and_branches() -> None:
    kinds = {s.reason.kind for s in explain(CALLEE, "f", None).stored}
    assert {"argument", "overwritten", "local"} <= kinds
    assert {s.reason.kind for s in explain(RECURSIVE, "r", None).stored} >= {"call", "argument"}


@loma.function
def chained(x: In[Array[float]], n: In[int]) -> float:
    s: float = 1.0
    for i in range(n - 1):
        s = sin(s * x[i])
    return s


@loma.kernel
def raised(x: In[Array[float]], y: Out[Array[float]], total: Out[Array[float, 1]]):
    i: int = thread_id()
    t: float = x[i]
    for j in range(100):
        t = exp(sin(t) * x[i])
    y[i] = t
    atomic_add(total[0], t)


def test_of_functions_that_python_calls() -> None:
    """A gradient, a reverse derivative, or the function itself; dtypes decide about bytes."""
    x = np.full(50, 0.5)
    for f in (chained, loma.grad(chained), loma.rev_diff(chained), loma.value_and_grad(chained)):
        e = loma.explain(f, x, n=50)
        assert e.figures is not None and e.figures.tape_bytes == 8 * 49
        assert e.formula == "8*(n - 1)"
    narrow = loma.explain(chained, x.astype(np.float32), 50).figures
    assert narrow is not None and narrow.tape_bytes == 4 * 49
    assert narrow.ratio == pytest.approx(narrow.gradient_cost / narrow.primal_cost)
    assert 2 <= narrow.ratio < 4


def test_of_kernels() -> None:
    e = loma.explain(raised[3], np.full(3, 0.5))
    assert e.figures is not None
    assert e.figures.predicted_bytes == e.figures.measured_bytes
    assert e.formula == "8*threads*100"


def test_shown() -> None:
    e = loma.explain(chained, np.full(50, 0.5), n=50)
    text = repr(e)
    assert "# stores `s`, 8 bytes: each iteration of the loop at line" in text
    assert "tape: 8*(n - 1) bytes = 392 in this call" in text
    assert "memory: 512 bytes predicted, 512 measured" in text
    html = e._repr_html_()
    assert "<table" in html and "x[i]" in html and "Array[float]" in html


def test_what_cannot_be_explained() -> None:
    with pytest.raises(TypeError):
        loma.explain(len)  # type: ignore[arg-type]
    divided = "def f(x : In[float], n : In[int]) -> float:\n    return x * (1 / n)\n"
    with pytest.raises(RunError):
        explain(divided, "f", "1., 0")
