"""Slang: kernels and their derivatives on the device that is there (the CPU, if no GPU)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from devices.programs import LOOP, SHARED, TRAPS

from loma.diagnostics import RunError
from loma.host.course import compile


def tensor(device: Any, data: np.ndarray) -> Any:
    """An array on the device."""
    import slangpy

    return slangpy.Tensor.from_numpy(device, data)


def names_of(layout: Any) -> list[str]:
    """The names of an entry's parameters."""
    return [layout.parameters[k].name for k in range(len(layout.parameters))]


def run(kernel: Any, n: int, **values: Any) -> None:
    """Dispatches a kernel; arrays are given as tensors."""
    given = {k: getattr(v, "storage", v) for k, v in values.items()}
    kernel.dispatch(thread_count=[n, 1, 1], _total_threads=n, **given)


def test_a_map_and_its_reverse(slang_device: Any) -> None:
    module, kernels = compile(SHARED, target="slang", slang_device=slang_device)
    n = 1000
    x = np.linspace(0, 1, n, dtype="f")
    y = tensor(slang_device, np.zeros(n, "f"))
    run(kernels["line"], n, a=2.0, b=1.0, x=tensor(slang_device, x), y=y)
    assert np.allclose(y.to_numpy(), 2 * np.sin(x) + 1, rtol=1e-6)
    ga, gb, gx, gy = (tensor(slang_device, v) for v in np.zeros((4, n), "f"))
    gy.copy_from_numpy(np.ones(n, "f"))
    layout = kernels["r_line"].program.layout.find_function_by_name("r_line")
    names = names_of(layout)[2:9]
    given = dict(zip(names, (2.0, ga, 1.0, gb, tensor(slang_device, x), gx, gy), strict=True))
    run(kernels["r_line"], n, **given)
    assert np.isclose(ga.to_numpy()[0], np.sin(x).sum(), rtol=1e-5)
    assert np.isclose(gb.to_numpy()[0], n)
    assert np.allclose(gx.to_numpy(), 2 * np.cos(x), rtol=1e-5)
    dual = module._dfloat(0.5, 1.0)
    assert dual["dval"] == 1.0


@pytest.mark.parametrize("steps", [3, 500])
def test_tapes_grow_as_far_as_they_must(slang_device: Any, steps: int) -> None:
    _, kernels = compile(LOOP, target="slang", slang_device=slang_device)
    n = 40
    drag = np.linspace(0.001, 0.02, n, dtype="f")
    zero = np.zeros(n, "f")
    start = 1e6

    def last(height: float, d: np.ndarray) -> np.ndarray:
        h, v = np.full(n, height), np.full(n, 3.0)
        for _ in range(steps):
            v = v * (1.0 - d) - 0.1
            h = h + v * (1.0 + 0.01 * v)
        return h

    y = tensor(slang_device, zero)
    ball = {"height": start, "speed": 3.0}
    run(kernels["drop"], n, ball=ball, drag=tensor(slang_device, drag), steps=steps, y=y)
    assert np.allclose(y.to_numpy(), last(start, drag.astype("d")), rtol=1e-5)
    layout = kernels["r_drop"].program.layout.find_function_by_name("r_drop")
    gball = tensor(slang_device, np.zeros(2, "f"))
    gdrag = tensor(slang_device, zero)
    gsteps = tensor(slang_device, np.zeros(1, "i4"))
    ones = tensor(slang_device, np.ones(n, "f"))
    values = (ball, gball, tensor(slang_device, drag), gdrag, steps, gsteps, ones)
    given = dict(zip(names_of(layout)[2:9], values, strict=True))
    run(kernels["r_drop"], n, **given)
    d = drag.astype("d")
    wanted = (last(0.0, d + 1e-6) - last(0.0, d - 1e-6)) / 2e-6
    assert np.allclose(gdrag.to_numpy(), wanted, rtol=1e-3)
    assert np.isclose(gball.to_numpy()[0], n)


def test_a_thread_that_stops_itself_raises(slang_device: Any) -> None:
    _, kernels = compile(TRAPS, target="slang", slang_device=slang_device, file="traps.py")
    b = np.ones(64, "i4")
    a = tensor(slang_device, np.arange(64, dtype="i4"))
    c = tensor(slang_device, np.zeros(64, "i4"))
    run(kernels["divide"], 64, a=a, b=tensor(slang_device, b), c=c)
    assert (c.to_numpy() == np.arange(64)).all()
    b[40] = 0
    with pytest.raises(RunError, match="traps.py:5: integer division by zero"):
        run(kernels["divide"], 64, a=a, b=tensor(slang_device, b), c=c)
    assert "ragged" not in kernels
