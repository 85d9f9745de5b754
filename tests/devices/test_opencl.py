"""OpenCL: kernels and their derivatives agree with the oracle, and what goes wrong is said."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np
import pytest
from devices.door import judge
from devices.programs import LOOP, SHARED, STENCIL, TRAPS

from loma.backends.device import DeviceError
from loma.diagnostics import RunError
from loma.host.course import compile
from loma.host.device_library import ArgumentError
from loma.ir.types import F32, F64, Scalar

COUNT = int(os.environ.get("LOMA_PROGRAMS", "24"))
FIRST = int(os.environ.get("LOMA_SEED", "1")) * 100_003


@pytest.mark.parametrize(("order", "float_type"), [(1, F64), (2, F64), (1, F32)])
def test_random_kernels_agree_with_the_oracle(order: int, float_type: Scalar) -> None:
    checked, seed = 0, FIRST
    while checked < COUNT:
        count, found = judge(seed, order, "opencl", float_type)
        assert not found, found
        checked += max(count, 0)
        seed += 1


def test_sums_of_many_threads() -> None:
    _, lib = compile(SHARED, target="opencl")
    n = 1_000_000
    rng = np.random.default_rng(1)
    x, gy = rng.random(n, np.float32), rng.random(n, np.float32)
    y, ga, gb, gx = np.zeros(n, "f"), np.zeros(1, "f"), np.full(1, 2.0, "f"), np.zeros(n, "f")
    lib.line(2.0, 1.0, x, y, n)
    assert np.allclose(y, 2 * np.sin(x) + 1, rtol=1e-6)
    lib.r_line(2.0, ga, 1.0, gb, x, gx, gy, n)
    assert np.isclose(ga[0], np.sum(gy.astype("d") * np.sin(x.astype("d"))), rtol=1e-5)
    assert np.isclose(gb[0], 2.0 + np.sum(gy.astype("d")), rtol=1e-5)
    assert np.allclose(gx, 2 * np.cos(x) * gy, rtol=1e-5, atol=1e-6)


def test_additions_of_neighbours_meet() -> None:
    _, lib = compile(STENCIL, target="opencl", float_type="f64")
    n = 5000
    gy = np.random.default_rng(2).random(n)
    x, gx, gn = np.zeros(n), np.zeros(n), ctypes.c_int(0)
    lib.r_smooth(n, gn, x, gx, gy, n)
    inner = np.where((np.arange(n) > 0) & (np.arange(n) < n - 1), gy, 0.0)
    wanted = -2 * inner
    wanted[:-1] += inner[1:]
    wanted[1:] += inner[:-1]
    assert np.allclose(gx, wanted, rtol=1e-13)


@pytest.mark.parametrize("steps", [3, 400, 20_000])
def test_tapes_grow_as_far_as_they_must(steps: int) -> None:
    structs, lib = compile(LOOP, target="opencl", float_type="f64")
    others, cpu = compile(LOOP, target="llvm", float_type="f64")
    n = 70
    drag = np.linspace(0.001, 0.02, n)
    after = []
    for kinds, run in ((structs, lib.r_drop), (others, cpu.r_drop)):
        ball = kinds["Ball"](1e9 if steps > 3 else 5.0, 3.0)
        gball, gdrag, gsteps, gy = kinds["Ball"](), np.zeros(n), ctypes.c_int(0), np.ones(n)
        arrays: list[Any] = [drag, gdrag, gy]
        if kinds is others:
            real = ctypes.POINTER(ctypes.c_double)
            arrays = [a.ctypes.data_as(real) for a in arrays]
        run(ball, ctypes.byref(gball), arrays[0], arrays[1], steps, gsteps, arrays[2], n)
        after.append((gball.height, gball.speed, gdrag))
    (h, s, g), (h2, s2, g2) = after
    assert np.isclose(h, h2) and np.isclose(s, s2) and np.allclose(g, g2)


def test_a_thread_that_stops_itself_raises() -> None:
    _, lib = compile(TRAPS, target="opencl", file="traps.py")
    a, b, c = np.arange(100, dtype="i4"), np.ones(100, "i4"), np.zeros(100, "i4")
    lib.divide(a, b, c, 100)
    assert (c == a).all()
    b[57] = 0
    with pytest.raises(RunError, match="traps.py:5: integer division by zero") as caught:
        lib.divide(a, b, c, 100)
    assert caught.value.code == "DIVISION"
    b[57] = 3
    lib.divide(a, b, c, 100)
    assert c[57] == 19


def test_integers_and_local_arrays() -> None:
    _, lib = compile(TRAPS, target="opencl")
    x = np.random.default_rng(3).integers(0, 7, 100_000).astype("i4")
    counts = np.zeros(7, "i4")
    lib.histogram(x, counts, len(x))
    assert (counts == np.bincount(x, minlength=7)).all()
    n, y = 3000, np.zeros(50, "f")
    z = np.random.default_rng(4).random(n, np.float32)
    lib.scratch(n, z, y, 50)
    assert np.allclose(y, np.arange(50) * z.sum(), rtol=1e-4)
    s = ctypes.c_float(0.5)
    lib.total(z, ctypes.byref(s), n)
    assert np.isclose(s.value, 0.5 + z.sum(), rtol=1e-5)
    lib.total(z, s, 0)


def test_arguments_that_are_one_memory() -> None:
    import pyopencl as cl

    from loma.backends.opencl_load import default_queue

    queue = default_queue()
    _, lib = compile(SHARED, target="opencl", opencl_command_queue=queue)
    n = 1000
    data = np.zeros(n, "f")
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    both = cl.Buffer(queue.context, flags, hostbuf=data)
    x = cl.Buffer(queue.context, flags, hostbuf=np.full(n, 0.5, "f"))
    ones = cl.Buffer(queue.context, flags, hostbuf=np.ones(n, "f"))
    lib.r_line(2.0, both, 1.0, both, x, both, ones, n)
    cl.enqueue_copy(queue, data, both)
    assert np.allclose(data[1:], 2 * np.cos(0.5), rtol=1e-5)
    assert np.isclose(data[0], 2 * np.cos(0.5) + n * np.sin(0.5) + n, rtol=1e-5)


def test_wrong_arguments_are_named() -> None:
    _, lib = compile(SHARED, target="opencl")
    x, y = np.zeros(4, "f"), np.zeros(4, "f")
    with pytest.raises(ArgumentError, match="line takes 4 arguments and the number of threads"):
        lib.line(1.0, x, y, 4)
    with pytest.raises(ArgumentError, match="`x` has elements `f32`, an array of float64"):
        lib.line(1.0, 1.0, np.zeros(4), y, 4)
    with pytest.raises(ArgumentError, match="`a` is `f32`"):
        lib.line("one", 1.0, x, y, 4)
    real = ctypes.POINTER(ctypes.c_float)
    with pytest.raises(ArgumentError, match="`x` is memory, and a pointer does not say how much"):
        lib.line(1.0, 1.0, ctypes.cast((ctypes.c_float * 4)(), real), y, 4)
    with pytest.raises(ArgumentError, match="`y` is memory, and a pointer"):
        lib.line(1.0, 1.0, x, ctypes.c_void_p(y.ctypes.data), 4)
    lib.line(1.0, 1.0, x.ctypes.data_as(real), y.ctypes.data_as(real), 4)
    assert (y == 1.0).all()
    with pytest.raises(ArgumentError, match="`y` wants memory"):
        lib.line(1.0, 1.0, x, [0.0], 4)
    y.flags.writeable = False
    with pytest.raises(ArgumentError, match="`y` is written, its array is read-only"):
        lib.line(1.0, 1.0, x, y, 4)
    with pytest.raises(ArgumentError, match="number of threads"):
        lib.line(1.0, 1.0, x, x, 2**40)


def test_kernels_that_openCL_cannot_run_say_why() -> None:
    _, lib = compile(TRAPS, target="opencl")
    with pytest.raises(DeviceError, match="`ragged` takes `x : .*pointers"):
        lib.ragged(None, None, 1)
    with pytest.raises(AttributeError, match="no kernel 'nothing'"):
        lib.nothing(1)


def test_a_derivative_with_a_shared_adjoint_is_launched_by_a_kernel() -> None:
    text = """
