"""Functions in Python files -> surface functions: outer names give way to what they stand for.

A function of a Python file names things of its module: other functions, constants, builtins under
an alias. `scan` lists these names; `Written.function` takes what each one is in loma text.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from loma.diagnostics import Diagnostic, Span
from loma.frontend import surface
from loma.frontend.codes import syntax as codes
from loma.frontend.errors import Finding, ProgramError, raise_all
from loma.frontend.parse.classes import ABS, BINARY, GET, SET, SPECIAL, UNARY
from loma.frontend.parse.expr import ARITHMETIC, COMPARISONS, DIRECTIONS
from loma.frontend.parse.program import Parser
from loma.frontend.source import Source, open_source, read

Dotted: TypeAlias = tuple[str, ...]
Meanings: TypeAlias = Mapping[Dotted, str]
Node = TypeVar("Node", bound=ast.AST)
PREFIXES: Final[Mapping[type[ast.AST], str]] = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A function of a Python file.

    `outer`: the names in it that come from outside, each with the place of its first use.
    `mentions`: the methods that it may call, operators among them. `sizes`: for each argument the
    named sizes of its dimensions, outermost first.
    """

    source: Source
    name: str
    span: Span
    outer: Mapping[Dotted, Span]
    mentions: frozenset[str]
    sizes: Mapping[str, tuple[str | None, ...]]

    def function(
        self, meanings: Meanings, name: str, simd: bool,
        params: Mapping[str, surface.TypeParam] | None = None,
        classes: frozenset[str] = frozenset(),
    ) -> surface.Function:
        """The function under a name; raises a UserError that tells what loma lacks.

        `params` and `classes`: the names that stand for types.
        """
        node, parser = self._opened(meanings, params, classes)
        node.name = name
        node.decorator_list = [ast.Name("simd", ast.Load())] if simd else []
        made = parser.function(node)
        raise_all(parser.findings, self.source.text)
        return made

    def method(
        self, meanings: Meanings, owner: str, static: bool, params: Mapping[str, surface.TypeParam],
        classes: frozenset[str],
    ) -> list[surface.Function]:
        """The function as a method of a struct."""
        node, parser = self._opened(meanings, params, classes)
        node.decorator_list = []
        made = parser.method(node, owner, static)
        raise_all(parser.findings, self.source.text)
        return made

    def is_operator(self) -> bool:
        """Whether a method of a class is an operator of loma, and not one for Python alone."""
        node = _definition(self.source, [])
        heads = [_dotted(a.annotation.value) if isinstance(a.annotation, ast.Subscript) else None
                 for a in node.args.args[1:]]
        return self.name in SPECIAL and all(h is not None and h[-1] in DIRECTIONS for h in heads)

    def _opened(
        self, meanings: Meanings, params: Mapping[str, surface.TypeParam] | None,
        classes: frozenset[str],
    ) -> tuple[ast.FunctionDef, Parser]:
        findings: list[Finding] = []
        node = _Rewriter(meanings).visit(_definition(self.source, findings))
        parser = Parser(self.source, findings)
        parser.type_params = dict(params or {})
        parser.classes = set(classes)
        return node, parser

    def text(self, meanings: Meanings, name: str, simd: bool) -> str:
        """The function as loma text, comments kept."""
        node = _definition(self.source, [])
        edits = [
            (self._offset(n.lineno, n.col_offset), self._end(n), text)
            for n, text in _edits(node, meanings)
        ]
        start = self._offset(node.lineno, 0)
        stop = self._end(node)
        head = self.source.text.index("(", start)
        edits.append((start + node.col_offset, head, f"def {name}"))
        whole = self.source.text
        for first, last, text in sorted(edits, reverse=True):
            whole = whole[:first] + text + whole[last:]
            stop += len(text) - (last - first)
        lines = [_dedented(x, node.col_offset) for x in whole[start:stop].split("\n")]
        return "\n".join([*(["@simd"] if simd else []), *lines]) + "\n"

    def _offset(self, line: int, column: int) -> int:
        before = sum(len(x) + 1 for x in self.source.lines[: line - 1])
        return before + self.source.column(line, column)

    def _end(self, n: ast.expr | ast.stmt) -> int:
        assert n.end_lineno is not None and n.end_col_offset is not None
        return self._offset(n.end_lineno, n.end_col_offset)


