"""Which toolchains for devices are missing here, and why."""

from __future__ import annotations

import importlib.util
from functools import cache


@cache
def opencl() -> str:
    """Why there is no OpenCL, or nothing."""
    from loma.backends.opencl_load import OpenCLError, default_queue

    try:
        default_queue()
    except OpenCLError as e:
        return str(e)
    return ""


def nvrtc() -> str:
    """Why there is no compiler for CUDA, or nothing."""
    from loma.backends.cuda_load import CudaError, compiled

    try:
        compiled('extern "C" __global__ void k() {}', "sm_80", strict=False)
    except CudaError as e:
        return str(e)
    return ""


def slang() -> str:
    """Why there is no Slang, or nothing."""
    return "" if importlib.util.find_spec("slangpy") else "slangpy is not installed"


MISSING = {
    name: why
    for name, find in (("opencl", opencl), ("nvrtc", nvrtc), ("slang", slang))
    if (why := find())
}
