"""Typed expressions as people wrote them, for messages of programs at run time."""

from __future__ import annotations

from loma.frontend import typed as T
from loma.ir.prims import arithmetic as A
from loma.ir.shown import shown
from loma.ir.types import Scalar

ATOM = 20


def expr_text(e: T.Expr, level: int = 0) -> str:
    """The expression, in parentheses where it binds less tightly than `level`."""
    text, binding = _bound(e)
    return f"({text})" if binding < level else text


def _bound(e: T.Expr) -> tuple[str, int]:  # noqa: C901 - one dispatch
    match e:
        case T.Literal(value, type):
            return shown(value, type if type.is_float else Scalar.I64), ATOM
        case T.Name(symbol):
            return symbol.name, ATOM
        case T.Index(base, index, _, at):
            inner = [i for i, _ in at] or [index]
            return f"{expr_text(base, ATOM)}[{', '.join(map(expr_text, inner))}]", ATOM
        case T.View(base, start, at=at):
            part = ", ".join(expr_text(i) for i, _ in at) or f"{expr_text(start)}:"
            return f"{expr_text(base, ATOM)}[{part}]", ATOM
        case T.Member(base, field):
            return f"{expr_text(base, ATOM)}.{field}", ATOM
        case T.Apply():
            return _applied(e)
        case T.Convert(value):
            return _bound(value)
        case T.Logical(operator, left, right):
            level = 2 if operator == "and" else 1
            return f"{expr_text(left, level)} {operator} {expr_text(right, level + 1)}", level
        case T.Conditional(cond, then, orelse):
            parts = expr_text(then, 1), expr_text(cond, 1), expr_text(orelse)
            return "{} if {} else {}".format(*parts), 0
        case T.Let(_, _, body) | T.Checked(body):
            return _bound(body)
        case T.Call(function, args):
            return f"{function}({', '.join(map(expr_text, args))})", ATOM
        case T.ThreadId():
            return "thread_id()", ATOM
        case _:
            return "...", ATOM


def _applied(e: T.Apply) -> tuple[str, int]:
    prim, args = e.prim, e.args
    if prim is A.IDIV or not prim.symbol or len(args) > 2:
        symbol = "/" if prim is A.IDIV else ""
        if not symbol:
            return f"{prim.name}({', '.join(map(expr_text, args))})", ATOM
    level = A.DIV.precedence if prim is A.IDIV else prim.precedence
    symbol = "/" if prim is A.IDIV else prim.symbol
    if len(args) == 1:
        return f"{symbol}{' ' * symbol.isalpha()}{expr_text(args[0], level)}", level
    return f"{expr_text(args[0], level)} {symbol} {expr_text(args[1], level + 1)}", level
