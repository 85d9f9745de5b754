"""Random nests that only copy elements to an output, at indices with strides, steps and variables
that loops carry. Python runs the same text and notes who wrote an element last: that one has its
adjoint.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from ad.finite import Given, reverse
from subjects import module_of

from loma.ir.types import F64

HEAD = """
def f(a : In[Array[float]], y : Out[Array[float]], n : In[int], k : In[int], c : In[int]):
"""
SIZE = 160
MIDDLE = SIZE // 2
RANGES = ("range({0})", "range({0})", "range(1, {0})", "range({0} - 1, -1, -1)",
          "range(0, {0}, 2)", "range(0, 2 * {0}, 2)", "range(0, 3 * {0}, 3)")  # fmt: skip
UPDATES = ("c = c + 1", "c = {0}", "c = -{0}", "k = (k + {0}) % 3", "c = 2 * c % 5", "k = 1 - k")


class Nest:
    """Writes the body of one program."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.lines: list[str] = []

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def index(self, indices: list[str]) -> str:
        """The middle of the array and a sum of products."""
        rng = self.rng
        terms = [rng.choice(["", "", "k * ", "c * ", "n * ", "2 * ", "4 * ", "n * k * "])
                 + rng.choice([*indices, *indices, "k", "c"]) for _ in range(rng.choice([1, 2, 2]))]
        return f"{MIDDLE} + " + rng.choice([" + ", " + ", " - "]).join(terms)

    def updates(self, depth: int, indices: list[str]) -> None:
        """Now and then a change of what the loops carry."""
        if self.rng.random() < 0.3:
            self.line(depth, self.rng.choice(UPDATES).format(self.rng.choice(indices)))

    def loops(self, depth: int, indices: list[str]) -> None:
        """A loop, and in it the next one or the store: of two stores nothing would be proven."""
        rng = self.rng
        v = f"i{depth}"
        indices = [*indices, v]
        ranges = rng.choice(RANGES).format(rng.choice(["n", "n", "3", "4", *indices[:-1]]))
        self.line(depth, f"for {v} in {ranges}:")
        self.updates(depth + 1, indices)
        if len(indices) < 3 and rng.random() < 0.6:
            self.loops(depth + 1, indices)
        else:
            self.line(depth + 1, f"y[{self.index(indices)}] = a[{self.index(indices)}]")
        self.updates(depth + 1, indices)


class Read:
    """An array whose elements say which they are."""

    def __getitem__(self, i: int) -> int:
        return i


def last_writers(body: str, **given: int) -> dict[int, int]:
    """Which element of `a` each element of `y` holds in the end."""
    written: dict[int, int] = {}
    space: dict[str, Any] = {"a": Read(), "y": written, **given}
    exec("if True:\n" + body, space)
    return written


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("seed", range(120))
def test_the_last_write_has_the_adjoint(seed: int, fast: bool) -> None:
    rng = Random(seed)
    nest = Nest(rng)
    nest.loops(1, [])
    body = "\n".join(nest.lines) + "\n"
    sizes = {"n": rng.choice([2, 3]), "k": rng.choice([0, 1, 2]), "c": rng.choice([0, 1, -1])}
    wanted: Counter[int] = Counter()
    for place, origin in last_writers(body, **sizes).items():
        wanted[origin] += place + 1
    module = module_of(f"{HEAD}{body}r = rev_diff(f)\n", F64, fast)
    given = [Given("in", [0.5] * SIZE), Given("out[]", [0.0] * SIZE)]
    given += [Given("in", v) for v in sizes.values()]
    seeds = [float(i + 1) for i in range(SIZE)]
    adjoints = reverse(module, "f", "r", given, seeds)
    assert adjoints[0] == [float(wanted[i]) for i in range(SIZE)], body
