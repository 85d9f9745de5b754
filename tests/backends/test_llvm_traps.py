"""A loma program never ends the process: it raises, with file and line."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

import pytest
from llvm_programs import compiled

from loma.backends.base import Options
from loma.backends.llvm import compile_object, load_object
from loma.diagnostics import RunError

PROGRAM = """
class P:
    a: f64
    b: f64
    c: f64
def divide(x: In[int], y: In[int]) -> int:
    return x / y
def deep(n: In[int]) -> int:
    if n <= 0:
        return 0
    return 1 + deep(n - 1)
def endless(n: In[int]) -> int:
    return endless(n + 1)
def even(n: In[int]) -> int:
    r: int = 1
    if n != 0:
        r = odd(n - 1)
    return r
def odd(n: In[int]) -> int:
    r: int = 0
    if n != 0:
        r = even(n - 1)
    return r
def outer(x: In[int], y: In[int], out: Out[int]) -> P:
    p: P
    p.a = 1.0
    out = 7
    p.b = divide(x, y)
    return p
def sure(x: In[int]) -> int:
    assert x > 0, "x must be positive"
    return x
def total(x: In[float]) -> float:
    return x * 2.0
"""
INT_MIN = -2**31


def raised(function: Callable[..., object], *args: object) -> tuple[str, int]:
    """The trap's code and line."""
    with pytest.raises(RunError) as caught:
        function(*args)
    assert caught.value.file == "test.py"
    return caught.value.code, caught.value.line


def test_division() -> None:
    p = compiled(PROGRAM)
    assert raised(p.lib.divide, 1, 0) == ("DIVISION", 7)
    assert raised(p.lib.divide, INT_MIN, -1) == ("OVERFLOW", 7)
    assert p.lib.divide(7, 2) == 3


def test_a_trap_in_a_callee_returns_zeros() -> None:
    p = compiled(PROGRAM)
    out = ctypes.c_int(1)
    assert raised(p.lib.outer, 1, 0, ctypes.byref(out)) == ("DIVISION", 7)
    assert out.value in (1, 7)
    good = p.lib.outer(6, 2, ctypes.byref(out))
    assert (good.a, good.b, good.c, out.value) == (1.0, 3.0, 0.0, 7)
    raw = ctypes.CFUNCTYPE(p.structs["P"], ctypes.c_int, ctypes.c_int, ctypes.c_void_p)(
        p.loaded.address("outer"))
    zeros = raw(1, 0, ctypes.addressof(out))
    assert (zeros.a, zeros.b, zeros.c) == (0.0, 0.0, 0.0)
    error = p.loaded.take_error()
    assert error is not None and error.trap == "DIVISION"
    assert p.loaded.take_error() is None


def test_assertions() -> None:
    p = compiled(PROGRAM)
    with pytest.raises(RunError, match="x must be positive"):
        p.lib.sure(-1)
    assert p.lib.sure(3) == 3


def test_recursion() -> None:
    p = compiled(PROGRAM)
    assert p.lib.deep(10_000) == 10_000
    assert raised(p.lib.deep, 100_000_000)[0] == "DEPTH"
    assert raised(p.lib.endless, 0)[0] == "DEPTH"
    assert p.lib.even(10_001) == 0
    assert raised(p.lib.even, 100_000_000)[0] == "DEPTH"


def test_recursion_on_a_small_stack() -> None:
    p = compiled(PROGRAM)
    codes: list[str] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: codes.append(raised(p.lib.endless, 0)[0]))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert codes == ["DEPTH"]


def test_only_what_may_trap_pays() -> None:
    p = compiled(PROGRAM)
    assert not p.loaded.may_trap("total")
    assert p.loaded.may_trap("outer")


def test_objects_travel_as_bytes() -> None:
    p = compiled(PROGRAM)
    again = load_object(compile_object(p.module, Options()))
    divide = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int)(again.address("divide"))
    assert divide(9, 2) == 4
    assert divide(9, 0) == 0
    error = again.take_error()
    assert error is not None and (error.trap, error.line) == ("DIVISION", 7)
    with pytest.raises(ValueError, match="bundle"):
        load_object(b"something else")
