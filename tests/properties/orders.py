"""Random expressions in which calls write their operands: what is evaluated when."""

from __future__ import annotations

from random import Random

from properties.calls import Page
from properties.expressions import condition, filled, leaf, literal
from properties.scope import FLOAT, LENGTH, Scope, Variable

HELPERS = """
def order_step(v : InOut[float], w : In[float]) -> float:
    v = 0.5 * v + 0.4 * sin(w) + 0.1
    return 0.7 * v * w

def order_split(x : In[float], rest : InOut[float]) -> float:
    rest = 0.5 * sin(x)
    return 0.3 * x

def order_next(n : InOut[int], most : In[int]) -> int:
    n = n + 1
    return most - n
"""


def helpers(lines: list[str]) -> list[str]:
    """The functions that the lines of a program call."""
    return HELPERS.splitlines() if any("order_" in line for line in lines) else []


def statement(rng: Random, page: Page, s: Scope) -> bool:
    """A variable that gets its value from expressions with calls that change others."""
    places = [p for p in s.places(FLOAT, write=True)
              if p.variable.readable and p.variable.tame and not p.variable.only_at]
    if not places or s.kernel:
        return False
    v = filled(s, rng.choice(places), 0)
    kept, a = page.fresh("v"), leaf(s, 0)
    step = f"order_step({v}, sin({a}))"
    page.line(f"{kept} : float = {rng.choice(sums(v, step, literal(s)))}")
    if rng.random() < 0.5:
        page.line(f"{kept} {rng.choice(['=', '+='])} " + rng.choice([
            f"{step} if {condition(s, 0)} else {v} * {step}",
            f"0.5 if {step} < {v} or {step} > {literal(s)} else {v}",
            f"{v} if {condition(s, 0)} and {v} < {step} < {step} else 0.25 * {v}",
            f"order_split({v}, {v}) * {v} - {step}"]))
    if rng.random() < 0.4 and s.loops < 2:
        loop(rng, page, v, kept, step)
    s.variables.append(Variable(kept, FLOAT, tame=False))
    return True


def sums(v: str, step: str, number: str) -> list[str]:
    """Sums and products of a place and of calls that change it."""
    return [f"{v} + {step} * {v}", f"max({v}, {step}, {v} * {number})", f"{step} - {step} / 2.0",
            f"{v} * {number} - ({step} + {v})", f"sin({v} + {step}) + {v}"]


def loop(rng: Random, page: Page, v: str, kept: str, step: str) -> None:
    """A loop whose condition changes what it reads."""
    n = page.fresh("n")
    page.line(f"{n} : int")
    more = rng.choice(["", f" and {step} < 2.0", f" and ({v} < 5.0 or {step} > 0.0)"])
    page.line(f"while order_next({n}, {LENGTH}) >= 0{more}:")
    page.line(f"    {kept} = 0.6 * sin({kept}) + {rng.choice([v, step])}")
    if rng.random() < 0.3:
        page.line(f"    if {n} > 2 and {step} > 0.4:")
        page.line(f"        {rng.choice(['break', 'continue'])}")
