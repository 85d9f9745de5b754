"""One skip for each toolchain that is missing: how many there are is asserted in CI."""

from __future__ import annotations

import pytest
from devices.toolchains import MISSING


@pytest.mark.parametrize("name", ["opencl", "nvrtc", "cuda", "slang", "wgsl", "ispc"])
def test_is_here(name: str) -> None:
    if name in MISSING:
        pytest.skip(MISSING[name])


@pytest.mark.parametrize(
    ("name", "target"),
    [("opencl", "opencl"), ("nvrtc", "cuda"), *((x, x) for x in ("slang", "wgsl", "ispc"))],
)
def test_what_is_missing_is_said_in_one_sentence(name: str, target: str) -> None:
    from loma.diagnostics import CompileError
    from loma.host.course import compile

    if name not in MISSING:
        return
    with pytest.raises(CompileError, match="needs|was found|no NVIDIA") as caught:
        compile("@simd\ndef k(y : Out[Array[float]]):\n    y[thread_id()] = 1.0\n", target=target)
    assert "\n" not in str(caught.value)
