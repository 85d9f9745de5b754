"""Random arrays of two dimensions: rows, slices, names for them, and calls that take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from properties.expressions import int_expr
from properties.scope import FLOAT, Scope, Variable

if TYPE_CHECKING:
    from properties.statements import Writer

HELPERS: Final = """def grid_dot(u : In[Array[float, "n"]], v : In[Array[float, "n"]]) -> float:
    total = 0.0
    for i in range(n):
        total += 0.4 * u[i] * v[i]
    return total

def grid_sum(a : In[Array[float, "n", "m"]]) -> float:
    total = 0.0
    for i in range(n):
        r = a[i]
        for j in range(len(r)):
            total += 0.2 * sin(r[j] + i - 0.5 * j) + 0.1 * a[i, m - 1 - j]
    return total

def grid_mix(a : InOut[Array[float, "n", "m"]], r : In[Array[float, "m"]], by : In[float]):
    for i in range(n):
        for j in range(m):
            a[i, j] = 0.5 * a[i, j] + 0.3 * by * r[j]

def grid_fill(a : Out[Array[float, "n"]], by : In[float]):
    for i in range(n):
        a[i] = sin(by + 0.3 * i)
    a[0] = a[n - 1] * 0.5

def grid_tail(a : In[Array[float, "n"]]) -> float:
    if n < 2:
        return sin(a[0])
    return 0.5 * grid_tail(a[1:]) + 0.2 * a[0] * a[n - 1]

def grid_point(p : In[Array[float, 3]]) -> float:
    return 0.5 * p[0] * p[1] - 0.4 * sin(p[2])
"""


def helpers(lines: list[str]) -> list[str]:
    """The functions that the lines of a program call."""
    return HELPERS.splitlines() if any("grid_" in line for line in lines) else []


def grid(w: Writer, s: Scope) -> bool:
    """A local array of two dimensions, filled, changed by parts, and summed up in a variable."""
    rows, columns = w.rng.randint(2, 3), w.rng.choice([3, 3, 4])
    a, i, v = w.page.fresh("g"), w.page.fresh("i"), w.page.fresh("v")
    count = w.page.fresh("n")
    computed = w.rng.random() < 0.7
    if computed:
        w.page.line(f"{count} : int = {rows}")
    w.page.line(f"{a} : Array[float, {count if computed else rows}, {columns}]")
    w.page.line(f"for {i} in range({rows}):")
    w.page.line(f"    {a}[{i}] = {w.tame(s)}")
    w.page.line(f"    {a}[{i}, {w.rng.randrange(columns)}] += 0.3 * {i}")
    for _ in range(w.rng.randint(1, 4)):
        _change(w, s, a, rows, columns)
    w.page.line(f"{v} : float = {_value(w, s, a, rows, columns)}")
    s.variables.append(Variable(v, FLOAT, tame=False))
    return True


def _row(w: Writer, s: Scope, rows: int) -> str:
    if w.rng.random() < 0.5:
        return str(w.rng.randrange(rows))
    return f"wrap({int_expr(s, 1)}, {rows})"


def _change(w: Writer, s: Scope, a: str, rows: int, columns: int) -> None:
    """One statement, or two, that write a part of the array."""
    low = w.rng.randrange(columns - 1)
    other = w.rng.randrange(columns - 1)
    length = w.rng.randint(1, columns - 1 - max(low, other))
    r, q = _row(w, s, rows), _row(w, s, rows)
    part = w.page.fresh("r")
    forms = [
        [f"{a}[{r}, {low}:{low + length}] = {a}[{q}, {other}:{other + length}]"],
        [f"{a}[{r}] = {a}[{q}]"],
        [f"flat({a})[{low}:{low + length}] = {w.tame(s)}"],
        [f"{part} = {a}[{r}]", f"{part}[{low}] += 0.3 * {w.tame(s)}"],
        [f"{part} = {a}[1:]", f"{part}[0, {low}] = {w.tame(s)} * {a}[{q}, {other}]"],
        [f"grid_mix({a}, {a}[{r}], {w.tame(s)})"],
        [f"grid_mix({a}[1:], {a}[0], {w.tame(s)})"],
        [f"grid_fill({a}[{r}], {w.tame(s)})"],
        [f"grid_fill({a}[{r}, {low}:{low + length}], {w.tame(s)})"],
    ]
    for line in w.rng.choice(forms):
        w.page.line(line)


def _value(w: Writer, s: Scope, a: str, rows: int, columns: int) -> str:
    low = w.rng.randrange(columns - 1)
    r, q = _row(w, s, rows), _row(w, s, rows)
    forms = [
        f"grid_sum({a})",
        f"grid_sum({a}[1:]) * {w.tame(s)}",
        f"grid_dot({a}[{r}], {a}[{q}])",
        f"grid_dot({a}[{r}, {low}:], {a}[{q}, {low}:{columns}]) + {a}[{r}, {low}]",
        f"grid_tail({a}[{r}])",
        f"grid_tail(flat({a}))",
        f"grid_point({a}[{r}, {columns - 3}:{columns}])",
    ]
    return w.rng.choice(forms)
