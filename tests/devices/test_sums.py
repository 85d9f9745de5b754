"""What all threads add to a few places keeps its digits, however many threads there are: in f32 it
is within 1e-5 of what `llvm` computes in f64."""

from __future__ import annotations

import ctypes
from typing import Any, Final

import numpy as np
import pytest
from devices.running import on_device, slang_device
from devices.toolchains import MISSING
from parallel.judging import Operands
from subjects import Subject, differences, on

from loma.backends.flat_sums import LANES
from loma.backends.targets import DEVICES
from loma.diagnostics import RunError
from loma.frontend import load
from loma.host.course import compile
from loma.ir.types import F32, F64, ArrayType, Scalar, Type

MANY: Final = 10_000_000
HERE: Final = ["c", "llvm", *(t for t in ("wgsl", "slang", "opencl") if t not in MISSING)]
WIDE: Final = [t for t in HERE if t != "wgsl"]

LINE: Final = """
@simd
def total(x : In[Array[float]], s : Out[float]):
    i : int = thread_id()
    atomic_add(s, x[i])

@simd
def line(a : In[float], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = a * x[i]
r_line = rev_diff(line)
"""
SHARED: Final = """
class Pair:
    a : float
    b : float

@simd
def shared(p : In[Pair], c : In[Array[float]], x : In[Array[float]], y : Out[Array[float]],
           s : Out[Array[float]], k : Out[int]):
    i : int = thread_id()
    t : float = p.a
    if x[i] > 0.875:
        for j in range(12):
            t = 0.5 * t * x[i] + c[j]
        atomic_add(s[1], x[i])
    else:
        atomic_add(k, 1)
        if x[i] > 0.625:
            return
        steps : int = i % 70
        while steps > 0:
            t = t + 0.01 * p.b * t * x[i] + 0.001 * c[3]
            atomic_add(s[2], 0.001)
            steps = steps - 1
    y[i] = t
r_shared = rev_diff(shared)
f_shared = fwd_diff(r_shared)
"""


class Draw(Operands):
    """Operands for so many threads that f32 holds exactly."""

    threads = 0

    def value(self, t: Type, name: str) -> Any:
        """Data of a type."""
        if isinstance(t, ArrayType):
            return [self.value(t.element, name) for _ in range(max(self.threads, 12))]
        found = super().value(t, name)
        return float(np.float32(found)) if isinstance(found, float) else found


def here(target: str, text: str, float_type: Scalar) -> Subject:
    """The functions of a text on a target."""
    return (on_device if target in DEVICES else on)(target, text, float_type)


def compare(target: str, name: str, threads: int, float_type: Scalar = F32) -> None:
    """A kernel of SHARED gives what `llvm` gives in f64."""
    wide = on("llvm", SHARED, F64)
    draw = Draw(load(SHARED, "test.py", F64).structs, {})
    draw.threads = threads
    given = draw.of(wide.signature(name))
    wanted = wide.call(name, given, threads)
    got = here(target, SHARED, float_type).call(name, given, threads)
    assert not differences(list(got), list(wanted), 1e-5 if float_type is F32 else 1e-12)


@pytest.mark.parametrize("threads", [0, 1, 63, 64, 65, 255, 256, 257, 1000])
@pytest.mark.parametrize("name", ["shared", "r_shared", "f_shared"])
@pytest.mark.parametrize("target", HERE)
def test_places_fields_branches_loops_and_tapes(target: str, name: str, threads: int) -> None:
    compare(target, name, threads)


def test_a_lane_takes_several_threads() -> None:
    """Slang's lanes are fewer on its CPU device: it is among those above."""
    compare("wgsl" if "wgsl" in HERE else "llvm", "r_shared", LANES + 1)


@pytest.mark.parametrize("target", WIDE)
def test_sums_of_64_bits(target: str) -> None:
    compare(target, "r_shared", 1000, F64)


STOPS: Final = """
@simd
def stops(x : In[Array[float]], s : Out[float]):
    i : int = thread_id()
    assert x[i] >= 0.0
    atomic_add(s, sqrt(x[i]))
"""


@pytest.mark.parametrize("target", HERE)
def test_a_thread_that_stops_itself_raises(target: str) -> None:
    x = [1.0] * 1000
    subject = here(target, STOPS, F32)
    assert subject.call("stops", [x, 0.5], 1000)[0][1] == 1000.5
    with pytest.raises(RunError, match=r"test.py:5: .*assert"):
        subject.call("stops", [[*x[:700], -1.0, *x[701:]], 0.0], 1000)


def launch(target: str, name: str, threads: int, values: list[Any]) -> list[Any]:
    """Runs a kernel of LINE; what arrays hold afterwards."""
    if target == "slang":
        import slangpy

        device = slang_device()
        _, kernels = compile(LINE, target=target, slang_device=device)
        parameters = kernels[name].program.layout.entry_points[0].parameters
        given = [slangpy.Tensor.from_numpy(device, v) if isinstance(v, np.ndarray) else v
                 for v in values]
        named = {parameters[2 + k].name: getattr(v, "storage", v) for k, v in enumerate(given)}
        kernels[name].dispatch(thread_count=[threads, 1, 1], _total_threads=threads, **named)
        return [v.to_numpy() if hasattr(v, "storage") else v for v in given]
    _, lib = compile(LINE, target=target)
    kind = ctypes.POINTER(ctypes.c_float)
    pointers = target in ("c", "llvm")
    getattr(lib, name)(*(v.ctypes.data_as(kind) if pointers and isinstance(v, np.ndarray) else v
                         for v in values), threads)
    return values


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("target", HERE)
def test_ten_million_threads(target: str, constant: bool) -> None:
    """Equal numbers round the same way each time, so that errors add up."""
    draw = np.random.default_rng(1)
    x, gy = (np.full(MANY, f, "f") if constant else draw.random(MANY, np.float32)
             for f in (0.7, 0.9))
    _, total = launch(target, "total", MANY, [x, np.full(1, 0.5, "f")])
    assert total[0] == pytest.approx(0.5 + np.sum(x, dtype="d"), rel=1e-5)
    _, ga, _, gx, _ = launch(target, "r_line", MANY, [
        2.0, np.zeros(1, "f"), x, np.zeros(MANY, "f"), gy])
    assert ga[0] == pytest.approx(np.dot(x.astype("d"), gy.astype("d")), rel=1e-5)
    assert np.array_equal(gx, 2.0 * gy)
