"""Decorators: what a function is, and of which derivative it is the rule."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import rules as codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.errors import Finding
from loma.ir.derived import Mode

RULES: Final = {"custom_fwd": Mode.FORWARD, "custom_rev": Mode.REVERSE}


def decorated(
    node: ast.FunctionDef, span: Callable[[ast.expr], Span],
    types: Callable[[ast.expr], tuple[surface.TypeExpr, ...]], findings: list[Finding],
) -> tuple[bool, tuple[surface.Derivative, ...]]:
    """Whether a function is a kernel, and the derivatives that it is written as."""
    simd, rules = False, []
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id == "simd":
            simd = True
            continue
        where = span(decorator)
        match decorator:
            case ast.Call(ast.Name(word), [ast.Name(primal) as operand], []) if word in RULES:
                rules.append(surface.Derivative(
                    node.name, RULES[word], primal, span(operand), span=where))
            case ast.Call(ast.Name(word), [ast.Attribute(ast.Name(owner), method) as inner],
                          []) if word in RULES:
                rules.append(surface.Derivative(
                    node.name, RULES[word], f"{owner}.{method}", span(inner), span=where))
            case ast.Call(ast.Name(word), [ast.Subscript(ast.Name(primal), slice) as chosen],
                          []) if word in RULES:
                rules.append(surface.Derivative(
                    node.name, RULES[word], primal, span(chosen), type_args=types(slice),
                    span=where))
            case ast.Name(word) | ast.Call(ast.Name(word)) if word in RULES:
                findings.append(codes.form(where, word))
            case _:
                findings.append(syntax_codes.decorator(where))
    return simd, tuple(rules)
