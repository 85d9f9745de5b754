"""Which operands fit which arguments, and which of several definitions fits best."""

from __future__ import annotations

from collections.abc import Sequence

from loma.frontend import typed
from loma.frontend.convert import RANK, Weak
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, Type


def fits(found: Type, wanted: Type) -> bool:
    """Whether a value of type `found` can be passed as `wanted`: lengths may be forgotten."""
    if isinstance(found, ArrayType) and isinstance(wanted, ArrayType):
        return found.element == wanted.element and wanted.size in (None, found.size)
    return found == wanted


def cheapest(
    candidates: Sequence[tuple[str, Signature]], values: Sequence[typed.Expr]
) -> list[str]:
    """The definitions that fit the operands best: no other one converts less."""
    found = [(name, costs) for name, s in candidates if (costs := _costs(s, values)) is not None]
    return [name for name, costs in found
            if not any(_better(other, costs) for _, other in found)]


def _better(a: Sequence[int], b: Sequence[int]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def _costs(s: Signature, values: Sequence[typed.Expr]) -> tuple[int, ...] | None:
    """What it costs to pass each operand; None if one does not fit."""
    if len(s.written) != len(values):
        return None
    costs = [_cost(v, a) for v, a in zip(values, s.written, strict=True)]
    known = tuple([c for c in costs if c is not None])
    return known if len(known) == len(costs) else None


def _cost(value: typed.Expr, argument: Argument) -> int | None:
    found, wanted = value.type, argument.type
    if found is None:
        return None
    if found == wanted:
        return 0
    if isinstance(found, Scalar) and isinstance(wanted, Scalar):
        return _conversion(value, found, wanted) if argument.direction is Direction.IN else None
    return 1 if fits(found, wanted) else None


def _conversion(value: typed.Expr, found: Scalar, wanted: Scalar) -> int | None:
    """How far a number is from the type wanted; None for a narrower type."""
    if isinstance(value, Weak) and (found.is_int or wanted.is_float):
        return 1 + abs(RANK.index(wanted) - RANK.index(found))
    steps = RANK.index(wanted) - RANK.index(found)
    return 1 + steps if steps > 0 else None
