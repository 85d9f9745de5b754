"""Compiles kernels by NVRTC and runs them by the CUDA driver, through the package cuda-bindings,
which is imported where it is used.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Final, TypeAlias

from loma.backends.cuda_arrays import borrowed
from loma.backends.device import DeviceError, DeviceText
from loma.backends.device_launch import Argument, Buffer, Scalar

Handle: TypeAlias = Any  # an object of cuda-bindings

GROUP: Final = 256
SMALL: Final = 64
BUSY: Final = 8
"""Blocks for each multiprocessor."""
MAPPED: Final = 3
"""Flags of memory of the host that every context can use, and the GPU can write."""
ALIGNED: Final = 16
"""Bytes: no argument needs more."""
INSTALL: Final = "pip install 'loma-lang[cuda]'"
ELSEWHERE: Final = "use the target 'opencl', 'slang' or 'llvm'"


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
            "no NVIDIA driver was found: install it on a machine with an NVIDIA GPU, or "
            f"{ELSEWHERE}"
        ) from None
    if error == driver.CUresult.CUDA_ERROR_NO_DEVICE:
        raise CudaError(f"no NVIDIA GPU was found, only a driver: {ELSEWHERE}")
    if error != driver.CUresult.CUDA_SUCCESS:
        raise CudaError(
            f"the NVIDIA driver does not start, {_name(driver, error)}: update it, or {ELSEWHERE}")
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
    """Memory of the GPU that is ours."""

    __slots__ = ("address", "size")

    def __init__(self, address: int, size: int) -> None:
        self.address = address
        self.size = size

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if self.address and not ending():
            _driver().cuMemFree(self.address)


class Flag:
    """A number in memory of the host that the GPU can write."""

    __slots__ = ("_context", "_host", "_number", "address")

    def __init__(self, context: Handle) -> None:
        d = _driver()
        self._context = context
        self._host = int(_done(d.cuMemHostAlloc(4, MAPPED)))
        self._number = ctypes.c_int32.from_address(self._host)
        self._number.value = 0
        self.address = int(_done(d.cuMemHostGetDevicePointer(self._host, 0)))

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if hasattr(self, "address") and not ending():
            _driver().cuMemFreeHost(self._host)

    @property
    def value(self) -> int:
        """The number."""
        return self._number.value

    @value.setter
    def value(self, number: int) -> None:
        self._number.value = number

    def wait(self) -> None:
        """Waits until the GPU has done all its work."""
        d = _driver()
        _done(d.cuCtxSetCurrent(self._context))
        _done(d.cuCtxSynchronize())


class CudaDevice:
    """The primary context of one GPU with a program; work goes to the default stream, or to the
    stream that PyTorch or CuPy have chosen for the arrays of a call."""

    copies = True

    def __init__(self, text: DeviceText, strict: bool, ordinal: int = 0) -> None:
        d = _driver()
        self._device = device(ordinal)
        self._context = _done(d.cuDevicePrimaryCtxRetain(self._device))
        self._stream = 0
        self.begin()
        attribute = d.CUdevice_attribute
        major = self._attribute(attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        minor = self._attribute(attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
        self._units = self._attribute(attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        self._memory = int(_done(d.cuDeviceTotalMem(self._device)))
        self._module = _done(
            d.cuModuleLoadData(compiled(text.source, f"sm_{major}{minor}", strict))
        )
        self._frames: dict[str, Frame] = {}
        self.flag = Flag(self._context)
        self._start = _launcher()

    def _attribute(self, which: Handle) -> int:
        return int(_done(_driver().cuDeviceGetAttribute(which, self._device)))

    def begin(self) -> None:
        """A call begins: in the default stream, until an array says otherwise."""
        self._stream = 0
        _done(_driver().cuCtxSetCurrent(self._context))

    def follow(self, other: CudaDevice) -> None:
        """Works in the stream of another program."""
        self._stream = other._stream

    def group(self, threads: int) -> int:
        """Threads in a block: few, where all together would leave multiprocessors idle."""
        return GROUP if threads >= 2 * GROUP * self._units else SMALL

    @property
    def groups(self) -> int:
        """Blocks that keep the GPU busy."""
        return self._units * BUSY

    @property
    def memory(self) -> int:
        """Bytes of memory."""
        return self._memory

    def allocate(self, size: int) -> Buffer:
        """Fresh memory."""
        return Memory(int(_done(_driver().cuMemAlloc(max(size, 1)))), size)

    def restore(self, buffer: Buffer, copy: Buffer) -> None:
        """Copies as much as the smaller of the two has into `buffer`."""
        if size := min(copy.size, buffer.size):
            d = _driver()
            _done(d.cuMemcpyDtoDAsync(buffer.address, copy.address, size, self._stream))

    def clear(self, buffer: Buffer, start: int) -> None:
        """Fills memory from a byte on with zeros."""
        size = buffer.size - start
        _done(_driver().cuMemsetD8Async(buffer.address + start, 0, size, self._stream))

    def write_error(self, buffer: Buffer, value: int) -> None:
        """Sets an error number."""
        _done(_driver().cuMemsetD32Async(buffer.address, value & 0xFFFFFFFF, 1, self._stream))

    def upload(self, data: memoryview) -> Buffer:
        """A copy of the host's memory."""
        buffer = self.allocate(data.nbytes)
        if data.nbytes:
            held = _held(data)
            address = ctypes.addressof(held)
            _done(_driver().cuMemcpyHtoD(buffer.address, address, data.nbytes))
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
        found = borrowed(value)
        if found is not None and found.stream not in (0, self._stream):
            if self._stream:  # another array's: what is under way there comes first
                _done(_driver().cuStreamSynchronize(self._stream))
            self._stream = found.stream  # where what made the array is under way
        return found

    def span(self, buffer: Buffer) -> tuple[int, int]:
        """Where memory begins and ends."""
        return buffer.address, buffer.address + buffer.size

    def launch(
        self, entry: str, groups: int, group: int, arguments: Sequence[Argument]
    ) -> None:
        """Runs a kernel in blocks of so many threads."""
        frame = self._frames.get(entry)
        if frame is None:
            function = _done(_driver().cuModuleGetFunction(self._module, entry.encode()))
            frame = self._frames[entry] = Frame(int(function), arguments)
        given: Sequence[Any] = arguments
        frame.pack(*[a.value if type(a) is Scalar else a.address for a in given])
        error = self._start(
            frame.function, groups, 1, 1, group, 1, 1, 0, self._stream, frame.pointers, None
        )
        if error:
            _done((_driver().CUresult(error),))


