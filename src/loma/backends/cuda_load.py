"""Compiles kernels by NVRTC and runs them by the CUDA driver, through the package cuda-bindings,
which is imported where it is used.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from loma.backends.device import DeviceError, DeviceText
from loma.backends.device_launch import Argument, Buffer, Scalar

Handle: TypeAlias = Any  # an object of cuda-bindings

GROUP: Final = 256
BUSY: Final = 8
"""Blocks for each multiprocessor."""
INSTALL: Final = "pip install 'loma-lang[cuda]'"


class CudaError(DeviceError):
    """CUDA, or a device for it, is missing, or its compiler failed."""


@cache
def _driver() -> Handle:
    try:
        from cuda.bindings import driver
    except ImportError:
        raise CudaError(f"the target 'cuda' needs cuda-bindings: {INSTALL}") from None
    try:
        (error,) = driver.cuInit(0)
    except RuntimeError:  # no driver library
        raise CudaError(
            "no NVIDIA driver was found: the target 'cuda' runs on NVIDIA GPUs"
        ) from None
    if error != driver.CUresult.CUDA_SUCCESS:
        raise CudaError(f"the NVIDIA driver does not start: {_name(driver, error)}")
    return driver


def _name(driver: Handle, error: Handle) -> str:
    return str(getattr(error, "name", error))


def _done(result: tuple[Any, ...]) -> Handle:
    """What a call of the driver gives; raises CudaError (MemoryError) where it failed."""
    driver = _driver()
    error, *values = result
    if error == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
        raise MemoryError("the GPU has no memory left")
    if error != driver.CUresult.CUDA_SUCCESS:
        raise CudaError(f"CUDA failed: {_name(driver, error)}")
    return values[0] if len(values) == 1 else values


def compiled(source: str, architecture: str, strict: bool) -> bytes:
    """A cubin for an architecture such as `sm_90`; needs no GPU."""
    try:
        from cuda.bindings import nvrtc
    except ImportError:
        raise CudaError(f"the target 'cuda' needs cuda-bindings: {INSTALL}") from None
    try:
        error, program = nvrtc.nvrtcCreateProgram(source.encode(), b"program.cu", 0, [], [])
    except RuntimeError:
        raise CudaError(f"the target 'cuda' needs NVRTC: {INSTALL}") from None
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17"]
    options += [b"--fmad=false"] if strict else []
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        _, size = nvrtc.nvrtcGetProgramLogSize(program)
        log = b" " * size
        nvrtc.nvrtcGetProgramLog(program, log)
        text = log.decode(errors="replace").strip("\0 \n")
        raise CudaError(f"NVRTC failed for {architecture}: {text or error}")
    _, size = nvrtc.nvrtcGetCUBINSize(program)
    data: bytes = b" " * size
    nvrtc.nvrtcGetCUBIN(program, data)
    nvrtc.nvrtcDestroyProgram(program)
    return data


class Memory:
    """Memory of the GPU: `owner` is what frees it."""

    def __init__(self, address: int, size: int, owner: object = None) -> None:
        self.address = address
        self.size = size
        self.owner = owner

    def __del__(self) -> None:
        if self.owner is None and self.address:
            _driver().cuMemFree(self.address)


class CudaDevice:
    """The primary context of one GPU with a program; work goes to the default stream, or to the
    stream that PyTorch or CuPy have chosen for the arrays of a call."""

    group = GROUP

    def __init__(self, text: DeviceText, strict: bool, ordinal: int = 0) -> None:
        d = _driver()
        if _done(d.cuDeviceGetCount()) <= ordinal:
            raise CudaError("no CUDA device was found: the target 'cuda' runs on NVIDIA GPUs")
        self._device = _done(d.cuDeviceGet(ordinal))
        self._context = _done(d.cuDevicePrimaryCtxRetain(self._device))
        self._enter()
        attribute = d.CUdevice_attribute
        major = self._attribute(attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        minor = self._attribute(attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
        self._units = self._attribute(attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        self._module = _done(
            d.cuModuleLoadData(compiled(text.source, f"sm_{major}{minor}", strict))
        )
        self._functions = {
            k.entry: _done(d.cuModuleGetFunction(self._module, k.entry.encode()))
            for k in text.kernels.values()
        }
        self._stream = 0

    def _attribute(self, which: Handle) -> int:
        return int(_done(_driver().cuDeviceGetAttribute(which, self._device)))

    def _enter(self) -> None:
        _done(_driver().cuCtxSetCurrent(self._context))

    @property
    def groups(self) -> int:
        """Blocks that keep the GPU busy."""
        return self._units * BUSY

    @property
    def memory(self) -> int:
        """Bytes of memory that are free."""
        self._enter()
        return int(_done(_driver().cuMemGetInfo())[0])

    def allocate(self, size: int) -> Buffer:
        """Fresh memory."""
        self._enter()
        return Memory(int(_done(_driver().cuMemAlloc(max(size, 1)))), size)

    def copy_of(self, buffer: Buffer) -> Buffer:
        """A copy of memory."""
        copy = self.allocate(buffer.size)
        self.restore(copy, buffer)
        return copy

    def restore(self, buffer: Buffer, copy: Buffer) -> None:
        """Copies back."""
        if copy.size:
            d = _driver()
            _done(d.cuMemcpyDtoDAsync(buffer.address, copy.address, copy.size, self._stream))

    def write_error(self, buffer: Buffer, value: int) -> None:
        """Sets an error number."""
        _done(_driver().cuMemsetD32Async(buffer.address, value & 0xFFFFFFFF, 1, self._stream))

    def read_error(self, buffer: Buffer) -> int:
        """Waits until all is done, and gives the error number."""
        data = bytearray(4)
        self.download(buffer, memoryview(data))
        return int(struct.unpack("<i", data)[0])

    def upload(self, data: memoryview) -> Buffer:
        """A copy of the host's memory."""
        buffer = self.allocate(data.nbytes)
        if data.nbytes:
            held = _held(data)
            _done(_driver().cuMemcpyHtoD(buffer.address, ctypes.addressof(held), data.nbytes))
        return buffer

    def download(self, buffer: Buffer, data: memoryview) -> None:
        """Copies to the host's memory, once all is done."""
        d = _driver()
        _done(d.cuStreamSynchronize(self._stream))
        if data.nbytes:
            held = _held(data)
            _done(d.cuMemcpyDtoH(ctypes.addressof(held), buffer.address, data.nbytes))

    def own(self, value: object) -> Buffer | None:
        """The memory of the GPU that a value stands for, if it does."""
        interface = getattr(value, "__cuda_array_interface__", None)
        if interface is None:
            return None
        if interface.get("strides") is not None:
            raise DeviceError("an array of the GPU must lie in one piece, in the order of C")
        size = int(interface["typestr"][2:])
        for n in interface["shape"]:
            size *= n
        self._stream = _current_stream(value)  # where what made the array is under way
        return Memory(int(interface["data"][0]), size, value)

    def same(self, a: Buffer, b: Buffer) -> bool:
        """Whether two are one memory."""
        return bool(a.address == b.address)

    def launch(self, entry: str, groups: int, arguments: Sequence[Argument]) -> None:
        """Runs a kernel."""
        self._enter()
        held = [
            ctypes.create_string_buffer(a.data, len(a.data))
            if isinstance(a, Scalar)
            else ctypes.c_uint64(a.address)
            for a in arguments
        ]
        pointers = (ctypes.c_void_p * len(held))(*(ctypes.addressof(h) for h in held))
        d = _driver()
        _done(
            d.cuLaunchKernel(
                self._functions[entry], groups, 1, 1, GROUP, 1, 1, 0, self._stream,
                ctypes.addressof(pointers), 0,
            )
        )  # fmt: skip


def _held(data: memoryview) -> Handle:
    """An object of ctypes on the memory, or on a copy of what cannot be written."""
    if data.readonly:
        return ctypes.create_string_buffer(data.tobytes(), data.nbytes)
    return ctypes.c_char.from_buffer(data)


def _current_stream(value: object) -> int:
    """The stream that the array's library works in."""
    module = type(value).__module__.partition(".")[0]
    if module == "torch":
        import torch

        return int(torch.cuda.current_stream().cuda_stream)
    if module == "cupy":
        import cupy

        return int(cupy.cuda.get_current_stream().ptr)
    return 0
