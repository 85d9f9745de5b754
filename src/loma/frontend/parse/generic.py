"""Type parameters, functions as operands, and functions inside functions -> surface tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import generics as codes
from loma.frontend.codes.names import duplicate_definition
from loma.frontend.errors import Finding
from loma.frontend.parse.expr import DIRECTIONS, ExpressionParser
from loma.frontend.source import Source
from loma.ir.nodes import Direction

TYPES: Final = frozenset((
    "int", "float", "bool", "i32", "i64", "f32", "f64", "Tape", "Array", "Diff", "Stack"))
BUILT: Final = frozenset(("Array", "Diff", "In", "Out", "InOut", "Stack", "NoDiff", "tuple"))


class GenericParser(ExpressionParser):
    """Knows the names for types, and which names are types at all."""

    def __init__(self, source: Source, findings: list[Finding]) -> None:
        super().__init__(source, findings)
        self.type_params: dict[str, surface.TypeParam] = {}
        self.classes: set[str] = set()
        self.variables: frozenset[str] | None = frozenset()
        self.around: ast.AST | None = None

    def find_types(self, nodes: list[ast.stmt]) -> None:
        """Learns the classes of the file, and the names that stand for any type."""
        self.classes |= {n.name for n in nodes if isinstance(n, ast.ClassDef)}
        named = {n.name: n for n in nodes if isinstance(n, ast.ClassDef | ast.FunctionDef)}
        for node in nodes:
            match node:
                case ast.Assign([ast.Name(name) as target], ast.Call(ast.Name("TypeVar"))):
                    self.identifier(name, self.span(target))
                    if name in named:
                        both = [self.span(target), self.span(named[name])]
                        first, second = sorted(both, key=lambda s: s.line)
                        self.report(duplicate_definition(name, first, second))
                    self.type_params[name] = self._type_param(name, node.value)
                case _:
                    pass

    def _type_param(self, name: str, node: ast.expr) -> surface.TypeParam:
        """T = TypeVar("T", f32, f64)."""
        span = self.span(node)
        match node:
            case ast.Call(_, [ast.Constant(str() as said), *choices], []) if (
                said == name and len(choices) != 1
            ):
                return surface.TypeParam(name, tuple([self.type(c) for c in choices]), span=span)
            case _:
                self.report(codes.type_variable(span, name))
                return surface.TypeParam(name, span=span)

    def mentioned(self, parts: object) -> tuple[surface.TypeParam, ...]:
        """The type parameters that types mention, in order."""
        found: dict[str, surface.TypeParam] = {}
        todo = [parts]
        while todo:
            match todo.pop(0):
                case tuple() as several:
                    todo = [*several, *todo]
                case surface.NamedType(name) if name in self.type_params:
                    found[name] = self.type_params[name]
                case surface.ArrayTypeExpr(inner) | surface.DiffTypeExpr(inner) | (
                    surface.ShapedTypeExpr(inner) | surface.StackTypeExpr(inner)
                ):
                    todo.insert(0, inner)
                case surface.GenericTypeExpr(_, args) | surface.TupleTypeExpr(args):
                    todo.insert(0, args)
                case surface.CallableTypeExpr(args, result):
                    todo.insert(0, (args, result))
                case _:
                    pass
        return tuple(found.values())

    def is_type(self, node: ast.expr) -> bool:
        """Whether an expression between brackets is made of types, not of numbers."""
        match node:
            case ast.Name(name):
                known = name in TYPES or name in self.type_params or name in self.classes
                return known and not self._is_variable(name)
            case ast.Subscript(base):
                return self.is_type(base)
            case ast.Tuple(parts):
                return bool(parts) and all(map(self.is_type, parts))
            case _:
                return False

    @contextmanager
    def inside(self, node: ast.FunctionDef) -> Iterator[None]:
        """The inside of a function: its variables may be called like types."""
        if self.around is not None:
            yield
            return
        self.around, self.variables = node, None
        yield
        self.around, self.variables = None, frozenset()

    def _is_variable(self, name: str) -> bool:
        if self.variables is None:
            parts = list(ast.walk(self.around)) if self.around is not None else []
            self.variables = frozenset(
                [p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)]
                + [p.arg for p in parts if isinstance(p, ast.arg)])
        return name in self.variables

    def types(self, node: ast.expr) -> tuple[surface.TypeExpr, ...]:
        """The types between brackets."""
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        return tuple([self.type(p) for p in parts])

    def _expr(self, node: ast.expr) -> surface.Expr:
        match node:
            case ast.Lambda():
                return self._lambda(node)
            case ast.Subscript(ast.Name(name), slice) if self.is_type(slice):
                return surface.Specialised(name, self.types(slice), span=self.span(node))
            case _:
                return super()._expr(node)

    def _lambda(self, node: ast.Lambda) -> surface.Expr:
        span, args = self.span(node), node.args
        odd = [a for a in (args.vararg, *args.kwonlyargs, args.kwarg) if a is not None]
        if odd or args.defaults or args.posonlyargs:
            self.report(codes.lambda_form(span))
            return surface.Bad(span=span)
        names = tuple([self.identifier(a.arg, self.span(a)) for a in args.args])
        return surface.Lambda(names, self.expr(node.body), span=span)

    def call(self, node: ast.Call) -> surface.Call | surface.MethodCall | surface.Bad:
        """The call, or `Bad`; types may stand between the function's name and its operands."""
        match node.func:
            case ast.Subscript(ast.Name() as function, slice) if self.is_type(slice):
                plain = ast.copy_location(ast.Call(function, node.args, node.keywords), node)
                made = super().call(plain)
                if isinstance(made, surface.Call):
                    return surface.Call(made.function, made.args, made.keywords,
                                        type_args=self.types(slice), span=made.span)
                return made
            case _:
                return super().call(node)

    def _type(self, node: ast.expr, span: Span) -> surface.TypeExpr:
        match node:
            case ast.Subscript(ast.Name("Callable"), ast.Tuple([ast.List(args), result])):
                none = isinstance(result, ast.Constant) and result.value is None
                made = None if none else self.type(result)
                return surface.CallableTypeExpr(
                    tuple([self._passed(a) for a in args]), made, span=span)
            case ast.Subscript(ast.Name("Callable")) | ast.Name("Callable"):
                self.report(codes.callable_form(span))
                return surface.BadType(span=span)
            case ast.Subscript(ast.Name(name), slice) if name not in BUILT:
                return surface.GenericTypeExpr(name, self.types(slice), span=span)
            case _:
                return super()._type(node, span)

    def _passed(self, node: ast.expr) -> tuple[Direction, surface.TypeExpr]:
        """An argument of a function that is passed; without a direction it is read."""
        match node:
            case ast.Subscript(ast.Name(direction), inner) if direction in DIRECTIONS:
                return DIRECTIONS[direction], self.type(inner)
            case _:
                return Direction.IN, self.type(node)

    def generic_base(self, node: ast.ClassDef) -> tuple[surface.TypeParam, ...]:
        """The type parameters of `class Pair(Generic[T])`."""
        match node.bases:
            case [ast.Subscript(ast.Name("Generic"), slice)]:
                return self.mentioned(self.types(slice))
            case _:
                return ()

    def instance(self, node: ast.Assign) -> surface.Instance | None:
        """name = function[types]; None for what is something else."""
        match node:
            case ast.Assign([ast.Name(name) as target],
                            ast.Subscript(ast.Name(function), slice)) if self.is_type(slice):
                types = self.types(slice)
            case ast.Assign([ast.Name(name) as target], ast.Name(function)) if (
                name not in self.constants and function not in self.constants
            ):
                types = ()
            case _:
                return None
        self.identifier(name, self.span(target))
        return surface.Instance(name, function, types, self.span(target), span=self.span(node))
