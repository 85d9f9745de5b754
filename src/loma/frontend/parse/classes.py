"""Python's classes -> structs: members, and methods with the class filled in for `self`."""

from __future__ import annotations

import ast
from abc import abstractmethod
from typing import Final

from loma.frontend import surface
from loma.frontend.codes import methods as method_codes
from loma.frontend.codes import syntax as codes
from loma.frontend.constants import evaluate
from loma.frontend.parse.expr import CALL, DIRECTIONS
from loma.frontend.parse.generic import GenericParser

OPERATORS: Final = {
    "+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod",
    "**": "pow", "@": "matmul", "&": "and", "|": "or", "^": "xor", "<<": "lshift", ">>": "rshift",
}
COMPARISONS: Final = {
    "<": ("lt", "gt"), "<=": ("le", "ge"), ">": ("gt", "lt"), ">=": ("ge", "le"),
    "==": ("eq", "eq"), "!=": ("ne", "ne"),
}
UNARY: Final = {"-": "__neg__", "+": "__pos__", "~": "__invert__"}
BINARY: Final = {
    **{symbol: (f"__{name}__", f"__r{name}__") for symbol, name in OPERATORS.items()},
    **{symbol: (f"__{a}__", f"__{b}__") for symbol, (a, b) in COMPARISONS.items()},
}
GET: Final = "__getitem__"
SET: Final = "__setitem__"
ABS: Final = "__abs__"
SPECIAL: Final = frozenset((
    GET, SET, ABS, CALL, *UNARY.values(), *(name for pair in BINARY.values() for name in pair)))


class ClassParser(GenericParser):
    """Turns classes into the surface tree."""

    @abstractmethod
    def function(self, node: ast.FunctionDef) -> surface.Function:
        """A function."""

    def struct(self, node: ast.ClassDef) -> surface.Struct:
        """A class."""
        name_span = self.source.named(node, node.name)
        self.identifier(node.name, name_span)
        type_params = self.generic_base(node)
        odd = (node.bases and not type_params) or node.keywords or node.decorator_list
        if odd or getattr(node, "type_params", []):
            self.report(codes.class_head(name_span))
        members: list[surface.StructMember] = []
        methods: list[surface.Function] = []
        static: set[str] = set()
        for item in without_docstring(node.body):
            if isinstance(item, ast.FunctionDef):
                if _is_static(item):
                    static.add(item.name)
                    item.decorator_list = []
                methods += self.method(item, node.name, item.name in static)
            else:
                members += self._member(item)
        return surface.Struct(
            node.name, tuple(members), name_span, tuple(methods), frozenset(static),
            type_params=type_params, span=self.span(node))

    def _member(self, node: ast.stmt) -> list[surface.StructMember]:
        match node:
            case ast.AnnAssign(ast.Name(name) as target, annotation, value):
                self.member_name(name, self.span(target))
                default = None if value is None else self._number(value)
                type = self.type(annotation)
                return [surface.StructMember(name, type, default, span=self.span(node))]
            case ast.Assign([ast.Name(name)]) | ast.Expr(ast.Name(name)):
                span = self.span(node)
                self.report(codes.no_type(span))
                return [surface.StructMember(name, surface.BadType(span=span), span=span)]
            case ast.Pass():
                pass
            case _:
                self.report(codes.class_body(self.head(node)))
        return []

    def _number(self, node: ast.expr) -> surface.Expr:
        """A number that is known now, or whatever else was written."""
        value = evaluate(node, self.constants)
        return self.expr(node) if value is None else surface.Number(value, span=self.span(node))

    def method(self, node: ast.FunctionDef, owner: str, static: bool) -> list[surface.Function]:
        """A method, with the type of its first argument written out."""
        span = self.source.named(node, node.name)
        if node.name.startswith("__") and node.name not in SPECIAL:
            self.report(method_codes.no_operator(span, node.name, owner))
            return []
        if node.decorator_list:
            self.report(method_codes.decorated(self.span(node.decorator_list[0])))
            node.decorator_list = []
        if static:
            return [self.function(node)]
        plain = node.args.posonlyargs + node.args.args
        if not plain or (plain[0].annotation is None and plain[0].arg != "self"):
            self.report(method_codes.no_self(span, node.name))
            return []
        plain[0].annotation = _completed(plain[0], owner)
        made = self.function(node)
        first = made.args[0].type
        if isinstance(first, surface.BadType):
            return []
        if not (isinstance(first, surface.NamedType) and first.name == owner):
            self.report(method_codes.no_self(made.args[0].span, node.name))
            return []
        return [made]


def _is_static(node: ast.FunctionDef) -> bool:
    match node.decorator_list:
        case [ast.Name("staticmethod")]:
            return True
        case _:
            return False


def _completed(arg: ast.arg, owner: str) -> ast.expr | None:
    """The annotation of `self`: nothing stands for In, a direction for itself, of the class."""
    match arg.annotation:
        case None:
            direction = "In"
        case ast.Name(name) if name in DIRECTIONS:
            direction = name
        case written:
            return written
    load = ast.Load()
    made = ast.Subscript(ast.Name(direction, load), ast.Name(owner, load), load)
    for part in (made, made.value, made.slice):
        ast.copy_location(part, arg.annotation or arg)
    return made


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements after a docstring."""
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
        case _:
            return body
