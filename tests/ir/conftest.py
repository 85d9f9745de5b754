"""Lowered and verified programs, from source text."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from loma.frontend import load
from loma.frontend.lower.program import lower
from loma.ir.interp import run
from loma.ir.interp_values import Memory
from loma.ir.nodes import Module
from loma.ir.types import F32, Scalar
from loma.ir.verify import verify


def lowered(source: str, float_type: Scalar = F32) -> Module:
    """The core of a program; it is legal."""
    module = lower(load(dedent(source), "test.loma", float_type))
    verify(module)
    return module


@pytest.fixture(name="lowered")
def lowered_fixture() -> Callable[..., Module]:
    """The core of a program, from its text."""
    return lowered


@pytest.fixture
def value() -> Callable[..., Memory]:
    """Lowers a program and calls one function of it."""

    def call(source: str, function: str, *args: Memory) -> Memory:
        return run(lowered(source), function, args)

    return call
