"""What Python writes short: the bodies in short.txt are Python too, and Python says what they give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from subjects import COMPILED, CORES, on

from loma.diagnostics import RunError

HEAD = "def f(x : In[float], n : In[int], a : InOut[Array[float, 3]]) -> float:\n"
REQUESTS = "\nr = rev_diff(f)\nd = fwd_diff(f)\nrr = rev_diff(d)\n"
TEXTS = (Path(__file__).parent / "short.txt").read_text().removeprefix("=== ").split("\n=== ")
BODIES = {name: body.strip() for name, _, body in (text.partition("\n") for text in TEXTS)}
CASES = [(x, n, [0.5, 1.5, 2.5]) for x in (0.3, 0.9) for n in (1, 2, 3)]


def as_python(text: str) -> Callable[..., Any]:
    """The function f of a program, run by Python."""
    names: dict[str, Any] = {"sin": math.sin}
    exec("from __future__ import annotations\n" + text, names)
    return names["f"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", BODIES)
def test_values_and_derivatives(name: str) -> None:
    """The result, the array that is left, and derivatives in both modes and of second order."""
    text = HEAD + indent(BODIES[name], "    ") + "\n"
    f = as_python(text)
    subjects = [on(how, text + REQUESTS) for how in ("oracle", *CORES, *COMPILED)]
    for x, n, a in CASES:
        left = list(a)
        wanted = f(x, n, left)
        slope = (f(x + 1e-6, n, list(a)) - f(x - 1e-6, n, list(a))) / 2e-6
        bend = (f(x + 1e-4, n, list(a)) - 2 * wanted + f(x - 1e-4, n, list(a))) / 1e-8
        duals = [{"val": v, "dval": 0.0} for v in a]
        zero = [{"val": 0.0, "dval": 0.0} for _ in a]
        for ready in subjects:
            after, result = ready.call("f", [x, n, a])
            assert result == pytest.approx(wanted, rel=1e-12)
            assert after[2] == pytest.approx(left, rel=1e-12)
            after, _ = ready.call("r", [x, 0.0, n, 0, a, [0.0] * 3, 1.0])
            assert after[1] == pytest.approx(slope, rel=1e-5, abs=1e-6)
            dual = {"val": x, "dval": 1.0}
            _, result = ready.call("d", [dual, n, duals])
            assert result["dval"] == pytest.approx(slope, rel=1e-5, abs=1e-6)
            seed = {"val": 0.0, "dval": 1.0}
            after, _ = ready.call("rr", [dual, {"val": 0.0, "dval": 0.0}, n, 0, duals, zero, seed])
            assert after[1]["val"] == pytest.approx(bend, rel=1e-3, abs=1e-4)


TYPED = """
GAUSS = [0.25, 0.5, 0.25]
GRID = [[1, 2], (3, 2 * 2)]
LAST = GAUSS[-1] + len(GRID)
RATE : float = 2
COUNT : int = 1 + 1

class Stencil:
    w : Array[float, 3]
    at : int

def weigh(w : In[Array[float, "n"]], v : In[Array[float, "n"]]) -> float:
    total = 0.0
    for x, y in zip(w, v):
        total += x * y
    return total

def f(x : In[float], n : In[int], a : InOut[Array[float, 3]]) -> float:
    w : Array[float, 3] = [x, 1, GAUSS[1]]
    u : Array[float] = [1, n]
    m : Array[float, 2, n] = [[x * k for k in range(n)] for _ in range(2)]
    h : Array[Array[int, 2], 2] = GRID
    t : Array[float, n] = [x] * n
    g : Array[float, ...] = [x, 1.0]
    g[4] = x * x
    s : Stencil
    s.w = GAUSS
    s.w[2] = w[0]
    r = Stencil([x, 2.0, x * x], 1)
    k = GRID[n % 2][1]
    for i, row in enumerate(GRID):
        k += row[i] * h[1][0]
    v = GAUSS
    v[0] = x
    a = [a[2], weigh(GAUSS, [x, 2.0, x * x]), LAST]
    total = weigh(w, GAUSS) + weigh(s.w, a) + k * weigh(v, r.w) + weigh(m[0], t)
    total += RATE / 4 + COUNT / 4
    return total + u[1] * g[4] + GAUSS[n % 3] + (1 if n in (GRID[0][1], 7) else 0)
"""


def typed(x: float, n: int, a: list[float]) -> float:
    """The same, by hand."""
    def weigh(u: list[float], v: list[float]) -> float:
        return sum(p * q for p, q in zip(u, v, strict=True))

    gauss, k = [0.25, 0.5, 0.25], [[1, 2], [3, 4]][n % 2][1] + (1 + 4) * 3
    left = [a[2], weigh(gauss, [x, 2.0, x * x]), 2.25]
    a[:] = left
    total = weigh([x, 1, 0.5], gauss) + weigh([0.25, 0.5, x], left)
    total += k * weigh([x, 0.5, 0.25], [x, 2.0, x * x]) + sum(x * i * x for i in range(n))
    return total + 0.5 + n * x * x + gauss[n % 3] + (n in (2, 7))


@pytest.mark.parametrize("how", ["oracle", *CORES, *COMPILED])
def test_lists_with_types_and_tables(how: str) -> None:
    """Lists for typed variables, members, operands; tables of constants."""
    ready = on(how, TYPED + REQUESTS)
    for x, n, a in CASES:
        left = list(a)
        wanted = typed(x, n, left)
        slope = (typed(x + 1e-6, n, list(a)) - typed(x - 1e-6, n, list(a))) / 2e-6
        after, result = ready.call("f", [x, n, a])
        assert result == pytest.approx(wanted, rel=1e-12)
        assert after[2] == pytest.approx(left, rel=1e-12)
        after, _ = ready.call("r", [x, 0.0, n, 0, a, [0.0] * 3, 1.0])
        assert after[1] == pytest.approx(slope, rel=1e-5)


CHECKED = """
def paired(a : In[Array[float, "n"]], b : In[Array[float, "m"]]) -> float:
    y = 0.0
    for u, v in zip(a, b):
        y += u * v
    return y

def given(k : In[int]) -> float:
    t : Array[float, k] = [1.0, 2.0]
    return t[0]

def none(k : In[int]) -> int:
    t = [1.0 for i in range(k)]
    return len(t)
"""


@pytest.mark.parametrize("how", ["oracle", *CORES, *COMPILED])
def test_lengths_are_checked(how: str) -> None:
    """Lengths that are not known are compared as the program runs; a range may be empty."""
    ready = on(how, CHECKED)
    assert ready.call("paired", [[1.0, 2.0], [3.0, 4.0], 2, 2])[1] == 11.0
    assert ready.call("given", [2])[1] == 1.0
    assert [ready.call("none", [k])[1] for k in (-2, 0, 3)] == [0, 0, 3]
    for name, args in (("paired", [[1.0, 2.0], [3.0], 2, 1]), ("given", [3])):
        with pytest.raises(RunError) as caught:
            ready.call(name, args)
        assert caught.value.code == "SIZE"
