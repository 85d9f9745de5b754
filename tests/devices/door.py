"""Calls the kernels of a device with plain data, and judges them against the oracle."""

from __future__ import annotations

import copy
import ctypes
from random import Random
from typing import Any

from properties.doors import Door
from properties.generator import FEATURES, Program, generate
from properties.inputs import Case, Inputs, outcome
from properties.laws import compare, oracle_outcome, oracle_precision

from loma.backends.device import DeviceError, holds_pointer
from loma.diagnostics import RunError, UserError
from loma.frontend import load
from loma.host.build import Source
from loma.host.course_device import compile_kernels
from loma.ir.nodes import Direction
from loma.ir.types import ArrayType, Scalar, StructType

KERNELS = frozenset({"kernel"})


class DeviceDoor(Door):
    """A library of kernels: ctypes objects are memory of the host, copied there and back."""

    def call(self, case: Case) -> tuple[list[Any], Any]:
        kept: list[Any] = []
        arguments = case.signature.arguments
        memory = [self.memory(x, a.type, kept) for x, a in zip(case.data, arguments, strict=True)]
        operands = [
            m.value
            if a.direction is Direction.IN and isinstance(a.type, Scalar)
            else m
            if isinstance(a.type, ArrayType | StructType) or a.direction is not Direction.IN
            else ctypes.byref(m)
            for m, a in zip(memory, arguments, strict=True)
        ]
        getattr(self.library, case.function)(*operands, case.threads)
        after = [
            self.data(m, x, a.type) for m, x, a in zip(memory, case.data, arguments, strict=True)
        ]
        return after, None


def judge(
    seed: int, order: int, target: str, float_type: Scalar, features: frozenset[str] = FEATURES
) -> tuple[int, list[str]]:
    """How many kernels and derivatives of a random program were compared with the oracle, and
    where they part; (-1, []) for a program that has none, or that the target refuses."""
    program = generate(seed, order, 4, features | KERNELS)
    if not any(e.simd for e in program.entries):
        return -1, []
    return judge_program(program, target, float_type)


def judge_program(program: Program, target: str, float_type: Scalar) -> tuple[int, list[str]]:
    """The same for a program that exists."""
    try:
        module = load(program.text, f"seed {program.seed}", float_type)
        structs, library = compile_kernels(
            Source(program.text, f"seed {program.seed}", float_type), target, False
        )
    except UserError:
        return -1, []
    door = DeviceDoor(module.structs, structs, library)
    inputs = Inputs(module, Random(program.seed))
    checked, found = 0, []
    for entry in program.entries:
        if not entry.simd:
            continue
        for name, modes in ((entry.name, ()), *entry.chains):
            case = inputs.case(entry, name, modes)
            arguments = case.signature.arguments
            inner = any(holds_pointer(a.type, module.structs, outside=True) for a in arguments)
            if inner or not able(library, name):
                continue
            wanted = oracle_outcome(module, case, oracle_precision(module))
            got = run(door, copy.deepcopy(case))
            if what := compare(module, case, got, wanted):
                found.append(f"seed {program.seed}: {name}: {what}")
            checked += 1
    return checked, found


def able(library: Any, name: str) -> bool:
    """Whether the target can run a kernel."""
    try:
        return getattr(library, name) is not None
    except DeviceError:
        return False


def run(door: DeviceDoor, case: Case) -> dict[str, Any]:
    """What came of a call, in the form of the laws."""
    try:
        after, _ = door.call(case)
    except RunError as e:
        return {"error": e.code}
    boxed = [
        [x] if isinstance(a.type, Scalar) and a.direction is not Direction.IN else x
        for x, a in zip(after, case.signature.arguments, strict=True)
    ]
    return outcome(case, boxed, None, lambda c: c[0])