def scan(text: str, file: str) -> Written:
    """The one function that a text defines; lines and columns are those of its file."""
    findings: list[Finding] = []
    source = open_source(text, file)
    node = _definition(source, findings)
    raise_all(findings, source.text)
    span = source.named(node, node.name)
    return Written(source, node.name, span, _outer(node, source), frozenset(_mentions(node)),
                   _sizes(source))


def type_expr(text: str, span: Span) -> surface.TypeExpr:
    """A type that is given as loma text, not read from a file."""
    source = open_source(text, span.file)
    findings: list[Finding] = []
    made = Parser(source, findings).type(ast.parse(text, mode="eval").body)
    assert not findings, f"{text} is not a type"
    return made


def number(text: str, span: Span) -> surface.Expr | None:
    """A number that is given as text; None for no text."""
    return surface.Number(ast.literal_eval(text), span=span) if text else None


def type_param(name: str, choices: Sequence[str], span: Span) -> surface.TypeParam:
    """A name that stands for any type, or for one of those given as loma text."""
    return surface.TypeParam(name, tuple([type_expr(c, span) for c in choices]), span=span)


def placed(text: str, line: int) -> str:
    """An excerpt of a file such that parsing it gives the lines and columns of the file."""
    if text[:1] in " \t":
        return "\n" * (line - 2) + "if 1:\n" + text
    return "\n" * (line - 1) + text


def _definition(source: Source, findings: list[Finding]) -> ast.FunctionDef:
    """The function's tree: annotations that are strings are opened, names of inner sizes go."""
    body = read(source, findings).body
    raise_all(findings, source.text)
    if body and isinstance(body[0], ast.If):
        body = body[0].body
    match body:
        case [ast.FunctionDef() as node]:
            return _Opener().visit(node)  # type: ignore[no-any-return]
        case [node, *_]:
            span = source.span(node)
            help = "write a plain `def`"
            what = Diagnostic("E0701", "only a function made by `def` can be compiled", span,
                              help=help)
            raise ProgramError((what,), source.text)
        case _:
            finding = codes.top_level(Span(source.file, 1, 0, 1, 1), "this")
            raise ProgramError((finding.diagnostic,), source.text)


def _annotations(node: ast.FunctionDef) -> Iterator[ast.arg]:
    for a in node.args.posonlyargs + node.args.args:
        if a.annotation is not None:
            yield a


def _sized(node: ast.expr) -> str | None:
    """The size of `Array[T, "n"]`."""
    match node:
        case ast.Subscript(_, ast.Tuple([_, ast.Constant(str() as size)])):
            return size
        case _:
            return None


def _sizes(source: Source) -> dict[str, tuple[str | None, ...]]:
    """The named sizes of the arguments."""
    body = read(source, []).body
    node = body[0].body[0] if isinstance(body[0], ast.If) else body[0]
    assert isinstance(node, ast.FunctionDef)
    found: dict[str, tuple[str | None, ...]] = {}
    for a in _annotations(node):
        names: list[str | None] = []
        here = _opened(a.annotation)
        if isinstance(here, ast.Subscript):
            here = here.slice  # what the direction holds
        while isinstance(here, ast.Subscript):
            names.append(_sized(here))
            here = here.slice.elts[0] if isinstance(here.slice, ast.Tuple) else here.slice
        if any(names):
            found[a.arg] = tuple(names)
    return found


def _opened(node: ast.expr | None) -> ast.expr | None:
    """An annotation that is written as a string, as the expression that it holds."""
    match node:
        case ast.Constant(str() as text):
            try:
                inner = ast.parse(text, mode="eval").body
            except SyntaxError:
                return node
            return _at(inner, node)
        case _:
            return node


def _at(node: Node, place: ast.expr) -> Node:
    """The tree with all of its parts at one place."""
    for part in ast.walk(node):
        if isinstance(part, ast.expr):
            ast.copy_location(part, place)
    return node


