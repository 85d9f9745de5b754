"""Checks derivatives on random inputs against dual numbers, complex steps and finite differences.

Dual numbers and complex steps are exact up to rounding: ours must agree with both. Finite
differences are rough, and wrong near a kink: where only they part, that is shown but accepted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from random import Random
from typing import Final

from loma.diagnostics import RunError, Span, UserError
from loma.frontend import typed
from loma.frontend.oracle.derivatives import Unjudged
from loma.frontend.oracle.memory import NullPointer
from loma.frontend.oracle.program import OutOfSteps
from loma.host.calls import Compiled, Operands
from loma.host.inputs import TRIES, Draw, Sizes, finite
from loma.host.judges import (
    FINITE_STEPS,
    RESULT,
    Judge,
    Steps,
    Values,
    by_path,
    float_paths,
    of_outcome,
    root,
    written,
)
from loma.host.requests import own_functions, request_of, requested, signature_of, sliced
from loma.ir.derived import DVAL, VAL, Mode, reverse_signature
from loma.ir.nodes import Direction, Signature
from loma.ir.types import Scalar

TOLERANCE: Final = {Scalar.F64: 1e-7, Scalar.F32: 2e-3}
ROUGH: Final = 1e-4
MOST_DIRECTIONS: Final = 48
SMALL: Final = 0.01  # entries below this share of the largest one are judged by its size


class Method(Enum):
    """A way to a derivative that is not ours."""

    DUAL = "dual numbers"
    STEP = "complex step"
    FINITE = "finite differences"


@dataclass(frozen=True, slots=True)
class Settings:
    """How thoroughly, and on what."""

    seed: int = 0
    samples: int = 3
    sizes: Sizes = Sizes()
    at: Operands | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One scalar that a derivative gives: ours, and what the other methods say."""

    path: str
    ours: float
    others: Mapping[Method, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One input: the derivative's operands, all its entries, and those where ours parts."""

    operands: Operands
    entries: tuple[Entry, ...]
    parted: tuple[tuple[Entry, Method], ...]
    worst: Mapping[Method, float]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one derivative; `trouble` says why there is no verdict.

    `refused`: no one asked for it, and there is no such derivative.
    """

    name: str
    mode: Mode
    primal: str
    signature: Signature
    span: Span
    samples: tuple[Sample, ...] = ()
    trouble: str = ""
    refused: bool = False

    @property
    def wrong(self) -> list[tuple[Sample, Entry, Method]]:
        """The entries that part from an exact method."""
        return [(s, e, m) for s in self.samples for e, m in s.parted if m is not Method.FINITE]

    @property
    def rough(self) -> list[tuple[Sample, Entry, Method]]:
        """The entries that only finite differences doubt."""
        return [(s, e, m) for s in self.samples for e, m in s.parted if m is Method.FINITE]

    @property
    def passed(self) -> bool:
        """Whether ours was judged, and agreed."""
        return self.refused or (bool(self.samples) and not self.wrong)

    def worst(self, method: Method) -> float | None:
        """The largest relative difference from a method; None when it gave nothing."""
        found = [s.worst[method] for s in self.samples if method in s.worst]
        return max(found, default=None)


@dataclass(frozen=True, slots=True)
class Target:
    """A derivative to check; one that was not `asked` for may be refused."""

    name: str
    mode: Mode
    primal: str
    span: Span = field(default=Span(), compare=False)
    asked: bool = False


def targets(program: typed.Module, function: str | None) -> tuple[typed.Module, list[Target]]:
    """The derivatives in question, in a program that requests them.

    All that the file requests; with a function, those of it (or itself, if it is one); where
    none is requested, both modes.
    """
    wanted = [d for d in program.derivatives
              if d.name == function or d.exported and function in (None, d.primal)]
    if wanted:
        return program, [Target(d.name, d.mode, d.primal, d.span, asked=True) for d in wanted]
    names = [function] if function else own_functions(program)
    made: list[Target] = []
    for primal in names:
        for mode in Mode:
            program, name = requested(program, mode, primal)
            made.append(Target(name, mode, primal, request_of(program, primal).span))
    return program, made


def verify(program: typed.Module, wanted: list[Target], settings: Settings) -> Iterator[Report]:
    """A report for each derivative."""
    for target in wanted:
        try:
            compiled = Compiled(sliced(program, target.name))
        except UserError as e:
            if target.asked:
                raise
            yield _refused(program, target, e)
        else:
            yield checked(program, compiled, target, settings)


def _refused(program: typed.Module, target: Target, error: UserError) -> Report:
    signature = signature_of(program, target.primal)
    why = error.diagnostics[0].message
    return Report(
        target.name, target.mode, target.primal, signature, target.span, trouble=why, refused=True
    )


def checked(
    program: typed.Module, compiled: Compiled, target: Target, settings: Settings
) -> Report:
    """The report on one derivative."""
    signature = signature_of(program, target.primal)
    report = Report(target.name, target.mode, target.primal, signature, target.span)
    if target.name not in compiled.signatures:
        return replace(report, trouble="it takes a tape, which cannot come from outside")
    check = Check(program, compiled, target, signature)
    rng = Random(f"{settings.seed} {target.name}")
    samples: list[Sample] = []
    try:
        for _ in range(1 if settings.at else settings.samples):
            draw = Draw(program.structs, settings.sizes, rng)
            operands = settings.at or check.runnable(draw)
            samples.append(check.sample(draw, operands))
    except Unusable as e:
        return replace(report, trouble=str(e), samples=())
    except (OutOfSteps, Unjudged, NullPointer, RunError) as e:
        return replace(report, trouble=_reason(e), samples=())
    return replace(report, samples=tuple(samples))


class Unusable(Exception):
    """No input was found on which the program runs to its end."""


def _reason(e: Exception) -> str:
    match e:
        case OutOfSteps():
            return f"the program runs too long to be judged (at {e})"
        case Unjudged():
            return "it takes a tape, which cannot come from outside"
        case NullPointer():
            return "the program follows a pointer that was never set"
        case _:
            return f"the program stopped: {e}"


class Check:
    """One derivative under test."""

    def __init__(
        self, program: typed.Module, compiled: Compiled, target: Target, signature: Signature
    ) -> None:
        self.program = program
        self.compiled = compiled
        self.target = target
        self.signature = signature
        self.duals = Judge(program, "f64" if program.float_type is Scalar.F64 else "exact")
        self.steps = Steps(program)
        self.tolerance = TOLERANCE[program.float_type]

    def runnable(self, draw: Draw) -> Operands:
        """Random operands of the primal on which it ends, with finite values if possible."""
        why, fallback = "", None
        for attempt in range(TRIES):
            operands = draw.operands(self.signature, attempt)
            try:
                found = self.duals.values(self.target.primal, self.signature, operands)
            except (RunError, NullPointer) as e:
                why = _reason(e)
                continue
            if finite({k: v.real for k, v in found.items()}):
                return operands
            fallback = fallback or operands
        if fallback is None:
            raise Unusable(
                f"no input was found on which it runs ({why}): give one with --at, or --sizes"
            )
        return fallback

    def sample(self, draw: Draw, operands: Operands) -> Sample:
        """Ours and the other methods on one input."""
        match self.target.mode:
            case Mode.FORWARD:
                inputs = draw.forward(self.signature, operands)
                others = self._forward(operands, inputs)
            case Mode.REVERSE:
                inputs = draw.reverse(self.signature, operands)
                others = self._reverse(operands, inputs, draw.rng)
        name, signature = self.target.name, signature_of(self.program, self.target.name)
        exact = self.duals.values(name, signature, inputs)
        outcome = self.compiled.call(name, inputs)
        ours = of_outcome(signature, outcome, self.program.structs)
        others[Method.DUAL] = {path: v.real for path, v in written(signature, exact).items()}
        entries = tuple(
            Entry(path, ours[path], {m: others[m][path] for m in Method if path in others[m]})
            for path in others[Method.DUAL]
        )
        return self._judged(inputs, entries)

    def _judged(self, inputs: Operands, entries: tuple[Entry, ...]) -> Sample:
        known = [abs(e.others[Method.DUAL]) for e in entries]
        scale = max((x for x in known if math.isfinite(x)), default=0.0)
        worst: dict[Method, float] = {}
        parted: list[tuple[Entry, Method]] = []
        for e in entries:
            for method, value in e.others.items():
                apart = difference(e.ours, value, scale)
                worst[method] = max(worst.get(method, 0.0), apart)
                limit = max(ROUGH, self.tolerance) if method is Method.FINITE else self.tolerance
                if apart > limit:
                    parted.append((e, method))
        return Sample(inputs, entries, tuple(parted), worst)

    # The other methods.

    def _slopes(
        self, operands: Operands, direction: Values, method: Method, like: Values | None
    ) -> Values:
        """The outputs' slopes along a direction; of finite differences, those closest to `like`."""
        name, signature = self.target.primal, self.signature
        if method is Method.STEP:
            return self.steps.by_complex_step(name, signature, operands, direction)
        found: Values = {}
        for step in FINITE_STEPS:
            slopes = self.steps.by_differences(name, signature, operands, direction, step) or {}
            for path, v in slopes.items():
                aim = v if like is None else like.get(path, v)
                if path not in found or abs(v - aim) < abs(found[path] - aim):
                    found[path] = v
        return found

    def _both(self, operands: Operands, direction: Values) -> dict[Method, Values]:
        """The slopes by complex step and by finite differences."""
        exact = self._slopes(operands, direction, Method.STEP, None)
        return {
            Method.STEP: exact,
            Method.FINITE: self._slopes(operands, direction, Method.FINITE, exact),
        }

    def _forward(self, operands: Operands, inputs: Operands) -> dict[Method, Values]:
        """What the forward derivative must give: by path of its outputs."""
        structs = self.program.structs
        derived = signature_of(self.program, self.target.name)
        given = by_path(derived, inputs.data, None, structs)
        direction = {
            p: given[f"{p}.{DVAL}"].real for p in float_paths(self.signature, operands, structs)
        }
        slopes = self._both(operands, direction)
        return {
            m: {f"{p}.{DVAL}": v for p, v in found.items() if self._is_float(p, given)}
            for m, found in slopes.items()
        }

    def _is_float(self, path: str, given: Mapping[str, complex]) -> bool:
        return root(path) == RESULT or f"{path}.{VAL}" in given

    def _reverse(self, operands: Operands, inputs: Operands, rng: Random) -> dict[Method, Values]:
        """What the reverse derivative must add to the adjoints: by path of its outputs."""
        structs = self.program.structs
        derived = reverse_signature(self.signature)
        given = {k: v.real for k, v in by_path(derived, inputs.data, None, structs).items()}
        names = adjoint_names(self.signature)
        paths = float_paths(self.signature, operands, structs)
        if len(paths) > MOST_DIRECTIONS:
            paths = sorted(rng.sample(paths, MOST_DIRECTIONS))
        replaced = {a.name for a in self.signature.arguments if a.direction is Direction.INOUT}
        found: dict[Method, Values] = {Method.STEP: {}, Method.FINITE: {}}
        for path in paths:
            place = moved_path(path, names)
            before = 0.0 if root(path) in replaced else given[place]
            for method, slopes in self._both(operands, {path: 1.0}).items():
                found[method][place] = before + weighted(slopes, given, names)
        return found


def weighted(slopes: Values, given: Mapping[str, float], names: Mapping[str, str]) -> float:
    """The sum of slopes times seeds; a seed of 0 counts as none."""
    seeds = ((v, given.get(moved_path(path, names), 0.0)) for path, v in slopes.items())
    return math.fsum(v * seed for v, seed in seeds if seed) if slopes else 0.0


def moved_path(path: str, names: Mapping[str, str]) -> str:
    """A path with its first name replaced."""
    first = root(path)
    return names[first] + path[len(first) :]


def adjoint_names(signature: Signature) -> dict[str, str]:
    """For each argument, and for the result, the name of its adjoint in the reverse signature."""
    rest = iter(reverse_signature(signature).arguments)
    names: dict[str, str] = {}
    for a in signature.written:
        if a.direction is not Direction.OUT:
            next(rest)
        if not a.nodiff:
            names[a.name] = next(rest).name
    if signature.result is not None:
        names[RESULT] = next(rest).name
    return names


def difference(x: float, y: float, scale: float) -> float:
    """How far apart two numbers are, relative to their size; nan is equal to nan."""
    if x == y or (math.isnan(x) and math.isnan(y)):
        return 0.0
    apart = abs(x - y) / max(abs(y), SMALL * scale, 1e-12)
    return math.inf if math.isnan(apart) else apart
