"""What the rounds of a parallel loop may do: their order, and where they run, is left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.frontend import typed
from loma.frontend.codes import parallel as codes
from loma.ir.nodes import Direction, Signature
from loma.ir.types import ArrayType

if TYPE_CHECKING:
    from loma.frontend.check.expr import ExpressionChecker


def check_written(c: ExpressionChecker, place: typed.Expr | None) -> bool:
    """Whether a place may be written here; one that all rounds of a loop share is reported.

    An element is checked later, once it is known which rounds it belongs to.
    """
    base, members = place, ""
    while isinstance(base, typed.Member):
        members = f".{base.field}{members}"
        base = base.base
    if place is None or isinstance(place.type, ArrayType) or not isinstance(base, typed.Name):
        return True
    if not c.scope.is_shared(base.symbol):
        return True
    shown = f"{base.symbol.name}{members}"
    c.report(codes.shared_written(place.span, shown, c.types.text(place.type)))
    return False


def check_outputs(
    c: ExpressionChecker, args: tuple[typed.Expr, ...], signature: Signature
) -> None:
    """Reports operands that a callee would write for all rounds at once."""
    for place, argument in zip(args, signature.written, strict=True):
        if argument.direction is not Direction.IN:
            check_written(c, place)
