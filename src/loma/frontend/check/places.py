"""Places: which expressions are memory that can be written, and which places overlap."""

from __future__ import annotations

from typing import TypeGuard

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.shapes import alike
from loma.ir.names import BUILTIN


def is_place(e: surface.Expr) -> bool:
    """Whether the expression is a variable, or an element, a part or a member of one."""
    while isinstance(e, (surface.Index, surface.Subscript, surface.Member)) or _flat(e):
        e = e.args[0] if isinstance(e, surface.Call) else e.base
    return isinstance(e, surface.Name)


def _flat(e: surface.Expr) -> TypeGuard[surface.Call]:
    """Whether the expression is an array seen in one dimension."""
    return isinstance(e, surface.Call) and e.function.removeprefix(BUILTIN) == "flat" and len(
        e.args) == 1


def is_memory(e: typed.Expr) -> bool:
    """Whether the expression is a variable, or an element, part or member of one, and no copy."""
    while isinstance(e, (typed.Index, typed.View, typed.Member)):
        e = e.base
    return isinstance(e, typed.Name)


def field_span(e: surface.Member) -> Span:
    """The span of the member's name alone."""
    s = e.span
    return Span(s.file, s.end_line, max(s.end_column - len(e.field), 0), s.end_line, s.end_column)


def overlap(a: typed.Expr, b: typed.Expr) -> bool:
    """Whether two places are certainly the same memory, or one is a part of the other."""
    one, two = _steps(a), _steps(b)
    return all(alike(x, y) for x, y in zip(one, two, strict=False))


def _steps(e: typed.Expr) -> list[object]:
    """The root symbol, then the members and indices on the way to a place."""
    match e:
        case typed.Name(symbol):
            return [symbol]
        case typed.Index(base, index) | typed.View(base, index):
            return [*_steps(base), index]
        case typed.Member(base, name):
            return [*_steps(base), name]
        case _:
            return [e]
