"""An index outside an array whose length is known raises; it never touches other memory."""

from __future__ import annotations

import pytest

from loma.diagnostics import RunError
from loma.host.course import compile

SOURCE = """
class S:
    v : Array[float, 4]
    m : Array[Array[float, 3], 2]

def local(i : In[int], x : In[float]) -> float:
    a : Array[float, 8]
    for k in range(8):
        a[k] = x * k
    return a[i] * a[i]

def member(i : In[int], j : In[int]) -> float:
    s : S
    s.m[i][j] = 2.0
    return s.v[j] + s.m[i][j]

def computed(n : In[int], i : In[int]) -> float:
    b : Array[float, n * 2]
    b[i] = 3.0
    return b[i]

def written(i : In[int]):
    a : Array[int, 5]
    a[i] = 1

r = rev_diff(local)
"""


@pytest.fixture(params=["llvm", "c"])
def lib(request: pytest.FixtureRequest) -> object:
    return compile(SOURCE, target=request.param)[1]


def test_inside(lib: object) -> None:
    assert lib.local(3, 2.0) == 36.0  # type: ignore[attr-defined]
    assert lib.member(1, 2) == 2.0  # type: ignore[attr-defined]
    assert lib.computed(3, 5) == 3.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "args", "line"), [
    ("local", (8, 1.0), 10), ("local", (-1, 1.0), 10), ("local", (2**30, 1.0), 10),
    ("member", (2, 0), 14), ("member", (0, 3), 14), ("member", (-1, 0), 14),
    ("computed", (3, 6), 19), ("computed", (3, -1), 19), ("written", (5,), 24),
])
def test_outside(lib: object, name: str, args: tuple[float, ...], line: int) -> None:
    with pytest.raises(RunError) as caught:
        getattr(lib, name)(*args)
    assert caught.value.line == line


def test_derivative(lib: object) -> None:
    """The reverse derivative stops as its primal does."""
    import ctypes

    n, g = ctypes.c_int(0), ctypes.c_float(0)
    lib.r(3, n, 2.0, g, 1.0)  # type: ignore[attr-defined]
    assert g.value == 36.0
    with pytest.raises(RunError):
        lib.r(9, n, 2.0, g, 1.0)  # type: ignore[attr-defined]
