"""The oracle against what is known otherwise: complex step, precise differences, values by hand."""

from __future__ import annotations

import mpmath
import pytest

from loma.diagnostics import RunError
from loma.frontend import load
from loma.frontend.oracle.numbers import RULES, Dual, Numbers, slope_at
from loma.frontend.oracle.program import Cell, Oracle, OutOfSteps
from loma.ir.prims import TABLE
from loma.ir.types import F64


def oracle(source: str, precision: str | int = "f64") -> Oracle:
    """An oracle for a program whose floats are doubles."""
    return Oracle(load(source, float_type=F64), precision)


@pytest.mark.parametrize("name", sorted(RULES))
def test_rules_agree_with_complex_step(name: str) -> None:
    prim, numbers = TABLE[name], Numbers("f64")
    points = [0.4, 1.3, 2.1][:prim.arity]
    for k in range(prim.arity):
        args = [Dual(1, x, {0: 1.0}) if j == k else x for j, x in enumerate(points)]
        step = [complex(x, 1e-30) if j == k else complex(x) for j, x in enumerate(points)]
        wanted = complex(prim.meaning(*step)).imag / 1e-30
        assert slope_at(numbers.apply(name, *args), 1, 0) == pytest.approx(wanted, rel=1e-13)


def test_every_differentiable_primitive_has_a_rule() -> None:
    have = {p.name for p in TABLE.values() if p.partials is not None}
    assert have <= set(RULES) | {"select", "cast"}


NESTED = """
def f(x : In[float], y : In[float]) -> float:
    return exp(sin(x * y)) / (1.0 + y * y) + pow(x, 2.5)
d = fwd_diff(f)
dd = fwd_diff(d)
ddd = fwd_diff(dd)
r = rev_diff(f)
rd = rev_diff(d)
dr = fwd_diff(r)
"""


def known(x: float, y: float) -> float:
    """The value of NESTED's f, for mpmath."""
    value: float = mpmath.exp(mpmath.sin(x * y)) / (1 + y * y) + x ** mpmath.mpf("2.5")
    return value


def dual(value: object, slope: object) -> dict[str, object]:
    """A Diff value."""
    return {"val": value, "dval": slope}


def test_third_order_forward_agrees_with_high_precision_differences() -> None:
    o = oracle(NESTED, 40)

    def seeded(value: float, first: float, second: float, third: float) -> dict[str, object]:
        low = dual(dual(value, first), dual(second, 0.0))
        return dual(low, dual(dual(third, 0.0), dual(0.0, 0.0)))

    with mpmath.workdps(40):
        out = o.call("ddd", [seeded(0.7, 1.0, 0.0, 1.0), seeded(0.3, 0.0, 1.0, 0.0)])
        wanted = mpmath.diff(known, (0.7, 0.3), (2, 1))
        assert float(out["dval"]["dval"]["dval"]) == pytest.approx(float(wanted), rel=1e-10)


def test_second_order_agrees_in_every_mix() -> None:
    o = oracle(NESTED)
    hxy = float(mpmath.diff(known, (0.7, 0.3), (1, 1)))
    hxx = float(mpmath.diff(known, (0.7, 0.3), (2, 0)))
    gx, gy = dual(0.0, 0.0), dual(0.0, 0.0)
    o.call("rd", [dual(0.7, 1.0), gx, dual(0.3, 0.0), gy, dual(0.0, 1.0)])
    assert (gx["val"], gy["val"]) == pytest.approx((hxx, hxy), rel=1e-9)
    gx, gy = dual(0.0, 0.0), dual(0.0, 0.0)
    o.call("dr", [dual(0.7, 1.0), gx, dual(0.3, 0.0), gy, dual(1.0, 0.0)])
    assert (gx["dval"], gy["dval"]) == pytest.approx((hxx, hxy), rel=1e-9)
    ax, ay, seed = Cell(0.0), Cell(0.0), Cell(0.0)
    o.call("_d_rev_r", [0.7, ax, 1.0, 0.3, ay, 0.0, 1.0, seed])
    assert (ax.value, ay.value) == pytest.approx((hxx, hxy), rel=1e-9)
    assert seed.value == pytest.approx(float(mpmath.diff(known, (0.7, 0.3), (1, 0))), rel=1e-9)


