"""Calls of decorated functions with numbers, arrays and structs."""

from __future__ import annotations

import dataclasses
import math
import pickle
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, atomic_add, fwd_diff, rev_diff, sin, thread_id

SCALE = 3.0


@loma.function
def wave(a: In[float], x: In[float]) -> float:
    return sin(a * x)


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = wave(a, x[i])


@dataclasses.dataclass
class Vec:
    x: float
    y: float


class Ray(NamedTuple):
    origin: Vec
    steps: Array[float, 2]


class Mesh:
    points: Array[Vec]
    weights: Array[float]


@loma.function
def add(a: In[Vec], b: In[Vec]) -> Vec:
    r: Vec
    r.x = a.x + b.x
    r.y = a.y + b.y
    return r


@loma.kernel
def doubled(v: In[Array[Vec]], out: Out[Array[Vec]]):
    i: int = thread_id()
    out[i] = add(v[i], v[i])


@loma.function
def fact(n: In[int]) -> int:
    if n <= 1:
        return 1
    return n * fact(n - 1)


def test_a_function_computes() -> None:
    assert wave(2.0, 0.5) == math.sin(1.0)
    assert wave(x=0.5, a=2) == math.sin(1.0)
    assert fact(5) == 120 and isinstance(fact(5), int)


def test_a_kernel_runs_a_thread_for_each_element() -> None:
    x = np.linspace(0, 1, 7)
    np.testing.assert_allclose(waves(2.0, x), np.sin(2 * x), rtol=1e-15)
    buffer = np.full(7, -1.0)
    assert waves[3](2.0, x, y=buffer) is None
    np.testing.assert_allclose(buffer, [*np.sin(2 * x[:3]), -1, -1, -1, -1], rtol=1e-15)
    assert waves[0](2.0, x).shape == (0,)


def test_arrays_and_numpy_scalars_decide_the_real_type() -> None:
    x = np.linspace(0, 1, 5, dtype=np.float32)
    assert waves(2.0, x).dtype == np.float32
    assert waves(np.float32(2), x).dtype == np.float32
    assert isinstance(wave(np.float32(2), 0.5), np.float32)
    assert isinstance(wave(2, 0.5), np.float64)
    with pytest.raises(loma.ArgumentTypeError, match="mix float32 and float64.*`a` has float64"):
        waves(np.float64(2), x)


def test_explicit_types_never_change() -> None:
    @loma.function
    def mixed(x: In[loma.f64], y: In[float], z: In[loma.f32]) -> float:
        return x + y + z

    assert isinstance(mixed(1.0, np.float32(2), 3.0), np.float32)
    assert isinstance(mixed(1.0, 2.0, 3.0), np.float64)
    assert mixed(0.1, 0.0, 0.1) == 0.1 + float(np.float32(0.1))


def test_a_constant_that_changes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    @loma.function
    def scaled(x: In[float]) -> float:
        return SCALE * x

    @loma.function
    def outer(x: In[float]) -> float:
        return scaled(x) + 1

    for _ in range(5):
        assert (scaled(2.0), outer(2.0)) == (6, 7)
    monkeypatch.setitem(globals(), "SCALE", -5)
    for _ in range(5):
        assert (scaled(2.0), outer(2.0)) == (-10, -9)
    assert loma.grad(outer)(2.0).x == -5


def test_a_closure_is_read() -> None:
    factor = 3

    @loma.function
    def scaled(x: In[float]) -> float:
        return factor * x

    assert [scaled(2.0) for _ in range(5)] == [6] * 5
    factor = 4
    assert [scaled(2.0) for _ in range(5)] == [8] * 5


def test_names_of_modules_are_followed() -> None:
    @loma.function
    def area(r: loma.In[float]) -> float:
        return math.pi * r * r + loma.sin(0.0) + math.sin(0.0)

    assert area(1.0) == math.pi


def test_functions_of_one_name_do_not_meet() -> None:
    def made(k: float) -> loma.Function:
        @loma.function
        def f(x: In[float]) -> float:
            return k * x

        return f

    two, three = made(2.0), made(3.0)

    @loma.function
    def both(x: In[float]) -> float:
        return two(x) + 10 * three(x)

    assert both(1.0) == 32


