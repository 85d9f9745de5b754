"""Arrays of several dimensions and parts of them: values and derivatives, run in every way."""

from __future__ import annotations

import pytest
from ad.array_programs import PROGRAMS
from ad.finite import Given, check
from ad.test_constructs import DERIVATIVES, calls, flat
from subjects import on

POINTS = ((0.7, 0.3), (0.3, -1.2))


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "fast"])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_reverse_agrees_with_differences(name: str, fast: bool) -> None:
    source = PROGRAMS[name] + "\nr = rev_diff(f)\n"
    for point in POINTS:
        check(source, "f", "r", [Given("in", v) for v in point], fast)


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_agrees_with_the_oracle(name: str, how: str) -> None:
    oracle, subject = (on(h, PROGRAMS[name] + DERIVATIVES) for h in ("oracle", how))
    for x, y in POINTS:
        for function, operands in calls(x, y):
            wanted = flat(oracle.outputs(function, operands))
            assert flat(subject.outputs(function, operands)) == pytest.approx(
                wanted, rel=1e-9, abs=1e-12
            ), (function, x, y)
