"""Parts of Out and InOut arguments that are overwritten, read back, or passed to functions that
call themselves: derivatives of both modes of the reverse derivative agree with the oracle.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from ad.part_programs import PROGRAMS
from subjects import differences, on

from loma.diagnostics import RunError
from loma.frontend import load
from loma.ir.derived import Mode, derived_signature
from loma.ir.nodes import Direction, Signature
from loma.ir.types import F64

ORDERS = "\nr = rev_diff(f)\nfr = fwd_diff(r)\nrr = rev_diff(r)\n"


def alike(x: Any, rng: Random) -> Any:
    """Random floats in the shape of some data."""
    if isinstance(x, dict):
        return {k: alike(v, rng) for k, v in x.items()}
    if isinstance(x, list):
        return [alike(v, rng) for v in x]
    return rng.uniform(-1.0, 1.0) if isinstance(x, float) else 0


def dual(x: Any, rng: Random) -> Any:
    """The data with random tangents."""
    if isinstance(x, dict):
        return {k: dual(v, rng) for k, v in x.items()}
    if isinstance(x, list):
        return [dual(v, rng) for v in x]
    return {"val": x, "dval": rng.uniform(-1.0, 1.0)} if isinstance(x, float) else x


def reverse(signature: Signature, data: list[Any], rng: Random) -> list[Any]:
    """Operands of a reverse derivative."""
    out: list[Any] = []
    for a, x in zip(signature.arguments, data, strict=True):
        out += [alike(x, rng)] if a.direction is Direction.OUT else [x, alike(x, rng)]
    return out if signature.result is None else [*out, rng.uniform(0.5, 1.5)]


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_derivatives_agree_with_the_oracle(name: str, how: str) -> None:
    text, data = PROGRAMS[name]
    text += ORDERS
    rng = Random(1)
    first = load(text, "test.py", F64).functions["f"].signature
    second = derived_signature(first, Mode.REVERSE, F64)
    r = reverse(first, data, rng)
    for function, operands in (
        ("r", r), ("fr", [dual(x, rng) for x in r]), ("rr", reverse(second, r, rng))
    ):
        wanted = on("oracle", text).call(function, operands)
        got = on(how, text).call(function, operands)
        assert not differences(list(got), list(wanted), 1e-8), function


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
def test_an_unwritten_scalar_stops_the_derivative(how: str) -> None:
    text = """def f(x : In[float], y : Out[float]):
    if x > 0.0:
        y = x
    if x > -1.0:
        y = y * y * x

r = rev_diff(f)
"""
    after, _ = on(how, text).call("r", [2.0, 0.0, 1.0])
    assert after[1] == 12.0
    with pytest.raises(RunError) as caught:
        on(how, text).call("r", [-0.5, 0.0, 1.0])
    assert caught.value.code == "UNWRITTEN"
