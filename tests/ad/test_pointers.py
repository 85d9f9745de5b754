"""Pointers that are assigned, and loops that pass memory to functions in their conditions: every
way of running a program agrees with the oracle, up to order 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from ad import loop_programs, pointer_programs
from properties.inputs import Case, Inputs, leaves
from subjects import Subject, fresh, on

from loma.frontend import load
from loma.ir.derived import Mode
from loma.ir.types import F64

PROGRAMS = {**pointer_programs.PROGRAMS, **loop_programs.PROGRAMS}
DERIVATIVES = """
d = fwd_diff(f)
r = rev_diff(f)
rd = rev_diff(d)
dr = fwd_diff(r)
rr = rev_diff(r)
"""
FORWARD, REVERSE = Mode.FORWARD, Mode.REVERSE
CHAINS = {
    "f": (),
    "d": (FORWARD,),
    "r": (REVERSE,),
    "rd": (FORWARD, REVERSE),
    "dr": (REVERSE, FORWARD),
    "rr": (REVERSE, REVERSE),
}


def cases(text: str, oracle: Subject, operands: list[Any]) -> Iterator[Case]:
    """A call of the function and of each derivative."""
    inputs = Inputs(load(text, "test.py", F64), Random(1))
    for name, modes in CHAINS.items():
        case = Case("f", oracle.signature("f"), fresh(operands))
        for mode in modes:
            case = inputs.derived(case, mode, name)
        yield case


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_agrees_with_the_oracle(name: str, how: str) -> None:
    source, operands = PROGRAMS[name]
    oracle, subject = (on(h, source + DERIVATIVES) for h in ("oracle", how))
    for case in cases(source + DERIVATIVES, oracle, operands):
        wanted = dict(leaves(list(oracle.call(case.function, case.data))))
        found = dict(leaves(list(subject.call(case.function, case.data))))
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12), case.function