class _Opener(ast.NodeTransformer):
    """Opens annotations that are strings, and drops named sizes from those of arguments."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = _opened(node.annotation)
        if isinstance(node.annotation, ast.Subscript):  # In["Vec"]
            node.annotation.slice = _opened(node.annotation.slice) or node.annotation.slice
        if node.annotation is not None:
            node.annotation = _Unsized().visit(node.annotation)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        opened = _opened(node.annotation)
        assert opened is not None
        node.annotation = opened
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = _opened(node.returns)
        self.generic_visit(node)
        return node


class _Unsized(ast.NodeTransformer):
    """Drops the named sizes of arrays that other arrays point to."""

    def __init__(self) -> None:
        self.depth = 0

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        self.depth += 1  # the direction, the array, an array inside
        if self.depth > 2 and _sized(node) is not None and isinstance(node.slice, ast.Tuple):
            node.slice = node.slice.elts[0]
        self.generic_visit(node)
        self.depth -= 1
        return node


def _bound(node: ast.FunctionDef) -> set[str]:
    """The function's own names, and those of functions inside of it."""
    found = {part.value for a in _annotations(node) if a.annotation is not None
             for part in ast.walk(a.annotation)
             if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    for part in ast.walk(node):
        match part:
            case ast.arg(name):
                found.add(name)
            case ast.Name(name, ast.Store()):
                found.add(name)
            case ast.FunctionDef(name) if part is not node:
                found.add(name)
            case _:
                pass
    return found


def _dotted(node: ast.expr) -> Dotted | None:
    """The name `a.b.c` as a tuple."""
    match node:
        case ast.Name(name):
            return (name,)
        case ast.Attribute(base, name):
            inner = _dotted(base)
            return None if inner is None else (*inner, name)
        case _:
            return None


def _uses(parts: list[ast.stmt], bound: set[str]) -> Iterator[tuple[Dotted, ast.expr]]:
    """The uses of names that are not bound, in the order of the text."""
    todo: list[ast.AST] = [*reversed(parts)]
    while todo:
        here = todo.pop()
        name = _dotted(here) if isinstance(here, ast.expr) else None
        if name is None:
            todo += reversed(list(ast.iter_child_nodes(here)))
        elif name[0] not in bound and not isinstance(getattr(here, "ctx", None), ast.Store):
            assert isinstance(here, ast.expr)
            yield name, here


def _outer_nodes(node: ast.FunctionDef) -> Iterator[tuple[Dotted, ast.expr]]:
    """The uses of names that come from outside, in the order of the text."""
    heads = [a.annotation for a in _annotations(node)] + [node.returns]
    head: list[ast.stmt] = [ast.Expr(a) for a in heads if a is not None]
    yield from _uses(head + node.body, _bound(node))


def _outer(node: ast.FunctionDef, source: Source) -> dict[Dotted, Span]:
    found: dict[Dotted, Span] = {}
    for name, use in _outer_nodes(node):
        found.setdefault(name, source.span(use))
    return found


def _mentions(node: ast.FunctionDef) -> Iterator[str]:
    """The methods that may be called by name or by an operator."""
    for part in ast.walk(node):
        match part:
            case ast.Attribute(_, name):
                yield name
            case ast.operator():
                yield from BINARY.get(ARITHMETIC.get(type(part), ""), ())
            case ast.cmpop():
                yield from BINARY.get(COMPARISONS.get(type(part), ""), ())
                yield from BINARY["=="]  # which != falls back to
            case ast.unaryop():
                yield UNARY.get(PREFIXES.get(type(part), ""), "")
            case ast.Subscript():
                yield from (GET, SET)
            case ast.Name("abs"):
                yield ABS
            case _:
                pass


class _Rewriter(ast.NodeTransformer):
    """Replaces outer names; what replaces them stands where they stood."""

    def __init__(self, meanings: Meanings) -> None:
        self.meanings = meanings
        self.wanted: dict[int, str] | None = None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if self.wanted is not None:  # a function inside the function
            self.generic_visit(node)
            return node
        wanted = {id(use): self.meanings[name] for name, use in _outer_nodes(node)
                  if self.meanings.get(name, ".".join(name)) != ".".join(name)}
        self.wanted = wanted
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._replaced(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        made = self._replaced(node)
        if made is node:
            self.generic_visit(node)
        return made

    def _replaced(self, node: ast.expr) -> ast.expr:
        text = None if self.wanted is None else self.wanted.get(id(node))
        return node if text is None else _at(ast.parse(text, mode="eval").body, node)


def _edits(node: ast.FunctionDef, meanings: Meanings) -> Iterator[tuple[ast.expr, str]]:
    """What to write in place of which expression."""
    for name, use in _uses(node.body, _bound(node)):
        if meanings.get(name, ".".join(name)) != ".".join(name):
            yield use, meanings[name]
    done = _Rewriter(meanings).visit(node)
    for annotation in (*(a.annotation for a in _annotations(done)), done.returns):
        if annotation is not None:
            yield annotation, ast.unparse(annotation)


def _dedented(line: str, indent: int) -> str:
    return line[indent:] if not line[:indent].strip() else line.lstrip()
