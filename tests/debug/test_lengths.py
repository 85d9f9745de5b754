"""Debug mode knows the lengths of all arrays from Python: rows, arrays in structs, outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import loma
from loma import Array, In, InOut, Out
from loma.cli.app import app
from loma.diagnostics import RunError
from loma.driver import core_module
from loma.host.course import compile
from loma.ir.interp import run


class Part:
    xs: Array[float]
    k: int


@loma.function
def tail(x: In[Array[float]], k: In[int]) -> float:
    if k > 100:
        return tail(x, k - 100)
    return x[k] * x[k]


@loma.function
def put(y: Out[Array[float]], k: In[int], v: In[float]):
    if k > 100:
        put(y, k - 100, v)
    y[k] = v * v


@loma.function(debug=True)
def rows(a: In[Array[Array[float]]], i: In[int], j: In[int]) -> float:
    return a[i][j] * 2.0 + tail(a[i], j)


@loma.function(debug=True)
def member(s: In[Part], j: In[int]) -> float:
    return s.xs[j + 1] * 2.0


@loma.function(debug=True)
def members(s: In[Array[Part]], i: In[int], j: In[int]) -> float:
    return s[i].xs[j + 1] * tail(s[i].xs, j)


@loma.function(debug=True)
def part(a: In[Array[Array[float]]], low: In[int], j: In[int]) -> float:
    return tail(a[0][low:], j) + a[0][low:low + 2][j]


@loma.function(debug=True)
def written(x: In[float], j: In[int], y: Out[Array[float]]):
    y[j] = x * x
    y[0] = x


@loma.function(debug=True)
def rewritten(x: In[float], i: In[int], j: In[int], y: Out[Array[Array[float]]]):
    y[i][j] = x * x
    y[i][j] = y[i][j] * x


@loma.function(debug=True)
def changed(x: In[float], i: In[int], j: In[int], y: InOut[Array[Array[float]]]):
    y[i][j] = x * y[i][j]
    y[i][j] = x * sin(y[i][j])  # noqa: F821


@loma.function(debug=True)
def local(n: In[int], j: In[int], x: In[float]) -> float:
    t: Array[float, n + 1]
    put(t, j, x)  # noqa: F821
    return tail(t, j)  # noqa: F821


@loma.kernel(debug=True)
def threads(s: In[Array[Part]], y: Out[Array[float]]):
    i: int = loma.thread_id()
    y[i] = s[i].xs[i + 1] * s[i].k


ROWS = [np.arange(3.0), np.arange(2.0)]
INPUTS = [
    (rows, (ROWS, 0, 2), (ROWS, 1, 2), "index 2 is outside an array of length 2: a[i][j]"),
    (rows, (ROWS, 1, 1), (ROWS, 2, 0), "index 2 is outside an array of length 2: a[i]"),
    (rows, (ROWS, 1, 0), (ROWS, -1, 0), "index -1 is below zero: a[i]"),
    (rows, (ROWS, 0, 102 - 100), (ROWS, 0, 3), "index 3 is outside an array of length 3"),
    (rows, ([[], [1.0]], 1, 0), ([[], [1.0]], 0, 0), "index 0 is outside an array of length 0"),
    (member, ({"xs": np.arange(3.0), "k": 1}, 1), ({"xs": np.arange(3.0), "k": 1}, 2),
     "index 3 is outside an array of length 3: s.xs[j + 1] with j = 2"),
    (members, ([{"xs": np.arange(3.0), "k": 1}], 0, 1), ([{"xs": np.arange(3.0), "k": 1}], 1, 1),
     "index 1 is outside an array of length 1: s[i]"),
    (part, (ROWS, 1, 1), (ROWS, 2, 1), "index 1 is outside an array of length 1: x[k]"),
    (part, (ROWS, 1, 1), (ROWS, 3, 0), "index 0 is outside an array of length 0: x[k]"),
    (part, (ROWS, 1, 1), (ROWS, 4, 0), "index 3 is outside an array of length 3: a[0]"),
    (local, (2, 2, 3.0), (2, 3, 3.0), "index 3 is outside an array of length 3: y[k]"),
]


@pytest.mark.parametrize(("f", "fine", "wrong", "text"), INPUTS)
def test_inputs(f: Callable[..., object], fine: tuple[object, ...], wrong: tuple[object, ...],
                text: str) -> None:
    for call in (f, loma.grad(f), loma.value_and_grad(f)):
        call(*fine)
        with pytest.raises(RunError) as caught:
            call(*wrong)
        assert caught.value.code == "INDEX" and text in str(caught.value)
    f(*fine)


def test_outputs() -> None:
    """In reverse an output's memory is not there; its adjoint is as long."""
    y, zero = np.zeros(2), np.zeros(1)
    k = np.zeros(1, np.int32)
    for call in (lambda j: written(2.0, j, y), lambda j: loma.rev_diff(written)(
            2.0, zero, j, k, np.ones(2))):
        call(1)
        with pytest.raises(RunError, match="index 2 is outside an array of length 2: y.j."):
            call(2)


