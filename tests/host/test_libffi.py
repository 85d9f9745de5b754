"""Structs that libffi would pass at the cost of the first float argument."""

from __future__ import annotations

import ctypes

import pytest

from loma.host.course import compile
from loma.host.libffi import Split

TEXT = """
class Row:
    data : Array[float]
    scale : float

def f(a : In[float], p : Out[float], q : Out[float], r : Out[float], s : Out[float],
        t : Out[float], row : In[Row], b : In[float]) -> float:
    p = row.scale
    q = b
    return a * row.data[1]

def fits(a : In[float], p : Out[float], row : In[Row]) -> float:
    p = row.scale
    return a * row.data[1]

r_f = rev_diff(f)
"""


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_the_first_float_is_not_lost(target: str) -> None:
    structs, lib = compile(TEXT, target=target, float_type="f64")
    real = ctypes.c_double
    outs = [real() for _ in range(5)]
    data = (real * 2)(3.0, 5.0)
    row = structs["Row"](ctypes.cast(data, ctypes.POINTER(real)), 7.0)
    assert lib.f(2.0, *map(ctypes.byref, outs), row, 11.0) == 10.0
    assert (outs[0].value, outs[1].value) == (7.0, 11.0)
    assert not isinstance(lib.fits, Split)
    assert ctypes.cast(lib.f, ctypes.c_void_p).value


def test_wrong_calls_of_it_are_ctypes_errors() -> None:
    structs, lib = compile(TEXT, target="llvm")
    if not isinstance(lib.f, Split):
        pytest.fail("the struct takes the last general register")
    with pytest.raises(TypeError, match="takes 8 arguments"):
        lib.f(1.0)
    outs = [ctypes.c_float() for _ in range(5)]
    with pytest.raises(ctypes.ArgumentError, match="expected Row instance"):
        lib.f(1.0, *map(ctypes.byref, outs), 3.0, 1.0)
