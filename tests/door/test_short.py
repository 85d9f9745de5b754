"""What Python writes short, in decorated functions."""

from __future__ import annotations

import math

import numpy as np
import pytest

import loma
from loma import Array, In
from loma.diagnostics import UserError

WEIGHTS = (0.25, 0.5, 0.25)
GRID = ((1, 2), (3, 4))
LIST = [1.0, 2.0]


@loma.function
def short(x: In[Array[float, "n"]], k: In[int]) -> float:
    best = math.inf
    total = low = 0.0
    for i, v in enumerate(x, 1):
        total += v * v * i
    for u, v in zip(x[:3], WEIGHTS):
        total += u * v * GRID[1][0]
    best = min(best, float("inf"), total)
    match k:
        case 1:
            total *= 2.0
        case _ if k not in (3, 4):
            low = float(k)
    w = [total, low]
    return sum(v for v in w) + max(x) + x[-1] + best


def test_values_and_gradients() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert short(x, 1) == pytest.approx(3 * (1 + 8 + 27 + 6.0) + 6.0)
    wanted = 3 * (2 * x * np.array([1.0, 2.0, 3.0]) + 3 * np.array(WEIGHTS)) + [0.0, 0.0, 2.0]
    np.testing.assert_allclose(loma.grad(short)(x, 1).x, wanted)


def test_lists_change_and_are_no_constants() -> None:
    with pytest.raises(UserError, match="make it a tuple of numbers"):
        @loma.function
        def f(x: In[float]) -> float:
            return x * LIST[0]