class Frame:
    """A kernel, with memory for its arguments that is used again in each launch."""

    def __init__(self, function: int, arguments: Sequence[Argument]) -> None:
        self.function = ctypes.c_void_p(function)
        letters, starts, size = "<", [], 0
        for a in arguments:
            code, width = _letter(a)
            room = -(-width // ALIGNED) * ALIGNED
            letters += f"{code}{room - width}x"
            starts.append(size)
            size += room
        self._memory = ctypes.create_string_buffer(size + ALIGNED)
        base = -(-ctypes.addressof(self._memory) // ALIGNED) * ALIGNED
        offset = base - ctypes.addressof(self._memory)
        self.pack = partial(struct.Struct(letters).pack_into, self._memory, offset)
        self._table = (ctypes.c_void_p * len(starts))(*(base + s for s in starts))
        self.pointers = ctypes.c_void_p(ctypes.addressof(self._table))


@cache
def _launcher() -> Handle:
    """cuLaunchKernel by ctypes, which takes half as long as by cuda-bindings."""
    number, pointer = ctypes.c_uint, ctypes.c_void_p
    found = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1").cuLaunchKernel
    found.argtypes = [pointer, *[number] * 7, pointer, pointer, pointer]
    return found


def _letter(a: Argument) -> tuple[str, int]:
    if not isinstance(a, Scalar):
        return "Q", 8
    if isinstance(a.value, bytes):
        return f"{len(a.value)}s", len(a.value)
    return a.letter, struct.calcsize(f"<{a.letter}")


def device(ordinal: int = 0) -> Handle:
    """A GPU; raises CudaError where there is none."""
    d = _driver()
    if _done(d.cuDeviceGetCount()) <= ordinal:
        raise CudaError("no CUDA device was found: the target 'cuda' runs on NVIDIA GPUs")
    return _done(d.cuDeviceGet(ordinal))


def describe() -> str:
    """What kernels run on, if there is a compiler for it as well."""
    name = _done(_driver().cuDeviceGetName(256, device()))
    compiled('extern "C" __global__ void k() {}', "sm_80", strict=False)
    return str(name.split(b"\0")[0].decode())


def _held(data: memoryview) -> Handle:
    """An object of ctypes on the memory, or on a copy of what cannot be written."""
    if data.readonly:
        return ctypes.create_string_buffer(data.tobytes(), data.nbytes)
    return ctypes.c_char.from_buffer(data)
