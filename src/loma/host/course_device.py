"""The course's door for targets that are devices: structs, and kernels that devices run."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from loma import driver
from loma.backends import (
    cuda,
    cuda_load,
    ispc,
    ispc_load,
    opencl,
    opencl_load,
    slang,
    slang_load,
    wgsl,
    wgsl_load,
)
from loma.backends.device import DeviceDialect, DeviceError, DeviceText, device_text, refusal
from loma.backends.device_launch import Device, Launcher
from loma.backends.flat import FlatDialect, structs
from loma.backends.interface import Interface
from loma.host.build import Source
from loma.host.device_library import DeviceLibrary
from loma.host.marshal import ctypes_structs
from loma.ir.kernel import Kernel
from loma.ir.nodes import Module

Handle: TypeAlias = Any  # a queue of the device's library
Structs: TypeAlias = dict[str, type[ctypes.Structure]]
Refusal: TypeAlias = Callable[[Kernel, Module], str | None]
Build: TypeAlias = Callable[[DeviceText, bool, Handle], Device]


@dataclass(frozen=True, slots=True)
class Target:
    """How kernels become text for a device, and the text a program there; `refusal` says why it
    cannot run a kernel, `segmented` whether it counts segments of loops, `owning` whether
    kernels are told which arrays hold nothing yet."""

    text: Callable[[Module, list[Kernel], bool], DeviceText]
    refusal: Refusal
    build: Build
    segmented: bool = True
    owning: bool = False

    def kernels(self, module: Module, *, strict: bool, aliased: bool) -> list[Kernel]:
        """The kernels of a module in the form that the target wants."""
        return driver.kernels(
            module, strict=strict, aliased=aliased, segmented=self.segmented, owning=self.owning
        )


def _c_like(dialect: DeviceDialect, build: Build) -> Target:
    name, pointers = dialect.dialect.name, dialect.pointers
    return Target(
        lambda module, kernels, strict: device_text(module, kernels, dialect, strict=strict),
        lambda k, module: refusal(k, module, name, pointers=pointers),
        build,
    )


def _flat(dialect: FlatDialect, build: Build) -> Target:
    def text(module: Module, kernels: list[Kernel], strict: bool) -> DeviceText:
        return dialect.text(module, kernels)

    return Target(text, dialect.refusal, build, segmented=not dialect.narrow)


def _opencl(text: DeviceText, strict: bool, queue: Handle) -> Device:
    queue = opencl_load.default_queue() if queue is None else queue
    return opencl_load.OpenCLDevice(queue, text, strict)


def _cuda(text: DeviceText, strict: bool, queue: Handle) -> Device:
    return cuda_load.CudaDevice(text, strict)


def _ispc(text: DeviceText, strict: bool, queue: Handle) -> Device:
    return ispc_load.IspcDevice(text, strict)


def _wgsl(text: DeviceText, strict: bool, queue: Handle) -> Device:
    return wgsl_load.WgpuDevice(text)


TARGETS: Final[dict[str, Target]] = {
    "cuda": replace(_c_like(cuda.TARGET, _cuda), owning=True),
    "opencl": _c_like(opencl.TARGET, _opencl),
    "ispc": replace(_c_like(ispc.TARGET, _ispc), refusal=ispc.refusal),
    "wgsl": _flat(wgsl.TARGET, _wgsl),
}


def compile_kernels(
    source: Source, target: str, strict: bool, queue: Handle = None, *, debug: bool = False
) -> tuple[Structs, DeviceLibrary]:
    """The structs of a program, and its kernels on a device; `queue` is OpenCL's (None: of the
    first device found)."""
    module = driver.core_module(
        source.text, source.file, source.float_type, strict=strict, path=source.path, debug=debug
    )
    return library_of(module, target, strict, queue)


def library_of(
    module: Module, target: str, strict: bool, queue: Handle = None
) -> tuple[Structs, DeviceLibrary]:
    """The same of a core module."""
    programs = _Programs(module, TARGETS[target], queue, strict)
    interface = Interface.of(module)
    structs = ctypes_structs(interface.structs)
    signatures = {n: s for n, s in interface.signatures.items() if s.simd}
    programs.launcher(False)
    library = DeviceLibrary(
        signatures, structs, programs.launcher, programs.refused, module.structs
    )
    return structs, library


def compile_slang(
    source: Source, device: Handle, *, debug: bool = False
) -> tuple[Handle, dict[str, Handle]]:
    """The module of slangpy, and the kernels by name."""
    device = slang_load.create_device() if device is None else device
    module = driver.core_module(
        source.text, source.file, source.float_type, path=source.path, debug=debug
    )
    text, refused = slang_kernels(module, atomic=not slang_load.sequential(device))
    fields = {n: tuple(m for m, _ in module.structs[n].members) for n in structs(module)}
    made, kernels = slang_load.load(device, text, fields, source.file)
    return made, SlangKernels(kernels, refused)


class SlangKernels(dict[str, Any]):
    """The kernels by name; one that Slang cannot run says why when it is asked for."""

    def __init__(self, kernels: Mapping[str, Handle], refused: Mapping[str, str]) -> None:
        super().__init__(kernels)
        self._refused = refused

    def __missing__(self, name: str) -> Handle:
        raise DeviceError(self._refused[name]) if name in self._refused else KeyError(name)


def slang_kernels(module: Module, *, atomic: bool = True) -> tuple[DeviceText, dict[str, str]]:
    """The kernels of a module that Slang can run, and why it cannot run the others; raises
    DeviceError where it can run none."""
    able, why = able_ones(driver.kernels(module), module, slang.TARGET.refusal)
    return (slang.TARGET if atomic else slang.SEQUENTIAL).text(module, able), why


def able_ones(
    kernels: list[Kernel], module: Module, refusal: Refusal
) -> tuple[list[Kernel], dict[str, str]]:
    """The kernels that a target can run, and why it cannot run the others; raises DeviceError where
    it can run none."""
    why = {k.name: reason for k in kernels if (reason := refusal(k, module)) is not None}
    able = [k for k in kernels if k.name not in why]
    if kernels and not able:
        raise DeviceError("; ".join(why.values()))
    return able, why


def kernel_text(module: Module, target: str, *, strict: bool = False, aliased: bool = False) -> str:
    """The kernels of a module as the text that the device's compiler gets; raises DeviceError where
    none can be."""
    if target == "slang":
        return slang_kernels(module)[0].source
    made, kernels = TARGETS[target], kernels_for(module, target, strict=strict, aliased=aliased)
    able, _ = able_ones(kernels, module, made.refusal)
    return made.text(module, able, strict).source


def kernels_for(
    module: Module, target: str, *, strict: bool = False, aliased: bool = False
) -> list[Kernel]:
    """The kernels of a module in the form that a target wants."""
    if target == "slang":
        return driver.kernels(module)
    return TARGETS[target].kernels(module, strict=strict, aliased=aliased)


@dataclass(slots=True)
class _Programs:
    """The program of a module in its two forms, compiled when they are first needed."""

    module: Module
    target: Target
    queue: Handle
    strict: bool
    made: dict[bool, Launcher] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def launcher(self, aliased: bool) -> Launcher:
        """The program for arguments that are different memory, or that may be the same."""
        if aliased not in self.made:
            kernels = self._kernels(aliased)
            text = self.target.text(self.module, kernels, self.strict)
            device = self.target.build(text, self.strict, self.queue)
            self.made[aliased] = Launcher(device, text, self.module.file)
        return self.made[aliased]

    def _kernels(self, aliased: bool) -> list[Kernel]:
        """Those that the target can run; the others are noted with the reason."""
        found = self.target.kernels(self.module, strict=self.strict, aliased=aliased)
        why = {k.name: self.target.refusal(k, self.module) for k in found}
        self.refused.update({name: reason for name, reason in why.items() if reason is not None})
        return [k for k in found if k.name not in self.refused]
