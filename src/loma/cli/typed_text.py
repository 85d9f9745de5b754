"""The typed tree as text: loma's statements with every type, and every conversion written out."""

from __future__ import annotations

from typing import assert_never

from loma.frontend import typed as T
from loma.ir.types import Scalar, Type, type_text

INDENT = "    "


def function_text(f: T.Function, module: T.Module) -> str:
    """A function with its body."""
    return "\n".join(_Printer(module.float_type).function(f)) + "\n"


class _Printer:
    def __init__(self, float_type: Scalar) -> None:
        self.float_type = float_type

    def type(self, t: Type | None) -> str:
        """A type as loma source."""
        return "None" if t is None else type_text(t, self.float_type)

    def function(self, f: T.Function) -> list[str]:
        """The lines of a function."""
        arguments = [
            f"{a.name} : {a.direction.value}[{self.type(a.type)}]" for a in f.signature.arguments
        ]
        head = ["@simd"] if f.signature.simd else []
        return [
            *head,
            f"def {f.name}({', '.join(arguments)}) -> {self.type(f.signature.result)}:",
            *self.block(f.body),
        ]

    def block(self, body: tuple[T.Stmt, ...]) -> list[str]:
        """Statements, indented."""
        lines = [line for s in body for line in self.statement(s)]
        return [INDENT + line for line in lines or ["pass"]]

    def statement(self, s: T.Stmt) -> list[str]:
        """The lines of a statement."""
        match s:
            case T.If(cond, then, orelse):
                otherwise = ["else:", *self.block(orelse)] if orelse else []
                return [f"if {self.expr(cond)}:", *self.block(then), *otherwise]
            case T.While(cond, body, limit):
                hint = "" if limit is None else f"  # max_iter {limit}"
                return [f"while {self.expr(cond)}:{hint}", *self.block(body)]
            case T.For(symbol, _, stop, _, body) if s.parallel:
                head = f"for {symbol.name} : {self.type(symbol.type)} in parallel"
                return [f"{head}({self.expr(stop)}):", *self.block(body)]
            case T.For(symbol, start, stop, step, body):
                bounds = f"{self.expr(start)}, {self.expr(stop)}, {step}"
                return [
                    f"for {symbol.name} : {self.type(symbol.type)} in range({bounds}):",
                    *self.block(body),
                ]
            case _:
                return [self.simple(s)]

    def simple(self, s: T.Stmt) -> str:  # noqa: C901 - one dispatch
        """A statement on one line."""
        match s:
            case T.Declare():
                return self.declared(s)
            case T.Assign(target, value):
                return f"{self.expr(target)} = {self.expr(value)}"
            case T.Return(value):
                return "return" if value is None else f"return {self.expr(value)}"
            case T.CallStmt(call):
                return self.expr(call)
            case T.AtomicAdd(target, value):
                return f"atomic_add({self.expr(target)}, {self.expr(value)})"
            case T.Push(tape, values):
                return f"push({self.listed((tape, *values))})"
            case T.Pop(tape, targets):
                return f"pop({self.listed((tape, *targets))})"
            case T.Assert(cond, message):
                return f"assert {self.expr(cond)}" + (f", {self.text(message)}" if message else "")
            case T.Print(text):
                return f"print({self.text(text)})"
            case _:
                return type(s).__name__.lower()

    def text(self, text: T.Text) -> str:
        """Text, each string quoted."""
        return ", ".join(repr(p) if isinstance(p, str) else self.expr(p) for p in text)

    def declared(self, s: T.Declare) -> str:
        """A declaration."""
        length = "" if s.count is None else f"  # length {self.expr(s.count)}"
        length = "  # grows" if s.growable else length
        value = "" if s.value is None else f" = {self.expr(s.value)}"
        return f"{s.symbol.name} : {self.type(s.symbol.type)}{value}{length}"

    def listed(self, parts: tuple[T.Expr, ...]) -> str:
        """Expressions between commas."""
        return ", ".join(map(self.expr, parts))

    def expr(self, e: T.Expr) -> str:  # noqa: C901 - one dispatch
        """An expression; primitives carry the type of their result."""
        match e:
            case T.Literal(value, type):
                return (
                    repr(value)
                    if type in (Scalar.BOOL, Scalar.I32)
                    else f"{self.type(type)}({value!r})"
                )
            case T.Name(symbol):
                return symbol.name
            case T.Index(base, index):
                return f"{self.expr(base)}[{self.expr(index)}]"
            case T.View(base, start):
                return f"{self.expr(base)}[{self.expr(start)}:]"
            case T.Checked(value):
                return self.expr(value)
            case T.Member(base, name):
                return f"{self.expr(base)}.{name}"
            case T.Apply(prim, args, type):
                return f"{prim.name}.{type.value}({self.listed(args)})"
            case T.Convert(value, type):
                return f"{self.type(type)}({self.expr(value)})"
            case T.Logical(operator, left, right):
                return f"({self.expr(left)} {operator} {self.expr(right)})"
            case T.Conditional(cond, then, orelse):
                return f"({self.expr(then)} if {self.expr(cond)} else {self.expr(orelse)})"
            case T.Let(symbol, value, body):
                return f"(let {symbol.name} = {self.expr(value)} in {self.expr(body)})"
            case T.Reduce(kind, symbol, start, stop, step, value):
                bounds = f"{self.expr(start)}, {self.expr(stop)}, {step}"
                return f"{kind}({self.expr(value)} for {symbol.name} in range({bounds}))"
            case T.ThreadId():
                return "thread_id()"
            case T.Call(function, args):
                return f"{function}({self.listed(args)})"
            case _:
                assert_never(e)
