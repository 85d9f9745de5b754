"""Random methods and operators of the structs of a program."""

from __future__ import annotations

from random import Random

from properties.calls import Page
from properties.expressions import float_expr
from properties.scope import FLOAT, Callee, Formal, Scope, Variable

from loma.ir.types import StructDef, StructType


def write_methods(
    rng: Random, page: Page, d: StructDef, structs: dict[str, StructDef]
) -> list[Callee]:
    """Some methods inside the class, and how each is called."""
    t = StructType(d.name)
    local = Scope(rng, structs).can_be_local(t)
    found: list[Callee] = []
    if rng.random() < 0.6:
        found.append(measure(rng, page, t, structs))
    if local and rng.random() < 0.6:
        found.append(scaled(rng, page, t))
        found.append(times(rng, page, t))
    if rng.random() < 0.4:
        found.append(moved(rng, page, t))
    return found


def measure(rng: Random, page: Page, t: StructType, structs: dict[str, StructDef]) -> Callee:
    """A plain method that gives a number."""
    name = page.fresh("t")
    s = Scope(rng, structs, variables=[Variable("self", t), Variable("w", FLOAT)])
    page.line(f"    def {name}(self, w : In[float]) -> float:")
    page.line(f"        return sin({float_expr(s, 2)}) + w * self.x")
    shape = rng.choice(["{0}." + name + "({1})", t.name + "." + name + "({0}, {1})"])
    formals = [Formal("self", t), Formal("w", FLOAT)]
    return Callee(name, formals, FLOAT, shape=shape, is_method=True)


def scaled(rng: Random, page: Page, t: StructType) -> Callee:
    """The product with a number, from both sides."""
    page.line(f"    def __mul__(self, w : In[float]) -> {t.name}:")
    page.line(f"        made : {t.name} = self")
    page.line(f"        made.x = {rng.choice(['self.x * w', 'sin(self.x) * w', '0.5 * w'])}")
    page.line("        return made")
    page.line(f"    def __rmul__(self, w : In[float]) -> {t.name}:")
    page.line("        return self * sin(w)")
    shape = rng.choice(["({0} * ({1}))", "(({1}) * {0})"])
    return Callee("mul", [Formal("self", t), Formal("w", FLOAT)], t, shape=shape)


def times(rng: Random, page: Page, t: StructType) -> Callee:
    """A second definition of the product, of two structs."""
    page.line(f"    def __mul__(self, other : In[{t.name}]) -> {t.name}:")
    page.line(f"        made : {t.name} = {rng.choice(['self', 'other'])}")
    page.line("        made.x = self.x * 0.7 - cos(other.x)")
    page.line("        return made")
    return Callee("mul", [Formal("self", t), Formal("other", t)], t, shape="({0} * {1})")


def moved(rng: Random, page: Page, t: StructType) -> Callee:
    """A method that changes its object."""
    name = page.fresh("t")
    page.line(f"    def {name}(self : {rng.choice(['InOut', f'InOut[{t.name}]'])}, w : In[float]):")
    page.line("        self.x = 0.5 * self.x + sin(w)")
    formals = [Formal("self", t, "InOut"), Formal("w", FLOAT)]
    return Callee(name, formals, None, shape="{0}." + name + "({1})", is_method=True)
