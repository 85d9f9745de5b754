"""What went wrong elsewhere with derivatives of one's own, and with gradients that vanish."""

from __future__ import annotations

import math

import pytest
from subjects import on

from loma import driver
from loma.frontend import load


def test_forward_and_reverse_rules_together() -> None:
    """JVP and VJP rules cannot both be given (jax#3996)."""
    source = """
def f(x : In[float]) -> float:
    return log(1.0 + exp(x))
@custom_fwd(f)
def f_fwd(x : In[Diff[float]]) -> Diff[float]:
    return make__dfloat(f(x.val), x.dval / (1.0 + exp(-x.val)))
@custom_rev(f)
def f_rev(x : In[float], adj_x : Out[float], seed : In[float]):
    adj_x += seed / (1.0 + exp(-x))
def g(x : In[float]) -> float:
    return f(f(x) * x)
d = fwd_diff(g)
r = rev_diff(g)
dr = fwd_diff(r)
rd = rev_diff(d)
"""
    oracle, llvm = on("oracle", source), on("llvm", source)
    dual, zero = {"val": 0.7, "dval": 1.0}, {"val": 0.0, "dval": 0.0}
    for name, operands in (
        ("d", [dual]), ("r", [0.7, 0.0, 1.0]),
        ("dr", [dual, zero, {"val": 1.0, "dval": 0.0}]),
        ("rd", [dual, zero, {"val": 0.0, "dval": 1.0}]),
    ):
        assert str(oracle.outputs(name, operands))[:12] == str(llvm.outputs(name, operands))[:12]


def test_zero_through_an_int_is_told() -> None:
    """Zero through an int cast with no word (quadrants docs)."""
    program = load("def f(x : In[float], y : In[float]) -> float:\n    n : int = x\n"
                   "    return y * n\n")
    found = driver.zero_gradients(program, "f")
    assert found["x"].span.line == 2 and found["x"].label == "it becomes an integer"


def test_an_unused_input_is_no_error() -> None:
    """An unused value breaks backward (drjit#536)."""
    source = "def f(x : In[float], u : In[float]) -> float:\n    return x * x\nr = rev_diff(f)\n"
    found = on("llvm", source).outputs("r", [3.0, 0.0, 1.0, 0.0, 1.0])
    assert list(found)[:2] == pytest.approx([6.0, 0.0])


def test_a_rule_mends_a_nan() -> None:
    """NaN from `norm` at 0 (taichi#4332): a rule can say what is meant there."""
    source = """
def norm(x : In[float], y : In[float]) -> float:
    return sqrt(x * x + y * y)
@custom_rev(norm)
def norm_rev(x : In[float], dx : Out[float], y : In[float], dy : Out[float], seed : In[float]):
    n : float = norm(x, y)
    if n > 0.0:
        dx += x / n * seed
        dy += y / n * seed
def f(x : In[float]) -> float:
    return norm(x, x) / (1.0 + norm(x, 2.0 * x))
r = rev_diff(f)
d = fwd_diff(f)
"""
    llvm = on("llvm", source)
    assert list(llvm.outputs("r", [0.0, 0.0, 1.0])) == [0.0]
    assert not math.isnan(llvm.outputs("d", [{"val": 0.0, "dval": 1.0}])[-1]["dval"])
