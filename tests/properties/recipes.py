"""Pieces of programs as people write them, filled with random expressions.

In `texts/recipes.loma` a piece has holes, `<f>` a float, `<l>` a small one, `<L>` a literal,
`<c>` a condition, `<i>` an int, `<n>` one from 0 to 3. Names with @ are fresh; `@v` is what a piece
computes. What it calls stands in `texts/helpers.loma`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from properties.expressions import condition, float_expr, int_expr, leaf, literal
from properties.scope import FLOAT, Scope, Variable

if TYPE_CHECKING:
    from properties.statements import Writer

TEXTS: Final = Path(__file__).parent / "texts"
CONSTANTS: Final = {"COUNT": "1 + 2", "TABLE": "[0.5, 1.25, -3 / 4.0]"}
IMPORTS: Final = {
    "vec": ("vec2", "vec3", "cross", "normalize", "length"), "quat": ("quat",),
    "mat": ("mat2", "determinant"), "logexp": ("logsumexp", "sigmoid"), "interp": ("linear",)}
NAMED: Final = re.compile(r"^(?:def|class) (\w+)|^(\w+) =", re.MULTILINE)


@cache
def pieces(file: str) -> tuple[str, ...]:
    """The pieces of a file."""
    return tuple((TEXTS / file).read_text().split("---\n"))


def recipe(w: Writer, s: Scope, among: tuple[str, ...] | None = None) -> bool:
    """The statements of one piece; a variable holds what it computes."""
    text = w.rng.choice(among or pieces("recipes.loma"))
    if "Stack[" in text and s.kernel:
        return False
    names: dict[str, str] = {}

    def filled(found: re.Match[str]) -> str:
        kind = found.group()
        if kind.startswith("@"):
            return names.setdefault(kind, w.page.fresh(kind[1:]))
        return _hole(s, kind)

    for line in text.splitlines():
        w.page.line(re.sub(r"@[a-z]\b|<[filcnL]>", filled, line))
    s.variables.append(Variable(names["@v"], FLOAT, tame=False))
    return True


def _hole(s: Scope, kind: str) -> str:
    match kind:
        case "<f>":
            return f"(1.0 * {float_expr(s, 1)})"
        case "<l>":
            return f"(1.0 * {leaf(s, 0)})"
        case "<c>":
            return f"({condition(s, 0)})"
        case "<i>":
            return f"({int_expr(s, 1)})"
        case "<n>":
            return str(s.rng.randint(0, 3))
        case _:
            return f"(1.0 * {literal(s)})"


def needs(lines: list[str]) -> list[str]:
    """The lines that a program lacks: imports, a constant, definitions, and what these need."""
    text = "\n".join(lines)
    found: list[str] = []
    missing = True
    while missing:
        used = set(re.findall(r"\w+", "\n".join([text, *found])))
        missing = [p for p in pieces("helpers.loma") if p not in found and used & _defined(p)]
        found += missing
    imports = [
        f"from loma.std.{module} import {', '.join(n for n in names if n in used)}"
        for module, names in IMPORTS.items() if used & set(names)]
    whole = dict.fromkeys(re.findall(r"\b(loma\.std\.\w+)\.\w+\(", text))
    imports += [f"import {module}" for module in whole]
    constants = [f"{name} = {value}" for name, value in CONSTANTS.items() if name in used]
    generic = [line for line in found if line.startswith("T = ")]
    if generic and 'T = TypeVar("T")' in lines:
        found = [p.replace('T = TypeVar("T")\n', "") for p in found]
    return [*imports, *constants, *(line for p in found for line in p.splitlines())]


def _defined(piece: str) -> set[str]:
    return {a or b for a, b in NAMED.findall(piece)} - {"T"}
