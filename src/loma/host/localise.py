"""Finds the source line whose derivative is wrong.

The callees come first: one whose own derivative is wrong is the culprit. Otherwise each statement
that gives a float ends, in turn, a shorter function whose output it is, and that one is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from loma.diagnostics import CompileError, Span
from loma.frontend import typed as T
from loma.host.calls import Compiled, Operands
from loma.host.plain import Plain
from loma.host.requests import nodes, requested, sliced
from loma.host.verify import Report, Settings, Target, checked
from loma.ir.derived import Mode
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar

PROBE: Final = "_probe"
MOST: Final = 150


@dataclass(frozen=True, slots=True)
class Cause:
    """Where a derivative first parts from the truth: a function and a place in it."""

    function: str
    span: Span
    report: Report


def cause(program: T.Module, report: Report, settings: Settings) -> Cause | None:
    """The place that makes a report wrong; None when no single one does."""
    return _cause(program, report, settings, frozenset())


def _cause(
    program: T.Module, report: Report, settings: Settings, seen: frozenset[str]
) -> Cause | None:
    function = program.functions.get(report.primal)
    if function is None:
        return _of_derived(program, report, settings, seen)
    plain = replace(settings, at=None)
    for name in callees(function, program):
        if name not in seen:
            found = _check(program, report.mode, name, plain)
            if found is not None and found.wrong:
                return _cause(program, found, plain, seen | {function.name, name}) or Cause(
                    name, program.functions[name].span, found
                )
    for span, probed in probes(function, program.float_type):
        inside = replace(program, functions={**program.functions, probed.name: probed})
        found = _check(inside, report.mode, probed.name, _shifted(settings, probed))
        if found is not None and found.wrong:
            return Cause(function.name, span, found)
    return None


def _of_derived(
    program: T.Module, report: Report, settings: Settings, seen: frozenset[str]
) -> Cause | None:
    """A derivative of a derivative: the function below it may be to blame."""
    for d in program.derivatives:
        if d.name == report.primal and d.name not in seen:
            below = _check(program, d.mode, d.primal, replace(settings, at=None))
            if below is not None and below.wrong:
                return _cause(program, below, replace(settings, at=None), seen | {d.name})
    return None


def _check(program: T.Module, mode: Mode, name: str, settings: Settings) -> Report | None:
    """The report on a derivative of a function; None when there is no such derivative."""
    try:
        program, derivative = requested(program, mode, name)
        program = sliced(program, derivative)
        compiled = Compiled(program)
    except CompileError:
        return None
    return checked(program, compiled, Target(derivative, mode, name), settings)


def _shifted(settings: Settings, probed: T.Function) -> Settings:
    """The settings for a function with one more output."""
    at = settings.at
    if at is None:
        return settings
    last: Plain = [0.0] * at.threads if probed.signature.simd else 0.0
    return replace(settings, at=Operands((*at.data, last), at.threads))


def callees(function: T.Function, program: T.Module) -> list[str]:
    """The functions of the file that a function calls, in order."""
    found: dict[str, None] = {}
    for node in nodes(function.body):
        if (
            isinstance(node, T.Call)
            and node.function in program.functions
            and node.function != function.name
        ):
            found[node.function] = None
    return list(found)


def probes(function: T.Function, real: Scalar) -> Iterator[tuple[Span, T.Function]]:
    """Variants that end at a statement and give the float that it has just computed."""
    for k, s in enumerate(nodes(function.body)):
        if k > MOST * 20:
            return
        for place in places(s):
            yield s.span, _probed(function, s, place, real)


def places(s: T.Node) -> list[T.Expr]:
    """The float places that a statement writes."""
    match s:
        case T.Declare(symbol, value) if value is not None:
            found: list[T.Expr] = [T.Name(symbol)]
        case T.Assign(target) | T.AtomicAdd(target):
            found = [target]
        case T.CallStmt(call):
            found = [a for a in call.args if isinstance(a, T.Name | T.Index | T.Member)]
        case _:
            found = []
    return [e for e in found if isinstance(e.type, Scalar) and e.type.is_float]


def _probed(f: T.Function, at: T.Node, place: T.Expr, real: Scalar) -> T.Function:
    """The function that ends at a statement, its result replaced by one more Out argument."""
    kernel = f.signature.simd
    kind = ArrayType(real) if kernel else real
    symbol = T.Symbol(PROBE, kind)
    target: T.Expr = T.Index(T.Name(symbol), T.ThreadId(), real) if kernel else T.Name(symbol)
    value = place if place.type is real else T.Convert(place, real)
    ending: tuple[T.Stmt, ...] = (T.Assign(target, value), T.Return(None))
    written = len(f.signature.written)
    probe = Argument(PROBE, kind, Direction.OUT)
    arguments = (*f.signature.written, probe, *f.signature.sizes)
    return T.Function(
        f"{PROBE}_{f.name}",
        (*f.params[:written], symbol, *f.params[written:]),
        Signature(arguments, None, kernel),
        _cut(f.body, at, ending),
        f.span,
    )


def _cut(body: tuple[T.Stmt, ...], at: T.Node, ending: tuple[T.Stmt, ...]) -> tuple[T.Stmt, ...]:
    """The statements up to `at`, then the ending; no value is returned elsewhere."""
    out: list[T.Stmt] = []
    for s in body:
        match s:
            case T.If(cond, then, orelse):
                out.append(
                    T.If(cond, _cut(then, at, ending), _cut(orelse, at, ending), span=s.span)
                )
            case T.While(cond, inner, limit):
                out.append(T.While(cond, _cut(inner, at, ending), limit, span=s.span))
            case T.For(symbol, start, stop, step, inner):
                out.append(T.For(symbol, start, stop, step, _cut(inner, at, ending), span=s.span))
            case T.Return():
                out.append(T.Return(None, span=s.span))
            case _:
                out.append(s)
        if s is at:
            return (*out, *ending)
    return tuple(out)
