"""Gives the names in a file the unique names that they have in the program, on Python's tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

from loma.diagnostics import Span
from loma.frontend.codes import modules as codes
from loma.frontend.errors import Finding
from loma.frontend.search import Dotted
from loma.frontend.source import WRITTEN
from loma.frontend.unit import Unit

Scope: TypeAlias = ast.FunctionDef | ast.Lambda
Node = TypeVar("Node", bound=ast.AST)


class Renamer(ast.NodeTransformer):
    """Renames the definitions of one unit; `used` collects the unique names that they mention."""

    def __init__(self, unit: Unit, used: set[str], findings: list[Finding]) -> None:
        self.unit = unit
        self.used = used
        self.findings = findings
        self.variables: frozenset[str] = frozenset()
        self.functions: frozenset[str] = frozenset()
        self.roots = {dotted[0] for dotted in unit.units}
        fixed = {single_name(n) for n in unit.tree if _is_constant(n)}
        self.constants = {name for name in fixed if name in unit.own}

    def name(self, name: str) -> str:
        """The unique name of what a name stands for; differential structs follow theirs."""
        inner = name
        while inner not in self.unit.names and inner.startswith("_d"):
            inner = inner[2:]
        if inner not in self.unit.names:
            return name
        made = self.unit.names[inner]
        self.used.add(made)
        return name.removesuffix(inner) + made

    @contextmanager
    def inside(self, node: Scope) -> Iterator[None]:
        """The inside of a function, whose own names hide those of the file."""
        before = self.variables, self.functions
        self.variables = self.variables | (bound(node) - self.constants)
        self.functions = self.functions | local_functions(node)
        yield
        self.variables, self.functions = before

    @contextmanager
    def outside(self) -> Iterator[None]:
        """An annotation: variables hide nothing there."""
        before = self.variables
        self.variables = frozenset()
        yield
        self.variables = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """A function at the top level, in a class, or in a function."""
        if self._is_top(node):
            setattr(node, WRITTEN, node.name)
            node.name = self.name(node.name)
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.args = self.visit(node.args)
        node.returns = None if node.returns is None else self._annotation(node.returns)
        with self.inside(node):
            node.body = [self.visit(s) for s in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """A class; its members keep their names."""
        if self._is_top(node):
            setattr(node, WRITTEN, node.name)
            node.name = self.name(node.name)
        return self._all(node)

    def _is_top(self, node: ast.stmt) -> bool:
        return any(node is n for n in self.unit.tree)

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """A function without a name."""
        with self.inside(node):
            node.body = self.visit(node.body)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An argument."""
        if node.annotation is not None:
            node.annotation = self._annotation(node.annotation)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        """A declaration; names that are declared here stay."""
        node.annotation = self._annotation(node.annotation)
        if not isinstance(node.target, ast.Name) or self._is_top(node):
            node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """A call: variables hide no functions, but arguments that are functions do."""
        if not isinstance(node.func, ast.Name):
            node.func = self.visit(node.func)
        elif node.func.id not in self.functions:
            node.func = self._placed(self.name(node.func.id), node.func)
        node.args = [self.visit(a) for a in node.args]
        for k in node.keywords:
            k.value = self.visit(k.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A name: a variable, or something of the file."""
        if node.id in self.variables or node.id in self.functions:
            return node
        if node.id in self.roots and node.id not in self.unit.names:
            self.findings.append(codes.not_a_value(self._span(node), node.id))
            return node
        return self._placed(self.name(node.id), node)

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.MatchAs:
        """A name in a pattern: that of a constant."""
        if node.name is not None and node.pattern is None:
            node.name = self.name(node.name)
        return self._all(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """A name of a module, or a member."""
        dotted = dotted_name(node)
        if dotted is None or dotted[0] not in self.roots or dotted[0] in self.variables:
            return self._all(node)
        found, count, module = self.unit.find(dotted)
        if isinstance(found, Unit) or any(u[:len(dotted)] == dotted for u in self.unit.units):
            self.findings.append(codes.not_a_value(self._span(node), ".".join(dotted)))
            return node
        if found is None:
            self._missing(node, dotted, max(count - 1, 1), module)
            return node
        self.used.add(found)
        made: ast.expr = self._placed(found, node)
        for attribute in dotted[count:]:
            made = ast.copy_location(ast.Attribute(made, attribute, node.ctx), node)
        return made

    def _missing(self, node: ast.Attribute, dotted: Dotted, count: int, module: str) -> None:
        """Reports a name that a module does not have; `count` parts name the module."""
        known = self._known(dotted[:count])
        self.findings.append(codes.no_such_name(self._span(node), module, dotted[count], known))

    def _known(self, module: Dotted) -> list[str]:
        """The names of a module that a file imports."""
        found, _, _ = self.unit.find(module)
        if isinstance(found, Unit):
            return [*found.names]
        return [d[1] for d in self.unit.units if d[0] == module[0] and len(d) > 1]

    def _annotation(self, node: ast.expr) -> ast.expr:
        with self.outside():
            made: ast.expr = self.visit(node)
        return made

    def _all(self, node: Node) -> Node:
        self.generic_visit(node)
        return node

    def _placed(self, name: str, node: ast.Name | ast.Attribute) -> ast.Name:
        return ast.copy_location(ast.Name(name, node.ctx), node)

    def _span(self, node: ast.expr) -> Span:
        return self.unit.source.span(node)


def defined(tree: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a file defines at its top level; names for types belong to the file alone."""
    found: dict[str, ast.stmt] = {}
    for node in tree:
        name = single_name(node)
        if name and not _is_type_variable(node):
            found.setdefault(name, node)
    return found


def single_name(node: ast.stmt) -> str:
    """The name that a statement at the top level defines, or nothing."""
    match node:
        case ast.FunctionDef(name) | ast.ClassDef(name) | ast.Assign([ast.Name(name)]):
            return name
        case ast.AnnAssign(ast.Name(name)):
            return name
        case _:
            return ""


def _is_type_variable(node: ast.stmt) -> bool:
    match node:
        case ast.Assign(value=ast.Call(ast.Name("TypeVar") | ast.Attribute(attr="TypeVar"))):
            return True
        case _:
            return False


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign | ast.AnnAssign) and not isinstance(node.value, ast.Call)


def bound(node: Scope) -> frozenset[str]:
    """The variables of a function."""
    found = {part.id for part in ast.walk(node)
             if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return frozenset(found | {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)})


def local_functions(node: Scope) -> frozenset[str]:
    """The functions that belong to a function: arguments that are functions, inner functions."""
    found: set[str] = set()
    for part in ast.walk(node):
        match part:
            case ast.arg(
                name, ast.Subscript(ast.Name("Callable") | ast.Attribute(attr="Callable"))
            ):
                found.add(name)
            case ast.FunctionDef(name) if part is not node:
                found.add(name)
            case ast.Assign(
                [ast.Name(name)], ast.Lambda() | ast.Call(ast.Name("fwd_diff" | "rev_diff"))
            ):
                found.add(name)
            case _:
                pass
    return frozenset(found)


def dotted_name(node: ast.expr) -> Dotted | None:
    """The name `a.b.c` as a tuple."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None
