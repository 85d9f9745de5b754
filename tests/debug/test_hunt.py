"""The hunt for nan names the first operation that is not finite, derivatives included."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import loma
from loma import Array, In, Out
from loma.cli.app import app
from loma.frontend import load
from loma.host.calls import bound
from loma.host.hunt import NotFinite, hunted
from loma.host.literals import parse_arguments
from loma.host.requests import signature_of
from loma.ir.types import F32, F64, Scalar

PROGRAM = """\
def norm(x : In[Array[float]], n : In[int]) -> float:
    s : float = 0.0
    for i in range(n):
        s = s + x[i] * x[i]
    return sqrt(s)
def logs(x : In[Array[float]], n : In[int]) -> float:
    s : float = 0.0
    for i in range(n):
        y : float = x[i] - 2.0
        s = s + log(y * y) * (x[i] - 2.0)
    return s
def logistic(x : In[float]) -> float:
    return 1.0 / (1.0 + exp(x))
def harmless(x : In[float]) -> float:
    return pow(x, 0.5) * 0.0 + x
def deep(x : In[float], n : In[int]) -> float:
    if n == 0:
        return 1.0 / (x - 1.0)
    return deep(x * 0.5, n - 1) * x
def long(x : In[float], n : In[int]) -> float:
    s : float = x
    for i in range(n):
        s = s * 1.00001 + x / (0.0001 * (n - i - 5))
    return s
def gathered(x : In[float]) -> float:
    a : Array[float, 2]
    a[0] = x * 1e30
    a[0] = a[0] * a[0] * 1e30 * a[0]
    return a[0]
class Pair:
    a : float
    b : float
def both(p : In[Pair]) -> float:
    return asin(p.a) / p.b
def power(x : In[float], y : In[float]) -> float:
    return pow(x, y) * 2.0
def far(p : In[Array[Pair]], n : In[int]) -> float:
    s : float = 0.0
    for i in range(n):
        s += p[i].a / (p[i].a ** 2 + p[i].b ** 2)
    return s
def angles(x : In[float]) -> float:
    return acos(x) * acos(x)
