"""Ten kinds of functions: line by line what a gradient stores, why, and what it costs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, atomic_add, cos, exp, sin, sqrt, thread_id
from loma.host.explain import Explanation


@dataclasses.dataclass
class Body:
    x: float
    v: float


@loma.function
def straight(x: In[float], y: In[float]) -> float:
    a: float = sin(x) * y
    return a * a + exp(a)


@loma.function
def branching(x: In[Array[float, "n"]]) -> float:
    s: float = 1.0
    for i in range(n):
        if s * x[i] > 0.5:
            s = s * x[i]
        else:
            s = s + x[i]
    return s


@loma.function
def repeated(x: In[float], n: In[int]) -> float:
    s: float = x
    for i in range(n):
        s = sin(s)
    return s


@loma.function
def root(a: In[float]) -> float:
    x: float = a
    while x * x - a > 1e-12:
        x = 0.5 * (x + a / x)
    return x


@loma.function
def square(x: In[float]) -> float:
    return x * x


@loma.function
def calling(x: In[float], y: In[float]) -> float:
    return square(square(x) * sin(y)) + square(y)


@loma.function
def tower(x: In[float], n: In[int]) -> float:
    if n == 0:
        return x
    return sin(tower(x, n - 1)) * x


@loma.function
def oscillator(b: In[Body], steps: In[int]) -> float:
    x: float = b.x
    v: float = b.v
    for t in range(steps):
        v = v - 0.1 * sin(x)
        x = x + 0.1 * v
    return x


@loma.function
def diffused(u: InOut[Array[float, "n"]], steps: In[int]):
    for t in range(steps):
        for i in range(1, n - 1):
            u[i] = u[i] + 0.1 * u[i] * (u[i - 1] - u[i + 1])


@loma.kernel
def summed(x: In[Array[float]], total: Out[Array[float, 1]]):
    i: int = thread_id()
    t: float = x[i] * x[i]
    atomic_add(total[0], t * cos(t))


@loma.function
def norm(x: In[Array[float, "n"]]) -> float:
    return sqrt(sum(x[i] * x[i] for i in range(n)))


X = np.linspace(0.4, 0.9, 300)


@dataclass(frozen=True)
class Case:
    """A call, and what is known of its gradient.

    `formula`: the bytes of the tape. `stored` and `again`: (line in the function, text, kind).
    `cost`: the weighted operations of the function, counted by hand; None: they depend on a loop.
    """

    f: Any
    args: tuple[Any, ...]
    formula: str
    names: dict[str, int]
    stored: set[tuple[int, str, str]]
    again: set[tuple[int, str, str]]
    cost: int | None


CASES = [
    Case(straight, (0.5, 2.0), "0", {}, set(), set(), 20 + 1 + 1 + 20 + 1),
    Case(branching, (X,), "8*n", {"n": 300}, {(4, "s", "carried")},
         {(4, "x[i]", "read"), (4, "s * x[i]", "computed"), (4, "s * x[i] > 0.5", "computed")},
         300 * 4),
    Case(repeated, (0.5, 200), "8*n", {"n": 200}, {(4, "s", "carried")}, set(), 200 * 20),
    Case(root, (2.0,), "8*runs", {}, {(4, "x", "carried")}, {(4, "a / x", "computed")},
         5 * (3 + 6) + 3),
    Case(calling, (0.5, 2.0), "0", {}, set(), set(), 1 + 20 + 1 + 1 + 1 + 1),
    Case(tower, (0.5, 40), "8*runs + 9*runs", {"n": 40},
         {(1, "x", "argument"), (2, "n == 0", "computed"), (4, "tower(x, n - 1)", "call")},
         {(4, "sin(tower(x, n - 1))", "computed")}, None),
    Case(oscillator, (Body(0.3, 0.1), 100), "8*steps", {"steps": 100}, {(6, "x", "carried")},
         set(), 100 * (1 + 20 + 1 + 1 + 1)),
    Case(diffused, (X, 3), "16*steps*(n - 2)", {"n": 300, "steps": 3},
         {(4, "u[i - 1] - u[i + 1]", "computed"), (4, "0.1 * u[i]", "computed")}, set(), None),
    Case(summed, (X,), "0", {}, set(), set(), 300 * (1 + 20 + 1)),
    Case(norm, (X,), "0", {}, set(), {(2, "x[i]", "read")}, 300 * 2 + 4),
]
IDS = [c.f.__name__ for c in CASES]


def explained(c: Case) -> tuple[Explanation, Callable[[int], int]]:
    """The explanation of a call, and from lines of the file to those of the function."""
    definition = c.f.__loma_definition__.fn.__code__.co_firstlineno
    return loma.explain(loma.rev_diff(c.f), *c.args), lambda line: line - definition


@pytest.mark.parametrize("c", CASES, ids=IDS)
def test_what_is_stored_and_why(c: Case) -> None:
    e, line = explained(c)
    assert {(line(s.line), s.what, s.reason.kind) for s in e.stored} == c.stored
    assert {(line(r.line), r.what, r.kind) for r in e.recomputed} == c.again
    stored = {s.what for s in e.stored}
    assert all(set(r.stored) <= stored for r in e.recomputed)
    text = repr(e).split("\n")
    for s in e.stored:
        noted = next(i for i, t in enumerate(text) if f"stores `{s.what}`, {s.bytes} byte" in t)
        assert any(f"{s.line} |" in t for t in text[:noted + 1]), "under its line"
        assert s.reason.text in text[noted]


@pytest.mark.parametrize("c", CASES, ids=IDS)
def test_predicted_bytes_are_the_measured_ones(c: Case) -> None:
    e, _ = explained(c)
    assert e.figures is not None
    assert e.figures.predicted_bytes == e.figures.measured_bytes
    assert (e.figures.measured_bytes > 0) == bool(c.stored)
    assert re.sub(r"runs\(\d+\)", "runs", e.formula) == c.formula
    assert e.figures.tape_bytes == sum(s.bytes * (s.times or 0) for s in e.stored)
    if "runs" not in c.formula:
        assert e.figures.tape_bytes == eval(c.formula, dict(c.names))


@pytest.mark.parametrize("c", CASES, ids=IDS)
def test_the_operation_ratio(c: Case) -> None:
    """The function's operations are those that one counts by hand; a gradient is a few of it."""
    figures = explained(c)[0].figures
    assert figures is not None
    if c.cost is not None:
        assert figures.primal_cost == c.cost
    assert figures.ratio == figures.gradient_cost / figures.primal_cost
    assert 1 < figures.ratio < 4


def test_the_operations_of_a_gradient_by_hand() -> None:
    """One run forward, its cosines, and for each operation its adjoint."""
    figures = explained(CASES[2])[0].figures
    assert figures is not None
    assert 0 <= figures.gradient_cost - 200 * (20 + 20 + 1) <= 4
