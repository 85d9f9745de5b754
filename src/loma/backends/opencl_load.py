"""Compiles and runs kernels by pyopencl, which is imported where it is used."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from loma.backends.device import DeviceError, DeviceText
from loma.backends.device_launch import Argument, Buffer, Scalar
from loma.backends.opencl import GROUP

Handle: TypeAlias = Any  # an object of pyopencl, which has no types

EXACT: Final = "-cl-fp32-correctly-rounded-divide-sqrt"
WIDEST: Final = 8  # bytes of what threads add up
BUSY: Final = 16
"""Groups for each compute unit."""


class OpenCLError(DeviceError):
    """OpenCL, or a device for it, is missing, or its compiler failed."""


def default_queue() -> Handle:
    """A queue of the first device that there is."""
    cl = _pyopencl()
    try:
        devices = [d for p in cl.get_platforms() for d in p.get_devices()]
    except cl.Error:  # no platform
        devices = []
    if not devices:
        raise OpenCLError(
            "no OpenCL device was found: install a driver, for example PoCL for CPUs (`pip install "
            "pocl-binary-distribution`, or a package of your system)"
        )
    return cl.CommandQueue(cl.Context([devices[0]]))


def describe() -> str:
    """What kernels run on."""
    return str(default_queue().device.name).strip()


def _pyopencl() -> Handle:
    try:
        import pyopencl
    except ImportError as e:
        if isinstance(e, ModuleNotFoundError):
            why = "the target 'opencl' needs pyopencl: pip install 'loma-lang[opencl]'"
        else:
            why = f"pyopencl does not start, install OpenCL's loader (ocl-icd): {e}"
        raise OpenCLError(why) from None
    return pyopencl


class OpenCLDevice:
    """A queue of an OpenCL device with a program."""

    copies = True
    flag = None

    def __init__(self, queue: Handle, text: DeviceText, strict: bool) -> None:
        self._cl = _pyopencl()
        self._queue = queue
        options = ["-cl-std=CL1.2"] if not strict else ["-cl-std=CL1.2", "-DLOMA_STRICT"]
        device = queue.device
        config = getattr(device, "single_fp_config", 0)
        if config & self._cl.device_fp_config.CORRECTLY_ROUNDED_DIVIDE_SQRT:
            options.append(EXACT)
        if "double" in text.source and "cl_khr_fp64" not in device.extensions:
            raise OpenCLError(f"the device {device.name.strip()} has no 64-bit floats")
        program = self._cl.Program(queue.context, text.source)
        try:
            program.build(options=options, devices=[device])
        except self._cl.Error as e:
            raise OpenCLError(f"the OpenCL compiler of {device.name.strip()} failed: {e}") from None
        self._sums = {k.entry: k.sums for k in text.kernels.values()}
        self._kernels = {k.entry: self._cl.Kernel(program, k.entry) for k in text.kernels.values()}

    def group(self, threads: int) -> int:
        """Threads in a group."""
        return GROUP

    @property
    def groups(self) -> int:
        """Groups that keep the device busy."""
        return int(self._queue.device.max_compute_units) * BUSY

    @property
    def memory(self) -> int:
        """Bytes that one allocation may have, which is less than the device's memory."""
        return int(self._queue.device.max_mem_alloc_size)

    def allocate(self, size: int) -> Buffer:
        """Fresh memory."""
        cl = self._cl
        try:
            return cl.Buffer(self._queue.context, cl.mem_flags.READ_WRITE, max(size, 1))
        except cl.Error as e:
            raise MemoryError(f"the OpenCL device has no {size} bytes: {e}") from None

    def restore(self, buffer: Buffer, copy: Buffer) -> None:
        """Copies as much as the smaller of the two has into `buffer`."""
        count = min(buffer.size, copy.size)
        self._cl.enqueue_copy(self._queue, buffer, copy, byte_count=count)

    def clear(self, buffer: Buffer, start: int) -> None:
        """Fills memory from a byte on with zeros."""
        size = buffer.size - start
        self._cl.enqueue_fill_buffer(self._queue, buffer, bytes(1), start, size)

    def write_error(self, buffer: Buffer, value: int) -> None:
        """Sets an error number."""
        self._cl.enqueue_copy(self._queue, buffer, bytearray(struct.pack("<i", value)))

    def upload(self, data: memoryview) -> Buffer:
        """A copy of the host's memory."""
        buffer = self.allocate(data.nbytes)
        if data.nbytes:
            self._cl.enqueue_copy(self._queue, buffer, data)
        return buffer

    def download(self, buffer: Buffer, data: memoryview) -> None:
        """Copies to the host's memory, once all is done."""
        if data.nbytes:
            self._cl.enqueue_copy(self._queue, data, buffer)

    def own(self, value: object) -> Buffer | None:
        """The memory of the device that a value stands for, if it does."""
        if isinstance(value, self._cl.MemoryObject):
            return value
        data = getattr(value, "base_data", None)
        return data if isinstance(data, self._cl.MemoryObject) else None

    def begin(self) -> None:
        """A call begins."""

    def follow(self, other: OpenCLDevice) -> None:
        """Works where the other does: both have one queue."""

    def span(self, buffer: Buffer) -> tuple[int, int]:
        """Where memory begins and ends, in numbers that differ for different memory."""
        whole = buffer.get_info(self._cl.mem_info.ASSOCIATED_MEMOBJECT)
        if whole is None:
            return int(buffer.int_ptr), int(buffer.int_ptr) + 1
        return int(whole.int_ptr), int(whole.int_ptr) + 1

    def launch(
        self, entry: str, groups: int, group: int, arguments: Sequence[Argument]
    ) -> None:
        """Runs a kernel."""
        kernel = self._kernels[entry]
        for i, a in enumerate(arguments):
            kernel.set_arg(i, a.data if isinstance(a, Scalar) else a)
        if kernel.num_args > len(arguments):
            parts = self._sums[entry] * WIDEST * group
            kernel.set_arg(len(arguments), self._cl.LocalMemory(parts))
        try:
            self._cl.enqueue_nd_range_kernel(self._queue, kernel, (groups * group,), (group,))
        except self._cl.MemoryError as e:  # some drivers allocate at the last moment
            raise MemoryError(f"the OpenCL device has no memory for `{entry}`: {e}") from None
