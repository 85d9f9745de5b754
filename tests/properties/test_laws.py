"""Random programs: every way of running them agrees with the oracle.

LOMA_PROGRAMS=500 LOMA_SEED=7 pytest tests/properties/test_laws.py   runs more, from another seed.
"""

from __future__ import annotations

import os

import pytest
from properties.laws import judge

from loma.ir.types import Scalar

COUNT = int(os.environ.get("LOMA_PROGRAMS", "24"))
FIRST = int(os.environ.get("LOMA_SEED", "1")) * 100_003
REFUSED_AT_MOST = 0.1


def run(count: int, order: int, subjects: tuple[str, ...], float_type: Scalar = Scalar.F64) -> None:
    """Judges some programs; the seeds of those that fail are in the message."""
    verdicts = [judge(FIRST + k, order, subjects, float_type, size=6 if order < 2 else 3)
                for k in range(count)]
    failures = [f for v in verdicts for f in v.failures]
    assert not failures, "\n".join(map(str, failures))
    refused = [r for v in verdicts for r in v.refused]
    assert len(refused) <= max(1, REFUSED_AT_MOST * count), refused


@pytest.mark.parametrize("order", [0, 1])
def test_core_agrees_with_the_oracle(order: int) -> None:
    run(COUNT, order, ("core",))


@pytest.mark.parametrize("order", [2, 3])
def test_higher_orders_agree_with_the_oracle(order: int) -> None:
    run(max(1, COUNT // 2), order, ("core",))


@pytest.mark.parametrize("order", [1, 2])
def test_several_directions_in_one_pass_agree_with_the_oracle(order: int) -> None:
    run(max(1, COUNT // order), order, ("lanes",))


@pytest.mark.parametrize("float_type", [Scalar.F32, Scalar.F64])
def test_llvm_agrees_with_the_oracle(float_type: Scalar) -> None:
    run(max(1, COUNT // 4), 1, ("llvm",), float_type)


@pytest.mark.parametrize("subject", ["debug", "debug-llvm"])
def test_debug_mode_finds_nothing(subject: str) -> None:
    """What is right stays as it is, checks and lengths of all arrays included."""
    run(max(1, COUNT // 8), 1, (subject,))


def test_higher_orders_on_llvm_agree_with_the_oracle() -> None:
    run(max(1, COUNT // 8), 2, ("llvm",))
