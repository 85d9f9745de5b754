"""Small constructs: values, forward, reverse and mixed derivatives on every way of running them."""

from __future__ import annotations

import ad.constructs_functions
import ad.constructs_structs
import ad.constructs_tuples  # noqa: F401
import pytest
from ad.constructs import PROGRAMS, Point
from ad.finite import Given, check
from subjects import on

DERIVATIVES = "\nd_f = fwd_diff(f)\nr_f = rev_diff(f)\nrd_f = rev_diff(d_f)\n"
POINTS = [(name, p) for name, (_, points) in PROGRAMS.items() for p in points]


def dual(val: float, dval: float) -> dict[str, float]:
    return {"val": val, "dval": dval}


def calls(x: float, y: float) -> list[tuple[str, list[object]]]:
    """A call of the function and of each derivative."""
    a, b, zero = dual(x, 0.7), dual(y, -0.4), dual(0.0, 0.0)
    return [
        ("f", [x, y]),
        ("d_f", [a, b]),
        ("r_f", [x, 0.0, y, 0.0, 1.0]),
        ("rd_f", [a, zero, b, zero, dual(0.3, 1.0)]),
    ]


def flat(x: object) -> list[float]:
    """The numbers in some data."""
    if isinstance(x, dict):
        return [n for v in x.values() for n in flat(v)]
    if isinstance(x, list | tuple):
        return [n for v in x for n in flat(v)]
    return [] if x is None else [float(x)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name, point", POINTS)
def test_reverse_agrees_with_differences(name: str, point: Point) -> None:
    source = PROGRAMS[name][0] + "\nr = rev_diff(f)\n"
    for fast in (False, True):
        check(source, "f", "r", [Given("in", v) for v in point], fast)


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_agrees_with_the_oracle(name: str, how: str) -> None:
    source, points = PROGRAMS[name]
    oracle, subject = (on(h, source + DERIVATIVES) for h in ("oracle", how))
    for x, y in points:
        for function, operands in calls(x, y):
            wanted = flat(oracle.outputs(function, operands))
            assert flat(subject.outputs(function, operands)) == pytest.approx(
                wanted, rel=1e-9, abs=1e-12
            ), (function, x, y)
