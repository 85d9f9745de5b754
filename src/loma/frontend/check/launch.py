"""Launches of kernels: k[n](...) is a parallel loop that calls the kernel's body for each thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.places import is_memory
from loma.frontend.check.stacks import paired
from loma.frontend.codes import parallel as codes
from loma.frontend.launches import THREAD
from loma.ir.nodes import Argument, Direction
from loma.ir.types import I32, Scalar, StructType

if TYPE_CHECKING:
    from loma.frontend.check.call import CallChecker
    from loma.frontend.check.stmt import FunctionChecker

@dataclass(slots=True)
class Launch:
    """A launch whose call is being checked; `inside` are statements of the loop before the call."""

    by: FunctionChecker
    span: Span
    thread: typed.Symbol
    met: bool = False
    inside: list[typed.Stmt] = field(default_factory=list)


def launch(
    c: FunctionChecker, e: surface.Call, threads: surface.Expr, span: Span
) -> typed.Stmt | None:
    """The loop that k[n](...) is; its operands are evaluated once, ahead of it."""
    count = c.integer(threads, "the number of threads")
    here = c.launching = Launch(c, e.span, typed.Symbol(THREAD, I32, span))
    at, effects = len(c.ahead), c.effects
    done = _called(c, e)
    c.launching = None
    count = count if effects == c.effects else c.held(count, at)
    if not here.met and (done is not None or e.function not in c.context.signatures):
        c.report(codes.not_a_kernel(c.head(e), e.function))
        return None
    bound = None if count is None else c.settled(count, I32)
    if done is None or bound is None:
        return None
    body = (*here.inside, typed.CallStmt(done, span=span))
    zero = typed.Literal(0, I32, span=span)
    return typed.For(here.thread, zero, bound, 1, body, parallel=True, span=span)


def _called(c: FunctionChecker, e: surface.Call) -> typed.Call | None:
    """The call of the body; on the way there, `threaded` is asked what that is."""
    found = c.rebound(e)
    if found is None:
        return None
    if c.is_generic(found) and found.function not in c.types.declared:
        return c.generic_call(found, statement=True)
    return c.user_call(found, statement=True) if found.function in c.context.signatures else None


def threaded(
    c: CallChecker, e: surface.Call, function: str, values: Sequence[typed.Expr | None]
) -> tuple[surface.Call, str, Sequence[typed.Expr | None]]:
    """A call on checked operands; that of a kernel that is launched becomes one of its body."""
    here, kernel = c.launching, c.context.signatures[function]
    if here is None or here.span != e.span or kernel is None or not kernel.simd:
        return e, function, values
    here.met = True
    arguments = [a for a, _ in paired(kernel)]
    if len(arguments) != len(values):
        return e, function, values
    context = c.context
    name = context.launches.body(function, context.signatures, context.float_type)
    whole = context.signatures[name]
    assert whole is not None, "made from that of the kernel"
    pairs = zip(values, arguments, strict=True)
    given = [None if v is None else _once(here.by, v, a) for v, a in pairs]
    extra = paired(whole)[len(arguments):]
    here.inside, more = _numbers([a for a, _ in extra], here.thread, e.span)
    hidden = tuple([surface.Name(THREAD, span=e.span) for _ in more])
    c.called.add(function)
    return replace(e, args=(*e.args, *hidden)), name, [*given, *more]


def _once(c: FunctionChecker, value: typed.Expr, a: Argument) -> typed.Expr:
    """An operand that is the same for all threads: a copy of a value, or a place."""
    if a.direction is Direction.IN and isinstance(a.type, Scalar):
        ready = c.settled(value, a.type) if isinstance(value.type, Scalar) else None
        return value if ready is None else _kept(c, ready, a.type)
    if is_memory(value):
        return c.fixed(value)
    return _kept(c, value, value.type) if isinstance(value.type, StructType) else value


def _kept(c: FunctionChecker, value: typed.Expr, kind: Scalar | StructType) -> typed.Expr:
    symbol = typed.Symbol("operand", kind, value.span)
    c.ahead.append(typed.Declare(symbol, value, span=value.span))
    return typed.Name(symbol, span=value.span)


def _numbers(
    extra: Sequence[Argument], thread: typed.Symbol, span: Span
) -> tuple[list[typed.Stmt], list[typed.Expr]]:
    """The operands after those of the kernel: the thread, and what a derivative makes of it."""
    declared: list[typed.Stmt] = []
    found: list[typed.Expr] = [typed.Name(thread, span=span)]
    for a in extra[1:]:
        symbol = typed.Symbol(a.name, I32, span)
        declared.append(typed.Declare(symbol, span=span))
        found.append(typed.Name(symbol, span=span))
    return declared, found
