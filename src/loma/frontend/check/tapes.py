"""Statements about tapes and shared places: `push`, `pop`, `atomic_add`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.parallel import check_written
from loma.frontend.check.places import is_place
from loma.frontend.codes import calls as codes
from loma.ir.types import BOOL, TAPE, Scalar

if TYPE_CHECKING:
    from loma.frontend.check.stmt import FunctionChecker


def atomic_add(c: FunctionChecker, e: surface.Call, span: Span) -> typed.Stmt | None:
    """atomic_add(place, value)."""
    values = c.scalars(e, "atomic_add(place, value)", 2)
    if values is None:
        return None
    target, value = values
    if not _is_target(c, e, e.args[0]):
        return None
    if target.type is BOOL:
        c.report(codes.not_a_number(e, e.args[0].span, "bool", "numbers"))
        return None
    assert isinstance(target.type, Scalar), "`scalars` yields scalars"
    done = c.settled(value, target.type)
    return None if done is None else typed.AtomicAdd(target, done, span=span)


def tape_statement(c: FunctionChecker, e: surface.Call, span: Span) -> typed.Stmt | None:
    """push(tape, values ...) or pop(tape, places ...)."""
    if len(e.args) < 2:
        c.report(codes.arity(e, 2, len(e.args), f"{e.function}(tape, x, ...)"))
        return None
    places = () if e.function == "push" else range(1, len(e.args))
    tape, *values = c.in_order(e.args, places=places)
    if tape is not None and tape.type is not TAPE:
        c.report(codes.not_a_tape(e, e.args[0].span, c.types.text(tape.type)))
        tape = None
    if tape is not None and not check_written(c, tape):
        return None
    rest = [_framed(c, e, x, v) for x, v in zip(e.args[1:], values, strict=True)]
    frame = tuple([v for v in rest if v is not None])
    if tape is None or len(frame) < len(rest):
        return None
    if e.function == "push":
        return typed.Push(tape, frame, span=span)
    return typed.Pop(tape, frame, span=span)


def _framed(
    c: FunctionChecker, e: surface.Call, operand: surface.Expr, value: typed.Expr | None
) -> typed.Expr | None:
    """One scalar of a tape's frame."""
    if value is None:
        return None
    if not isinstance(value.type, Scalar):
        c.report(codes.not_a_number(e, operand.span, c.types.text(value.type), "scalars"))
        return None
    if e.function == "push":
        return c.settled(value, value.type)
    if not check_written(c, value):
        return None
    return value if _is_target(c, e, operand) else None


def _is_target(c: FunctionChecker, e: surface.Call, operand: surface.Expr) -> bool:
    """Whether an operand is a place that can be written; reports one that is none."""
    written = c.writable(operand)
    if not written and not is_place(operand):
        c.report(codes.not_a_place(e, operand.span, "place"))
    return written
