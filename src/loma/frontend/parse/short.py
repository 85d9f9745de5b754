"""What Python writes short: chained assignments, `match`, `in`, `else` of loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import short as codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.parse.range import literal_int

if TYPE_CHECKING:
    from loma.frontend.parse.expr import ExpressionParser
    from loma.frontend.parse.program import Parser

Stmts = tuple[surface.Stmt, ...]


class Keys:
    """Numbers for what is kept, and the loops around whose `break` is noted."""

    def __init__(self) -> None:
        self.count = 0
        self.loops: list[int | None] = []
        self.noted: set[int] = set()

    def fresh(self) -> int:
        """A number that nothing has yet."""
        self.count += 1
        return self.count

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A function: its `break` belongs to none of the loops around."""
        outer, self.loops = self.loops, []
        yield
        self.loops = outer

    def broken(self, span: Span) -> Stmts:
        """`break`; of a loop with `else` it is noted."""
        leave = surface.Break(span=span)
        key = self.loops[-1] if self.loops else None
        if key is None:
            return (leave,)
        self.noted.add(key)
        return surface.Flag(key, True, span=span), leave


def chained(p: Parser, targets: list[ast.expr], value: surface.Expr, span: Span) -> Stmts:
    """a = b = value: the value once, then the targets from left to right."""
    key = p.keys.fresh()
    kept = surface.Kept(key, span=value.span)
    done: list[surface.Stmt] = [surface.Keep(key, value, span=span)]
    done += [surface.Assign(p.target(t), kept, span=span) for t in targets]
    return tuple(done)


def loop_body(p: Parser, node: ast.While | ast.For) -> Stmts:
    """The body of a loop."""
    p.keys.loops.append(p.keys.fresh() if node.orelse else None)
    done = p.block(node.body)
    if not node.orelse:
        p.keys.loops.pop()
    return done


def with_else(p: Parser, node: ast.While | ast.For, loop: surface.Stmt) -> Stmts:
    """A loop, then its `else`, which runs unless the loop is left by `break`."""
    if not node.orelse:
        return (loop,)
    key = p.keys.loops.pop()
    orelse = p.block(node.orelse)
    if key is None or key not in p.keys.noted:
        return (loop, *orelse)
    where = p.head(node)
    test = surface.Unary("not", surface.Kept(key, span=where), span=where)
    return surface.Flag(key, span=where), loop, surface.If(test, orelse, (), span=where)


# Membership.


def member(p: ExpressionParser, node: ast.Compare, span: Span) -> surface.Expr | None:
    """value in (a, b), or value not in (a, b); None for another comparison."""
    match node.ops, node.comparators:
        case [ast.In() | ast.NotIn() as op], [
                ast.Tuple([_, *_] as items) | ast.List([_, *_] as items) | ast.Set(items)]:
            if len(items) > syntax_codes.DEPTH:
                p.report(syntax_codes.too_deep(span))
                return surface.Bad(span=span)
            value = p.expr(node.left)
            found = surface.Contains(value, tuple([p.expr(x) for x in items]), span=span)
            return found if isinstance(op, ast.In) else surface.Unary("not", found, span=span)
        case _:
            return None


# match.


def matched(p: Parser, node: ast.Match, span: Span) -> Stmts:
    """`match` as a chain of `if`: the subject is evaluated once."""
    if p.depth + len(node.cases) > syntax_codes.DEPTH:
        p.report(syntax_codes.too_deep(p.head(node)))
        return (surface.BadStmt(span=span),)
    key = p.keys.fresh()
    subject = surface.Keep(key, p.expr(node.subject), True, span=p.span(node.subject))
    cases = [(c, *_case(p, key, c)) for c in node.cases]
    done: Stmts = ()
    for k, (case, test, body) in reversed(list(enumerate(cases))):
        if test is None:
            if k + 1 < len(cases):
                p.report(codes.never_matched(p.span(node.cases[k + 1].pattern), p.span(
                    case.pattern)))
            done = body
        else:
            where = Span(span.file, test.span.line, test.span.column, span.end_line,
                         span.end_column)
            done = (surface.If(test, body, done, span=where),)
    return subject, *done


def _case(p: Parser, key: int, case: ast.match_case) -> tuple[surface.Expr | None, Stmts]:
    """When a case is taken (None for always), and what it does."""
    found = list(_patterns(p, key, case.pattern))
    if any(isinstance(x, surface.Bad) for x in found):
        bad = surface.Bad(span=p.span(case.pattern))
        return bad, (surface.BadStmt(span=bad.span),)
    return _test(p, found, case), p.block(case.body)


def _test(
    p: Parser, found: list[surface.Expr | None], case: ast.match_case
) -> surface.Expr | None:
    """When a case is taken whose patterns are compared so."""
    guard = () if case.guard is None else (p.expr(case.guard),)
    span = p.span(case.pattern)
    tests: tuple[surface.Expr, ...] = tuple([x for x in found if x is not None])
    if len(tests) < len(found):
        tests = ()
    elif len(tests) > 1:
        tests = (surface.Logical("or", tests, span=span),)
    whole = (*tests, *guard)
    if len(whole) < 2:
        return whole[0] if whole else None
    return surface.Logical("and", whole, span=span)


def _patterns(p: Parser, key: int, node: ast.pattern) -> Iterator[surface.Expr | None]:
    """The comparisons that a pattern makes; None for one that always holds."""
    span = p.span(node)
    match node:
        case ast.MatchAs(None, None):
            yield None
        case ast.MatchOr(patterns):
            for inner in patterns:
                yield from _patterns(p, key, inner)
        case ast.MatchValue(value) if (found := literal_int(value, p.constants)) is not None:
            yield _equal(key, surface.Number(found, span=span))
        case ast.MatchAs(None, str(name)) if isinstance(
                number := p.constants[name].value if name in p.constants else None, int):
            yield _equal(key, surface.Number(number, span=span))
        case ast.MatchAs(None, str(name)):
            p.report(codes.capture(span, name))
            yield surface.Bad(span=span)
        case _:
            p.report(codes.pattern(span))
            yield surface.Bad(span=span)


def _equal(key: int, number: surface.Number) -> surface.Expr:
    return surface.Binary("==", surface.Kept(key, span=number.span), number, span=number.span)
