"""Runs kernels on devices, on plain data, and judges them: `on_device` is `subjects.on` there."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from devices.door import DeviceDoor
from devices.kernels import KernelCase
from parallel.judging import NAMES
from properties.doors import Door
from properties.inputs import Case
from properties.laws import TOLERANCE
from subjects import Ran, Subject, differences, fresh, on

from loma.backends.targets import DEVICES
from loma.driver import core_module
from loma.host.build import Source
from loma.host.course_device import compile_slang, library_of
from loma.host.marshal import ctypes_structs
from loma.ir.nodes import Direction, Module
from loma.ir.types import F64, ArrayType, Scalar, Type

SECOND = frozenset({"line", "smooth", "drop", "energy", "mixed", "helped", "coefficients"})


@cache
def on_device(target: str, text: str, float_type: Scalar, debug: bool = False) -> Subject:
    """The kernels of a text on a target."""
    module = core_module(text, "test.py", float_type, debug=debug)
    if target == "slang":
        return Subject(lambda name: module.functions[name].signature, _slang(text, module, debug))
    structs, library = library_of(module, target, False)
    door = DeviceDoor(module.structs, structs, library)
    return Subject(lambda name: module.functions[name].signature, door.call)


@cache
def slang_device() -> Any:
    """A device for Slang."""
    from loma.backends.slang_load import create_device

    return create_device()


def _slang(text: str, module: Module, debug: bool) -> Any:
    source = Source(text, "test.py", module.float_type)
    _, kernels = compile_slang(source, slang_device(), debug=debug)
    return SlangDoor(module.structs, ctypes_structs(module.structs), kernels).call


class SlangDoor(Door):
    """Kernels of slangpy: memory is buffers, and arguments have names."""

    def call(self, case: Case) -> Ran:
        kernel = self.library[case.function]
        kept: list[Any] = []
        arguments = case.signature.arguments
        declared = kernel.program.layout.entry_points[0].parameters
        names = [declared[2 + k].name for k in range(len(arguments))]
        values: dict[str, Any] = {}
        buffers: dict[str, tuple[Any, Any]] = {}
        for name, x, a in zip(names, case.data, arguments, strict=True):
            if a.direction is Direction.IN and not isinstance(a.type, ArrayType):
                values[name] = x
                continue
            memory = self.memory(x, a.type, kept)
            buffers[name] = memory, buffer_of(memory, self.stride(a.type))
            values[name] = buffers[name][1]
        kernel.dispatch(
            thread_count=[case.threads, 1, 1], _total_threads=case.threads, **values)
        after = []
        for name, x, a in zip(names, case.data, arguments, strict=True):
            if name in buffers:
                memory, buffer = buffers[name]
                found = buffer.to_numpy().tobytes()
                ctypes.memmove(ctypes.addressof(memory), found, ctypes.sizeof(memory))
                x = self.data(memory, x, a.type)
            after.append(x)
        return after, None

    def stride(self, t: Type) -> int:
        """The bytes of a buffer's element."""
        return ctypes.sizeof(self.ctype(t.element if isinstance(t, ArrayType) else t))


def buffer_of(memory: Any, stride: int) -> Any:
    """A buffer of the device with these bytes."""
    import slangpy

    usage = slangpy.BufferUsage.shader_resource | slangpy.BufferUsage.unordered_access
    data = np.frombuffer(bytearray(bytes(memory) or bytes(stride)), np.uint8)
    return slang_device().create_buffer(
        element_count=max(1, len(data) // stride), struct_size=stride, usage=usage, data=data)


def agree(case: KernelCase, target: str, float_type: Scalar) -> None:
    """The kernel and its derivatives give what the oracle gives; on Slang's CPU device, which
    starts a C++ compiler for each, only the reverse but for the kernels of `SECOND`."""
    few = target == "slang" and case.name not in SECOND
    names = (case.function, *(("r",) if few else NAMES))
    subject = (on_device if target in DEVICES else on)(target, case.program, float_type)
    for name, args in case.calls(float_type, names):
        wanted = on("oracle", case.program, float_type).call(name, fresh(args), case.threads)
        got = subject.call(name, fresh(args), case.threads)
        what = differences(list(got), list(wanted), TOLERANCE[float_type])
        assert not what, (case.name, name, what)


def interpreted(case: KernelCase, threads: int) -> None:
    """So many threads of the kernel and of its reverse, in the interpreter, give what `llvm`
    gives."""
    for name, args in case.calls(F64, (case.function, "r")):
        many = [x * (threads // len(x) + 1) if isinstance(x, list) else x for x in args]
        wanted = on("llvm", case.program, F64).call(name, fresh(many), threads)
        got = on("core", case.program, F64).call(name, fresh(many), threads)
        assert not differences(list(got), list(wanted), 1e-8), name
