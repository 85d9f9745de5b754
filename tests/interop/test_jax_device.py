"""JAX through kernels that a device runs, which is the CPU here."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from interop.fake_gpu import kernels, moved
from interop.programs import CASES, Case
from jax.test_util import check_grads

KERNELS = kernels(CASES)
IDS = [c.name for c in KERNELS]
pytestmark = pytest.mark.usefixtures("gpu")


@pytest.fixture(autouse=True)
def wide() -> Any:
    """64-bit numbers are on in these tests."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def arrays(case: Case) -> list[Any]:
    return [jnp.asarray(x) for x in case.leaves()]


def function(case: Case) -> Any:
    return moved(case).outputs(lambda x: jnp.asarray(x) if isinstance(x, np.ndarray) else x)


@pytest.mark.parametrize("case", KERNELS, ids=IDS)
def test_values_and_derivatives(case: Case) -> None:
    f, x = function(case), arrays(case)
    cpu = case.outputs(lambda x: jnp.asarray(x) if isinstance(x, np.ndarray) else x)
    for a, b in zip(f(*x), cpu(*x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    check_grads(lambda *x: f(*map(jnp.asarray, x)), x, order=2, modes=["fwd", "rev"])


@pytest.mark.parametrize("case", KERNELS, ids=IDS)
def test_compiled_programs_and_many_calls(case: Case) -> None:
    f, x = function(case), arrays(case)
    for a, b in zip(jax.jit(f)(*x), f(*x), strict=True):
        np.testing.assert_array_equal(a, b)
    batch = [jnp.stack([t, 0.9 * t, 1.05 * t]) for t in x]
    found = jax.vmap(f)(*batch)
    for k in range(3):
        for a, b in zip(found, f(*(t[k] for t in batch)), strict=True):
            np.testing.assert_array_equal(a[k], b)