"""


def hunt(function: str, at: str, float_type: Scalar = F64) -> NotFinite | None:
    program = load(PROGRAM, "p.py", float_type)
    signature = signature_of(program, function)
    operands = bound(function, signature, parse_arguments(at), program.structs)
    return hunted(program, function, operands)


def found(function: str, at: str, float_type: Scalar = F64) -> NotFinite:
    result = hunt(function, at, float_type)
    assert result is not None
    return result


@pytest.mark.parametrize(("function", "at"), [
    ("norm", "[3.0, 4.0], 2"), ("logistic", "100.0"), ("harmless", "1.0"), ("deep", "5.0, 3"),
    ("both", "(0.5, 2.0)"),
])
def test_nothing_to_find(function: str, at: str) -> None:
    """What is finite in the end is right, whatever a partial derivative was on the way."""
    assert hunt(function, at) is None


def test_norm_at_zero() -> None:
    """The adjoint of the root is infinite; then it meets a zero."""
    first = found("norm", "[0.0, 0.0], 2")
    assert (first.line, first.in_derivative, first.result) == (5, True, math.inf)
    assert dict(first.operands) == {"partial derivative": math.inf, "adjoint": 1.0}
    then = first.then
    assert then is not None and then.line == 4 and then.zero_times_infinity
    assert then.in_derivative and dict(then.loops) == {"i": 1}
    assert "this is a 0 * inf of the adjoint" in str(first)


def test_primal_operation_with_operands_as_written() -> None:
    first = found("logs", "[1.0, 2.0, 3.0], 3")
    assert (first.operation, first.line, first.in_derivative) == ("log", 10, False)
    assert first.operands == (("y * y", 0.0),) and first.loops == (("i", 1),)
    then = first.then
    assert then is not None and then.zero_times_infinity and not then.in_derivative
    assert dict(then.operands) == {"log(y * y)": -math.inf, "x[i] - 2.0": 0.0}
    text = str(first)
    assert "   |                 ^^^^^^^^^^\n" in text and "  --> p.py:10:17" in text


def test_only_the_tangent_goes_wrong() -> None:
    """The adjoint is zero before it meets the infinite partial derivative, the tangent is not."""
    first = found("harmless", "0.0")
    assert first.in_derivative and first.then is not None and first.then.zero_times_infinity


def test_only_the_gradient_goes_wrong() -> None:
    """The value is 0; the adjoint multiplies 0 and infinity."""
    first = found("logistic", "1000.0")
    assert (first.operation, first.line) == ("exp", 13)
    assert first.then is not None and first.then.zero_times_infinity


@pytest.mark.parametrize(("function", "at", "lines"), [
    ("norm", "[0.0, 0.0], 2", [
        "operands: partial derivative = inf, adjoint = 1.0", "where s = 0.0",
        "operands: x[i] = 0.0, adjoint = inf", "in the loop at i = 1",
        "this is a 0 * inf of the adjoint"]),
    ("power", "0.0, 0.5", ["operands: partial derivative = inf, adjoint = 2.0"]),
    ("logistic", "1000.0", ["operands: x = 1000.0",
                            "operands: partial derivative = -0.0, tangent = inf",
                            "where 1.0 + exp(x) = inf",
                            "this is a 0 * inf of the tangent"]),
    ("far", "[{'a': 1.0, 'b': 0.0}, {'a': 0.0, 'b': 0.0}], 2", [
        "operands: p[i].a = 0.0, p[i].a * p[i].a + p[i].b * p[i].b = 0.0",
        "in the loop at i = 1"]),
    ("angles", "1.0", [
        "operands: partial derivative = -inf, tangent = 1.0", "where x = 1.0",
        "operands: acos(x) = 0.0, tangent = -inf", "this is a 0 * inf of the tangent"]),
    ("both", "(0.0, 0.0)", ["operands: asin(p.a) = 0.0, p.b = 0.0"]),
])
def test_what_a_person_reads(function: str, at: str, lines: list[str]) -> None:
    """Values have the names that people gave them, or their expressions."""
    said = ("operands: ", "where ", "in ", "this is ")
    assert [x for x in str(found(function, at)).splitlines() if x.startswith(said)] == lines


def test_recursion_and_the_type_of_float() -> None:
    first = found("deep", "4.0, 2")
    assert (first.operation, first.line, first.operands[1]) == ("div", 18, ("x - 1.0", 0.0))
    assert found("logistic", "100.0", F32).operation == "exp"


def test_memory_and_structs() -> None:
    first = found("gathered", "1e150")
    assert (first.operation, first.line, first.result) == ("mul", 28, math.inf)
    first = found("both", "(2.0, 1.0)")
    assert first.operation == "asin" and math.isnan(first.result) and first.then is None


def test_inputs_are_looked_at_first() -> None:
    first = found("norm", "[1.0, 1e999], 2")
    assert first.operation == "an argument" and first.operands == (("x[1]", math.inf),)


def test_a_million_operations() -> None:
    start = time.perf_counter()
    first = found("long", "1.0, 500000")
    assert dict(first.loops) == {"i": 499995}
    assert time.perf_counter() - start < 20.0


@dataclass
class Point:
    u: float
    v: float


@loma.function
def distance(p: In[Point], q: In[Point]) -> float:
    return loma.sqrt((p.u - q.u) * (p.u - q.u) + (p.v - q.v) * (p.v - q.v))


@loma.kernel
def roots(x: In[Array[float]], y: Out[Array[float]]):
    i: int = loma.thread_id()
    y[i] = loma.sqrt(x[i])


def test_python_door() -> None:
    assert loma.nan_hunt(distance)(Point(1.0, 2.0), Point(4.0, 6.0)) is None
    first = loma.nan_hunt(distance)(Point(1.0, 2.0), q=Point(1.0, 2.0))
    assert first is not None and first.in_derivative
    assert Path(first.file).name == Path(__file__).name
    assert "loma.sqrt(" in str(first)
    first = loma.nan_hunt(roots)(np.array([4.0, -1.0]))
    assert first is not None and first.operation == "sqrt"
    assert dict(first.operands) == {"x[i]": -1.0} and "\nin thread 1" in str(first)
    assert loma.nan_hunt(roots)(np.array([4.0, 1.0], np.float32)) is None
    with pytest.raises(TypeError, match="nan_hunt"):
        loma.nan_hunt(math.sqrt)


@loma.function
def table(a: In[Array[float, "n", "m"]], y: Out[Array[float, "n"]]):  # noqa: F821, UP037
    for i in range(n):  # noqa: F821
        y[i] = loma.log(a[i, 0])


def test_named_sizes() -> None:
    assert loma.nan_hunt(table)(np.ones((2, 3))) is None
    first = loma.nan_hunt(table)(np.eye(3))
    assert first is not None and first.operation == "log" and dict(first.loops) == {"i": 1}


def test_command_line(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text(PROGRAM)
    found = CliRunner().invoke(app, ["hunt", f"{file}:norm", "--at", "[0.0], 1"])
    assert found.exit_code == 0 and "0 * inf of the adjoint" in found.output
    fine = CliRunner().invoke(app, ["hunt", f"{file}:norm", "--at", "[1.0], 1"])
    assert fine.exit_code == 0 and "finite" in fine.output
