"""Loops over arrays, and arrays as they are written -> surface tree."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import constructs
from loma.frontend.codes import short as codes
from loma.frontend.constants import Known, Table
from loma.frontend.parse.range import bounds

if TYPE_CHECKING:
    from loma.frontend.parse.expr import ExpressionParser

Counted = tuple[surface.Name | None, surface.Expr | None]


def over(p: ExpressionParser, target: ast.expr, node: ast.expr) -> surface.Over | None:
    """What `for target in node` visits; None once it is reported."""
    span = p.span(node)
    counter: Counted = None, None
    match node:
        case ast.Call(ast.Name("enumerate"), [inner, *start], []) if len(start) <= 1:
            if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
                p.report(codes.targets(p.span(target), 2))
                return None
            count, target = target.elts
            name = _target(p, count)
            if not isinstance(name, surface.Name):
                return None
            counter, node = (name, p.expr(start[0]) if start else None), inner
        case _:
            pass
    backwards = False
    match node:
        case ast.Call(ast.Name("reversed"), [inner], []):
            backwards, node = True, inner
        case _:
            pass
    found = _paired(p, target, node)
    if found is None:
        return None
    targets, sources = found
    return surface.Over(targets, sources, *counter, backwards, span=span)


def _paired(
    p: ExpressionParser, target: ast.expr, node: ast.expr
) -> tuple[tuple[surface.Expr, ...], tuple[surface.Expr | surface.Range, ...]] | None:
    """The targets, and the source of each."""
    match node:
        case ast.Call(ast.Name("zip"), [_, *_] as items, []):
            given = target.elts if isinstance(target, ast.Tuple) else []
            if len(given) != len(items):
                p.report(codes.targets(p.span(target), len(items)))
                return None
        case _:
            given, items = [target], [node]
    targets = [_target(p, t) for t in given]
    sources = tuple([_source(p, x) for x in items])
    if any(isinstance(t, surface.Bad) for t in targets):
        return None
    return tuple(targets), sources


def _target(p: ExpressionParser, node: ast.expr) -> surface.Expr:
    """A name that takes an element, or several that take its parts; `Bad` once reported."""
    span = p.span(node)
    match node:
        case ast.Name(name):
            return surface.Name(p.identifier(name, span), span=span)
        case ast.Tuple([_, *_] as parts):
            inner = tuple([_target(p, t) for t in parts])
            if not any(isinstance(t, surface.Bad) for t in inner):
                return surface.Tuple(inner, span=span)
            return surface.Bad(span=span)
        case _:
            p.report(constructs.loop_target(span))
            return surface.Bad(span=span)


def _source(p: ExpressionParser, node: ast.expr) -> surface.Expr | surface.Range:
    match node:
        case ast.Call(ast.Name("range"), [_, *_] as given, []) if len(given) <= 3:
            return surface.Range(*bounds(p, given), span=p.span(node))
        case ast.Tuple([_, *_] as items):
            return surface.List(tuple([p.expr(x) for x in items]), span=p.span(node))
        case _:
            return p.expr(node)


# Arrays as they are written.


def listed(p: ExpressionParser, node: ast.List) -> surface.Expr:
    """[a, b, ...]."""
    span = p.span(node)
    if not node.elts:
        p.report(codes.empty_list(span))
        return surface.Bad(span=span)
    return surface.List(tuple([p.operand(x) for x in node.elts]), span=span)


def repeated(p: ExpressionParser, value: ast.expr, count: ast.expr, span: Span) -> surface.Expr:
    """[value] * count."""
    if isinstance(value, ast.List | ast.ListComp | ast.BinOp) and _is_list(value):
        p.report(codes.repeated_list(p.span(value)))
        return surface.Bad(span=span)
    stop = p.expr(count)
    counted = surface.Range(surface.Number(0, span=stop.span), stop, 1, span=stop.span)
    return surface.Comprehension(
        p.expr(value), surface.Over((surface.Name("_", span=span),), (counted,), span=span),
        span=span)


def _is_list(node: ast.expr) -> bool:
    match node:
        case ast.List() | ast.ListComp() | ast.BinOp(ast.List(), ast.Mult()) | ast.BinOp(
                _, ast.Mult(), ast.List()):
            return True
        case _:
            return False


def comprehension(p: ExpressionParser, node: ast.ListComp) -> surface.Expr:
    """[value for target in source]."""
    span = p.span(node)
    visited = visits(p, node.generators, "a comprehension")
    value = p.expr(node.elt)
    if visited is None:
        return surface.Bad(span=span)
    return surface.Comprehension(value, visited, span=span)


def visits(
    p: ExpressionParser, generators: list[ast.comprehension], what: str
) -> surface.Over | None:
    """What one `for` without `if` visits; None once another form is reported."""
    first, *others = generators
    if others:
        p.report(codes.comprehension(p.span(others[0].target), what, "one `for`"))
    elif first.ifs:
        p.report(codes.comprehension(p.span(first.ifs[0]), what, "no `if`"))
    else:
        return over(p, first.target, first.iter)
    return None


def constant(value: Known | Table, span: Span) -> surface.Expr:
    """What the name of a constant stands for."""
    if isinstance(value, tuple):
        return surface.List(tuple([constant(x, span) for x in value]), span=span)
    return surface.Number(value, span=span)
