"""The ports of known programs run, and their gradients are right."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports an example as its script would be run: with its folder on the path."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


def errors(results: list[Any]) -> list[float]:
    """The errors of the gradients; each result is also printed."""
    assert all(str(r) for r in results)
    return [r.error for r in results]


@pytest.mark.parametrize("n", [1, 12])
def test_lu(load: Load, n: int) -> None:
    assert max(errors(load("lu").run(n))) < 1e-12


def test_fft(load: Load) -> None:
    fft = load("fft")
    transformed, blurred = errors(fft.run(64))
    assert transformed < 1e-14
    assert blurred < 1e-13
    assert fft.deblur(256)[1][-1] == pytest.approx(3.0, abs=1e-9)


def test_ode(load: Load, tmp_path: Path) -> None:
    ode = load("ode")
    forward, differences = errors(ode.run(2.0))
    assert forward < 1e-12
    assert differences < 1e-6
    _, start, duration = ode.closed()
    assert start.w == pytest.approx(-2.00158510637908, abs=1e-8)
    assert duration == pytest.approx(17.06521656015796, abs=1e-7)
    ode.picture(tmp_path / "orbit.png")
    assert (tmp_path / "orbit.png").stat().st_size > 10000


def test_decay(load: Load) -> None:
    """The integrator of a number; the derivatives of exp(-rate * end)."""
    ode = load("ode")
    by = ode.r_decay(0.5, end=2.0, _dreturn=1.0)
    value = ode.lib.decay(0.5, 2.0)
    assert by.adj_rate == pytest.approx(-2.0 * value, rel=1e-8)
    assert by.adj_end == pytest.approx(-0.5 * value, rel=1e-8)


def test_bodies(load: Load, tmp_path: Path) -> None:
    bodies = load("bodies")
    (gradient,) = errors(bodies.run(1000))
    assert gradient < 1e-5
    _, misses = bodies.aimed(rounds=4)
    assert misses[-1] < 0.001 * misses[0]
    bodies.picture(tmp_path / "bodies.png", 1000)
    assert (tmp_path / "bodies.png").stat().st_size > 10000


def test_tracer(load: Load, tmp_path: Path) -> None:
    tracer = load("tracer")
    assert tracer.check(6, 10, 2) < 1e-5
    (result,) = tracer.run(6, 10, 1)
    assert result.error < 1e-5
    tracer.picture(tmp_path / "spheres.png", 12, 20, 2)
    assert (tmp_path / "spheres.png").stat().st_size > 5000


def test_tracer_forward_is_reverse(load: Load) -> None:
    """The derivative of each pixel by one number, summed up, is that number's gradient."""
    tracer = load("tracer")
    scene = tracer.Scene("f64")
    seed = np.random.default_rng(2).normal(size=(9, 16, 3))
    gradient = scene.gradient(seed, 3)
    for k in (9, 12, 26, 43):
        forward = (seed * scene.derivative(k, 9, 16, 3)).sum()
        assert forward == pytest.approx(gradient.flat[k], rel=1e-9)