@simd
def k(s : InOut[float], x : In[Array[float]]):
    atomic_add(s, sin(x[thread_id()]))

r_k = rev_diff(k)

@simd
def outer(x : In[Array[float]], y : Out[Array[float]]):
    t : int = thread_id()
    a : Array[float, 4]
    b : Array[float, 4]
    adj : float = 0.7 * x[t]
    for i in range(4):
        a[i] = x[t] * i
    r_k[4](0.5, adj, a, b)
    k[4](adj, b)
    y[t] = b[1] + b[2] * adj

r_outer = rev_diff(outer)
"""
    n = 5
    found = []
    numbers = ctypes.c_float * n
    for target in ("opencl", "llvm"):
        _, lib = compile(text, target=target)
        x, y, gx, gy = (numbers(*start) for start in ((0.1, 0.4, 0.7, 0.9), (), (), (1.0,) * n))
        lib.outer(x, y, n)
        lib.r_outer(x, gx, gy, n)
        found.append([*y, *gx])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call works."""
    from loma.backends.opencl_load import OpenCLDevice

    _, lib = compile(SHARED, target="opencl")
    x, y = np.ones(4, "f"), np.zeros(4, "f")
    lib.line(2.0, 1.0, x, y, 4)
    real = OpenCLDevice.allocate
    monkeypatch.setattr(OpenCLDevice, "allocate", lambda device, size: real(device, size << 50))
    with pytest.raises(MemoryError, match="the OpenCL device has no .* bytes"):
        lib.line(3.0, 1.0, x, y, 4)
    monkeypatch.undo()
    lib.line(3.0, 1.0, x, y, 4)
    assert np.allclose(y, 3 * np.sin(1) + 1)
