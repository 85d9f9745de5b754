"""What users of other systems could not see: where a nan came from, and what failed."""

from __future__ import annotations

import numpy as np
import pytest

import loma
from loma import Array, In


@loma.function
def norm(x: In[Array[float]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s += x[i] * x[i]
    return loma.sqrt(s)


@loma.function(debug=True)
def ratio(x: In[float], y: In[float]) -> float:
    return x / y


def test_nan_from_norm_at_zero_has_an_origin() -> None:
    """taichi#4332, jax#475, mitsuba3#1808: the operation, its operands, and that it is 0 * inf."""
    found = loma.nan_hunt(norm)(np.zeros(3), 3)
    assert found is not None and found.line == 17 and found.in_derivative
    assert found.then is not None and found.then.zero_times_infinity and found.then.line == 16


def test_messages_speak_of_the_program() -> None:
    """taichi#4226: no internals of the compiler, but file, line and values."""
    with pytest.raises(loma.RunError, match=r"x / y with x = 1\.0, y = 0\.0") as caught:
        loma.grad(ratio)(1.0, 0.0)
    assert caught.value.line == 22
