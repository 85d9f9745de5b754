"""Random reductions over a range."""

from __future__ import annotations

from collections.abc import Callable

from properties.scope import INT, LENGTH, Scope, Variable

FLOAT_KINDS = ("sum", "sum", "sum", "min", "max")
MAX_NESTED = 2


def over_range(s: Scope) -> tuple[str, Scope, str]:
    """A fresh counter, the scope in which it is known, and its range."""
    name = f"k{s.rng.randrange(10**6)}"
    inside = s.inner()
    inside.loops += 1
    inside.in_loop = True
    inside.calls_left = 0
    inside.variables.append(Variable(name, INT, writable=False, counter=True))
    bounds = [str(LENGTH), "3", f"1, {LENGTH}", f"{LENGTH - 1}, -1, -1", "0, 4, 3"]
    return name, inside, f"range({s.rng.choice(bounds)})"


def float_reduction(s: Scope, depth: int, value: Callable[[Scope, int], str]) -> str:
    """A float: a sum, an extreme value, or one that is found by its index."""
    if s.loops >= MAX_NESTED:
        return value(s, 0)
    name, inside, bounds = over_range(s)
    kind = s.rng.choice(FLOAT_KINDS)
    scale = "0.3 * " if kind == "sum" else ""
    return f"{scale}{kind}({value(inside, depth)} for {name} in {bounds})"


def int_reduction(
    s: Scope, depth: int, value: Callable[[Scope, int], str], whole: Callable[[Scope, int], str]
) -> str:
    """An int: where the best value is, a sum, a count."""
    if s.loops >= MAX_NESTED:
        return whole(s, 0)
    name, inside, bounds = over_range(s)
    kind = s.rng.choice(["argmin", "argmax", "argmax", "sum", "max", "count"])
    if kind == "count":
        return f"sum({value(inside, depth)} < {value(inside, 0)} for {name} in {bounds})"
    element = (value if kind.startswith("arg") else whole)(inside, depth)
    return f"{kind}({element} for {name} in {bounds})"
