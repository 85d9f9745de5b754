"""Tuples: what they are to hosts, in text, and to the Python door."""

from __future__ import annotations

import numpy as np

import loma
from loma.driver import core_module
from loma.host.course import compile
from loma.ir.interp import Interpreter
from loma.ir.text import module_text

PAIR = """
def pair(x : In[float], n : In[int]) -> tuple[float, int]:
    return x * x, n + 1
d = fwd_diff(pair)
def forward(x : In[float]) -> tuple[Diff[float], int]:
    dx = Diff_of(x)
    return d(dx, 1)
def Diff_of(x : In[float]) -> Diff[float]:
    return make__dfloat(x, 1.0)
def show(x : In[float]):
    print("pair", pair(x, 2), (1, (x, True)))
"""


def test_differential_of_a_tuple_is_a_tuple_of_differentials() -> None:
    structs, lib = compile(PAIR, "llvm")
    made = lib.forward(3.0)
    assert (made.item0.val, made.item0.dval, made.item1) == (9.0, 6.0, 2)
    assert type(made) is structs["_dtuple_float_int"]


def test_shown() -> None:
    found: list[str] = []
    Interpreter(core_module(PAIR), write=found.append).run("show", [2.0])
    assert "".join(found) == "pair (4.0, 3) (1, (2.0, True))\n"


def test_printed_text_has_classes() -> None:
    text = module_text(core_module(PAIR, fast=False))
    assert "class tuple_float_int:\n    item0 : float\n    item1 : int\n" in text
    core_module(text)


def test_a_class_may_have_the_name() -> None:
    source = "class tuple_float_int:\n    a : float\n" + PAIR
    structs, lib = compile(source, "llvm")
    assert lib.pair(2.0, 1).item0 == 4.0
    assert type(lib.pair(2.0, 1)) is structs["tuple_float_int_1"]


def test_python_door_gives_named_tuples() -> None:
    module = loma.load(PAIR)
    value, n = module.pair(3.0, 1)
    assert (value, n) == (9.0, 2)


def test_parts_of_arrays_are_values_of_an_assignment() -> None:
    """What stands on the right is copied before anything is written; targets go left to right."""
    module = loma.load("""
def rows(m : InOut[Array[float, "n", 2]], i : In[int], j : In[int]):
    m[i], m[j] = m[j], m[i]
def halves(a : InOut[Array[float, 4]]):
    a[0:2], a[1:3] = a[2:4], a[0:2]
def places(a : InOut[Array[float, 4]]):
    i = 0
    i, a[i], a[i + 1] = 2, a[i], a[i + 1]
""")
    m = np.arange(6, dtype=np.float32).reshape(3, 2)
    a, b = (np.array([1, 2, 3, 4], np.float32) for _ in range(2))
    module.rows(m, 0, 2)
    module.halves(a)
    module.places(b)
    assert m.tolist() == [[4, 5], [2, 3], [0, 1]]
    assert (a.tolist(), b.tolist()) == ([3, 1, 2, 4], [1, 2, 1, 2])
