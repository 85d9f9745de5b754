"""Arguments of named size, and functions that call themselves on slices of such arrays."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Final

from properties.calls import Page
from properties.scope import FLOAT, INT, LENGTH, Callee, Formal, Variable

from loma.ir.types import ArrayType, StructDef, StructType, Type, has_pointer

SORT: Final = """def sized_fold(a : InOut[Array[float, "n"]], x : In[float]):
    if n > 1:
        h = n / 2
        sized_fold(a[:h], 0.5 * x)
        sized_fold(a[h:], x)
        for i in range(h):
            t : float = a[i]
            a[i] = 0.5 * t + 0.3 * x * a[i + h]
            a[n - 1 - i] = 0.4 * t - sin(a[i + h] * t)
"""
FILL: Final = """def sized_fill(y : Out[Array[float, "n"]], x : In[float], last : Out[float]):
    y[0] = sin(x + 0.1 * len(y))
    if n == 1:
        last = x
        return
    rest : float
    sized_fill(y[1:], 0.5 * x, rest)
    y[0] = 0.5 * y[0] * y[1] + 0.2 * x
    last = rest * y[n - 1]
"""
TREE: Final = """def sized_tree(a : In[Array[float, "n", "m"]], x : In[float]) -> float:
    if n == 0:
        return x
    if a.shape[0] == 1:
        return 0.3 * x * sum(a[0, j] for j in range(m))
    h = n // 2
    return 0.5 * sized_tree(a[:h], x) + sized_tree(a[h:], sin(x)) * a[h, m - 1]
"""
USES: Final = """def sized_use(x : In[float], a : In[Array[float]], k : In[int]) -> float:
    g : Array[float, 3, k % 3 + 2]
    for i in range(3):
        g[i] = sin(x + i) + a[i]
    y : Array[float, k % 4 + 1]
    last : float
    sized_fill(y, x, last)
    sized_fold(flat(g)[1:], x)
    sized_fold(g[1], y[0])
    return 0.4 * sized_tree(g, last) + 0.2 * y[len(y) - 1] + 0.1 * g[2, 1]
"""
TEXT: Final = SORT + FILL + TREE + USES
MARK: Final = "sized_"


def write_sized(page: Page) -> Callee:
    """Functions that call themselves on slices, and one that calls them."""
    for line in TEXT.splitlines():
        page.line(line)
    formals = [Formal("x", FLOAT), Formal("a", ArrayType(FLOAT)), Formal("k", INT, small=True)]
    return Callee("sized_use", formals, FLOAT)


def sized_formals(rng: Random, page: Page, structs: dict[str, StructDef]) -> list[Formal]:
    """Array arguments whose sizes have names, some of them shared, perhaps an argument itself."""
    n, m = (page.fresh("n"), rng.randint(LENGTH, LENGTH + 1)), (page.fresh("n"), rng.randint(5, 6))
    flat = [StructType(s) for s in structs if not has_pointer(StructType(s), structs)]
    found: list[Formal] = []
    for _ in range(rng.randint(1, 3)):
        direction = rng.choice(["In", "In", "InOut", "Out"])
        element: Type = rng.choice([FLOAT, FLOAT, FLOAT, *flat])
        dimensions = rng.choice([(n,), (n, m), (n, m), (n, ("3", 3))])
        found.append(shaped(Formal(page.fresh("a"), element, direction), dimensions))
    names = {name for f in found for name, _ in f.sizes}
    if n[0] in names and rng.random() < 0.3:
        found.append(Formal(n[0], INT, value=n[1]))
    return found


def shaped(f: Formal, sizes: tuple[tuple[str, int], ...]) -> Formal:
    """An array of the argument's type, of some sizes."""
    t, (_, *inner) = f.type, sizes
    for _, size in reversed(inner):
        t = ArrayType(t, size)
    return replace(f, type=ArrayType(t), element=f.type, sizes=sizes)


def sizes_in_scope(formals: list[Formal]) -> list[Variable]:
    """The names of sizes, and what asks for sizes, as ints of the body."""
    own = {f.name for f in formals}
    names = {name for f in formals for name, _ in f.sizes if not name.isdigit()} - own
    asked = [f"{f.name}.shape[{k}]" for f in formals for k in range(len(f.sizes))]
    asked += [f"len({f.name})" for f in formals if f.sizes]
    return [Variable(name, INT, writable=False) for name in [*sorted(names), *asked]]
