"""The course's ray tracer: the same two pictures on every target that is here."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from devices.toolchains import MISSING

EXAMPLES = Path(__file__).parents[2] / "examples"
TARGETS = ["c", *(t for t in ("opencl", "slang", "wgsl", "ispc") if t not in MISSING)]


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("raytrace")


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_pictures_on_every_target(tracer: ModuleType, target: str) -> None:
    """To 16 ulps of what is near 1; at the rim the derivative grows without bound."""
    wanted, found = (tracer.pictures(t, 45, 80) for t in ("llvm", target))
    for name in tracer.KERNELS:
        assert np.allclose(found[name], wanted[name], rtol=2e-4, atol=2e-6), name
    assert np.abs(found["raytrace"] - wanted["raytrace"]).max() < 2e-6


def test_the_pictures_are_written(tracer: ModuleType, tmp_path: Path) -> None:
    drawn = tracer.pictures("llvm", 36, 64)
    assert drawn["raytrace"][18, 32, 2] > 0.99, "the sphere's front looks at us"
    assert not drawn["derivative"][0].any(), "the sky stays as the sphere moves"
    tracer.save(drawn, tmp_path / "pictures.png")
    assert (tmp_path / "pictures.png").stat().st_size > 5000


def test_the_derivative_is_that_of_differences(tracer: ModuleType) -> None:
    """Away from the rim."""
    import loma

    structs, lib = loma.compile(tracer.PROGRAM.read_text(), target="c", float_type="f64",
                                file=str(tracer.PROGRAM))
    vec3, h, w = structs["vec3"], 18, 32
    images = {x: (vec3 * (h * w))() for x in (-1e-6, 0.0, 1e-6)}
    for x, image in images.items():
        name = "raytrace" if x else "derivative"
        getattr(lib, name)(w, h, structs["Sphere"](vec3(x, 0.0, -1.0), 0.5), image, h * w)
    low, slope, high = (np.frombuffer(images[x]) for x in images)
    change = (high - low) / 2e-6
    inside = np.abs(change) < 10.0
    assert inside.mean() > 0.99
    assert np.allclose(slope[inside], change[inside], atol=1e-6)
