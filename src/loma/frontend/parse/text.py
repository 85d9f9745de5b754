"""What programs show: the operands of `print`, messages of assertions, and f-strings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loma.frontend import surface
from loma.frontend.codes import constructs
from loma.frontend.codes import seeing as codes
from loma.ir.shown import merged

if TYPE_CHECKING:
    from loma.frontend.parse.expr import ExpressionParser


def printed(to: ExpressionParser, node: ast.Call) -> surface.Text:
    """What a `print` shows."""
    between, end = " ", "\n"
    for k in node.keywords:
        match k:
            case ast.keyword("sep", ast.Constant(str() as text)):
                between = _string(to, text, k.value)
            case ast.keyword("end", ast.Constant(str() as text)):
                end = _string(to, text, k.value)
            case _:
                to.report(codes.print_option(to.span(k)))
    pieces: list[surface.Expr | str] = []
    for i, arg in enumerate(node.args):
        pieces += [between] if i else []
        pieces += _pieces(to, arg)
    return merged([*pieces, end])


def message(to: ExpressionParser, node: ast.expr) -> surface.Text:
    """The message of an assertion."""
    if isinstance(node, ast.JoinedStr) or _is_string(node):
        return merged(_pieces(to, node))
    to.report(constructs.assert_message(to.span(node)))
    return ()


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _pieces(to: ExpressionParser, node: ast.expr) -> Iterator[surface.Expr | str]:
    match node:
        case ast.Constant(str() as text):
            yield _string(to, text, node)
        case ast.JoinedStr(values):
            for value in values:
                yield from _pieces(to, value)
        case ast.FormattedValue(value, conversion, form):
            if conversion != -1 or form is not None:
                to.report(codes.format_option(to.span(value)))
            yield to.expr(value)
        case ast.Starred():
            yield to.operand(node)
        case _:
            yield to.expr(node)


def _string(to: ExpressionParser, text: str, node: ast.expr) -> str:
    if "\0" in text:
        to.report(codes.null_character(to.span(node)))
    return text
