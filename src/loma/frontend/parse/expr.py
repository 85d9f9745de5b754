"""Python's expressions and annotations -> surface expressions and types."""

from __future__ import annotations

import ast
import math
from keyword import iskeyword
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import constructs
from loma.frontend.codes import names as name_codes
from loma.frontend.codes import rules as rule_codes
from loma.frontend.codes import syntax as codes
from loma.frontend.codes.arrays import size_computed
from loma.frontend.codes.types import out_of_range
from loma.frontend.constants import Constant, evaluate
from loma.frontend.errors import Finding
from loma.frontend.parse.each import comprehension, constant, listed, repeated
from loma.frontend.parse.reduce import REDUCTIONS, reduction
from loma.frontend.parse.short import Keys, member
from loma.frontend.source import Placed, Source
from loma.ir.nodes import Direction

ARITHMETIC: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.FloorDiv: "//",
    ast.Pow: "**", ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.LShift: "<<", ast.RShift: ">>",
}
COMPARISONS: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}
ALLOWED: Final = frozenset((
    "+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>",
    "<", "<=", ">", ">=", "==", "!=",
))
CALL: Final = "__call__"
DIRECTIONS: Final = {d.value: d for d in Direction}
FOREIGN: Final[dict[type[ast.expr], tuple[str, str]]] = {
    ast.Lambda: ("`lambda`", "define a function with `def`"),
    ast.Dict: ("a dictionary", "use a class"),
    ast.Set: ("a set", "use an array"),
    ast.SetComp: ("a comprehension", "write a loop"),
    ast.DictComp: ("a comprehension", "write a loop"),
    ast.GeneratorExp: ("a generator", "write a loop, or `sum(x[i] for i in range(n))`"),
    ast.JoinedStr: ("a string", ""),
    ast.NamedExpr: ("`:=`", "write the assignment as a statement of its own"),
    ast.Starred: ("`*`", ""),
    ast.Tuple: ("an empty tuple", ""),
    ast.Await: ("`await`", ""),
    ast.Yield: ("`yield`", "write the values to an `Out` array"),
    ast.YieldFrom: ("`yield`", "write the values to an `Out` array"),
}
SPECIAL: Final = ("inf", "-inf", "nan")
LITERALS: Final[dict[type, str]] = {
    str: "a string", bytes: "a byte string", complex: "a complex number",
    type(None): "`None`", type(...): "`...`",
}


