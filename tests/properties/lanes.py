"""Runs forward derivatives for several directions at once; one of them is what the case asks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from properties.inputs import Case, outcome, wrapped

from loma.diagnostics import CompileError, RunError
from loma.driver import differentiated
from loma.frontend.typed import Derivative, Module
from loma.host.requests import signature_of, sliced, vectorised
from loma.ir.derived import DVAL, VAL, Mode, derived_signature, is_dual, lanes
from loma.ir.interp import run as run_core
from loma.ir.nodes import Module as Core
from loma.ir.types import ArrayType, Structs, StructType, Type

WIDTH = 3
ZERO, ASKED, AGAIN = lanes(WIDTH)
NAME = "_several"


class Lanes:
    """Runs cases on the core interpreter: forward derivatives in lanes, the others as they are."""

    def __init__(self, module: Module, plain: Callable[[Case], dict[str, Any]]) -> None:
        self.module = module
        self.plain = plain
        self.forward = {d.name: d for d in module.derivatives if d.mode is Mode.FORWARD}
        self.made: dict[str, Core | None] = {}

    def __call__(self, case: Case) -> dict[str, Any]:
        d = self.forward.get(case.function)
        core = None if d is None else self.core(d)
        if d is None or core is None:
            return self.plain(case)
        signature = derived_signature(
            signature_of(self.module, d.primal), Mode.FORWARD, self.module.float_type, WIDTH)
        data = [spread(x, a.type, self.module.structs)
                for x, a in zip(case.data, case.signature.arguments, strict=True)]
        several = Case(NAME, signature, data, case.threads)
        boxed = wrapped(several, lambda x: [x])
        operands = [*boxed, case.threads] if signature.simd else boxed
        try:
            result = run_core(core, NAME, operands)
        except RunError as e:
            return {"error": e.code}
        return asked(outcome(several, boxed, result, lambda c: c[0]))

    def core(self, d: Derivative) -> Core | None:
        """The core with the derivative in lanes; None for functions with rules."""
        if d.name not in self.made:
            program = vectorised(self.module, NAME, d.primal, WIDTH)
            try:
                self.made[d.name] = differentiated(sliced(program, NAME), callees=False)
            except CompileError as e:
                if "one direction at a time" not in str(e):
                    raise
                self.made[d.name] = None
        return self.made[d.name]


def spread(x: Any, t: Type, structs: Structs) -> Any:
    """Operands with one tangent as operands with three: zero, what was asked, the same again."""
    match t:
        case StructType() if is_dual(t):
            return {VAL: x[VAL], ZERO: 0.0, ASKED: x[DVAL], AGAIN: x[DVAL]}
        case StructType(name):
            return {m: spread(x[m], mt, structs) for m, mt in structs[name].members}
        case ArrayType(element):
            return [spread(i, element, structs) for i in x]
        case _:
            return copy.deepcopy(x)


def asked(found: dict[str, Any]) -> dict[str, Any]:
    """What one direction would have left behind."""
    kept: dict[str, Any] = {}
    for path, x in found.items():
        head, _, last = path.rpartition(".")
        if last == ASKED:
            again = found[f"{head}.{AGAIN}"]
            assert x == again or x != x and again != again, f"the lanes of {head} differ"
            kept[f"{head}.{DVAL}"] = x
        elif last not in (ZERO, AGAIN) or f"{head}.{ASKED}" not in found:
            kept[path] = x
    return kept
