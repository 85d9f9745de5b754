"""NVRTC compiles what loma writes for CUDA; that needs no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from devices.programs import PROGRAMS

from loma import driver
from loma.backends import cuda_load
from loma.host.course_device import kernel_text
from loma.ir.types import F64


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("aliased", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_nvrtc_accepts_every_program(name: str, architecture: str, aliased: bool) -> None:
    module = driver.core_module(PROGRAMS[name], f"{name}.py", F64)
    text = kernel_text(module, "cuda", aliased=aliased)
    assert cuda_load.compiled(text, architecture, strict=aliased)


def test_nvrtc_accepts_the_ray_tracer() -> None:
    program = Path(__file__).parents[2] / "examples" / "raytrace.loma"
    text = kernel_text(driver.core_module(program.read_text(), str(program)), "cuda")
    assert cuda_load.compiled(text, "sm_90", strict=False)
