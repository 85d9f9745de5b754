"""What is read again instead of stored, since later writes do not meet it, in random loop nests."""

from __future__ import annotations

import random

import pytest
from subjects import differences, on

from loma.driver import core_module
from loma.ir.nodes import Push
from loma.ir.traverse import walk

SIZE = 6
VALUES = [0.5 + 0.125 * ((7 * k) % 5) for k in range(SIZE * SIZE)]
SEEDS = [1.0 - 0.25 * ((3 * k) % 7) for k in range(SIZE * SIZE)]


class Nest:
    """Loops that write to a matrix and a vector; indices are within 1 .. n - 2, plus or minus 1."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.vectors = self.random.choice([0.2, 0.7])
        self.chosen = seed % 2 == 1
        self.lines: list[str] = ["    p : int = 1"] if self.chosen else []

    def pick(self, *xs: str) -> str:
        return self.random.choice(xs)

    def loop(self, depth: int, around: list[str]) -> None:
        indent, v = "    " * (depth + 1), "ijk"[depth]
        near = around[-1] if around else "1"
        up = self.random.random() < 0.6
        step = self.random.choice([1, 1, 2])
        if up:
            head = f"range({self.pick('1', near, f'{near} + 1')}, n - 1, {step})"
        else:
            low = self.pick("0", near, f"{near} - 1") if around else "0"
            head = f"range(n - 2, {low}, -{step})"
        if around and self.random.random() < 0.3:
            head = self.pick(f"range(1, {near})", f"range(1, {near} + 1)")
        self.lines.append(f"{indent}for {v} in {head}:")
        inner = [*around, v]
        if self.chosen and self.random.random() < 0.7:
            self.choose(depth + 1, inner)
        if self.random.random() < 0.5:
            self.statement(depth + 1, inner)
        if depth < 2 and self.random.random() < 0.8:
            self.loop(depth + 1, inner)
        self.statement(depth + 1, inner)

    def choose(self, depth: int, around: list[str]) -> None:
        """`p` becomes another index, or stays."""
        indent = "    " * (depth + 1)
        if self.random.random() < 0.5:
            self.lines.append(f"{indent}p = {around[-1]}")
            self.lines.append(f"{indent}for q in range({around[-1]}, n - 1):")
            self.lines.append(f"{indent}    if v[q] > 0.75:\n{indent}        p = q")
        else:
            self.lines.append(f"{indent}if {self.element(around)} < 0.75:")
            self.lines.append(f"{indent}    p = {self.random.choice(around)}")

    def index(self, around: list[str]) -> str:
        shift = self.pick("", "", " + 1", " - 1")
        return self.random.choice([*around, *around, "p" if self.chosen else "1"]) + shift

    def element(self, around: list[str]) -> str:
        if self.random.random() < self.vectors:
            return f"v[{self.index(around)}]"
        return f"a[{self.index(around)}, {self.index(around)}]"

    def statement(self, depth: int, around: list[str]) -> None:
        target, x, y = (self.element(around) for _ in range(3))
        text = self.pick(f"{target} = 0.5 * {x} * {y} + 0.25", f"{target} -= 0.25 * {x} * {y}",
                         f"{target} = {target} / (1.5 + {x} * {x})", f"{target} *= {x}")
        indent = "    " * (depth + 1)
        if self.random.random() < 0.2:
            self.lines.append(f"{indent}if {x} < 0.75:")
            indent += "    "
        self.lines.append(f"{indent}{text}")


def program(seed: int) -> str:
    nest = Nest(seed)
    nest.loop(0, [])
    if seed % 3 == 0:
        nest.loop(0, [])
    body = "\n".join(nest.lines)
    return (f'def f(a : InOut[Array[float, "n", "n"]], v : InOut[Array[float, "n"]]):\n{body}\n'
            "r = rev_diff(f)\n")


@pytest.mark.parametrize("seed", range(60))
def test_random_nests(seed: int) -> None:
    text = program(seed)
    data = [VALUES, SEEDS, VALUES[:SIZE], SEEDS[:SIZE], SIZE]
    wanted = on("oracle", text).call("r", data)
    for how in ("core", "llvm") if seed % 2 else ("plain", "c"):
        assert not differences(on(how, text).call("r", data)[0], wanted[0]), text


def pushed(text: str) -> int:
    """How many values the loops of the reverse derivative store."""
    r = core_module(text).functions["r"]
    return sum(len(op.values) for op in walk(r.body) if isinstance(op, Push))


ELIMINATION = """
def f(a : InOut[Array[float, "n", "n"]]):
    for k in range(n):
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
r = rev_diff(f)
"""
TABLE = """
def f(x : In[Array[float, "n"]], t : InOut[Array[float, "n", "m", "l"]]):
    for i in range(1, n):
        for j in range(1, m):
            for k in range(1, l):
                t[i, j, k] = sin(t[i - 1, j, k] * t[i, j - 1, k] + x[i] * t[i, j, k - 1])
