"""Counts, as one skip, that the tests of the PyTorch and JAX doors did not run."""

from __future__ import annotations

import importlib.util

import pytest

MISSING = [name for name in ("torch", "jax") if importlib.util.find_spec(name) is None]


@pytest.mark.skipif(
    bool(MISSING),
    reason=f"not installed: {', '.join(MISSING)} (pip install -r tests/interop/requirements.txt)",
)
def test_the_group_runs() -> None:
    assert not MISSING