@pytest.mark.parametrize("f", [rewritten, changed], ids=lambda f: f.name)
def test_rows_that_are_written(f: Callable[..., object]) -> None:
    memory, zero, k = [np.ones(3), np.ones(2)], np.zeros(1), np.zeros(1, np.int32)
    adjoint = [[np.ones(3), np.ones(2)]] if f is changed else []

    def reverse(i: int, j: int) -> None:
        loma.rev_diff(f)(2.0, zero, i, k, j, k, memory, *adjoint)

    for call in (lambda i, j: f(2.0, i, j, memory), reverse):
        call(1, 1)
        with pytest.raises(RunError, match="index 2 is outside an array of length 2: y.i..j."):
            call(1, 2)
        with pytest.raises(RunError, match="index 2 is outside an array of length 2: y.i."):
            call(2, 0)


def test_matrices() -> None:
    """Hessians and Jacobians check as well."""
    with pytest.raises(RunError, match="index 2 is outside an array of length 2: a.i..j."):
        loma.hessian(rows)([np.ones(2), np.ones(2)], 1, 2)
    with pytest.raises(RunError, match="index 2 is outside an array of length 2: y.j."):
        loma.jacobian(written)(2.0, 2, y=np.zeros(2))


def test_kernels() -> None:
    three, two = ({"xs": np.arange(n), "k": 1} for n in (3.0, 2.0))
    assert threads([three, three]).tolist() == [1.0, 2.0]
    for call in (threads, lambda s: loma.vjp(threads, s)):
        with pytest.raises(RunError, match="index 2 is outside an array of length 2: s.i..xs"):
            call([three, two])
    with pytest.raises(loma.ArgumentValueError, match="`y` must have at least length 2"):
        threads[2]([three, three], y=np.zeros(1))


PROGRAM = """\
def f(x : In[Array[Array[float]]], i : In[int], j : In[int]) -> float:
    return x[i][j] * 2.0
d_f = fwd_diff(f)
"""


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_pointers_have_no_length(target: str) -> None:
    """The course's door: only what is below zero is outside for certain."""
    import ctypes

    _, lib = compile(PROGRAM, target=target, debug=True, file="p.py")
    row = (ctypes.c_float * 2)(1.0, 2.0)
    x = (ctypes.POINTER(ctypes.c_float) * 1)(ctypes.cast(row, ctypes.POINTER(ctypes.c_float)))
    assert lib.f(x, 0, 1) == 4.0
    with pytest.raises(RunError, match="p.py:2: index -1 is below zero: x.i..j."):
        lib.f(x, 0, -1)


def test_interpreter() -> None:
    core = core_module(PROGRAM, "p.py", loma.ir.types.Scalar.F64, debug=True)
    assert run(core, "f", [[[1.0], [2.0, 3.0]], 1, 1]) == 6.0
    dual = [[{"val": 1.0, "dval": 1.0}]]
    for name, memory in (("f", [[1.0]]), ("d_f", dual)):
        with pytest.raises(RunError, match="index 1 is outside an array of length 1: x.i..j."):
            run(core, name, [memory, 0, 1])


def test_command_line(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text(PROGRAM)
    at = "[[1.0], [2.0, 3.0]], {}, {}"
    for args in (["run", str(file), "--call", f"f({at})"], ["grad", f"{file}:f", "--at", at]):
        fine, wrong = (CliRunner().invoke(app, [*(a.format(*ij) for a in args), "--debug"])
                       for ij in ((1, 1), (0, 1)))
        assert fine.exit_code == 0, fine.output
        assert "index 1 is outside an array of length 1: x[i][j]" in wrong.output
