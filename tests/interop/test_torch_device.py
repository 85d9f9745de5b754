"""PyTorch through kernels that a device runs, which is the CPU here: derivatives of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from interop.fake_gpu import kernels, moved
from interop.programs import CASES, Case

import loma
from loma import Array, In, InOut, Out, sin, thread_id

KERNELS = kernels(CASES)
IDS = [c.name for c in KERNELS]
pytestmark = pytest.mark.usefixtures("gpu")


def tensors(case: Case) -> list[torch.Tensor]:
    return [torch.tensor(x, requires_grad=True) for x in case.leaves()]


def function(case: Case) -> Any:
    return moved(case).outputs(lambda x: torch.tensor(x) if isinstance(x, np.ndarray) else x)


@pytest.mark.parametrize("case", KERNELS, ids=IDS)
def test_derivatives_of_the_first_and_second_order(case: Case) -> None:
    f, x = function(case), tensors(case)
    cpu = case.outputs(lambda x: torch.tensor(x) if isinstance(x, np.ndarray) else x)
    for a, b in zip(f(*x), cpu(*x), strict=True):
        torch.testing.assert_close(a, b)
    assert torch.autograd.gradcheck(f, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(f, x, check_fwd_over_rev=True)


@pytest.mark.parametrize("case", KERNELS, ids=IDS)
def test_transforms_of_functions(case: Case) -> None:
    f, x = function(case), [t.detach() for t in tensors(case)]
    batch = [torch.stack([t, 0.9 * t, 1.05 * t]) for t in x]
    for k, found in enumerate(zip(*torch.func.vmap(f)(*batch))):
        for a, b in zip(found, f(*(t[k] for t in batch))):
            torch.testing.assert_close(a, b)
    every = tuple(range(len(x)))
    forward = torch.func.jacfwd(f, argnums=every)(*x)
    reverse = torch.func.jacrev(f, argnums=every)(*x)
    for a, b in zip(forward, reverse):
        for c, d in zip(a, b):
            torch.testing.assert_close(c, d)


@loma.kernel(target="cuda")
def steps(a: In[float], x: In[Array[float, "n"]], n: In[int], y: InOut[Array[float, "n"]],
          z: Out[Array[float, "n", 2]]):
    i: int = thread_id()
    y[i] = y[i] + a * sin(x[i])
    z[i, 1] = x[n - 1 - i]


def test_sizes_numbers_and_memory_out_of_order() -> None:
    x, y = torch.linspace(0, 1, 10)[::2], torch.ones(5)
    with pytest.warns(loma.CopyWarning, match="`x` is copied"):
        found = steps[5](2.0, x, 5, y)
    assert torch.allclose(found.y, 1 + 2 * torch.sin(x)) and torch.equal(y, torch.ones(5))
    assert torch.equal(found.z[:, 1], x.flip(0)) and found.z.shape == (5, 2)
    with pytest.raises(loma.ArgumentTypeError, match="`x` must be a float32 tensor of shape"):
        steps[5](2.0, x.reshape(5, 1), 5, y)
