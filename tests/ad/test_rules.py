"""Derivatives that a program writes itself: every way of running them against the oracle."""

from __future__ import annotations

import pytest
from ad.rule_programs import PROGRAMS
from ad.test_constructs import dual, flat
from subjects import on

DERIVATIVES = (
    "\nd_f = fwd_diff(f)\nr_f = rev_diff(f)\nrd_f = rev_diff(d_f)\ndr_f = fwd_diff(r_f)\n"
    "dd_f = fwd_diff(d_f)\nrr_f = rev_diff(r_f)\n"
)


def calls(x: float, y: float) -> list[tuple[str, list[object]]]:
    """A call of the function and of each derivative."""
    a, b, zero, seed = dual(x, 0.7), dual(y, -0.4), dual(0.0, 0.0), dual(1.0, 0.3)
    return [
        ("f", [x, y]),
        ("d_f", [a, b]),
        ("r_f", [x, 0.0, y, 0.0, 1.0]),
        ("rd_f", [a, zero, b, zero, dual(0.3, 1.0)]),
        ("dr_f", [a, zero, b, zero, seed]),
        ("dd_f", [{"val": a, "dval": dual(0.2, 0.1)}, {"val": b, "dval": dual(-0.6, 0.5)}]),
        ("rr_f", [x, 0.0, 0.8, y, 0.0, -0.5, 1.0, 0.0]),
    ]


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_agrees_with_the_oracle(name: str, how: str) -> None:
    source = PROGRAMS[name] + DERIVATIVES
    oracle, subject = (on(h, source) for h in ("oracle", how))
    for x, y in ((0.7, 0.4), (0.3, 1.2)):
        for function, operands in calls(x, y):
            wanted = flat(oracle.outputs(function, operands))
            assert flat(subject.outputs(function, operands)) == pytest.approx(
                wanted, rel=1e-9, abs=1e-12
            ), (function, x, y)
