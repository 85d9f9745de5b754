"""WGSL: kernels and their derivatives agree with the oracle on the WebGPU device that is there."""

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
from loma.ir.types import F32

COUNT = int(os.environ.get("LOMA_PROGRAMS", "16"))


@pytest.mark.parametrize("order", [1, 2])
def test_random_kernels_agree_with_the_oracle(order: int) -> None:
    checked, seed = 0, 3_000_017
    while checked < COUNT:
        count, found = judge(seed, order, "wgsl", F32)
        assert not found, found
        checked += max(count, 0)
        seed += 1


def test_sums_of_many_threads() -> None:
    _, lib = compile(SHARED, target="wgsl")
    n = 20_000
    rng = np.random.default_rng(1)
    x, gy = rng.random(n, np.float32), rng.random(n, np.float32)
    y, ga, gb, gx = np.zeros(n, "f"), np.zeros(1, "f"), np.full(1, 2.0, "f"), np.zeros(n, "f")
    lib.line(2.0, 1.0, x, y, n)
    assert np.allclose(y, 2 * np.sin(x) + 1, rtol=1e-5)
    lib.r_line(2.0, ga, 1.0, gb, x, gx, gy, n)
    assert np.isclose(ga[0], np.sum(gy.astype("d") * np.sin(x.astype("d"))), rtol=1e-4)
    assert np.isclose(gb[0], 2.0 + np.sum(gy.astype("d")), rtol=1e-4)
    assert np.allclose(gx, 2 * np.cos(x) * gy, rtol=1e-4, atol=1e-5)


def test_additions_of_neighbours_meet() -> None:
    _, lib = compile(STENCIL, target="wgsl")
    n = 5000
    gy = np.random.default_rng(2).random(n, np.float32)
    x, gx, gn = np.zeros(n, "f"), np.zeros(n, "f"), ctypes.c_int(0)
    lib.r_smooth(n, gn, x, gx, gy, n)
    inner = np.where((np.arange(n) > 0) & (np.arange(n) < n - 1), gy, 0.0)
    wanted = -2 * inner
    wanted[:-1] += inner[1:]
    wanted[1:] += inner[:-1]
    assert np.allclose(gx, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [3, 400])
def test_tapes_grow_as_far_as_they_must(steps: int) -> None:
    after: list[Any] = []
    for target in ("wgsl", "llvm"):
        kinds, lib = compile(LOOP, target=target)
        drag = np.linspace(0.001, 0.02, 70, dtype="f")
        ball, gball = kinds["Ball"](1e6, 3.0), kinds["Ball"]()
        gdrag, gsteps, gy = np.zeros(70, "f"), ctypes.c_int(0), np.ones(70, "f")
        arrays: list[Any] = [drag, gdrag, gy]
        if target == "llvm":
            arrays = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for a in arrays]
        lib.r_drop(ball, ctypes.byref(gball), arrays[0], arrays[1], steps, gsteps, arrays[2], 70)
        after.append(([gball.height, gball.speed], gdrag))
    (ball_, drag_), (ball2, drag2) = after
    assert np.allclose(ball_, ball2, rtol=1e-4) and np.allclose(drag_, drag2, rtol=1e-3)


def test_what_stops_and_what_is_refused() -> None:
    _, lib = compile(TRAPS, target="wgsl", file="traps.py")
    a, b, c = np.arange(100, dtype="i4"), np.ones(100, "i4"), np.zeros(100, "i4")
    lib.divide(a, b, c, 100)
    assert (c == a).all()
    b[57] = 0
    with pytest.raises(RunError, match="traps.py:5: integer division by zero"):
        lib.divide(a, b, c, 100)
    x, counts = (np.arange(7000) % 7).astype("i4"), np.zeros(7, "i4")
    lib.histogram(x, counts, len(x))
    assert (counts == 1000).all()
    with pytest.raises(DeviceError, match="`ragged` takes"):
        lib.ragged(None, None, 1)
    with pytest.raises(DeviceError, match="has no 64-bit numbers; use f32"):
        compile(SHARED, target="wgsl", float_type="f64")[1].line(1.0)


def test_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call works."""
    from loma.backends.wgsl_load import WgpuDevice

    _, lib = compile(SHARED, target="wgsl")
    x, y = np.ones(4, "f"), np.zeros(4, "f")
    real = WgpuDevice.allocate
    monkeypatch.setattr(WgpuDevice, "allocate", lambda device, size: real(device, size << 50))
    with pytest.raises(MemoryError, match="the WebGPU device has no .* bytes"):
        lib.line(3.0, 1.0, x, y, 4)
    monkeypatch.undo()
    lib.line(3.0, 1.0, x, y, 4)
    assert np.allclose(y, 3 * np.sin(1) + 1)
