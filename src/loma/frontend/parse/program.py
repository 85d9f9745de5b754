"""Python's `ast` -> surface tree; every Python construct that loma lacks is reported."""

from __future__ import annotations

import ast
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import constructs
from loma.frontend.codes import syntax as codes
from loma.frontend.codes.base import near
from loma.frontend.constants import (
    FUNCTIONS,
    Constant,
    Known,
    Table,
    evaluate,
    table,
    typed_constant,
)
from loma.frontend.parse.classes import ClassParser, without_docstring
from loma.frontend.parse.each import over
from loma.frontend.parse.expr import ARITHMETIC, DIRECTIONS
from loma.frontend.parse.range import LARGEST, bounds, launched, literal_int
from loma.frontend.parse.rules import decorated
from loma.frontend.parse.short import chained, loop_body, matched, with_else
from loma.frontend.parse.text import message, printed
from loma.ir.derived import MODES
from loma.ir.nodes import Direction

FOREIGN: Final[dict[type[ast.stmt], tuple[str, str]]] = {
    ast.Delete: ("`del`", "locals end with their block"),
    ast.Global: ("`global`", "pass the value as an argument"),
    ast.Nonlocal: ("`nonlocal`", "pass the value as an argument"),
    ast.Raise: ("`raise`", "write `assert condition, \"message\"`"),
    ast.Try: ("`try`", "test the condition with `if`"),
    ast.TryStar: ("`try`", "test the condition with `if`"),
    ast.With: ("`with`", ""),
    ast.AsyncFor: ("`async`", ""),
    ast.AsyncWith: ("`async`", ""),
}


