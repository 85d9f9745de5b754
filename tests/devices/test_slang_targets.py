"""Slang's text, derivatives and atomic additions included, is accepted by Slang's compiler for the
languages that it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from devices.kernels import KERNELS, KernelCase
from devices.slang_compiler import Refused, translated

from loma import driver
from loma.host.course_device import slang_kernels
from loma.ir.types import F32

MARKS = {
    "spirv": b"\x03\x02\x23\x07",
    "cuda": b"extern \"C\" __global__ void",
    "wgsl": b"@compute",
    "metal": b"[[kernel]] void",
}
NO_DOUBLES = frozenset({"wgsl", "metal"})
NAMES = ("r", "rr", "fr")
"""The derivatives that are tried. The kernel itself is left out where Slang's command line takes
its name for something else."""
OTHERS = frozenset({"line", "divide"})


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for texts."""
    return tmp_path_factory.mktemp("slang")


@pytest.mark.parametrize("target", MARKS)
@pytest.mark.parametrize("case", KERNELS, ids=lambda c: c.name)
def test_slang_is_accepted(case: KernelCase, target: str, sources: Path) -> None:
    if "slang" in case.lack or (target in NO_DOUBLES and case.name == "long"):
        return
    text, _ = slang_kernels(driver.core_module(case.program, f"{case.name}.py", F32))
    source = sources / f"{case.name}.slang"
    source.write_text(text.source)
    for name in (*NAMES, *({case.function} - OTHERS)):
        try:
            assert MARKS[target] in translated(source, text.kernels[name].entry, target)
        except Refused as e:  # WGSL has no atomic floats, and Slang does not replace them
            assert target == "wgsl" and "E36107" in str(e) and "LOMA_ADD(" in text.source
