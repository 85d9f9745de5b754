"""Random stacks: pushes and pops, never of an empty one, also by called functions."""

from __future__ import annotations

from random import Random

from properties.calls import Page
from properties.expressions import condition, float_expr, literal
from properties.scope import FLOAT, Callee, Scope, Variable, spelled

from loma.ir.types import StructType, Type


def function(rng: Random, page: Page, s: Scope, element: Type) -> Callee:
    """A function that gets a stack of at least one element, and leaves one of at least one."""
    name, top = page.fresh("k"), page.fresh("v")
    held = spelled(element)
    page.line(f"def {name}(s : InOut[Stack[{held}]], w : In[float], n : In[int]) -> float:")
    page.line(f"    {top} = s.pop()")
    inside = s.inner()
    inside.variables += [Variable("w", FLOAT), Variable(top, element)]
    value = top if element is FLOAT else f"{top}.x"
    if element is FLOAT:
        page.line(f"    s.push(sin({float_expr(inside, 2)}))")
    else:
        page.line(f"    {value} = sin({float_expr(inside, 2)})")
        page.line(f"    s.push({top})")
    if rng.random() < 0.6:
        page.line("    if n > 0:")
        if rng.random() < 0.5:
            page.line(f"        s.push({top})")
        page.line(f"        w = {name}(s, 0.5 * w, n - 1)")
    page.line(f"    return 0.5 * w * {value} + 0.1 * s.size()")
    return Callee(name, [], None, elements=(element,), shape="stack")


def statement(rng: Random, page: Page, s: Scope) -> bool:
    """A stack, filled in one loop and emptied in another, perhaps not quite."""
    helpers = [c for c in s.callees if c.shape == "stack"]
    if s.loops > 1 or s.kernel:
        return False
    helper = rng.choice(helpers) if helpers and rng.random() < 0.6 else None
    structs = [StructType(n) for n in s.structs if s.can_be_local(StructType(n))]
    element: Type = helper.elements[0] if helper else rng.choice([FLOAT, FLOAT, *structs])
    stack, i, kept = page.fresh("s"), page.fresh("i"), page.fresh("v")
    page.line(f"{stack} : Stack[{spelled(element)}]")
    page.line(f"for {i} in range({rng.randint(2, 5)}):")
    pushed(rng, page, s, element, stack, f"0.3 * {i}")
    if rng.random() < 0.5:
        page.line(f"    if {condition(s, 0)}:")
        page.level += 1
        pushed(rng, page, s, element, stack, literal(s))
        page.level -= 1
    page.line(f"{kept} : float = {literal(s)}")
    if helper:
        page.line(f"{kept} = {helper.name}({stack}, {literal(s)}, {rng.randint(0, 2)})")
    popped(rng, page, element, stack, kept)
    s.variables.append(Variable(kept, FLOAT))
    return True


def popped(rng: Random, page: Page, t: Type, stack: str, kept: str) -> None:
    """A loop that pops what is there, perhaps not all of it."""
    last = page.fresh("v")
    page.line(f"while {stack}.size() > {rng.randint(0, 1)}:")
    page.line(f"    {last} = {stack}.pop()")
    member = last if t is FLOAT else f"{last}.x"
    page.line(f"    {kept} = 0.6 * {kept} + 0.4 * sin({kept} * {member}) + 0.2 * {member}")
    if rng.random() < 0.3:
        page.line(f"    if {stack}.size() == 2:")
        page.line("        break")


def pushed(rng: Random, page: Page, s: Scope, t: Type, stack: str, more: str) -> None:
    """A push of a small value."""
    value = f"sin({float_expr(s, 1)} + {more})"
    if t is FLOAT:
        page.line(f"    {stack}.push({value})")
        return
    name = page.fresh("s")
    page.line(f"    {name} : {spelled(t)}")
    page.line(f"    {name}.x = {value}")
    page.line(f"    {stack}.push({name})")
