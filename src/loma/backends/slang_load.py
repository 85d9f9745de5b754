"""Compiles Slang by slangpy, which is imported where it is used, and dispatches its kernels."""

from __future__ import annotations

import ctypes.util
import shutil
import sys
from typing import Any, Final, TypeAlias

from loma.backends.device import DeviceError, DeviceText
from loma.backends.device_launch import FIRST_WORDS, GROWTH, LARGEST, TAPE_FULL
from loma.diagnostics import RunError

Handle: TypeAlias = Any  # an object of slangpy

CPU_COMPILERS: Final = ("g++", "gcc", "clang++", "clang")


class SlangError(DeviceError):
    """slangpy, or a device for it, is missing, or its compiler failed."""


def slangpy() -> Handle:
    """The package."""
    try:
        import slangpy
    except ImportError:
        raise SlangError(
            "the target 'slang' needs slangpy: pip install 'loma-lang[slang]'"
        ) from None
    return slangpy


def create_device() -> Handle:
    """The first device that starts: Metal on macOS, else Vulkan, CUDA, the CPU."""
    spy = slangpy()
    types = spy.DeviceType
    wanted = [types.metal] if sys.platform == "darwin" else [types.vulkan]
    if ctypes.util.find_library("cuda") is not None:
        wanted.append(types.cuda)
    failed = []
    for type in [*wanted, types.cpu]:
        try:
            return spy.create_device(type=type)
        except Exception as e:  # slangpy raises RuntimeError, with many lines
            failed.append(f"{type.name}: {str(e).splitlines()[0]}")
    raise SlangError(
        "no device for Slang was found: install a driver for Vulkan or CUDA, or use 'llvm' ("
        + "; ".join(failed) + ")"
    )


def describe() -> str:
    """What kernels run on."""
    found = create_device()
    _check_compiler(found)
    return f"{found.desc.type.name}: {found.info.adapter_name}"


def sequential(device: Handle) -> bool:
    """Whether a device runs threads one after the other, and has no atomic additions of floats."""
    return bool(device.desc.type == slangpy().DeviceType.cpu)


def _check_compiler(device: Handle) -> None:
    """Refuses a device that cannot compile what it is given."""
    if sequential(device) and not any(map(shutil.which, CPU_COMPILERS)):
        raise SlangError(
            "Slang's CPU device needs a C++ compiler on the path: install g++ or clang, or use the "
            "target 'llvm'"
        )


def _host_struct(module: Handle, name: str, fields: tuple[str, ...]) -> Handle:
    """The struct of a module, made on the host: slangpy makes one by a kernel, which its CPU device
    cannot run."""

    class HostStruct(slangpy().Struct):  # type: ignore[misc]
        def __call__(self, *values: object, **named: object) -> dict[str, object]:
            return dict(zip(fields, values, strict=False)) | named

    return HostStruct(module, module.find_struct(name).struct)


def load(
    device: Handle, text: DeviceText, structs: dict[str, tuple[str, ...]], file: str
) -> tuple[Handle, dict[str, SlangKernel]]:
    """The module, and its kernels by name; `structs` gives the fields of its structs."""
    spy = slangpy()
    _check_compiler(device)
    try:
        module = spy.Module.load_from_source(
            device, name=f"loma_{abs(hash(text.source)):x}", source=text.source
        )
    except Exception as e:
        raise SlangError(f"the Slang compiler failed: {e}") from None
    inner = module.device_module
    kernels = {}
    for name, known in text.kernels.items():
        entry = inner.entry_point(known.entry)
        program = device.link_program([inner], [entry])
        made = device.create_compute_kernel(program)
        kernels[name] = SlangKernel(made, device, text, name, file)
    if sequential(device):
        for name, fields in structs.items():
            setattr(module, name, _host_struct(module, name, fields))
    return module, kernels


class SlangKernel:
    """A compute kernel: `dispatch` as slangpy's, and all else is slangpy's.

    A kernel that needs memory for tapes gets it here, and is run again with more where that was not
    enough; a thread that stops itself raises RunError.
    """

    def __init__(
        self, kernel: Handle, device: Handle, text: DeviceText, name: str, file: str
    ) -> None:
        self._kernel = kernel
        self._device = device
        self._text = text
        self._known = text.kernels[name]
        self._file = file
        self._words = FIRST_WORDS

    def __getattr__(self, name: str) -> Handle:
        return getattr(self._kernel, name)

    def dispatch(self, thread_count: Handle, **values: Handle) -> None:
        """Runs the kernel; `values` are its arguments by name, `_total_threads` among them."""
        if not all(thread_count):
            return  # CUDA's driver refuses to start no threads, and slangpy ends the process
        values |= self._lengths(values)
        count, *more = thread_count
        thread_count = [self._known.started(int(count)), *more]
        if not self._known.context:
            self._kernel.dispatch(thread_count=thread_count, **values)
            return
        copies = {
            n: b.to_numpy()
            for n, b in values.items()
            if self._known.tape and hasattr(b, "to_numpy")
        }
        while (error := self._attempt(thread_count, values)) == TAPE_FULL:
            for name, data in copies.items():
                values[name].copy_from_numpy(data)
            self._words *= GROWTH
        if error > 0:
            stop = self._text.stops[error - 1]
            raise RunError(stop.trap.name, stop.message, self._file, stop.line)

    def _lengths(self, values: dict[str, Handle]) -> dict[str, int]:
        """What the kernel is told of the lengths of arrays."""
        names = [p.name for p in self._kernel.program.layout.entry_points[0].parameters]
        return {
            name: min(values[names[2 + i]].size // size, LARGEST)
            for i, size, name in self._known.told
        }

    def _attempt(self, thread_count: Handle, values: dict[str, Handle]) -> int:
        import numpy as np

        spy = slangpy()
        words = self._words if self._known.tape else 1
        total = self._known.started(int(values["_total_threads"]))
        usage = spy.BufferUsage.shader_resource | spy.BufferUsage.unordered_access
        tape = self._device.create_buffer(
            element_count=max(1, total * words), struct_size=4, usage=usage
        )
        error = self._device.create_buffer(element_count=1, struct_size=4, usage=usage)
        error.copy_from_numpy(np.zeros(1, np.int32))
        self._kernel.dispatch(
            thread_count=thread_count, **values, _words=tape, _capacity=words, _error=error
        )
        return int(error.to_numpy().view(np.int32)[0])
