"""Typed expressions as people wrote them, for messages of programs at run time."""

from __future__ import annotations

from loma.frontend import typed as T
from loma.ir.prims import arithmetic as A
from loma.ir.shown import shown
from loma.ir.types import Scalar

ATOM = 20


def expr_text(e: T.Expr) -> str:
    """The expression."""
    return _Text().of(e)


class _Text:
    """`named` is what stands for variables that nobody wrote."""

    def __init__(self) -> None:
        self.named: dict[T.Symbol, tuple[str, int]] = {}

    def of(self, e: T.Expr, level: int = 0) -> str:
        """The expression, in parentheses where it binds less tightly than `level`."""
        text, binding = self.bound(e)
        return f"({text})" if binding < level else text

    def listed(self, es: tuple[T.Expr, ...]) -> str:
        return ", ".join(map(self.of, es))

    def bound(self, e: T.Expr) -> tuple[str, int]:  # noqa: C901 - one dispatch
        """The expression, and how tightly it binds."""
        match e:
            case T.Literal(value, type):
                return shown(value, type if type.is_float else Scalar.I64), ATOM
            case T.Name(symbol):
                return self.named.get(symbol, (symbol.name, ATOM))
            case T.Index(base, index, _, at):
                inner = tuple([i for i, _ in at]) or (index,)
                return f"{self.of(base, ATOM)}[{self.listed(inner)}]", ATOM
            case T.View(base, start, at=at):
                part = self.listed(tuple([i for i, _ in at])) or f"{self.of(start)}:"
                return f"{self.of(base, ATOM)}[{part}]", ATOM
            case T.Member(base, field):
                return f"{self.of(base, ATOM)}.{field}", ATOM
            case T.Apply():
                return self.applied(e)
            case T.Convert(value) | T.Checked(value):
                return self.bound(value)
            case T.Logical(operator, left, right):
                level = 2 if operator == "and" else 1
                return f"{self.of(left, level)} {operator} {self.of(right, level + 1)}", level
            case T.Conditional(cond, then, orelse):
                return f"{self.of(then, 1)} if {self.of(cond, 1)} else {self.of(orelse)}", 0
            case T.Let(symbol, value, body):
                self.named[symbol] = self.bound(value)
                return self.bound(body)
            case T.Call(function, args):
                return f"{function}({self.listed(args)})", ATOM
            case T.ThreadId():
                return "thread_id()", ATOM
            case _:
                return "...", ATOM

    def applied(self, e: T.Apply) -> tuple[str, int]:
        """An operator, or a builtin."""
        prim, args = e.prim, e.args
        whole = prim is A.IDIV
        if not whole and (not prim.symbol or len(args) > 2):
            return f"{prim.name}({self.listed(args)})", ATOM
        level = A.DIV.precedence if whole else prim.precedence
        symbol = "/" if whole else prim.symbol
        if len(args) == 1:
            return f"{symbol}{' ' * symbol.isalpha()}{self.of(args[0], level)}", level
        return f"{self.of(args[0], level)} {symbol} {self.of(args[1], level + 1)}", level
