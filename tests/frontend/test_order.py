"""The order of evaluation, where calls inside expressions write their operands: Python's.

The programs are Python too, and Python says what they give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from subjects import COMPILED, CORES, on

PROGRAM = """
class Walk:
    at : float
    steps : int

    def up(self : InOut, by : In[float]) -> float:
        self.at = self.at * 0.75 + sin(by)
        self.steps = self.steps + 1
        return self.at * self.at

    def count(self : InOut) -> int:
        self.steps = self.steps - 1
        return self.steps

    def far(self : InOut) -> bool:
        self.at = self.at + 0.25
        return self.at > 1.0

    def reach(self : In, a : In[float], b : In[float]) -> float:
        return self.at + 10.0 * a + 100.0 * b

    def turned(self : InOut) -> Walk:
        self.at = self.at + 0.125
        return Walk(2.0 * self.at, self.steps)

def moved(a : InOut[Array[float]], k : In[int], by : In[float]) -> float:
    a[k] = a[k] * by + 1.0
    return a[k] + a[0]

def reset(w : InOut[Walk], at : In[float]) -> float:
    w.at = 0.5 * at
    return w.at * at

def f(x : In[float], n : In[int], a : InOut[Array[float]]) -> float:
    w = Walk(x, n)
{body}
"""
BODIES = {
    "operands": "return w.at + w.up(x) * w.at - w.up(w.at) / (w.at + 3.0)",
    "sums": "return a[0] + moved(a, 0, x) + a[0] * moved(a, 1, w.up(x)) + a[1]",
    "index": "return a[w.count()] + w.at * a[w.count()] + w.steps",
    "index before": "return a[w.steps - 1] * w.up(x) + a[w.count() - 1]",
    "operands of calls": "return w.reach(w.at, w.up(x)) + sin(w.at + w.up(w.at))",
    "the object": "return w.reach(w.up(x), w.up(0.5)) + w.turned().reach(w.at, w.up(x))",
    "constructor": "v = Walk(w.at + w.up(x), w.count())\n    return v.at * v.steps + w.at",
    "constructor by name": "v = Walk(steps=w.count(), at=w.at + w.up(x))\n"
                           "    return v.at * v.steps + w.at",
    "choice": "y = w.up(x) if w.far() else w.at + w.up(0.5)\n    return y + w.at + w.steps",
    "struct choice": "v = w.turned() if w.far() else w\n    return v.at * 3.0 + w.at",
    "and": "y = 1.0 if w.far() and w.up(x) > 0.5 and w.far() else 2.0\n    return y * w.at",
    "or": "y = 1.0 if w.at > 5.0 or w.far() or w.up(x) > 0.5 or w.far() else 2.0\n"
          "    return y * w.at",
    "not": "y = 1.0 if not (w.far() or w.at < w.up(x)) else 2.0\n    return y * w.at",
    "chain": "y = 3.0 if w.at < w.up(x) < w.up(0.25) < w.up(w.at) else 5.0\n    return y + w.at",
    "chain that ends early": "y = 3.0 if 0.0 < x < w.at < w.up(x) else 5.0\n    return y + w.at",
    "while": "y = 0.0\n    while not w.far():\n        y += w.count() + w.at * w.steps\n"
             "    return y + w.at + w.steps",
    "while and": "y = 0.0\n    while w.steps < 9 and w.up(y) < 3.0 and not w.far():\n"
                 "        y += w.at\n        if y > 4.0:\n            continue\n        y += 0.5\n"
                 "    return y + w.at + w.steps",
    "while with exits": "y = 0.0\n    while True:\n        z = w.up(y)\n        if z > 2.0:\n"
                        "            break\n        y += z + 0.125\n        if w.far():\n"
                        "            return y * w.at\n    return y + w.at",
    "ranges": "y = 0.0\n    for i in range(w.steps, 4 + abs(w.count())):\n"
              "        y += w.up(y) * i\n    return y + w.at + w.steps",
    "branches": "if w.far() and w.up(x) > 0.25:\n        y = w.at\n    elif w.up(x) > 0.5:\n"
                "        y = -w.at\n    else:\n        y = 2.0 * w.at\n    return y + w.up(y)",
    "targets": "a[abs(w.count()) % 3] = w.at + w.up(x)\n"
               "    a[abs(w.count()) % 3] += w.up(x) * w.steps\n"
               "    return a[0] + 2.0 * a[1] + 3.0 * a[2]",
    "targets and values": "a[abs(w.count()) % 3] = w.steps + w.up(x)\n"
                          "    return a[0] + a[1] + a[2]",
    "augmented": "y = x\n    y += w.up(y) * y\n    w.at *= w.up(x) + w.at\n"
                 "    a[w.steps % 3] -= reset(w, 3.0) * w.count()\n"
                 "    return y + w.at + a[0] + 2.0 * a[1] + 4.0 * a[2]",
    "several targets": "u, v, z = w.at, w.up(x), w.at + w.up(x)\n    v, u = u + w.up(v), v * w.at\n"
                       "    return u + 10.0 * v + 100.0 * z",
    "tuples": "t = (w.at, w.up(x), w.at, w.up(0.5))\n    return t[0] + t[1] * 3.0 - t[2] / t[3]",
    "powers and remainders": "return w.at ** w.up(x) + (w.at + 4.0) % (w.up(x) + 1.0)"
                             " + (w.steps * 7) // (abs(w.count()) + 1)",
    "builtins": "return max(w.at, w.up(x), w.at + w.up(0.5)) + hypot(w.at, w.up(x))"
                " + abs(w.up(1.5))",
    "results as operands": "return w.up(w.up(x) + w.at) + w.turned().at * w.at",
}


@dataclass
class Reference:
    """The program as Python sees it."""

    body: str

    def __call__(self, x: float, n: int, a: list[float]) -> tuple[float, list[float]]:
        """The result, and the array as it was left."""
        text = "from __future__ import annotations\n" + PROGRAM.format(body="    " + self.body)
        names: dict[str, Any] = {"dataclass": dataclass, "sin": math.sin, "hypot": math.hypot}
        exec(text.replace("class Walk", "@dataclass\nclass Walk"), names)
        left = list(a)
        return names["f"](x, n, left), left


def differences(f: Reference, x: float, n: int, a: list[float]) -> float:
    """The derivative of the result by x."""
    return (f(x + 1e-6, n, a)[0] - f(x - 1e-6, n, a)[0]) / 2e-6


CASES = [(0.3, 2, [0.5, 1.5, 2.5]), (0.9, 3, [1.0, -2.0, 0.25])]


@pytest.mark.parametrize("name", BODIES)
def test_what_is_written_in_an_expression(name: str) -> None:
    """Values, arrays that are left, and derivatives in both modes."""
    reference = Reference(BODIES[name])
    text = PROGRAM.format(body="    " + BODIES[name]) + "\nr = rev_diff(f)\nd = fwd_diff(f)\n"
    for x, n, a in CASES:
        wanted, left = reference(x, n, a)
        slope = differences(reference, x, n, a)
        for how in ("oracle", *CORES, *COMPILED):
            ready = on(how, text)
            after, result = ready.call("f", [x, n, a])
            assert result == pytest.approx(wanted, rel=1e-12), how
            assert after[2] == pytest.approx(left, rel=1e-12), how
            after, _ = ready.call("r", [x, 0.0, n, 0, a, [0.0] * 3, 1.0])
            assert after[1] == pytest.approx(slope, rel=1e-5, abs=1e-6), how
            duals = [{"val": v, "dval": 0.0} for v in a]
            _, dual = ready.call("d", [{"val": x, "dval": 1.0}, n, duals])
            assert dual["dval"] == pytest.approx(slope, rel=1e-5, abs=1e-6), how


STACK = """
def f(x : In[float], n : In[int]) -> float:
    s : Stack[float]
    for i in range(n):
        s.push(x * i - 1.0)
    total = s.pop() - s.pop() * s.size() if s.size() > 2 else s.size() + s.pop()
    while s.size() > 1 and s.pop() > -0.5:
        total = total * 0.5 + s.size()
    return total * s.size() + (s.pop() if s.size() > 0 else 2.0) / (s.size() + 1)