def test_structs_come_as_they_are_given() -> None:
    assert add(Vec(1, 2), {"x": 3, "y": 4}) == Vec(4, 6)
    assert add((1, 2), Vec(np.float32(3), 4)) == Vec(4, 6)

    @loma.function
    def walk(r: In[Ray], s: In[float]) -> Ray:
        q: Ray = r
        q.origin = add(r.origin, r.origin)
        q.steps[0] = s
        return q

    found = walk(Ray(Vec(1, 2), [3, 4]), 5.0)
    assert isinstance(found, Ray) and found.origin == Vec(2, 4)
    np.testing.assert_array_equal(found.steps, [5, 4])


def test_structured_arrays_are_not_copied() -> None:
    dtype = np.dtype([("x", "f8"), ("y", "f8")], align=True)
    v, out = np.zeros(3, dtype), np.zeros(3, dtype)
    v["x"] = [1, 2, 3]
    doubled(v, out=out)
    np.testing.assert_array_equal(out["x"], [2, 4, 6])
    assert doubled(v.astype([("x", "f4"), ("y", "f4")])).dtype["x"] == np.float32
    np.testing.assert_array_equal(doubled([Vec(1, 2), (3, 4)])["y"], [4, 8])


def test_pointers_inside_structs() -> None:
    @loma.function
    def total(m: In[Mesh], n: In[int]) -> float:
        s: float = 0.0
        for i in range(n):
            s = s + m.points[i].x * m.points[i].y * m.weights[i]
        return s

    mesh = {"points": [Vec(1, 2), Vec(3, 4)], "weights": np.array([1.0, 2.0])}
    assert total(mesh, 2) == 26
    found = loma.grad(total)(mesh, 2).m
    np.testing.assert_array_equal(found.weights, [2, 12])
    np.testing.assert_array_equal(found.points["x"], [2, 8])


def test_arrays_of_arrays() -> None:
    @loma.function
    def rows(a: In[Array[Array[float]]], n: In[int], o: InOut[Array[Array[float]]]):
        for i in range(n):
            o[i][0] = a[i][0] * a[i][1] + o[i][0]

    out = np.ones((2, 3))
    rows(np.full((2, 3), 2.0), 2, out)
    np.testing.assert_array_equal(out, [[5, 1, 1], [5, 1, 1]])
    ragged = [np.array([1.0]), np.array([2.0, 3.0])]
    rows([np.array([2.0, 3.0]), np.array([4.0, 5.0, 6.0])], 2, ragged)
    assert [r[0] for r in ragged] == [7, 22]
    with pytest.raises(loma.ArgumentValueError, match="its arrays overlap each other"):
        rows(np.ones((2, 2)), 2, [out[0], out[0]])


def test_results_of_several_kinds() -> None:
    @loma.function
    def several(n: InOut[int], v: InOut[Vec], s: Out[float], a: Out[Array[float, 2]]) -> bool:
        n = n + 1
        v.x = 7.0
        s = 3.5
        a[1] = 2.0
        return n > 1

    found = several(1, Vec(0, 1))
    assert found.result is True and found.n == 2 and found.v == Vec(7, 1) and found.s == 3.5
    np.testing.assert_array_equal(found.a, [0, 2])
    cell = np.array([5], np.int32)
    assert not hasattr(several(cell, Vec(0, 1)), "n") and cell[0] == 6


def test_an_output_may_be_called_result() -> None:
    """Then the returned value has another name, in calls and in derivatives."""
    @loma.function
    def both(x: In[float], result: Out[float]) -> float:
        result = x * x
        return 3.0 * x

    assert both(2.0)._asdict() == {"result_": 6.0, "result": 4.0}
    assert loma.grad(both)(2.0).x == 3.0
    _, tangents = loma.jvp(both, (2.0,), (1.0,))
    assert tangents._asdict() == {"result_": 3.0, "result": 4.0}
    _, pull = loma.vjp(both, 2.0)
    assert pull(result=1.0, result_=10.0).x == 34.0
    rows = loma.jacobian(both)(2.0)
    assert (float(rows.result_.x), float(rows.result.x)) == (3.0, 4.0)


def test_named_sizes() -> None:
    @loma.function
    def squares(x: In[Array[float, "n"]], n: In[int], y: Out[Array[float, "n"]]):
        for i in range(n):
            y[i] = x[i] * x[i]

    for _ in range(5):
        np.testing.assert_array_equal(squares(np.arange(3.0), 3), [0, 1, 4])
        with pytest.raises(loma.ArgumentValueError, match="`x` must have length 4.*`n`.*not 3"):
            squares(np.arange(3.0), 4)


