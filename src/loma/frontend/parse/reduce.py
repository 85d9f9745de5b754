"""Reductions: `sum`, `min`, `max`, `argmin`, `argmax`, `any` and `all` of what a loop visits."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import parallel as codes
from loma.frontend.parse.each import over

if TYPE_CHECKING:
    from loma.frontend.parse.expr import ExpressionParser

REDUCTIONS: Final = frozenset(("sum", "min", "max", "argmin", "argmax", "any", "all"))
CONDITIONAL: Final = frozenset(("sum", "any", "all"))


def reduction(
    p: ExpressionParser, kind: str, node: ast.GeneratorExp, span: Span
) -> surface.Expr:
    """kind(value for targets in sources), or `Bad`; further loops are reductions inside."""
    _, *others = node.generators
    conditions = [c for g in node.generators for c in g.ifs]
    if others and (kind.startswith("arg") or kind in ("min", "max") and _mentions(node)):
        p.report(codes.reduction_form(p.span(others[0].target), "has one `for`"))
    elif conditions and kind not in CONDITIONAL:
        p.report(codes.reduction_form(p.span(conditions[0]), "has no `if`"))
    elif kind in ("any", "all"):
        return _question(p, kind, node, span)
    else:
        return _reduced(p, kind, node.generators, node.elt, span)
    return surface.Bad(span=span)


def _mentions(node: ast.GeneratorExp) -> bool:
    """Whether a loop depends on one before it: then it may be empty where others are not."""
    names = {part.id for g in node.generators for part in ast.walk(g.target)
             if isinstance(part, ast.Name)}
    return any(isinstance(part, ast.Name) and part.id in names
               for g in node.generators for part in ast.walk(g.iter))


def _reduced(
    p: ExpressionParser, kind: str, loops: list[ast.comprehension], value: ast.expr, span: Span,
    times: int = 0,
) -> surface.Expr:
    """The reduction; of the value as a question, answered by `not` so many times."""
    each, *rest = loops
    visited = over(p, each.target, each.iter)
    inner = _value(p, kind, each, rest, value, times)
    if visited is None:
        return surface.Bad(span=span)
    return surface.Reduce(kind, visited, inner, span=span)


def _value(
    p: ExpressionParser, kind: str, each: ast.comprehension, rest: list[ast.comprehension],
    node: ast.expr, times: int,
) -> surface.Expr:
    """What is reduced, a reduction over further loops; nothing where an `if` does not hold."""
    span = p.span(node)
    value = _reduced(p, kind, rest, node, span, times) if rest else p.expr(node)
    for _ in range(0 if rest else times):
        value = surface.Unary("not", value, span=span)
    for condition in reversed(each.ifs):
        nothing = surface.Number(False if times and not rest else 0, span=span)
        value = surface.Conditional(p.expr(condition), value, nothing, span=span)
    return value


def _question(
    p: ExpressionParser, kind: str, node: ast.GeneratorExp, span: Span
) -> surface.Expr:
    """any(...): whether some hold. all(...): whether none does not hold."""
    count = _reduced(p, "sum", node.generators, node.elt, span, times=2 if kind == "any" else 1)
    operator = "!=" if kind == "any" else "=="
    return surface.Binary(operator, count, surface.Number(0, span=span), span=span)
