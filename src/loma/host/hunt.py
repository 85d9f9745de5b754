"""The hunt for nan: the first operation, of a program or its derivatives, that is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from loma import driver
from loma.backends.base import Options
from loma.backends.interface import Interface
from loma.diagnostics import NOWHERE, RunError, Span, excerpt, source_lines
from loma.frontend import typed
from loma.frontend.expr_text import expr_text
from loma.frontend.lower.program import lower
from loma.host.calls import Compiled, Operands, outputs
from loma.host.gradient import value_and_gradient
from loma.host.marshal import ctypes_structs
from loma.host.plain import Plain, leaves
from loma.host.printing import connected
from loma.host.requests import nodes, requested, signature_of, sliced
from loma.ir.derived import DVAL, VAL, Mode
from loma.ir.nodes import Direction, Module, Trap
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type
from loma.opt import pipeline
from loma.opt.hunt import BREAK, SLOPE, Called, Hunt, Place, Sought, Written, primal_operations

Make: TypeAlias = Callable[[typed.Module, Options | None], Compiled]
Sweep: TypeAlias = Callable[[typed.Module, str, Operands, Make], list[float]]
STRICT: Final = Options(strict=True)
Texts: TypeAlias = dict[Written, str]
ARGUMENT: Final = "an argument"
STRONG: Final = "strong_mul"
SLOPES: Final = (SLOPE, "tangent")
THREAD: Final = "thread"
KINDS: Final = {
    "program": "in the program",
    "partial derivative": "in a partial derivative of this",
    "derivative": "in the derivative of this",
}


@dataclass(frozen=True, slots=True)
class NotFinite:
    """Where a number stops being finite.

    `operation` names the primitive, `operands` and `loops` their values by name, `result` what came
    out. `kind`: whether it is the program's own operation, or one of its derivative; `primal` then
    has the operands of the operation that is differentiated, where they are known.
    `zero_times_infinity`: it multiplied the two. `then` is where an infinity becomes nan.
    """

    span: Span
    function: str
    operation: str
    operands: tuple[tuple[str, float], ...]
    result: float
    loops: tuple[tuple[str, int], ...] = ()
    kind: str = "program"
    zero_times_infinity: bool = False
    then: NotFinite | None = None
    source: str = ""
    primal: tuple[tuple[str, float], ...] = ()

    @property
    def line(self) -> int:
        """The line of the program."""
        return self.span.line

    @property
    def file(self) -> str:
        """The file of the program."""
        return self.span.file

    @property
    def in_derivative(self) -> bool:
        """Whether the derivative does what the program itself does not."""
        return self.kind != "program"

    def __str__(self) -> str:
        head = f"{self.operation} gives {self.result!r} {KINDS[self.kind]}"
        if self.operation == ARGUMENT:
            head = f"{ARGUMENT} is {self.result!r}"
        lines = [head, *excerpt(self.span, "", source_lines(self.source))]
        for said, values in (("operands: ", self.operands), ("where ", self.primal)):
            shown = [f"{n or 'operand'} = {x!r}" for n, x in values if n != repr(x)]
            lines += [f"{said}{', '.join(shown)}"] if shown else []
        lines += _around(self.loops)
        if self.zero_times_infinity:
            slopes = [n for n, _ in self.operands if n in SLOPES] or [SLOPE]
            whose = slopes[0] if self.in_derivative else "program"
            lines.append(f"this is a 0 * inf of the {whose}")
        if self.then is not None:
            lines += ["", "then nan comes of it:", str(self.then)]
        return "\n".join(lines)


def _around(loops: tuple[tuple[str, int], ...]) -> Iterator[str]:
    """The thread and the loops that an operation is in."""
    for name, k in loops:
        if name == THREAD:
            yield f"in thread {k}"
    shown = [f"{name} = {k}" for name, k in loops if name != THREAD]
    if shown:
        yield f"in the loop at {', '.join(shown)}"


def hunted(
    program: typed.Module, function: str, operands: Operands,
    texts: Mapping[str, str] | None = None,
) -> NotFinite | None:
    """The first operation whose result is not finite: in the call, in its gradient, or in the
    tangent along all inputs at once; None if these are finite.
    """
    if (found := _input(program, function, operands)) is not None:
        return found
    texts = texts or {program.file: program.source}
    for sweep in (_gradient, _tangent):
        results = sweep(program, function, operands, Compiled)
        if all(math.isfinite(x) for x in results):
            continue
        first = _run(sweep, (program, function, operands), Sought.INFINITE, texts)
        if first is None or math.isnan(first.result) or not any(map(math.isnan, results)):
            return first
        then = _run(sweep, (program, function, operands), Sought.NAN, texts)
        return replace(first, then=then)
    return None


def _input(program: typed.Module, function: str, operands: Operands) -> NotFinite | None:
    """An argument that is not finite to begin with."""
    signature = signature_of(program, function)
    for x, a in zip(operands.data, signature.arguments, strict=True):
        for where, t, value in leaves(x, a.type, program.structs):
            if t.is_float and not math.isfinite(value):
                name = f"{a.name}{where}"
                span = a.span if a.span.line else NOWHERE
                return NotFinite(span, function, ARGUMENT, ((name, value),), value,
                                 source=program.source)
    return None


def _gradient(
    program: typed.Module, function: str, operands: Operands, make: Make
) -> list[float]:
    """The floats of the outputs and of the gradient."""
    found = value_and_gradient(program, function, operands, STRICT, make)
    pairs = [(x, t) for _, t, x in found.values]
    pairs += [(g, a.type) for a, _, g in found.gradients if g is not None]
    return list(_floats(pairs, program.structs))


def _tangent(
    program: typed.Module, function: str, operands: Operands, make: Make
) -> list[float]:
    """The floats of the outputs' duals, where every input has the tangent 1."""
    signature = signature_of(program, function)
    program, name = requested(program, Mode.FORWARD, function)
    derived = signature_of(program, name)
    data = tuple(
        _dual(x, a.type, 1.0 if a.direction is not Direction.OUT else 0.0, program.structs)
        for x, a in zip(operands.data, signature.arguments, strict=True))
    compiled = make(sliced(program, name), STRICT)
    outcome = compiled.call(name, Operands(data, operands.threads))
    pairs = [(x, a.type) for a, x in outputs(derived, outcome)]
    if derived.result is not None and outcome.result is not None:
        pairs.append((outcome.result, derived.result))
    return list(_floats(pairs, program.structs))