def test_a_copy_is_announced() -> None:
    x = np.arange(6.0)
    with pytest.warns(loma.CopyWarning, match="`x` is copied") as caught:
        np.testing.assert_allclose(waves(1.0, x[::2]), np.sin(x[::2]))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        waves(1.0, x)


def test_lists_are_inputs() -> None:
    np.testing.assert_allclose(waves(1.0, [1, 2.5]), np.sin([1, 2.5]))


def test_atomic_sums() -> None:
    @loma.kernel
    def total(x: In[Array[float]], s: Out[float]):
        atomic_add(s, x[thread_id()])

    assert total(np.ones(1000)) == 1000


def test_load(tmp_path: Path) -> None:
    text = "def f(x : In[float]) -> float:\n    return x * x\nd = fwd_diff(f)\n"
    lib = loma.load(text)
    assert lib.f(3.0) == 9 and isinstance(lib.f(3.0), np.float32)
    assert lib.d((3.0, 1.0)).dval == 6
    assert list(lib) == ["f", "d"]
    path = tmp_path / "program.py"
    path.write_text(text)
    assert loma.load(path, float_type="f64")["f"](0.1) == 0.1 * 0.1
    assert rev_diff(lib.f)(3.0, 1.0) == 6
    with pytest.raises(AttributeError, match="no function `g`; it has f, d"):
        _ = lib.g
    with pytest.raises(loma.UserError):
        loma.load("def f(x : In[float]) -> float:\n    return y\n")


def test_a_decorated_function_calls_a_loaded_one() -> None:
    lib = loma.load("def f(x : In[float]) -> float:\n    return x * x\n", float_type="f64")
    f = lib.f

    @loma.function
    def g(x: In[float]) -> float:
        return f(x) + lib.f(x)

    assert g(3.0) == 18


def test_map() -> None:
    np.testing.assert_allclose(
        wave.map(np.ones((2, 1)), np.arange(3.0)), np.sin(np.ones((2, 1)) * np.arange(3.0)))
    np.testing.assert_allclose(wave.map(2.0, [0.5]), [math.sin(1)])
    with pytest.raises(loma.ArgumentTypeError, match="needs an array for at least one"):
        wave.map(1.0, 2.0)
    with pytest.raises(loma.ArgumentValueError, match="shapes"):
        wave.map(np.ones(2), np.ones(3))


def test_sources_parse_again() -> None:
    lib = loma.load(rev_diff(waves).source, float_type="f64")
    x = np.linspace(0, 1, 4)
    again = lib["_d_rev_waves"][4](2.0, x, np.ones(4), adj_x=np.zeros(4))
    assert again == rev_diff(waves)(2.0, x, np.ones(4)).adj_a
    assert "def wave(" in waves.source and "@simd" in waves.source
    assert "adj_a" in rev_diff(wave).source


def test_names_and_pickles() -> None:
    assert repr(wave) == "<loma function wave(a: In[float], x: In[float]) -> float>"
    assert wave.name == wave.__name__ == "wave" and wave.signature.result is not None
    assert waves.is_kernel and not wave.is_kernel
    assert rev_diff(wave) is rev_diff(wave)
    assert pickle.loads(pickle.dumps(wave)) is wave
    assert pickle.loads(pickle.dumps(rev_diff(wave)))(2.0, 0.5, 1.0) == rev_diff(wave)(2.0, 0.5, 1)
    assert fwd_diff(wave)((2.0, 1.0), (0.5, 0.0)).val == wave(2.0, 0.5)


def test_a_trap_is_an_exception_with_the_users_line() -> None:
    @loma.function
    def divided(a: In[int], b: In[int]) -> int:
        return a / b

    for _ in range(5):
        with pytest.raises(loma.RunError) as caught:
            divided(1, 0)
        assert caught.value.file == __file__
        lines = Path(__file__).read_text().split("\n")
        assert lines[caught.value.line - 1].strip() == "return a / b"
        assert divided(7, 2) == 3


def test_builtins_are_for_decorated_functions() -> None:
    with pytest.raises(TypeError, match="`sin` of loma is for functions"):
        loma.sin(1.0)
