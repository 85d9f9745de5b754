"""Which toolchains for devices are missing here, and why."""

from __future__ import annotations

import importlib.util
import shutil
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


def cuda() -> str:
    """Why there is no NVIDIA GPU that kernels run on, or nothing."""
    from loma.backends.cuda_load import CudaError, describe

    try:
        describe()
    except CudaError as e:
        return str(e)
    return ""


def slang() -> str:
    """Why there is no Slang, or nothing."""
    return "" if importlib.util.find_spec("slangpy") else "slangpy is not installed"


def ispc() -> str:
    """Why there is no ISPC, or nothing."""
    return "" if shutil.which("ispc") else "the compiler `ispc` is not on the path"


def wgsl() -> str:
    """Why there is no WebGPU, or nothing."""
    from loma.backends.wgsl_load import WgpuError, device

    try:
        device()
    except WgpuError as e:
        return str(e)
    return ""


MISSING = {
    name: why
    for name, find in {
        "opencl": opencl, "nvrtc": nvrtc, "cuda": cuda, "slang": slang, "wgsl": wgsl, "ispc": ispc
    }.items()
    if (why := find())
}
