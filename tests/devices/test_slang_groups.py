"""How Slang's groups of threads add up what they have, which its CPU device cannot run: the kernel
as Slang's compiler writes it in WGSL, on the WebGPU device that is there.

WGSL has no atomic addition of floats, so one group runs, whose additions to memory are plain."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from devices.slang_compiler import translated
from devices.test_sums import SHARED, Draw
from devices.toolchains import MISSING
from subjects import on

from loma import driver
from loma.backends.flat_sums import LANES
from loma.frontend import load
from loma.host.course_device import slang_kernels
from loma.ir.types import F32, F64

FEW = 200
"""Lanes of the only group."""
WORDS = 4096
"""Of a lane's tape."""


@pytest.fixture(scope="module")
def wgsl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reverse of the kernel."""
    text, _ = slang_kernels(driver.core_module(SHARED, "test.py", F32))
    atomic, plain = "#define LOMA_ADD(place, x) {}", "place += x"
    source = text.source.replace(atomic.format("InterlockedAdd(place, x)"), atomic.format(plain))
    assert plain in source and str(LANES) in source
    path = tmp_path_factory.mktemp("slang") / "groups.slang"
    path.write_text(source.replace(str(LANES), str(FEW)))
    return translated(Path(path), "r_shared", "wgsl").decode()


def run(text: str, memory: list[bytes]) -> list[Any]:
    """What buffers hold after one group of the kernel has run."""
    import wgpu

    from loma.backends.wgsl_load import device

    use, gpu = wgpu.BufferUsage, device()
    uniform, storage = use.UNIFORM, use.STORAGE | use.COPY_SRC
    buffers = [gpu.create_buffer_with_data(data=m, usage=storage if k else uniform)
               for k, m in enumerate(memory)]
    stage = {"module": gpu.create_shader_module(code=text), "entry_point": "r_shared"}
    made = gpu.create_compute_pipeline(layout="auto", compute=stage)
    entries = [{"binding": k, "resource": {"buffer": b, "offset": 0, "size": b.size}}
               for k, b in enumerate(buffers)]
    encoder = gpu.create_command_encoder()
    work = encoder.begin_compute_pass()
    work.set_pipeline(made)
    work.set_bind_group(0, gpu.create_bind_group(
        layout=made.get_bind_group_layout(0), entries=entries))
    work.dispatch_workgroups(1)
    work.end()
    gpu.queue.submit([encoder.finish()])
    return [np.frombuffer(gpu.queue.read_buffer(b), "f") for b in buffers[1:]]


@pytest.mark.parametrize("threads", [0, 1, FEW - 1, FEW, FEW + 1, 256, 30_000])
def test_a_group_of_lanes(wgsl: str, threads: int) -> None:
    if "wgsl" in MISSING:
        return
    wide = on("llvm", SHARED, F64)
    draw = Draw(load(SHARED, "test.py", F64).structs, {})
    draw.threads = threads
    given = draw.of(wide.signature("r_shared"))
    (_, gp, _, gc, _, gx, _, _, _), _ = wide.call("r_shared", given, threads)
    p, p_, *arrays, k = given
    values = struct.pack("<i12xff8xiI8x", threads, p["a"], p["b"], k, WORDS)
    floats = [np.asarray(x, "f").tobytes() for x in ([p_["a"], p_["b"]], *arrays)]
    after = run(wgsl, [values, *floats, bytes(4 * WORDS * FEW), bytes(4)])
    for got, wanted in ((after[0], [gp["a"], gp["b"]]), (after[2], gc), (after[4], gx)):
        assert np.allclose(got, wanted, rtol=1e-5, atol=1e-5)
    assert not after[-1].any(), "no thread has stopped itself"
