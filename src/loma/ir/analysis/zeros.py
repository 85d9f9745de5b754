"""Inputs by which every derivative of a function is zero, and what stands in the way.

Values are followed as in `activity`, from one input at a time: where it says that nothing flows,
nothing does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loma.diagnostics import Span
from loma.ir.analysis.activity import Activity, differentiable
from loma.ir.nodes import Apply, Argument, Direction, Function, Op, Var
from loma.ir.traverse import op_reads, operands, walk
from loma.ir.types import Structs


@dataclass(frozen=True, slots=True)
class Zero:
    """An input without influence on the derivatives, and why, at a place in the program."""

    argument: str
    cause: str
    span: Span


def zeros(f: Function, structs: Structs) -> list[Zero]:
    """The float inputs of a function by which all its derivatives are zero.

    Names that begin with an underscore are left out, and what no derivative is taken by.
    """
    activity = Activity(f, structs)
    outputs = set(_outputs(f, structs))
    found: list[Zero] = []
    for a, p in zip(f.signature.written, f.params, strict=False):
        if a.direction is Direction.OUT or a.nodiff or a.name.startswith("_"):
            continue
        if differentiable(p, structs):
            reached = activity.reached(p)
            if not reached & outputs:
                found.append(_explained(f, a, p, reached, activity))
    return found


def _outputs(f: Function, structs: Structs) -> Iterator[Var]:
    """The roots and values that are outputs."""
    yield from (y for y in f.body.yields if isinstance(y, Var))
    given = len(f.signature.arguments)
    for k, p in enumerate(f.params):
        inward = k < given and f.signature.arguments[k].direction is Direction.IN
        if not inward and differentiable(p, structs):
            yield p


def _explained(
    f: Function, a: Argument, p: Var, reached: set[Var], activity: Activity
) -> Zero:
    """Where the influence of an input ends."""
    base = activity.base
    used = False
    for op in walk(f.body):
        touched = any(isinstance(x, Var) and base.get(x, x) in reached for x in operands(op))
        used = used or touched
        if touched and isinstance(op, Apply) and (cause := _end(op)):
            return Zero(a.name, cause, op.span if op.span.line else a.span)
    if not used and not any(x is p for op in f.body.ops for x in op_reads(op)):
        return Zero(a.name, "it is not used", a.span)
    return Zero(a.name, "no output depends on it", a.span)


def _end(op: Op) -> str:
    """How an operation ends the influence of its operands."""
    if not isinstance(op, Apply):
        return ""
    name = op.prim.name
    if op.prim.flat:
        return "it passes through `stop_gradient`" if name == "stop_gradient" else (
            f"`{name}` has the derivative zero")
    if op.out.scalar.is_float:
        return ""
    return "it becomes an integer" if name == "cast" else "it is only compared"
