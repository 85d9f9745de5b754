"""The example that finds a sphere, on OpenCL."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples" / "gpu_sphere.py"


def test_the_sphere_is_found() -> None:
    found, true = runpy.run_path(str(EXAMPLE))["find"]("opencl")
    assert np.allclose(found, true, atol=1e-3)
