"""Functions that call themselves on parts of an array, and arguments written bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from properties.calls import Page
from properties.scope import FLOAT, INT, Callee, Formal, Scope

from loma.ir.types import ArrayType

if TYPE_CHECKING:
    from properties.statements import Writer

FOLD: Final = """def part_fold(a : InOut[Array[float]], n : In[int], x : In[float]):
    if n > 1:
        h : int = n / 2
        part_fold(a[0:h], h, 0.5 * x)
        part_fold(a[h:n], n - h, x)
        for i in range(h):
            t : float = a[i]
            a[i] = 0.5 * t + 0.3 * x * a[i + h]
            a[i + h] = 0.4 * t - sin(a[i + h] * t)
"""
FILL: Final = """def part_fill(y : Out[Array[float]], n : In[int], x : In[float]):
    y[0] = sin(x + n)
    if n > 1:
        part_fill(y[1:n], n - 1, 0.5 * x)
        y[0] = 0.5 * y[0] * y[1] + 0.2 * x
"""
MERGE: Final = """def part_merge(a : InOut[Array[float]], b : Out[Array[float]], n : In[int]):
    if n > 0:
        b[n - 1] = a[n - 1] * a[0]
        part_merge(a[0:n - 1], b[0:n - 1], n - 1)
        a[0] = 0.5 * a[0] + 0.1 * sin(b[n - 1]) * a[n - 1]
"""
ARRAY: Final = ArrayType(FLOAT)
COUNT: Final = Formal("n", INT, small=True)
KINDS: Final = (
    (FOLD, Callee("part_fold", [Formal("a", ARRAY, "InOut"), COUNT, Formal("x", FLOAT)], None)),
    (FILL, Callee("part_fill", [Formal("y", ARRAY, "Out"), COUNT, Formal("x", FLOAT)], None)),
    (MERGE, Callee("part_merge",
                   [Formal("a", ARRAY, "InOut"), Formal("b", ARRAY, "Out"), COUNT], None)),
)


def write_parts(w: Page, chosen: int) -> Callee:
    """One of the functions."""
    text, callee = KINDS[chosen % len(KINDS)]
    for line in text.splitlines():
        w.line(line)
    return callee


def by_rounds(w: Writer, s: Scope) -> bool:
    """A place that may only be written is written in a branch of a loop, and then read back."""
    places = [p for p in s.places(FLOAT, write=True)
              if not p.variable.readable and not p.variable.only_at and "<" not in p.text]
    if not places or s.kernel:
        return False
    text, i = w.rng.choice(places).text, w.page.fresh("i")
    lines = [
        f"for {i} in range({w.rng.choice(['2', '3'])}):",
        f"    if {i} == 0:",
        f"        {text} = {w.tame(s)}",
        f"    {w.rng.choice(['if ' + i + ' > 0:', 'else:'])}",
        f"        {text} = sin({text}) * {text} + 0.3 * {i}",
    ]
    for line in lines:
        w.page.line(line)
    if w.rng.random() < 0.5:
        w.page.line(f"{text} = 0.5 * {text} * {text}")
    return True