class Parser(ClassParser):
    """Turns definitions and statements into the surface tree."""

    def module(self, tree: ast.Module) -> surface.Module:
        """All definitions of a file."""
        found: list[surface.Definition] = []
        self._find_constants(tree.body)
        self.find_types(tree.body)
        self.own_print = any(
            isinstance(n, ast.FunctionDef) and n.name == "print" for n in tree.body)
        for node in without_docstring(tree.body):
            match node:
                case ast.FunctionDef():
                    found.append(self.function(node))
                case ast.ClassDef():
                    found.append(self.struct(node))
                case ast.Assign():
                    found += self._derivative(node)
                case ast.Import() | ast.ImportFrom() | ast.Pass():
                    pass
                case ast.AnnAssign(ast.Name(name)) if name in self.constants:
                    pass
                case _:
                    self.report(codes.top_level(self.head(node), _noun(node)))
        return surface.Module(tuple(found))

    def _find_constants(self, nodes: list[ast.stmt]) -> None:
        """Learns the names that stand for numbers in the whole file."""
        waiting = [found for node in nodes for found in _single(node)]
        for _ in range(codes.DEPTH):
            known = len(waiting)
            waiting = [(t, v, k) for t, v, k in waiting if not self._constant_found(t, v, k)]
            if not waiting or len(waiting) == known:
                return

    def _constant_found(self, target: ast.Name, value: ast.expr, kind: str) -> bool:
        found: Known | Table | None = evaluate(value, self.constants)
        if kind:
            found = typed_constant(evaluate(value, self.constants), kind)
        elif found is None:
            found = table(value, self.constants)
        if found is not None:
            span = self.span(target)
            self.identifier(target.id, span)
            self.constants.setdefault(target.id, Constant(found, span))
        return found is not None

    def _derivative(self, node: ast.Assign) -> list[surface.Derivative | surface.Instance]:
        span = self.span(node)
        match node:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name("TypeVar"))):
                return []
            case ast.Assign([ast.Name(name) as target],
                            ast.Call(ast.Name(callee),
                                     [ast.Subscript(ast.Name(primal), slice) as operand], [])) if (
                callee in MODES
            ):
                self.identifier(name, self.span(target))
                return [surface.Derivative(
                    name, MODES[callee], primal, self.span(operand), type_args=self.types(slice),
                    span=span, name_span=self.span(target))]
            case ast.Assign([ast.Name(name) as target],
                            ast.Call(ast.Name(callee), [ast.Name(primal) as operand], [])) if (
                callee in MODES
            ):
                self.identifier(name, self.span(target))
                where = self.span(operand)
                return [surface.Derivative(name, MODES[callee], primal, where, span=span,
                                           name_span=self.span(target))]
            case ast.Assign([ast.Name(name) as target],
                            ast.Call(ast.Name(callee),
                                     [ast.Attribute(ast.Name(owner), method) as operand], [])) if (
                callee in MODES
            ):
                self.identifier(name, self.span(target))
                primal, where = f"{owner}.{method}", self.span(operand)
                return [surface.Derivative(name, MODES[callee], primal, where, span=span,
                                           name_span=self.span(target))]
            case ast.Assign(_, ast.Call(ast.Name(callee))) if (
                callee in MODES or near(callee, MODES)
            ):
                self.report(codes.derivative_form(span))
            case ast.Assign([ast.Name(name)]) if name in self.constants:
                pass
            case _ if (found := self.instance(node)) is not None:
                return [found]
            case _:
                self.report(codes.top_level(self.head(node), "an assignment", _unknown(node)))
        return []

    def function(self, node: ast.FunctionDef) -> surface.Function:
        """A function."""
        name_span = self.source.named(node, node.name)
        self.identifier(node.name, name_span)
        if getattr(node, "type_params", []):
            self.report(constructs.statement(name_span, "a type parameter"))
        simd, rules = decorated(node, self.span, self.types, self.findings)
        returns = node.returns
        result = None if returns is None or _is_none(returns) else self.type(returns)
        with self.inside(node), self.keys.apart():
            args, body = self._args(node.args), self.block(without_docstring(node.body))
        params = self.mentioned((tuple([a.type for a in args]), result))
        return surface.Function(
            node.name, args, result, body, simd, name_span, type_params=params, rules=rules,
            span=self.span(node))

    def _args(self, node: ast.arguments) -> tuple[surface.Arg, ...]:
        plain = node.posonlyargs + node.args
        odd = [a for a in (node.vararg, *node.kwonlyargs, node.kwarg) if a is not None]
        for arg in node.posonlyargs[:1] + odd:
            self.report(codes.star_args(self.span(arg)))
        for arg, value in zip(reversed(plain), reversed(node.defaults), strict=False):
            self.report(codes.default_value(self.span(value), arg.arg))
        return tuple([self._arg(a) for a in plain])

    def _arg(self, node: ast.arg) -> surface.Arg:
        span = self.span(node)
        self.identifier(node.arg, span)
        match node.annotation:
            case ast.Subscript(ast.Name("In"), ast.Subscript(ast.Name("NoDiff"), inner)):
                return surface.Arg(node.arg, Direction.IN, self.type(inner), True, span=span)
            case ast.Subscript(ast.Name(direction), inner) if direction in DIRECTIONS:
                return surface.Arg(node.arg, DIRECTIONS[direction], self.type(inner), span=span)
            case None:
                text = ""
            case annotation if isinstance(found := self._function_type(annotation), surface.Node):
                return surface.Arg(node.arg, Direction.IN, found, span=span)
            case annotation:
                text = self.source.excerpt(self.span(annotation))
        bad = surface.Arg(node.arg, Direction.IN, surface.BadType(span=span), span=span)
        self.report(codes.not_annotated(bad, node.arg, text))
        return bad

    def _function_type(self, node: ast.expr) -> surface.TypeExpr | None:
        """The type of an argument that is a function."""
        match node:
            case ast.Name("Callable") | ast.Subscript(ast.Name("Callable")):
                return self.type(node)
            case _:
                return None

    def block(self, nodes: list[ast.stmt]) -> tuple[surface.Stmt, ...]:
        """The statements of a block."""
        if not nodes or not self.descend(nodes[0]):
            return ()
        try:
            return tuple([s for node in nodes for s in self.stmt(node)])
        finally:
            self.depth -= 1

    def stmt(self, node: ast.stmt) -> tuple[surface.Stmt, ...]:  # noqa: C901 - one dispatch
        """One statement, or none for `pass`."""
        span = self.span(node)
        match node:
            case ast.Assign():
                return self._assign(node, span)
            case ast.AugAssign():
                return self._augment(node, span)
            case ast.AnnAssign():
                return self._declare(node, span)
            case ast.Expr(value):
                return self._expression_statement(value, span)
            case ast.If(test, body, orelse):
                then = self.block(body)
                return (surface.If(self.expr(test), then, self.block(orelse), span=span),)
            case ast.While():
                return self._while(node, span)
            case ast.For():
                return self._for(node, span)
            case ast.Return(value):
                returned = None if value is None or _is_none(value) else self.expr(value)
                return (surface.Return(returned, span=span),)
            case ast.Break():
                return self.keys.broken(span)
            case ast.Continue():
                return (surface.Continue(span=span),)
            case ast.Assert():
                return self._assert(node, span)
            case ast.Match():
                return matched(self, node, span)
            case ast.Pass():
                return ()
            case _:
                return self._foreign_statement(node, span)

    def _foreign_statement(self, node: ast.stmt, span: Span) -> tuple[surface.Stmt, ...]:
        head = self.head(node)
        match node:
            case ast.FunctionDef(decorator_list=[]):
                return (surface.InnerFunction(self.function(node), span=span),)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.report(constructs.inner_definition(head, "function"))
            case ast.ClassDef():
                self.report(constructs.inner_definition(head, "class"))
            case ast.Import() | ast.ImportFrom():
                self.report(codes.imports(head))
            case _:
                what, help = FOREIGN.get(type(node), ("this statement", ""))
                self.report(constructs.statement(head, what, help))
        return (surface.BadStmt(span=span),)

    def _assign(self, node: ast.Assign, span: Span) -> tuple[surface.Stmt, ...]:
        if any(isinstance(t, ast.List) for t in node.targets):
            self.report(constructs.list_target(span))
            return (surface.BadStmt(span=span),)
        if len(node.targets) > 1:
            return chained(self, node.targets, self.expr(node.value), span)
        target = self.target(node.targets[0])
        return (surface.Assign(target, self.expr(node.value), span=span),)

    def target(self, node: ast.expr) -> surface.Expr:
        """What is assigned to."""
        if isinstance(node, ast.Name) and node.id in self.constants:
            self.identifier(node.id, self.span(node))
            return surface.Bad(span=self.span(node))
        if isinstance(node, ast.Tuple) and node.elts:
            return surface.Tuple(tuple([self.target(t) for t in node.elts]), span=self.span(node))
        return self.expr(node)

    def _augment(self, node: ast.AugAssign, span: Span) -> tuple[surface.Stmt, ...]:
        symbol = ARITHMETIC[type(node.op)]
        target = self.target(node.target)
        return (surface.Augment(target, symbol, self.expr(node.value), span=span),)

    def _declare(self, node: ast.AnnAssign, span: Span) -> tuple[surface.Stmt, ...]:
        if not isinstance(node.target, ast.Name):
            self.report(constructs.declare_target(span))
            return (surface.BadStmt(span=span),)
        name = self.identifier(node.target.id, self.span(node.target))
        value = None if node.value is None else self.expr(node.value)
        return (surface.Declare(name, self.type(node.annotation), value, span=span),)

    def _expression_statement(self, value: ast.expr, span: Span) -> tuple[surface.Stmt, ...]:
        if isinstance(value, ast.Call):
            if isinstance(value.func, ast.Name) and value.func.id == "print" and (
                not self.own_print
            ):
                return (surface.Print(printed(self, value), span=span),)
            value, count = launched(value, self.is_type)
            call = self.call(value)
            if isinstance(call, surface.Bad):
                return (surface.BadStmt(span=span),)
            threads = None if count is None else self.expr(count)
            return (surface.CallStmt(call, threads, span=span),)
        if isinstance(self.expr(value), surface.Bad):
            return (surface.BadStmt(span=span),)
        self.report(constructs.no_effect(span))
        return ()

    def _while(self, node: ast.While, span: Span) -> tuple[surface.Stmt, ...]:
        test, bound = node.test, None
        match node.test:
            case ast.Tuple([cond, ast.NamedExpr(ast.Name("max_iter"), limit)]):
                test, bound = cond, self._bound(limit)
            case ast.Tuple():
                self.report(constructs.while_form(self.span(node.test)))
                return (surface.BadStmt(span=span),)
        loop = surface.While(self.expr(test), loop_body(self, node), bound, span=span)
        return with_else(self, node, loop)

    def _bound(self, node: ast.expr) -> int | None:
        value = literal_int(node, self.constants)
        if value is None or not 1 <= value <= LARGEST:
            self.report(constructs.max_iter(self.span(node)))
            return None
        return value

    def _for(self, node: ast.For, span: Span) -> tuple[surface.Stmt, ...]:
        match node:
            case ast.For(ast.Name(name) as target,
                         ast.Call(ast.Name("range"), given, [])) if 1 <= len(given) <= 3:
                self.identifier(name, self.span(target))
                start, stop, step = bounds(self, given)
                body = loop_body(self, node)
                loop = surface.For(name, start, stop, step, body, span=span)
                return with_else(self, node, loop)
            case ast.For(ast.Name(name) as target, ast.Call(ast.Name("parallel"), [count], [])):
                self.identifier(name, self.span(target))
                zero, stop, step = bounds(self, [count])
                body = loop_body(self, node)
                loop = surface.For(name, zero, stop, step, body, parallel=True, span=span)
                return with_else(self, node, loop)
            case ast.For(target, ast.Call(ast.Name("range" | "parallel"))):
                self.report(constructs.for_form(self.span(node.iter)) if isinstance(
                    target, ast.Name) else constructs.loop_target(self.span(target)))
                return (surface.BadStmt(span=span),)
            case _:
                visited = over(self, node.target, node.iter)
                body = loop_body(self, node)
                each = surface.BadStmt(span=span) if visited is None else (
                    surface.Each(visited, body, span=span))
                return with_else(self, node, each)

    def _assert(self, node: ast.Assert, span: Span) -> tuple[surface.Stmt, ...]:
        shown = () if node.msg is None else message(self, node.msg)
        return (surface.Assert(self.expr(node.test), shown, span=span),)


def _single(node: ast.stmt) -> list[tuple[ast.Name, ast.expr, str]]:
    """The target, the value and the type, if it has one, of an assignment to one name."""
    match node:
        case ast.Assign([ast.Name() as target], value):
            return [(target, value, "")]
        case ast.AnnAssign(ast.Name() as target, ast.Name("float" | "int" as kind), (
                ast.expr() as value)):
            return [(target, value, kind)]
        case _:
            return []


def _unknown(node: ast.Assign) -> str:
    """What keeps a name from being a constant, where it looks like one."""
    match node:
        case ast.Assign([ast.Name()], ast.BinOp() | ast.UnaryOp()):
            return "no number that is known here, finite and of at most 64 bits"
        case ast.Assign([ast.Name()], ast.Call(ast.Name(name))) if name in FUNCTIONS:
            return "no number that is known here, and finite"
        case _:
            return ""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _noun(node: ast.stmt) -> str:
    match node:
        case ast.Expr():
            return "an expression"
        case ast.AnnAssign() | ast.AugAssign():
            return "a variable"
        case ast.If() | ast.While() | ast.For():
            return f"`{type(node).__name__.lower()}`"
        case _:
            return "this statement"
