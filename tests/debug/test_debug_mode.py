"""Debug mode: divisions, domains, conversions, indices and assertions report line and values."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import loma
from loma import Array, In
from loma.cli.app import app
from loma.diagnostics import RunError
from loma.host.course import compile

PROGRAM = """\
def quotient(x : In[float], y : In[float]) -> float:
    return x / (y - 1.0)
def root(x : In[float]) -> float:
    return sqrt(x - 1.0) if x >= 1.0 else log(x)
def rest(n : In[int], m : In[int]) -> int:
    return n % m
def whole(x : In[float]) -> int:
    return float2int(x * 2.0)
def element(i : In[int], x : In[float]) -> float:
    a : Array[float, 5]
    a[2] = x
    return a[i + 2] * x
def power(x : In[float], y : In[float]) -> float:
    return pow(x, y)
def table(a : In[Array[float, "n", "m"]], i : In[int], j : In[int]) -> float:
    return a[i, j + 1]
def inside(x : In[float]) -> float:
    assert x > 0.0, "x must be positive"
    return asin(x)
def guarded(x : In[float]) -> float:
    if x != 0.0 and 1.0 / x > 2.0:
        return 1.0
    return fmod(1.0, x)
r_element = rev_diff(element)
r_quotient = rev_diff(quotient)
d_quotient = fwd_diff(quotient)
dd_quotient = fwd_diff(r_quotient)
"""

FAULTS = [
    ("quotient", (1.0, 1.0), "DIVISION", 2,
     "division by zero: x / (y - 1.0) with x = 1.0, y - 1.0 = 0.0, y = 1.0"),
    ("quotient", (0.0, 1.0), "DIVISION", 2, "x = 0.0"),
    ("root", (-0.5,), "DOMAIN", 4,
     "logarithm of a number that is not positive: log(x) with x = -0.5"),
    ("rest", (5, 0), "DIVISION", 6, "division by zero: n / m with n = 5, m = 0"),
    ("whole", (1e10,), "DOMAIN", 8, "x * 2.0 = 20000000000.0, x = 10000000000.0"),
    ("whole", (float("nan"),), "DOMAIN", 8, "x * 2.0 = nan"),
    ("whole", (-1073741824.5,), "DOMAIN", 8, "cannot hold it"),
    ("element", (5, 1.0), "INDEX", 12,
     "index 7 is outside an array of length 5: a[i + 2] with i = 5"),
    ("element", (-3, 1.0), "INDEX", 12, "index -1 is outside"),
    ("power", (-2.0, 0.5), "DOMAIN", 14, "pow(x, y) with x = -2.0, y = 0.5"),
    ("power", (0.0, -1.0), "DOMAIN", 14, "x = 0.0"),
    ("inside", (-1.0,), "ASSERT", 18, "x must be positive: x > 0.0 with x = -1.0"),
    ("inside", (2.0,), "DOMAIN", 19, "arcsine of a number outside of -1 to 1: asin(x)"),
    ("guarded", (0.0,), "DIVISION", 23, "remainder of a division by zero: fmod(1.0, x)"),
]
FINE = [("root", (3.0,), 2.0**0.5), ("power", (-2.0, 3.0), -8.0), ("whole", (-1073741824.0,),
        -(2**31)), ("guarded", (0.25,), 1.0), ("element", (0, 3.0), 9.0), ("rest", (5, 3), 2)]


@pytest.fixture(scope="module", params=["llvm", "c"])
def program(request: pytest.FixtureRequest):
    return compile(PROGRAM, target=request.param, debug=True, float_type="f64", file="p.py")


@pytest.mark.parametrize(("name", "args", "code", "line", "text"), FAULTS)
def test_faults(program, name: str, args: tuple[float, ...], code: str, line: int, text: str
                ) -> None:
    with pytest.raises(RunError) as caught:
        getattr(program[1], name)(*args)
    error = caught.value
    assert (error.code, error.line, error.file) == (code, line, "p.py")
    assert text in str(error)


@pytest.mark.parametrize(("name", "args", "value"), FINE)
def test_what_is_right_goes_on(program, name: str, args: tuple[float, ...], value: float) -> None:
    assert getattr(program[1], name)(*args) == pytest.approx(value)


def test_derivatives_check_too(program) -> None:
    """In both modes and nested, with the line of the program."""
    structs, lib = program
    dual, g = structs["_dfloat"], ctypes.c_double(0)
    calls = [
        (lib.r_element, (7, ctypes.c_int(0), 2.0, g, 1.0), "p.py:12: index 9"),
        (lib.r_quotient, (7.0, g, 1.0, g, 1.0), "p.py:2: division by zero"),
        (lib.d_quotient, (dual(1, 1), dual(1, 0)), "p.py:2: division by zero"),
        (lib.dd_quotient, (dual(1, 1), dual(0, 0), dual(1, 0), dual(0, 0), dual(1, 0)),
         "p.py:2: division by zero"),
    ]
    for f, args, text in calls:
        with pytest.raises(RunError, match=text):
            f(*args)


def test_several_dimensions(program) -> None:
    _, lib = program
    a = (ctypes.c_double * 6)(*range(6))
    assert lib.table(a, 2, 0, 3, 2) == 5.0
    with pytest.raises(RunError, match="index 7 is outside dimension 0 of length 3: a.i, j . 1."):
        lib.table(a, 7, 0, 3, 2)
    with pytest.raises(RunError, match="index 2 is outside dimension 1 of length 2"):
        lib.table(a, 0, 1, 3, 2)


def test_without_debug_nothing_is_checked() -> None:
    _, lib = compile(PROGRAM, float_type="f64")
    assert lib.quotient(1.0, 1.0) == float("inf")


@loma.function(debug=True)
def inverse(x: In[float], n: In[int]) -> float:
    t: Array[float, 4]
    t[n] = 1.0 / x  # noqa: F821
    return t[n]  # noqa: F821


@loma.kernel(debug=True)
def inverses(x: In[Array[float]], y: loma.Out[Array[float]]):
    i: int = loma.thread_id()
    y[i] = 1.0 / x[i]


def test_python_door() -> None:
    assert inverse(2.0, 1) == 0.5
    for call in (inverse, loma.grad(inverse), loma.hessian(inverse)):
        with pytest.raises(RunError, match=r"division by zero: 1\.0 / x with x = 0\.0"):
            call(0.0, 1)
        with pytest.raises(RunError, match=r"index 4 is outside an array of length 4: t\[n\]"):
            call(1.0, 4)
    with pytest.raises(RunError, match="division by zero"):
        inverses(np.array([1.0, 0.0]))
    assert inverses(np.array([1.0, 2.0]))[1] == 0.5


@loma.function
def pair(x: In[Array[float]], k: In[int]) -> float:
    return x[k + 1] * x[k]


@loma.function(debug=True)
def windowed(a: In[Array[float]], b: loma.InOut[Array[float]], i: In[int]) -> float:
    b[i] = a[i + 2] * 2.0
    return pair(a, i) * b[i]


@loma.kernel(debug=True)
def neighbours(x: In[Array[float]], y: loma.Out[Array[float]]):
    i: int = loma.thread_id()
    y[i] = x[i + 1] * x[i]


def test_arrays_from_python_bring_their_lengths() -> None:
    """Indices into arrays of no size are checked, in derivatives and in what is called too."""
    a = np.arange(5.0)
    for _ in range(30):  # beyond the calls after which machine code takes the arguments apart
        assert windowed(a, np.zeros(3), 1) == 12.0
    for call in (windowed, loma.grad(windowed)):
        with pytest.raises(RunError, match="index 5 is outside an array of length 5: a.i . 2. wi"):
            call(a, np.zeros(9), 3)
        with pytest.raises(RunError, match="index 2 is outside an array of length 2: b.i."):
            call(a, np.zeros(2), 2)
        with pytest.raises(RunError, match="index -1"):
            call(a, np.zeros(2), -1)
    with pytest.raises(RunError, match="index 5 is outside an array of length 5: x.i . 1. with i"):
        neighbours(a)
    with pytest.raises(RunError, match="index 3 is outside an array of length 3: x.i . 1."):
        loma.vjp(neighbours, np.ones(3))


def test_command_line(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text("def f(x : In[float]) -> float:\n    return log(x) + 1.0 / x\n")
    for args in (["run", str(file), "--call", "f(0.0)"], ["grad", f"{file}:f", "--at", "0.0"]):
        plain, debug = (CliRunner().invoke(app, [*args, *more]) for more in ([], ["--debug"]))
        assert plain.exit_code == 0, plain.output
        assert debug.exit_code != 0