r = rev_diff(f)
"""
SOLVED = """
def f(a : In[Array[float, "n", "n"]], x : InOut[Array[float, "n"]]):
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            x[i] -= a[i, j] * x[j]
        x[i] /= 1.0 + a[i, i] * a[i, i]
r = rev_diff(f)
"""
SWEPT = """
def f(a : InOut[Array[float, "n"]], m : In[int]):
    for t in range(m):
        for i in range(1, n - 1):
            a[i] = a[i - 1] * a[i + 1]
r = rev_diff(f)
"""
PIVOTED = """
def f(a : InOut[Array[float, "n", "n"]]):
    for k in range(n):
        best = argmax(abs(a[i, k]) for i in range(k, n))
        if best != k:
            for i in range(n):
                a[k, i], a[best, i] = a[best, i], a[k, i]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
r = rev_diff(f)
"""
LAGGED = """
def f(a : InOut[Array[float, "n"]]):
    p : int = n - 1
    for i in range(1, n):
        a[p] = a[p] * a[i - 1]
        p = i
r = rev_diff(f)
"""
WAVE = """
def f(a : InOut[Array[float, "n"]], m : In[int]):
    for t in range(m):
        for i in range(n - 1, 0, -1):
            a[i - 1] = a[i] * a[i - 1]
r = rev_diff(f)
"""


@pytest.mark.parametrize(("text", "stored"), [
    (ELIMINATION, 1), (PIVOTED, 2), (TABLE, 0), (SOLVED, 1), (SWEPT, 2), (WAVE, 2),
    (LAGGED, 3)])
def test_what_is_stored(text: str, stored: int) -> None:
    assert pushed(text) == stored


def test_values_and_derivatives_of_known_algorithms() -> None:
    flat = [v + (SIZE if k % (SIZE + 1) == 0 else 0) for k, v in enumerate(VALUES)]
    cube = [0.25 + v for v in VALUES[:30]]
    for text, data in (
        (ELIMINATION, [flat, SEEDS, SIZE]),
        (PIVOTED, [VALUES, SEEDS, SIZE]),
        (TABLE, [VALUES[:3], [0.0] * 3, cube, SEEDS[:30], 3, 2, 5]),
        (SOLVED, [VALUES, [0.0] * 36, VALUES[:6], SEEDS[:6], SIZE]),
        (SWEPT, [VALUES[:6], SEEDS[:6], 3, 0, SIZE]),
        (LAGGED, [VALUES[:6], SEEDS[:6], SIZE]),
        (WAVE, [VALUES[:6], SEEDS[:6], 3, 0, SIZE]),
    ):
        wanted = on("oracle", text).call("r", data)
        for how in ("core", "plain", "llvm", "c"):
            assert not differences(on(how, text).call("r", data)[0], wanted[0]), text
