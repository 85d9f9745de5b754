"""`loma run` and `loma grad`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cli.conftest import Loma


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("f(1.0, 1)", "0.84147096"),
        ("f(n=1, x=1)", "0.84147096"),
        ("g(2.0)", "y = 1.8185948"),
        ("g(2.0, 7)", "y = 1.8185948"),
        ("k(2, [1, 2, 3])", "y = [2.0, 8.0, 18.0]"),
        ("k(2, [1, 2, 3], y=[0] * 3)", "y = [2.0, 8.0, 18.0]"),
        ("swap((2, 3))", "Pair(a=3.0, b=6.0)"),
        ("swap({'a': 2, b: 3})", "Pair(a=3.0, b=6.0)"),
        ("swap(Pair(a=2, b=3))", "Pair(a=3.0, b=6.0)"),
        ("divide(-7, 2)", "-3"),
        ("count([1, 2, 3], 3, 10)", "total = 16"),
        ("d_f((1.0, 1.0), 1)", "_dfloat(val=0.84147096, dval=1.3817732)"),
        ("r_f(1.0, n=1, _dreturn=1)", "adj_x = 1.381773"),
    ],
)
def test_run(loma: Loma, call: str, shown: str) -> None:
    ran = loma("run", "p.py", "--call", call)
    assert (ran.code, ran.err) == (0, "")
    assert shown in ran.out


def test_run_in_doubles_and_strictly(loma: Loma) -> None:
    ran = loma("run", "p.py", "--call", "f(1.0, 1)", "--float", "f64", "--strict")
    assert ran.out == "0.8414709848078965\n"


def test_run_a_kernel_on_given_threads(loma: Loma) -> None:
    ran = loma("run", "p.py", "--call", "k(2, [1, 2, 3])", "--threads", "2")
    assert ran.out == "y = [2.0, 8.0]\n"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("f(1.0", "expected `,` or `)`"),
        ("f(1.0) + 1", "nothing may follow"),
        ("f(__import__('os'))", "expected a value"),
        ("f(x)", "`x` is no value"),
        ("1 + 1", "expected a call"),
        ("f(1.0 2)", "expected `,` or `)`"),
        ("f(1.0, @)", "not part of a literal"),
        ("f(" + "[" * 100, "nested too deep"),
        ("f(x=1.0, x=2.0)", "given twice"),
        ("f(x=1.0, 2)", "must stand before"),
        ("nope(1)", "no function `nope`"),
        ("f(1.0)", "`f` needs `n`: f(x : In[float], n : In[int]) -> float"),
        ("f(1.0, 2, 3)", "takes 2 arguments, found 3"),
        ("f(1.0, m=2)", "no argument `m`"),
        ("f([1.0], 2)", "x: expected a number"),
        ("f(1.0, 2.5)", "n: expected an integer"),
        ("f(1.0, 3000000000)", "out of the range of `int`"),
        ("swap(1)", "p: expected a dict or tuple for `Pair` (a, b)"),
        ("swap((1, 2, 3))", "has 2 members (a, b), found 3"),
        ("swap({a: 1})", "member `b` of `Pair` is missing"),
        ("swap({a: 1, c: 2})", "no member `c`"),
        ("count(3, 3, 0)", "x: expected a list"),
        ("k(1.0, [1], [1, 2])", "its arrays differ in length"),
    ],
)
def test_run_refuses(loma: Loma, call: str, message: str) -> None:
    ran = loma("run", "p.py", "--call", call)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ") and message in ran.err


def test_the_place_of_a_slip_is_shown(loma: Loma) -> None:
    assert loma("run", "p.py", "--call", "g(0.5, [1)").err == (
        "error: expected `,` or `]`\n  g(0.5, [1)\n           ^\n"
    )


def test_a_program_that_stops_itself(loma: Loma) -> None:
    ran = loma("run", "p.py", "--call", "divide(1, 0)")
    assert ran.code == 1
    assert ran.err.startswith("error[DIVISION]: the program stopped: integer division by zero")
    assert "--> p.py:28:5" in ran.err and "return n / m" in ran.err


def test_an_index_out_of_bounds_is_caught(loma: Loma) -> None:
    for arguments in (
        ("run", "p.py", "--call", "k(2, [1, 2], [0])", "--threads", "2"),
        ("run", "p.py", "--call", "count([1], 2, 0)"),
        ("grad", "p.py:k", "--at", "2, [1, 2], [0]", "--threads", "2"),
    ):
        ran = loma(*arguments)
        assert ran.code == 1
        assert ran.err.startswith("error[INDEX]") and "--> p.py:" in ran.err


def test_an_array_out_of_a_function_must_be_given(
    loma: Loma, write: Callable[[str, str], None]
) -> None:
    write("o.py", "def f(y : Out[Array[float]]):\n    y[1] = 3\n")
    assert "for instance y=[0] * 8" in loma("run", "o.py", "--call", "f()").err
    assert loma("run", "o.py", "--call", "f(y=[0] * 3)").out == "y = [0.0, 3.0, 0.0]\n"


def test_long_arrays_are_cut(loma: Loma) -> None:
    shown = loma("run", "p.py", "--call", "k(1, [2] * 1000)").out
    assert "(1000 elements)" in shown and len(shown) < 120


def test_usage(loma: Loma) -> None:
    assert loma("run", "p.py").code == 2
    assert loma("run").code == 2
    assert loma("frobnicate").code == 2
    assert loma("run", "p.py", "--call", "f(1.0, 1)", "--float", "f16").code == 2


def test_grad_of_a_function(loma: Loma) -> None:
    ran = loma("grad", "p.py:f", "--at", "1.0, n=1", "--float", "f64")
    assert ran.code == 0
    assert "f = 0.8414709848078965" in ran.out
    rows = [line.split() for line in ran.out.split("\n")]
    assert ["x", "1.0", "1.3817732906760363"] in rows
    assert ["n", "1", "-"] in rows
    assert "bytes at most" in ran.out


def test_grad_needs_no_request(loma: Loma) -> None:
    ran = loma("grad", "p.py:swap", "--at", "(2, 3)")
    assert "gradient of the sum of `swap.a`, `swap.b`" in ran.out or "sum of `swap`" in ran.out
    assert "Pair(a=3.0, b=3.0)" in ran.out


def test_grad_of_a_kernel(loma: Loma) -> None:
    ran = loma("grad", "p.py:k", "--at", "2, [1, 2, 3]")
    assert "y = [2.0, 8.0, 18.0]" in ran.out and "[4.0, 8.0, 12.0]" in ran.out
    assert "gradient of the sum of `y`" in ran.out


def test_grad_of_a_derivative(loma: Loma) -> None:
    ran = loma("grad", "p.py:d_f", "--at", "(1.0, 1.0), 1", "--float", "f64")
    assert "_dfloat(val=1.62090691" in ran.out


def test_grad_refuses(loma: Loma, write: Callable[[str, str], None]) -> None:
    assert "say which function: p.py:g" in loma("grad", "p.py").err
    assert "no float output" in loma("grad", "p.py:divide", "--at", "6, 2").err
    assert "no function `zz`" in loma("grad", "p.py:zz").err
    write("one.py", "def sq(x : In[float]) -> float:\n    return x * x\n")
    assert "6.0" in loma("grad", "one.py", "--at", "3").out
    write("w.py", "def f(x : In[Array[float]]) -> float:\n    x[0] = 2.0\n    return x[0]\n")
    ran = loma("grad", "w.py:f", "--at", "[1.0]")
    assert ran.code == 1
    assert "error[E0603]" in ran.err and "w.py:1:" in ran.err


def test_loops_report_their_tape(loma: Loma) -> None:
    shown = loma("grad", "p.py:f", "--at", "0.5, 1000").out
    tape = next(line for line in shown.split("\n") if line.startswith("tape: "))
    assert int(tape.split()[1]) >= 4000