def _dual(x: Plain, t: Type, tangent: float, structs: Structs) -> Plain:
    """Data with tangents."""
    match t, x:
        case Scalar(), float() | int() if t.is_float:
            return {VAL: x, DVAL: tangent}
        case StructType(name), dict():
            return {m: _dual(x[m], mt, tangent, structs) for m, mt in structs[name].members}
        case ArrayType(element), list():
            return [_dual(i, element, tangent, structs) for i in x]
        case _:
            return x


def _floats(pairs: list[tuple[Plain, Type]], structs: Structs) -> Iterator[float]:
    for x, t in pairs:
        yield from (v for _, s, v in leaves(x, t, structs) if s.is_float)


class _Instrumented(Compiled):
    """A program whose operations are checked."""

    def __init__(self, program: typed.Module, hunt: Hunt) -> None:
        plain = driver.differentiated(program, fast=False, strict=True)
        module = _ready(hunt.module(plain))
        self.structs = module.structs
        self.signatures = Interface.of(module).signatures
        self._loaded = connected(driver.BACKENDS["llvm"].build(module, STRICT))
        self._classes = ctypes_structs(module.structs)


def _ready(module: Module) -> Module:
    """The module as a backend takes it."""
    return replace(module, functions={
        n: pipeline.run(pipeline.PLAIN, f, module) for n, f in module.functions.items()})


def _run(
    sweep: Sweep, call: tuple[typed.Module, str, Operands], sought: Sought,
    texts: Mapping[str, str],
) -> NotFinite | None:
    """Runs a sweep until a check fails."""
    program = call[0]
    hunt = Hunt(sought, primal_operations(list(lower(program).functions.values())))
    try:
        sweep(*call, lambda p, _: _Instrumented(p, hunt))
    except RunError as e:
        if e.code != Trap.NONFINITE.name:
            raise
        return _found(str(e), hunt.places, texts, program, SLOPES[sweep is _tangent])
    return None


def _written(program: typed.Module) -> tuple[Texts, dict[Written, tuple[str, ...]]]:
    """How people wrote values, and the operands of each operation."""
    texts: Texts = {}
    operands: dict[Written, tuple[str, ...]] = {}
    for n in (n for f in program.functions.values() for n in nodes(f.body)):
        match n:
            case typed.Apply(prim, args, span=span):
                texts[span, prim.name] = expr_text(n)
                operands[span, prim.name] = tuple(map(expr_text, args))
            case typed.Index(span=span) | typed.Member(span=span):
                texts[span, ""] = expr_text(n)
            case _:
                pass
    return texts, operands


def _shown(called: Called, texts: Texts, slope: str) -> str:
    name, written = called
    if name == SLOPE:
        return slope
    name = "" if name == "t" else name
    return name if written is None else texts.get(written, name)


def _found(
    message: str, places: list[Place], files: Mapping[str, str], program: typed.Module, slope: str
) -> NotFinite:
    number, *values = message.split(": ", 1)[1].split(BREAK)
    place = places[int(number)]
    result, *rest = map(_parsed, values)
    texts, written = _written(program)
    names = written.get((place.span, place.prim), ()) if place.kind == "program" else ()
    if place.prim == STRONG:
        names = ("partial derivative", slope)
    count, stop = len(place.operands), len(place.operands) + len(place.primal)
    own, primal_names = (
        [_shown(n, texts, slope) for n in names] for names in (place.operands, place.primal))
    operands = tuple(zip(names or own, rest[:count], strict=True))
    primal = tuple(zip(primal_names, rest[count:stop], strict=True)) if all(primal_names) else ()
    loops = tuple(zip(place.loops, map(int, rest[stop:]), strict=True))
    sizes = sorted(abs(x) for _, x in operands)
    product = place.prim in ("mul", STRONG) and sizes[0] == 0 and math.isinf(sizes[-1])
    name = f"the product of partial derivative and {slope}" if place.prim == STRONG else place.prim
    return NotFinite(
        place.span, place.function, name, operands, result, loops, place.kind, product,
        source=files.get(place.span.file, ""), primal=primal)


def _parsed(text: str) -> float:
    return {"True": 1.0, "False": 0.0}.get(text) or float(text)
