"""What goes wrong elsewhere, on modules, generic functions, functions as operands and closures."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest

from loma.diagnostics import UserError
from loma.frontend import load
from loma.host.course import compile
from loma.ir.types import F64


def slope(text: str, x: float) -> tuple[float, float]:
    """The gradient of f(x) in reverse mode, and by differences."""
    _, lib = compile(text + "\nr_f = rev_diff(f)\n", "llvm", float_type="f64")
    adj = ctypes.c_double(0)
    lib.r_f(x, adj, 1.0)
    return adj.value, (lib.f(x + 1e-6) - lib.f(x - 1e-6)) / 2e-6


def test_a_captured_variable_has_a_gradient() -> None:
    """What a closure captures is not a constant: its share of the gradient is there."""
    found, wanted = slope("""
def apply(g : Callable[[float], float], t : In[float]) -> float:
    return g(t) * g(2.0 * t)
def f(x : In[float]) -> float:
    k : float = x * x
    a : Array[float, 2]
    a[1] = sin(x)
    return apply(lambda t: t * k + a[1], 3.0)
""", 0.7)
    assert found == pytest.approx(wanted, rel=1e-6) and abs(found) > 1.0


def test_a_captured_constant_of_a_module_is_one(tmp_path: Path) -> None:
    """Constants of modules count; a parameter that shall have a gradient is an argument."""
    (tmp_path / "m.loma").write_text("K = 3.0\ndef f(x : In[float]) -> float:\n    return K * x\n")
    text = "import m\nr_f = rev_diff(m.f)\nd_f = fwd_diff(m.f)\n"
    structs, lib = compile(text, "llvm", file=str(tmp_path / "main.loma"))
    adj = ctypes.c_float(0)
    lib.r_f(2.0, adj, 1.0)
    assert adj.value == lib.d_f(structs["_dfloat"](2.0, 1.0)).dval == 3.0


def test_a_loop_in_a_function_that_takes_functions() -> None:
    """Loops with break, and values carried through them, behave as if written out."""
    written = """
def f(x : In[float]) -> float:
    s : float = x
    i : int = 0
    while i < 4:
        s = s + STEP
        if s > 4.0:
            break
        i = i + 1
    return s * s
"""
    passed = """
def run(step : Callable[[float], float], x : In[float]) -> float:
    s : float = x
    i : int = 0
    while i < 4:
        s = s + step(s)
        if s > 4.0:
            break
        i = i + 1
    return s * s
def f(x : In[float]) -> float:
    return run(lambda s: sin(s) * x, x)
"""
    a, wanted = slope(written.replace("STEP", "sin(s) * x"), 0.8)
    b, _ = slope(passed, 0.8)
    assert a == pytest.approx(b) and a == pytest.approx(wanted, rel=1e-6)


def test_second_order_through_functions_and_types() -> None:
    """Second derivatives of generic functions of functions, forward over reverse."""
    text = """
T = TypeVar("T")
def compose(g : Callable[[T], T], h : Callable[[T], T], x : In[T]) -> T:
    return g(h(x))
def f(x : In[float]) -> float:
    return compose(sin, lambda t: t * t * x, x)
r_f = rev_diff(f)
d_r_f = fwd_diff(r_f)
"""
    structs, lib = compile(text, "llvm", float_type="f64")
    dual = structs["_dfloat"]

    def gradient(x: float) -> float:
        adj = ctypes.c_double(0)
        lib.r_f(x, adj, 1.0)
        return adj.value

    adj = dual(0, 0)
    lib.d_r_f(dual(0.9, 1.0), adj, dual(1.0, 0.0))
    assert adj.dval == pytest.approx((gradient(0.9 + 1e-6) - gradient(0.9 - 1e-6)) / 2e-6, rel=1e-6)


def test_compile_time_does_not_explode() -> None:
    """A chain of functions that pass functions on takes time in proportion to its length."""
    def chain(n: int) -> str:
        head = "def g0(f : Callable[[float], float], x : In[float]) -> float:\n    return f(x)\n"
        links = [f"def g{k}(f : Callable[[float], float], x : In[float]) -> float:\n"
                 f"    return g{k - 1}(lambda t: f(t) + {k}.0, x) + g{k - 1}(f, x)\n"
                 for k in range(1, n)]
        return head + "".join(links) + (
            f"def f(x : In[float]) -> float:\n    return g{n - 1}(sin, x)\n")

    start = time.perf_counter()
    with pytest.raises(UserError) as caught:
        load(chain(40))
    assert {d.code for d in caught.value.diagnostics} == {"E1610"}
    assert time.perf_counter() - start < 20.0
    assert len(load(chain(6), float_type=F64).functions) < 200


def test_messages_speak_of_the_program() -> None:
    """An error inside of an instance names the user's line and call, not the compiler's names."""
    with pytest.raises(UserError) as caught:
        load("""
def apply(g : Callable[[float], float], t : In[float]) -> float:
    return g(t)
def f(x : In[float]) -> float:
    return apply(lambda t: t * missing, x)
""")
    shown = str(caught.value)
    assert "`missing` is not declared" in shown and "lambda t: t * missing" in shown
    assert "_lambda" not in shown