class ExpressionParser:
    """Turns expressions and types into the surface tree, and collects what is wrong in them."""

    def __init__(self, source: Source, findings: list[Finding]) -> None:
        self.source = source
        self.findings = findings
        self.constants: dict[str, Constant] = {}
        self.depth = 0
        self.too_deep = False
        self.own_print = False
        self.keys = Keys()

    def span(self, node: Placed) -> Span:
        """Where a piece of Python's tree stands."""
        return self.source.span(node)

    def report(self, finding: Finding) -> None:
        """Collects a finding."""
        self.findings.append(finding)

    def descend(self, node: Placed) -> bool:
        """Whether one more level is allowed; the first that is not is reported."""
        if self.depth < codes.DEPTH:
            self.depth += 1
            return True
        if not self.too_deep:
            self.too_deep = True
            self.report(codes.too_deep(self.span(node)))
        return False

    def head(self, node: Placed) -> Span:
        """The span of a statement, cut to its first line."""
        span = self.span(node)
        if span.end_line == span.line:
            return span
        stop = len(self.source.lines[span.line - 1])
        return Span(span.file, span.line, span.column, span.line, stop)

    def identifier(self, name: str, span: Span) -> str:
        """The name of a thing that is defined here."""
        self.member_name(name, span)
        if name in self.constants:
            self.report(name_codes.constant(span, name, self.constants[name].span))
        return name

    def member_name(self, name: str, span: Span) -> None:
        """Checks the name of a member, which may also be that of something else."""
        if not name.isascii():
            self.report(codes.not_ascii(span, name))

    def expr(self, node: ast.expr) -> surface.Expr:
        """The expression, or `Bad`."""
        if not self.descend(node):
            return surface.Bad(span=self.span(node))
        try:
            return self._expr(node)
        finally:
            self.depth -= 1

    def _expr(self, node: ast.expr) -> surface.Expr:  # noqa: C901 - one dispatch
        match node:
            case ast.Name(name) if name in self.constants:
                return constant(self.constants[name].value, self.span(node))
            case ast.Name(name):
                return surface.Name(name, span=self.span(node))
            case ast.Constant():
                return self._constant(node)
            case ast.BinOp(ast.List([value]), ast.Mult(), count) | ast.BinOp(
                    count, ast.Mult(), ast.List([value])):
                return repeated(self, value, count, self.span(node))
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.List():
                return listed(self, node)
            case ast.ListComp():
                return comprehension(self, node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.Compare():
                return member(self, node, self.span(node)) or self._compare(node)
            case ast.BoolOp(op, values):
                word = "and" if isinstance(op, ast.And) else "or"
                operands = tuple([self.expr(v) for v in values])
                return surface.Logical(word, operands, span=self.span(node))
            case ast.IfExp(test, body, orelse):
                parts = self.expr(test), self.expr(body), self.expr(orelse)
                return surface.Conditional(*parts, span=self.span(node))
            case ast.Subscript():
                return self._subscript(node)
            case ast.Attribute(base, name):
                return surface.Member(self.expr(base), name, span=self.span(node))
            case ast.Call(ast.Name(kind), [ast.GeneratorExp() as each], []) if kind in REDUCTIONS:
                return reduction(self, kind, each, self.span(node))
            case ast.Call(ast.Name("float"), [ast.Constant(str() as text)], []) if text in SPECIAL:
                return surface.Number(float(text), span=self.span(node))
            case ast.Call():
                return self.call(node)
            case ast.Tuple(elements) if elements:
                return surface.Tuple(tuple([self.expr(e) for e in elements]), span=self.span(node))
            case _:
                return self._foreign(node)

    def _foreign(self, node: ast.expr) -> surface.Expr:
        span = self.span(node)
        what, help = FOREIGN.get(type(node), ("this expression", ""))
        self.report(constructs.expression(span, what, help))
        return surface.Bad(span=span)

    def _constant(self, node: ast.Constant) -> surface.Expr:
        value, span = node.value, self.span(node)
        if value == math.inf:
            self.report(out_of_range(span, "float"))
        elif isinstance(value, (bool, int, float)):
            return surface.Number(value, span=span)
        else:
            self.report(constructs.literal(span, LITERALS[type(value)]))
        return surface.Bad(span=span)

    def _arithmetic(self, node: ast.BinOp) -> surface.Expr:
        """Sums of thousands of terms lean left: their spine is walked in a loop."""
        spine = [node]
        while isinstance(spine[-1].left, ast.BinOp):
            spine.append(spine[-1].left)
        if len(spine) > codes.TERMS:
            self.report(codes.too_deep(self.span(node)))
            return surface.Bad(span=self.span(node))
        left = self.expr(spine[-1].left)
        for step in reversed(spine):
            left = self._infix(ARITHMETIC[type(step.op)], left, self.expr(step.right),
                               self.span(step))
        return left

    def _infix(
        self, symbol: str, left: surface.Expr, right: surface.Expr, span: Span
    ) -> surface.Expr:
        if symbol in ALLOWED:
            return surface.Binary(symbol, left, right, span=span)
        self.report(constructs.operator(span, symbol))
        return surface.Bad(span=span)

    def _compare(self, node: ast.Compare) -> surface.Expr:
        span = self.span(node)
        symbols = tuple([COMPARISONS[type(op)] for op in node.ops])
        operands = tuple([self.expr(x) for x in (node.left, *node.comparators)])
        if len(symbols) == 1:
            return self._infix(symbols[0], operands[0], operands[1], span)
        odd = [s for s in symbols if s not in ALLOWED]
        if odd:
            self.report(constructs.operator(span, odd[0]))
        elif len(symbols) > codes.DEPTH:
            self.report(codes.too_deep(span))
        else:
            return surface.Comparison(symbols, operands, span=span)
        return surface.Bad(span=span)

    def _unary(self, node: ast.UnaryOp) -> surface.Expr:
        span, operand = self.span(node), self.expr(node.operand)
        match node.op:
            case ast.USub():
                return surface.Unary("-", operand, span=span)
            case ast.Not():
                return surface.Unary("not", operand, span=span)
            case ast.UAdd():
                return surface.Unary("+", operand, span=span)
            case _:
                return surface.Unary("~", operand, span=span)

    def _subscript(self, node: ast.Subscript) -> surface.Expr:
        span, base = self.span(node), self.expr(node.value)
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(items) == 1 and not isinstance(items[0], ast.Slice):
            return surface.Index(base, self.expr(items[0]), span=span)
        found = tuple([self._item(item) for item in items])
        return surface.Subscript(base, found, span=span) if found else surface.Bad(span=span)

    def _item(self, node: ast.expr) -> surface.Expr | surface.Slice:
        """One of several indices, or a slice."""
        if not isinstance(node, ast.Slice):
            return self.expr(node)
        if node.step is not None:
            self.report(constructs.slices(self.span(node)))
        low = None if node.lower is None else self.expr(node.lower)
        high = None if node.upper is None else self.expr(node.upper)
        return surface.Slice(low, high, span=self.span(node))

    def call(self, node: ast.Call) -> surface.Call | surface.MethodCall | surface.Bad:
        """The call, or `Bad`."""
        span = self.span(node)
        for keyword in node.keywords:
            if keyword.arg is None:
                self.report(codes.keyword_operand(self.span(keyword), ""))
        keywords = tuple([surface.Keyword(k.arg or "", self.expr(k.value), span=self.span(k))
                          for k in node.keywords])
        args = tuple([self.operand(a) for a in node.args])
        bad = any(not k.name for k in keywords)
        match node.func:
            case ast.Name(name) if not bad:
                return surface.Call(name, args, keywords, span=span)
            case ast.Attribute(base, name) if not bad:
                return surface.MethodCall(self.expr(base), name, args, keywords, span=span)
            case ast.Name() | ast.Attribute():
                return surface.Bad(span=span)
            case ast.Subscript() | ast.Call(ast.Name("fwd_diff" | "rev_diff")) if not bad:
                return surface.MethodCall(self.expr(node.func), CALL, args, keywords, span=span)
            case _:
                self.report(constructs.callee(self.span(node.func)))
                return surface.Bad(span=span)

    def operand(self, node: ast.expr) -> surface.Expr:
        """An operand of a call."""
        if isinstance(node, ast.Starred):
            self.report(codes.keyword_operand(self.span(node), ""))
            return surface.Bad(span=self.span(node))
        return self.expr(node)

    def _size(self, node: ast.expr) -> surface.Expr:
        """The length of an array; a number if it is known."""
        value = evaluate(node, self.constants)
        if value is None:
            return self.expr(node)
        return surface.Number(value, span=self.span(node))

    def _sized(self, element: ast.expr, sizes: list[ast.expr], span: Span) -> surface.TypeExpr:
        """An array with sizes; those at the end that are numbers belong to its elements."""
        made = self.type(element)
        found = [self._dimension(size) for size in sizes]
        while found and (len(found) == 1 or isinstance(found[-1], surface.Number)):
            size = found[-1]
            if isinstance(size, surface.SizeName):
                break
            made = surface.ArrayTypeExpr(made, size, span=span)
            found.pop()
        return surface.ShapedTypeExpr(made, tuple(found), span=span) if found else made

    def _dimension(self, node: ast.expr) -> surface.Expr | surface.SizeName:
        match node:
            case ast.Constant(str() as name) if not name.isidentifier() or iskeyword(name):
                self.report(size_computed(self.span(node)))
                return surface.Bad(span=self.span(node))
            case ast.Constant(str() as name):
                self.identifier(name, self.span(node))
                return surface.SizeName(name, span=self.span(node))
            case _:
                return self._size(node)

    def type(self, node: ast.expr) -> surface.TypeExpr:
        """The type that an annotation names, or `BadType`."""
        span = self.span(node)
        if not self.descend(node):
            return surface.BadType(span=span)
        try:
            return self._type(node, span)
        finally:
            self.depth -= 1

    def _type(self, node: ast.expr, span: Span) -> surface.TypeExpr:  # noqa: C901 - one dispatch
        match node:
            case ast.Name(("In" | "Out" | "InOut") as name):
                self.report(codes.misplaced_direction(span, name))
                return surface.BadType(span=span)
            case ast.Name(name):
                return surface.NamedType(name, span=span)
            case ast.Subscript(ast.Name("Array"), ast.Tuple([element, ast.Constant(x)])) if (
                x is ...
            ):
                return surface.ArrayTypeExpr(self.type(element), growable=True, span=span)
            case ast.Subscript(ast.Name("Array"), ast.Tuple([element, *sizes])) if sizes:
                return self._sized(element, sizes, span)
            case ast.Subscript(ast.Name("Array"), element) if not isinstance(element, ast.Tuple):
                return surface.ArrayTypeExpr(self.type(element), span=span)
            case ast.Subscript(ast.Name("tuple"), ast.Tuple([_, *_] as elements)):
                return surface.TupleTypeExpr(tuple([self.type(e) for e in elements]), span=span)
            case ast.Subscript(ast.Name("tuple"), element) if not isinstance(element, ast.Tuple):
                return surface.TupleTypeExpr((self.type(element),), span=span)
            case ast.Subscript(ast.Name("Stack"), inner) if not isinstance(inner, ast.Tuple):
                return surface.StackTypeExpr(self.type(inner), span=span)
            case ast.Subscript(ast.Name("Diff"), inner):
                return surface.DiffTypeExpr(self.type(inner), span=span)
            case ast.Subscript(ast.Name(("In" | "Out" | "InOut" | "NoDiff") as name)):
                nodiff = name == "NoDiff"
                self.report(
                    rule_codes.nodiff(span) if nodiff else codes.misplaced_direction(span, name))
                return surface.BadType(span=span)
            case _:
                self.report(codes.bad_type(span))
                return surface.BadType(span=span)
