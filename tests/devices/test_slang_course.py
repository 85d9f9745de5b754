"""Slang as the course's scripts use it, through `compat/`: on the CPU device if need be."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

COMPAT = Path(__file__).parents[2] / "compat"
TEXT = """
class Pair:
    a : float
    b : float

@simd
def parallel_copy(x : In[float], z : Out[Array[float]]):
    i : int = thread_id()
    z[i] = x

fwd_parallel_copy = fwd_diff(parallel_copy)
rev_parallel_copy = rev_diff(parallel_copy)

@simd
def weighed(p : In[Pair], n : In[int], x : In[Array[float]], total : Out[float],
            z : Out[Array[Pair]]):
    i : int = thread_id()
    z[i].a = p.a * x[i] + n
    z[i].b = p.b
    atomic_add(total, p.a * x[i])

rev_weighed = rev_diff(weighed)
"""
COUNT = 500


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """The course's modules, a device, the compiled program, and what was said of the device."""
    monkeypatch.syspath_prepend(str(COMPAT))
    compiler, utils, slangpy = map(
        importlib.import_module, ("compiler", "slang_utils", "slangpy"))
    device = utils.create_slang_device()
    said = capfd.readouterr().err
    module, kernels = compiler.compile(TEXT, target="slang", slang_device=device)
    return SimpleNamespace(
        slangpy=slangpy, device=device, said=said, module=module, kernels=kernels)


def floats(course: Any, values: Any) -> Any:
    """A tensor."""
    return course.slangpy.Tensor.from_numpy(course.device, np.asarray(values, "f"))


def by_position(course: Any, name: str, *values: Any) -> None:
    """Dispatches a kernel whose parameters' names are looked up."""
    f = course.kernels[name].program.layout.find_function_by_name(name)
    assert [f.parameters[k].name for k in (0, 1)] == ["_tid", "_total_threads"]
    named = {f.parameters[2 + k].name: v for k, v in enumerate(values)}
    course.kernels[name].dispatch(
        **{"thread_count": [COUNT, 1, 1], f.parameters[1].name: COUNT, **named})


def test_the_device_is_named(course: Any) -> None:
    kind = course.device.desc.type.name
    assert f"Slang runs on {kind} (" in course.said


def test_forward_by_name(course: Any) -> None:
    x = course.module._dfloat(0.123, 0.456)
    z = course.slangpy.Tensor.empty(
        device=course.device, dtype=course.module._dfloat, shape=(COUNT,))
    cursor = z.cursor()
    for i in range(COUNT):
        cursor[i].write({"val": 0.0, "dval": 0.0})
    cursor.apply()
    course.kernels["fwd_parallel_copy"].dispatch(
        thread_count=[COUNT, 1, 1], _total_threads=COUNT, x=x, z=z.storage)
    read = z.cursor()
    for i in range(0, COUNT, 7):
        assert read[i].read()["dval"] == pytest.approx(x["dval"])
        assert read[i].read()["val"] == pytest.approx(x["val"])


def test_reverse_by_position(course: Any) -> None:
    dx, dz = floats(course, [0.0]), floats(course, np.full(COUNT, 0.456 / COUNT))
    by_position(course, "rev_parallel_copy", 0.123, dx.storage, dz.storage)
    assert dx.to_numpy()[0] == pytest.approx(0.456, rel=1e-5)


def test_structs_and_numbers_by_name_and_by_position(course: Any) -> None:
    x = np.linspace(0, 1, COUNT, dtype="f")
    total, z = floats(course, [1.0]), floats(course, np.zeros(2 * COUNT))
    p = {"a": 2.0, "b": 3.0}
    course.kernels["weighed"].dispatch(
        thread_count=[COUNT, 1, 1], _total_threads=COUNT, p=p, n=5,
        x=floats(course, x).storage, total=total.storage, z=z.storage)
    assert np.allclose(z.to_numpy().reshape(COUNT, 2), np.stack([2 * x + 5, 3 + 0 * x], axis=1))
    assert total.to_numpy()[0] == pytest.approx(1 + 2 * x.sum(), rel=1e-5)
    gp, gx, gz = floats(course, [0, 0]), floats(course, 0 * x), floats(course, np.ones(2 * COUNT))
    gn = course.slangpy.Tensor.from_numpy(course.device, np.zeros(1, "i4"))
    values = (p, gp, 5, gn, floats(course, x), gx, 0.5, gz)
    by_position(course, "rev_weighed", *(getattr(v, "storage", v) for v in values))
    assert np.allclose(gp.to_numpy(), [1.5 * x.sum(), COUNT], rtol=1e-5)
    assert np.allclose(gx.to_numpy(), 3.0)
