"""ISPC, where its compiler is: kernels and their derivatives agree with the oracle."""

from __future__ import annotations

import pytest
from devices.door import judge

from loma.ir.types import F32, F64, Scalar


@pytest.mark.parametrize(("order", "float_type"), [(1, F64), (2, F64), (1, F32)])
def test_random_kernels_agree_with_the_oracle(order: int, float_type: Scalar) -> None:
    checked, seed = 0, 5_000_011
    while checked < 16:
        count, found = judge(seed, order, "ispc", float_type)
        assert not found, found
        checked += max(count, 0)
        seed += 1
