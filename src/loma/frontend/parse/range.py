"""What loops, reductions and kernels run over: `range` with its bounds, the number of threads."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import constructs
from loma.frontend.constants import Constant, evaluate
from loma.frontend.errors import Finding
from loma.frontend.source import Placed

LARGEST: Final = 2**31 - 1
Bounds: TypeAlias = tuple[surface.Expr, surface.Expr, int]


class Reader(Protocol):
    """What is needed of the parser."""

    constants: dict[str, Constant]

    def span(self, node: Placed) -> Span:
        """Where a piece of Python's tree stands."""

    def report(self, finding: Finding) -> None:
        """Collects a finding."""

    def identifier(self, name: str, span: Span) -> str:
        """The name of a thing that is defined here."""

    def expr(self, node: ast.expr) -> surface.Expr:
        """The expression, or `Bad`."""


def literal_int(node: ast.expr, constants: Mapping[str, Constant]) -> int | None:
    """An integer that is known now."""
    value = evaluate(node, constants)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def bounds(p: Reader, nodes: list[ast.expr]) -> Bounds:
    """Start, stop and step of `range(...)` with one to three operands."""
    values = [p.expr(b) for b in nodes[:2]]
    start = values[0] if len(values) == 2 else surface.Number(0, span=values[0].span)
    step = 1
    if len(nodes) == 3:
        given = literal_int(nodes[2], p.constants)
        if not given or abs(given) > LARGEST:
            p.report(constructs.for_step(p.span(nodes[2])))
            given = None
        step = given or 1
    return start, values[-1], step


def launched(
    node: ast.Call, is_type: Callable[[ast.expr], bool]
) -> tuple[ast.Call, ast.expr | None]:
    """k[n](...) as the call k(...), and the number of threads; another call as it is."""
    match node.func:
        case ast.Subscript(ast.Name() as kernel, count) if not (
                isinstance(count, (ast.Tuple, ast.Slice)) or is_type(count)):
            call = ast.Call(kernel, node.args, node.keywords)
            return ast.copy_location(call, node), count
        case _:
            return node, None
