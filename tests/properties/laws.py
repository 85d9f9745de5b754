"""Judges one random program: every way of running it must agree with the oracle."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from properties.doors import Door
from properties.dual_products import dual_products
from properties.generator import ALL, Entry, Program, generate
from properties.inputs import Case, Inputs, difference, leaves, outcome, wrapped
from properties.lanes import Lanes
from properties.modules import on_disk

from loma.diagnostics import CompileError, RunError, UserError
from loma.driver import core_module
from loma.frontend import load
from loma.frontend.oracle.program import Cell, Oracle
from loma.frontend.typed import Module
from loma.ir.interp import run as run_core
from loma.ir.nodes import Direction
from loma.ir.types import Scalar

TOLERANCE = {Scalar.F64: 1e-8, Scalar.F32: 2e-3}
Runner = Callable[[Case], dict[str, Any]]


@dataclass(frozen=True)
class Failure:
    """A disagreement: which program, which way of running it, and what differed."""

    seed: int
    order: int
    subject: str
    function: str
    what: str


@dataclass
class Verdict:
    """What came of one program."""

    program: Program
    checked: int = 0
    refused: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def judge(seed: int, order: int, subjects: Sequence[str], float_type: Scalar = Scalar.F64,
          features: frozenset[str] = ALL, size: int = 6) -> Verdict:
    """Generates the program of a seed and checks all its functions, derivatives included."""
    program = generate(seed, order, size, features)
    return judge_text(program, order, subjects, float_type)


def judge_text(
    program: Program, order: int, subjects: Sequence[str], float_type: Scalar
) -> Verdict:
    """Checks all functions of a program that exists."""
    verdict = Verdict(program)
    with on_disk(program.modules) as path:
        judge_found(replace(program, path=path), order, subjects, float_type, verdict)
    return verdict


def judge_found(
    program: Program, order: int, subjects: Sequence[str], float_type: Scalar, verdict: Verdict
) -> None:
    """Checks all functions of a program whose modules can be found."""

    def fail(subject: str, function: str, what: str) -> None:
        verdict.failures.append(Failure(program.seed, order, subject, function, what))

    try:
        module = load(program.text, f"seed {program.seed}", float_type, program.path)
    except CompileError as e:
        fail("checker", "", first_line(e))
        return
    runners: dict[str, Runner] = {}
    for subject in subjects:
        try:
            runners[subject] = SUBJECTS[subject](program, module, float_type)
        except UserError as e:
            verdict.refused.append(first_line(e))
            return
        except Exception as e:
            fail(subject, "", f"compiling: {type(e).__name__}: {first_line(e)}")
    for entry in program.entries:
        check_entry(program, module, entry, runners, verdict, fail)


def check_entry(
    program: Program,
    module: Module,
    entry: Entry,
    runners: dict[str, Runner],
    verdict: Verdict,
    fail: Callable[[str, str, str], None],
) -> None:
    """Compares every runner with the oracle on the entry and its derivatives."""
    inputs = Inputs(module, Random(program.seed))
    for name, modes in ((entry.name, ()), *entry.chains):
        case = inputs.case(entry, name, modes)
        wanted = oracle_outcome(module, case, oracle_precision(module))
        for subject, runner in runners.items():
            try:
                got = runner(copy.deepcopy(case))
            except Exception as e:
                got = {"error": f"{type(e).__name__}: {first_line(e)}"}
            what = compare(module, case, got, wanted)
            if what:
                fail(
                    subject,
                    f"{name} ({' of '.join(m.value for m in reversed(modes)) or 'value'})",
                    what,
                )
            verdict.checked += 1
    if module.float_type is Scalar.F64:
        check_products(inputs, entry, runners, fail)


def check_products(
    inputs: Inputs,
    entry: Entry,
    runners: dict[str, Runner],
    fail: Callable[[str, str, str], None],
) -> None:
    """Checks the law of dual products on every runner."""
    for subject, runner in runners.items():
        try:
            broken = dual_products(inputs, entry, runner)
        except Exception as e:
            broken = f"dual products: {type(e).__name__}: {first_line(e)}"
        if broken:
            fail(subject, entry.name, broken)


def oracle_precision(module: Module) -> str:
    """Doubles for f64; rounding to f32 where `float` is f32, so that branches agree."""
    return "f64" if module.float_type is Scalar.F64 else "exact"


def oracle_outcome(module: Module, case: Case, precision: str | int) -> dict[str, Any]:
    """What the oracle says: every scalar afterwards, or the trap."""
    data = wrapped(case, Cell)
    order = Random(len(case.data)).sample if case.threads else None
    oracle = Oracle(module, precision, max_steps=300_000,
                    order=lambda n: order(range(n), n) if order else range(n))
    try:
        result = oracle.call(case.function, data, case.threads)
    except RunError as e:
        return {"error": e.code}
    return outcome(case, data, result, lambda c: c.value)


def compare(module: Module, case: Case, got: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """What differs; a badly conditioned program is judged again with 30 digits."""
    if "error" in got or "error" in wanted:
        return None if got.get("error") == wanted.get("error") else (
            f"{got.get('error', 'no error')}, expected {wanted.get('error', 'none')}")
    what = difference(got, wanted, TOLERANCE[module.float_type])
    if what is None or module.float_type is not Scalar.F64:
        return what
    exact = {
        k: int(v) if isinstance(v, int) else float(v)
        for k, v in oracle_outcome(module, case, 30).items()
        if k != "error"
    }
    if difference(wanted, exact, TOLERANCE[module.float_type] / 100):
        return None  # the oracle itself is not exact here: rounding decides
    return what


def run_on_core(
    program: Program, module: Module, float_type: Scalar, debug: bool = False
) -> Runner:
    """The core interpreter on what the driver makes."""
    core = core_module(program.text, module.file, float_type, path=program.path, debug=debug)

    def run(case: Case) -> dict[str, Any]:
        data = wrapped(case, lambda x: [x])
        operands = [*data, case.threads] if case.signature.simd else data
        try:
            result = run_core(core, case.function, operands)
        except RunError as e:
            return {"error": e.code}
        return outcome(case, data, result, lambda c: c[0])
    return run


def run_in_lanes(program: Program, module: Module, float_type: Scalar) -> Runner:
    """The core interpreter, forward derivatives made for several directions at once."""
    return Lanes(module, run_on_core(program, module, float_type))


def run_on(target: str, debug: bool = False) -> Callable[[Program, Module, Scalar], Runner]:
    """A compiled target, called as a host script calls it."""
    def make(program: Program, module: Module, float_type: Scalar) -> Runner:
        from loma.host.course import compile

        options = {} if float_type is Scalar.F32 else {"float_type": "f64"}
        classes, library = compile(program.text, target=target, print_error=False,
                                   strict=program.seed % 2 == 0, path=program.path,
                                   debug=debug, **options)
        door = Door(module.structs, classes, library)

        def run(case: Case) -> dict[str, Any]:
            try:
                after, result = door.call(case)
            except RunError as e:
                return {"error": e.code}
            boxed = [[x] if isinstance(a.type, Scalar) and a.direction is not Direction.IN else x
                     for x, a in zip(after, case.signature.arguments, strict=True)]
            return outcome(case, boxed, result, lambda c: c[0])
        return run
    return make


def first_line(e: BaseException) -> str:
    """The first line of an error's message, shortened."""
    return (str(e).splitlines() or [type(e).__name__])[0][:300]


SUBJECTS: dict[str, Callable[[Program, Module, Scalar], Runner]] = {
    "core": run_on_core, "lanes": run_in_lanes, "llvm": run_on("llvm"), "c": run_on("c"),
    "debug": partial(run_on_core, debug=True), "debug-llvm": run_on("llvm", debug=True),
}
__all__ = ["Failure", "Verdict", "judge", "judge_text", "leaves"]
