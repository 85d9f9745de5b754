"""Methods beside other constructs: rules of derivatives, modules, the Python door, text."""

from __future__ import annotations

import ctypes

import pytest

import loma
from loma.driver import core_module
from loma.host.course import compile
from loma.ir.text import module_text

SQUARE = """
class V:
    x : float

    def square(self) -> float:
        return self.x * self.x

    def moved(self : InOut, by : In[float]) -> float:
        self.x += by
        return self.x
"""


def test_names_of_the_functions() -> None:
    structs, lib = compile(SQUARE + "V_moved_1 = rev_diff(V.square)\n", "llvm")
    v, g = structs["V"](3.0), structs["V"]()
    assert lib.V_square(v) == 9.0
    assert lib.V_moved(v, 1.0) == 4.0
    lib.V_moved_1(v, g, 1.0)
    assert (v.x, g.x) == (4.0, 8.0)


def test_taken_names_are_avoided() -> None:
    structs, lib = compile(
        "def V_square(x : In[float]) -> float:\n    return x\n" + SQUARE, "llvm")
    assert lib.V_square(3.0) == 3.0
    assert lib.V_square_1(structs["V"](3.0)) == 9.0


@pytest.mark.parametrize("how", ["fwd", "rev"])
def test_rule_of_a_method(how: str) -> None:
    """The derivative of a method can be written by hand."""
    rules = {
        "rev": "@custom_rev(V.square)\n"
               "def rule(v : In[V], adj_v : Out[V], _dreturn : In[float]):\n"
               "    adj_v.x += 100.0 * _dreturn\n",
        "fwd": "@custom_fwd(V.square)\n"
               "def rule(v : In[Diff[V]]) -> Diff[float]:\n"
               "    return make__dfloat(v.x.val, 100.0 * v.x.dval)\n",
    }
    text = SQUARE + rules[how] + "def f(v : In[V]) -> float:\n    return v.square()\n"
    structs, lib = compile(text + f"d = {how}_diff(f)\n", "llvm")
    if how == "rev":
        g = structs["V"]()
        lib.d(structs["V"](3.0), g, 1.0)
        assert g.x == 100.0
    else:
        v = structs["_dV"]()
        v.x.val, v.x.dval = 3.0, 1.0
        assert lib.d(v).dval == 100.0


def test_printed_text_is_plain() -> None:
    text = module_text(core_module(SQUARE + "d = fwd_diff(V.square)\n", fast=False))
    assert "def V_square(self : In[V]) -> float:" in text
    core_module(text)


def test_python_door() -> None:
    module = loma.load(SQUARE)
    assert module.V_square({"x": 3.0}) == 9.0


def test_methods_in_kernels_and_parallel_loops() -> None:
    text = SQUARE + """
@simd
def k(v : In[Array[V]], y : Out[Array[float]]):
    i : int = thread_id()
    s : Stack[float]
    for j in range(3):
        s.push(v[i].square() * j)
    a, b = s.pop(), s.pop()
    y[i] = a * 10.0 + b

def f(v : In[Array[V]], n : In[int], y : Out[Array[float]]):
    for i in parallel(n):
        s : Stack[float]
        s.push(v[i].square())
        y[i] = 2.0 * s.pop()

rk = rev_diff(k)
rf = rev_diff(f)
"""
    structs, lib = compile(text, "llvm")
    kind = structs["V"]
    v, y = (kind * 2)(kind(1.0), kind(2.0)), (ctypes.c_float * 2)()
    lib.k(v, y, 2)
    assert list(y) == [21.0, 84.0]
    lib.f(v, 2, y)
    assert list(y) == [2.0, 8.0]
    seeds, none = (ctypes.c_float * 2)(1.0, 1.0), ctypes.c_int(0)
    g = (kind * 2)()
    lib.rk(v, g, seeds, 2)
    assert [e.x for e in g] == [42.0, 84.0]
    g = (kind * 2)()
    lib.rf(v, g, 2, none, seeds)
    assert [e.x for e in g] == [4.0, 8.0]


def test_long_functions_with_stacks_are_cut() -> None:
    """A part that is cut out of a long function gets the stack as something that grows."""
    body = "\n".join(f"    s.push(sin(x + {k}.0))\n    t = t * x + s.pop()" for k in range(200))
    text = ("def f(x : In[float]) -> float:\n    s : Stack[float]\n    t = x\n"
            f"    for i in range(2):\n        s.push(x)\n{body}\n    return t + s.pop()\n"
            "d = fwd_diff(f)\n")
    structs, lib = compile(text, "llvm", float_type="f64")
    step = (lib.f(0.3 + 1e-6) - lib.f(0.3 - 1e-6)) / 2e-6
    assert lib.d(structs["_dfloat"](0.3, 1.0)).dval == pytest.approx(step, rel=1e-6)
