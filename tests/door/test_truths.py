"""Arrays of bools: NumPy's bytes and loma's ints are the same numbers, on every way of a call."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, thread_id

OFTEN = 5


@loma.function
def kept(x: In[Array[float, "n"]], keep: In[Array[bool, "n"]]) -> float:
    return sum(x[i] if keep[i] else 0.0 for i in range(n))


@loma.kernel
def above(x: In[Array[float]], level: In[float], found: Out[Array[bool]]):
    i: int = thread_id()
    found[i] = x[i] > level


@loma.function
def flipped(b: InOut[Array[bool, "n"]]):
    for i in range(n):
        b[i] = not b[i]


@loma.function
def of_rows(b: In[Array[Array[bool]]], n: In[int], m: In[int], found: Out[Array[bool, "n"]]):
    for i in range(n):
        for j in range(m):
            found[i] = found[i] or b[i][j]


X = np.array([1.0, -2.0, 4.0])
B = np.array([True, False, True])


@pytest.mark.parametrize("keep", [B, B.astype(np.int32), [True, False, True], B[::-1]], ids=str)
def test_inputs(keep: Any) -> None:
    for _ in range(OFTEN):
        assert kept(X, keep) == 5.0
        assert loma.grad(kept, wrt="x")(X, keep).tolist() == [1.0, 0.0, 1.0]
        v, d = loma.jvp(kept, (X, keep), (X, None))
        assert (v, d) == (5.0, 5.0)


def test_outputs() -> None:
    for _ in range(OFTEN):
        found = above(X, 0.0)
        assert found.dtype == bool and found.tolist() == [True, False, True]
        assert above[2](X, 0.0).tolist() == [True, False]
        for dtype in (bool, np.int32):
            passed = np.zeros(3, dtype)
            assert above(X, 0.0, passed) is None
            assert passed.tolist() == [1, 0, 1]
        rows = of_rows(np.array([[False, True], [False, False]]), 2, 2)
        assert rows.dtype == bool and rows.tolist() == [True, False]


def test_what_is_changed() -> None:
    for _ in range(OFTEN):
        for b in (B.copy(), B.astype(np.int32), np.array([1, 9, 0, 9, 1, 9], bool)[::2]):
            flipped(b)
            assert b.tolist() == [0, 1, 0]
        frozen = B.copy()
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            flipped(frozen)
        with pytest.raises(ValueError, match="its memory is that of argument"):
            both(c := B.copy(), c)


@loma.function
def both(a: InOut[Array[bool, "n"]], b: InOut[Array[bool, "n"]]):
    a[0] = b[0]


def test_map() -> None:
    @loma.function
    def choose(x: In[float], yes: In[bool]) -> float:
        return x if yes else -x

    for _ in range(OFTEN):
        np.testing.assert_array_equal(choose.map(X, B), [1.0, 2.0, 4.0])
        np.testing.assert_array_equal(choose.map(2.0, B[:, None]), [[2.0], [-2.0], [2.0]])


def test_signatures_as_python_has_them() -> None:
    s = inspect.signature(above)
    assert str(s) == (
        "(x: 'In[Array[float]]', level: 'In[float]', *, found: 'Out[Array[bool]]' = Ellipsis)")
    assert str(inspect.signature(kept)).endswith("-> 'float'")
    assert s.bind(X, 0.0).arguments["level"] == 0.0
