"""Every pass, in random order, keeps the values of random programs bit for bit."""

from __future__ import annotations

from random import Random

import pytest
from opt.programs import apply
from opt.test_opt_values import PASSES
from properties.generator import generate
from properties.inputs import Case, Inputs, outcome, wrapped

from loma.diagnostics import RunError
from loma.frontend import load
from loma.frontend.lower.program import lower
from loma.frontend.typed import Module as Typed
from loma.ir.interp import run
from loma.ir.nodes import Module
from loma.ir.types import F32, F64
from loma.opt import pipeline, raise_accum

FEATURES = frozenset(
    {
        "early_return",
        "break",
        "recursion",
        "kernel",
        "pointer_struct",
        "ragged",
        "inout",
    }
)


def left(module: Module, case: Case) -> dict[str, str]:
    """What a call leaves behind, or the trap."""
    data = wrapped(case, lambda x: [x])
    threads = [case.threads] if case.signature.simd else []
    try:
        value = run(module, case.function, [*data, *threads])
    except RunError as e:
        return {"error": e.code}
    return {k: repr(v) for k, v in outcome(case, data, value, lambda c: c[0]).items()}


def cases(typed: Typed, seed: int, entry: object) -> list[Case]:
    return [Inputs(typed, Random(10 * seed + k)).case(entry) for k in range(2)]  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(40))
def test_random_program_keeps_values(seed: int) -> None:
    program = generate(seed, 1, 6, FEATURES)
    typed = load(program.text, f"seed {seed}", F64 if seed % 2 else F32)
    module = lower(typed)
    order = [*PASSES.values(), pipeline.simplify, raise_accum.run]
    Random(seed).shuffle(order)
    for entry in program.entries:
        wanted = [(case, left(module, case)) for case in cases(typed, seed, entry)]
        done = module
        for p in order:
            done = apply(p, done, entry.name)
            for case, before in wanted:
                if before.get("error") != "INDEX":  # out of bounds is not defined
                    assert left(done, case) == before