def test_inner_derivative_does_not_confuse_its_direction_with_the_outer_one() -> None:
    o = oracle("""
def h(x : In[float], y : In[float]) -> float:
    return x + y
dh = fwd_diff(h)
def g(y : In[float]) -> float:
    a : Diff[float]
    b : Diff[float]
    a.val = 1.0
    a.dval = 1.0
    b.val = y
    return y * dh(a, b).dval
dg = fwd_diff(g)
""")
    assert o.call("dg", [dual(3.0, 1.0)]) == {"val": 3.0, "dval": 1.0}


def test_reverse_accumulates_and_leaves_its_inputs() -> None:
    o = oracle("""
def f(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    i : int = 0
    while i < n:
        y[i] = 1.0
        y[i] = x[i] * x[i]
        i = i + 1
r = rev_diff(f)
""")
    gx, gn, gy = [10.0, 20.0, 30.0], Cell(7), [1.0, 2.0, 3.0]
    o.call("r", [[1.0, 2.0, 3.0], gx, 2, gn, gy])
    assert (gx, gn.value, gy) == ([12.0, 28.0, 30.0], 7, [1.0, 2.0, 3.0])


def test_inout_adjoint_is_replaced_by_that_of_the_incoming_value() -> None:
    o = oracle("""
def f(x : In[float], y : InOut[float]):
    y = x * y * y
r = rev_diff(f)
""")
    gx, gy = Cell(1.0), Cell(5.0)
    o.call("r", [2.0, gx, 3.0, gy])
    assert (gx.value, gy.value) == (1.0 + 9.0 * 5.0, 12.0 * 5.0)


def test_an_adjoint_of_zero_passes_nothing_through_a_singular_point() -> None:
    o = oracle("def f(x : In[float]) -> float:\n    return sqrt(x)\nr = rev_diff(f)\n")
    gx = Cell(1.0)
    o.call("r", [0.0, gx, 0.0])
    assert gx.value == 1.0
    o.call("r", [0.0, gx, 1.0])
    assert gx.value == float("inf")


def test_a_kernel_sums_over_its_threads_in_any_order() -> None:
    source = """
@simd
def k(x : In[Array[float]], z : Out[float]):
    i : int = thread_id()
    atomic_add(z, x[i])
r = rev_diff(k)
"""
    o = Oracle(load(source, float_type=F64), order=lambda n: range(n - 1, -1, -1))
    z, gx = Cell(0.5), [0.0, 0.0]
    o.call("k", [[1.0, 2.0], z], threads=2)
    o.call("r", [[1.0, 2.0], gx, 3.0], threads=2)
    assert (z.value, gx) == (3.5, [3.0, 3.0])


def test_structs_are_copied_and_their_pointers_shared() -> None:
    o = oracle("""
class S:
    p : Array[float]
    a : Array[float, 2]
def f(s : In[S]) -> float:
    t : S = s
    t.a[0] = 5.0
    t.p[0] = 7.0
    return s.a[0] + s.p[0]
""")
    s = {"p": [1.0], "a": [2.0, 3.0]}
    assert o.call("f", [s]) == 9.0
    assert s == {"p": [7.0], "a": [2.0, 3.0]}


@pytest.mark.parametrize(("expression", "code"), [
    ("1 / n", "DIVISION"), ("(-2147483647 - 1) / (n - 1)", "OVERFLOW"), ("a[n + 3]", "INDEX"),
])
def test_traps(expression: str, code: str) -> None:
    o = oracle(f"def f(a : In[Array[int]], n : In[int]) -> int:\n    return {expression}\n")
    with pytest.raises(RunError) as caught:
        o.call("f", [[1, 2, 3], 0])
    assert (caught.value.code, caught.value.line) == (code, 2)


def test_integers_wrap_and_conversions_saturate() -> None:
    o = oracle("""
def f(n : In[int], x : In[float]) -> int:
    return n * n + float2int(x)
""")
    assert o.call("f", [65536, 1e30]) == 2**31 - 1
    assert o.call("f", [46341, 0.0]) == 46341**2 - 2**32


def test_endless_loops_and_recursion_end() -> None:
    source = """
def f(n : In[int]) -> int:
    while n == 0:
        n = 0
    return f(n + 1)
"""
    o = Oracle(load(source), max_steps=10_000)
    with pytest.raises(OutOfSteps):
        o.call("f", [0])
    with pytest.raises(RunError) as caught:
        o.call("f", [1])
    assert caught.value.code == "DEPTH"
