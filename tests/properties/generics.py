"""Random generic functions, functions that take functions, and closures."""

from __future__ import annotations

from random import Random

from properties.calls import Page
from properties.expressions import float_expr
from properties.scope import FLOAT, Callee, Formal, Scope, Variable

from loma.ir.types import StructDef

PLAIN = ("y * x + x", "x * x - 0.5 * y", "max(x, y) * x", "x - y * y * 0.25")
TAKING = (
    "f(x) * 0.5 + f(f(x) * 0.25)",
    "f(x) - sum(f(x * 0.5) for i in range(2))",
    "f(x) if x > 0 else f(0.5 - x)",
)


def write_generics(
    rng: Random, page: Page, structs: dict[str, StructDef]
) -> list[Callee]:
    """Generic functions, one that takes functions, and one that passes closures to it."""
    page.line('T = TypeVar("T")')
    plain, taking, user = page.fresh("g"), page.fresh("g"), page.fresh("g")
    page.line(f"def {plain}(x : In[T], y : In[T]) -> T:")
    page.line(f"    return {rng.choice(PLAIN)}")
    page.line(f"def {taking}(f : Callable[[T], T], x : In[T]) -> T:")
    page.line(f"    return {rng.choice(TAKING)}")
    using(rng, page, structs, (user, plain, taking))
    numbers = [Formal("x", FLOAT), Formal("y", FLOAT)]
    called = f"{plain}({{0}}, {{1}})"
    return [Callee(f"{plain}[float]", numbers, FLOAT, shape=called), Callee(user, numbers, FLOAT)]


def using(
    rng: Random, page: Page, structs: dict[str, StructDef], names: tuple[str, str, str]
) -> None:
    """A function with a function inside, which captures variables and is passed on."""
    user, plain, taking = names
    own = [Variable("x", FLOAT), Variable("y", FLOAT)]

    def expression(*more: str) -> str:
        variables = [*own, *(Variable(n, FLOAT) for n in more)]
        return float_expr(Scope(rng, structs, variables=variables, callees=[]), 2)

    page.line(f"def {user}(x : In[float], y : In[float]) -> float:")
    page.line(f"    c : float = sin({expression()})")
    page.line("    def inner(u : In[float]) -> float:")
    page.line(f"        v : float = {expression('u', 'c')}")
    page.line("        return sin(v) * c + u")
    if rng.random() < 0.5:
        page.line(f"    c = {plain}(c, {rng.choice(['x', 'y', '0.5'])})")
    twice = f"{taking}(lambda w: {taking}(inner, w) * {rng.choice(['c', 'x', '0.5'])}, y)"
    once = f"{taking}(lambda w: sin({expression('w', 'c')}), {plain}(x, c))"
    passed = f"{taking}({rng.choice(['sin', 'cos', 'inner'])}, x)"
    page.line(f"    return {rng.choice([twice, once, passed, f'{once} + inner(y)'])}")