r = rev_diff(f)
"""


def stacked(x: float, n: int) -> float:
    """The same in Python."""
    s = [x * i - 1.0 for i in range(n)]
    total = s.pop() - s.pop() * len(s) if len(s) > 2 else len(s) + s.pop()
    while len(s) > 1 and s.pop() > -0.5:
        total = total * 0.5 + len(s)
    return total * len(s) + (s.pop() if len(s) > 0 else 2.0) / (len(s) + 1)


@pytest.mark.parametrize("how", ["oracle", *CORES, *COMPILED])
@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_stacks(how: str, n: int) -> None:
    """Pops in choices and in the condition of a loop."""
    ready = on(how, STACK)
    assert ready.call("f", [0.75, n])[1] == pytest.approx(stacked(0.75, n), rel=1e-12)
    after, _ = ready.call("r", [0.75, 0.0, n, 0, 1.0])
    slope = (stacked(0.75 + 1e-6, n) - stacked(0.75 - 1e-6, n)) / 2e-6
    assert after[1] == pytest.approx(slope, rel=1e-7, abs=1e-7)


SCALARS = """
def half(x : In[float], rest : InOut[float]) -> float:
    rest = x - 0.25 * x
    return 0.25 * x

def bump(x : InOut[float]) -> float:
    x = x * x + 1.0
    return 2.0 * x

def count(n : InOut[int]) -> int:
    n = n - 1
    return n

def f(x : In[float], n : In[int]) -> float:
    rest : float
    y = x
    total : float = half(x, rest) + rest * y + bump(y) * y
    k = n
    while count(k) > 0:
        total += k * y
        if total > 30.0 and bump(y) > 4.0:
            break
    y += bump(y)
    return total * y + count(k)

r = rev_diff(f)
d = fwd_diff(f)
"""


def scalars(x: float, n: int) -> float:
    """The same in Python."""
    y, k = x * x + 1.0, n - 1
    total = 0.25 * x + 0.75 * x * x + 2.0 * y * y
    while k > 0:
        total += k * y
        if total > 30.0:
            y = y * y + 1.0
            if 2.0 * y > 4.0:
                break
        k -= 1
    y += 2.0 * (y * y + 1.0)
    return total * y + k - 1


@pytest.mark.parametrize("how", ["oracle", *CORES, *COMPILED])
@pytest.mark.parametrize("n", [1, 4, 9])
def test_numbers_that_calls_write(how: str, n: int) -> None:
    """Outputs that are plain variables."""
    ready = on(how, SCALARS)
    _, result = ready.call("f", [0.75, n])
    assert result == pytest.approx(scalars(0.75, n), rel=1e-12)
    slope = (scalars(0.75 + 1e-6, n) - scalars(0.75 - 1e-6, n)) / 2e-6
    after, _ = ready.call("r", [0.75, 0.0, n, 0, 1.0])
    assert after[1] == pytest.approx(slope, rel=1e-7)
    _, dual = ready.call("d", [{"val": 0.75, "dval": 1.0}, n])
    assert dual["dval"] == pytest.approx(slope, rel=1e-7)
