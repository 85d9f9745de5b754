"""Random tuples: functions that return them, and assignments that take them apart."""

from __future__ import annotations

from random import Random

from properties.calls import Page
from properties.expressions import filled, float_expr, leaf, operand
from properties.scope import FLOAT, INT, Callee, Formal, Scope, Variable, spelled

from loma.ir.types import Type


def pair(rng: Random, page: Page, s: Scope) -> Callee:
    """A function that returns a tuple; `s` is the scope of its body, with its arguments."""
    name = page.fresh("p")
    formals = [Formal(v.name, v.type) for v in s.variables]
    places: list[Type] = [t for t in {v.type: None for v in s.variables} if t is not FLOAT]
    elements = (FLOAT, rng.choice([FLOAT, INT, *places]), FLOAT)[: rng.choice([2, 2, 3])]
    args = ", ".join(f"{f.name} : In[{spelled(f.type)}]" for f in formals)
    shown = ", ".join(spelled(t) for t in elements)
    page.line(f"def {name}({args}) -> tuple[{shown}]:")
    values = [f"sin({float_expr(s, 2)})" if t is FLOAT else operand(s, t, 1) for t in elements]
    page.line(f"    return {', '.join(v for v in values if v is not None)}")
    return Callee(name, formals, None, elements=elements)


def statement(rng: Random, page: Page, s: Scope) -> bool:
    """An assignment to a tuple."""
    pairs = [c for c in s.callees if c.elements and c.shape != "stack"]
    if pairs and s.calls_left > 0 and rng.random() < 0.6:
        return unpacked(rng, page, s, rng.choice(pairs))
    return swapped(rng, page, s)


def unpacked(rng: Random, page: Page, s: Scope, c: Callee) -> bool:
    """The results of a call, in new variables."""
    s.calls_left -= 1
    operands = [operand(s, f.type, 1, f.small) for f in c.formals]
    known = [o for o in operands if o is not None]
    if len(known) < len(operands):
        return False
    kept = page.fresh("v")
    call = c.called(known)
    if rng.random() < 0.3:
        t = page.fresh("t")
        page.line(f"{t} = {call}")
        last = f"{t}[{rng.choice([-1, len(c.elements) - 1])}]"
        page.line(f"{kept} : float = {t}[0] * {last if c.elements[-1] is FLOAT else '0.5'}")
    else:
        names = [page.fresh("w"), *("_" for _ in c.elements[1:])]
        if c.elements[-1] is FLOAT and rng.random() < 0.7:
            names[-1] = page.fresh("w")
        page.line(f"{', '.join(names)} = {call}")
        page.line(f"{kept} : float = {' * '.join(n for n in names if n != '_')}")
    s.variables.append(Variable(kept, FLOAT))
    return True


def swapped(rng: Random, page: Page, s: Scope) -> bool:
    """a, b = f(b), g(a)."""
    places = [p for p in s.places(FLOAT, write=True) if p.variable.readable and p.variable.tame]
    if len(places) < 2:
        return False
    a, b = (filled(s, p, 0) for p in rng.sample(places, 2))
    if a == b:
        return False
    page.line(rng.choice([
        f"{a}, {b} = {b}, {a}", f"{a}, {b} = 0.5 * {b}, sin({a} * {leaf(s, 0)})",
        f"({a}, ({b}, _)) = {b}, (0.7 * {a}, 1)"]))
    return True
