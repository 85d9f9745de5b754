"""The kernels of a program on a device, as attributes: `lib.k(arguments ..., threads)`.

Arrays and everything that is written are the device's memory (buffers of OpenCL, arrays of CuPy,
PyTorch or JAX), or the host's (NumPy arrays, ctypes objects), which is copied there and back.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from loma.backends import device_launch as launch
from loma.backends.device import DeviceError, holds_pointer
from loma.backends.device_launch import Buffer, Launcher
from loma.host.marshal import CType, ctypes_type
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, Structs

LETTERS: Final = {
    Scalar.BOOL: "i",
    Scalar.I32: "i",
    Scalar.I64: "q",
    Scalar.F32: "f",
    Scalar.F64: "d",
}
Value: TypeAlias = Any  # what a user passes

COUNT_BITS: Final = 31


class HostDevice(launch.Device, Protocol):
    """A device that can tell its own memory from the host's."""

    def own(self, value: object) -> Buffer | None:
        """The memory of the device that a value stands for, if it does."""
        ...

    def same(self, a: Buffer, b: Buffer) -> bool:
        """Whether two are one memory."""
        ...

    def upload(self, data: memoryview) -> Buffer:
        """A copy of the host's memory."""
        ...

    def download(self, buffer: Buffer, data: memoryview) -> None:
        """Copies to the host's memory, once all is done."""
        ...


class ArgumentError(TypeError):
    """An argument of a kernel is not what its parameter wants."""


@dataclass(slots=True)
class Given:
    """The arguments of one call: what the kernel gets, and the host's memory to copy back to."""

    values: list[launch.Argument]
    back: list[tuple[Buffer, memoryview]]


class DeviceLibrary:
    """The kernels of a program as attributes.

    `launcher(aliased)` gives the program compiled for arguments that are different memory, or for
    arguments that may be the same. `refused` are the kernels that the device cannot run, and why.
    """

    def __init__(
        self,
        signatures: Mapping[str, Signature],
        structs: Mapping[str, CType],
        launcher: Callable[[bool], Launcher],
        refused: Mapping[str, str],
        definitions: Structs,
    ) -> None:
        self.__refused = refused
        for name, signature in signatures.items():
            if name not in refused:
                inner = {
                    a.name
                    for a in signature.arguments
                    if holds_pointer(a.type, definitions, outside=True)
                }
                setattr(self, name, _Kernel(name, signature, structs, launcher, inner))

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name in self.__refused:
            raise DeviceError(self.__refused[name])
        raise AttributeError(f"the program has no kernel {name!r}")


class _Kernel:
    def __init__(
        self,
        name: str,
        signature: Signature,
        structs: Mapping[str, CType],
        launcher: Callable[[bool], Launcher],
        pointers: set[str],
    ) -> None:
        self.__name__ = name
        self._pointers = pointers
        self._signature = signature
        self._structs = structs
        self._launcher = launcher

    def __call__(self, *values: Value) -> None:
        """Runs the kernel; the last value is the number of threads."""
        arguments = self._signature.arguments
        if len(values) != len(arguments) + 1:
            raise ArgumentError(
                f"{self.__name__} takes {len(arguments)} arguments and the number of threads, "
                f"{len(values)} were given"
            )
        threads = _number(values[-1])
        if not isinstance(threads, int) or threads >> COUNT_BITS:
            raise ArgumentError(f"{self.__name__}: the number of threads is {values[-1]!r}")
        launcher = self._launcher(False)
        device: Any = launcher.device
        given = Given([], [])
        writes = launcher.text.kernels[self.__name__].writes
        for i, (a, value) in enumerate(zip(arguments, values, strict=False)):
            given.values.append(self._argument(device, a, value, given, i in writes))
        if _overlap(device, given.values, writes):
            launcher = self._launcher(True)
        launcher.run(self.__name__, given.values, threads)
        for buffer, data in given.back:
            device.download(buffer, data)

    def _argument(
        self, device: HostDevice, a: Argument, value: Value, given: Given, written: bool
    ) -> launch.Argument:
        if a.direction is Direction.IN and not isinstance(a.type, ArrayType):
            return self._by_value(a, value)
        own = device.own(value)
        if own is not None:
            self._matches(a, value)
            return own
        if a.name in self._pointers:
            raise ArgumentError(
                f"{self.__name__}: `{a.name} : {a.type}` holds pointers, which must be the "
                "device's: memory of the host was given"
            )
        data = self._host(a, value)
        if written and data.readonly:
            raise ArgumentError(f"{self.__name__}: `{a.name}` is written, its array is read-only")
        buffer = device.upload(data)
        if written:
            given.back.append((buffer, data))
        return buffer

    def _by_value(self, a: Argument, value: Value) -> launch.Scalar:
        kind = ctypes_type(a.type, self._structs)
        if isinstance(a.type, Scalar):
            number = _number(value)
            try:
                made = kind(int(number) if a.type.is_int else float(number))
            except (TypeError, ValueError):
                raise ArgumentError(
                    f"{self.__name__}: `{a.name}` is `{a.type.value}`, {value!r} was given"
                ) from None
            return launch.Scalar(bytes(made), LETTERS[a.type])
        if not isinstance(value, kind):
            raise ArgumentError(
                f"{self.__name__}: `{a.name}` is `{a.type}`, {type(value).__name__} was given"
            )
        return launch.Scalar(bytes(value))

    def _host(self, a: Argument, value: Value) -> memoryview:
        """The bytes of the host that a value stands for."""
        inner = getattr(value, "_obj", None)  # what ctypes.byref refers to
        value = value if inner is None else inner
        if isinstance(value, ctypes._Pointer):
            value = value.contents
        self._matches(a, value)
        try:
            return memoryview(value).cast("B")
        except TypeError:
            raise ArgumentError(
                f"{self.__name__}: `{a.name}` wants memory of `{a.type}` that lies in one piece, "
                f"{type(value).__name__} was given"
            ) from None

    def _matches(self, a: Argument, value: Value) -> None:
        """Checks the element type of an array that knows it."""
        element = a.type
        while isinstance(element, ArrayType):
            element = element.element
        found = getattr(value, "dtype", None)
        if isinstance(element, Scalar) and found is not None:
            size = getattr(found, "itemsize", element.bytes)
            kind = str(getattr(found, "name", found)).removeprefix("torch.")
            wanted = {"f": "float", "i": "int", "q": "int", "d": "float"}[LETTERS[element]]
            if size != element.bytes or not kind.startswith((wanted, "bool")):
                raise ArgumentError(
                    f"{self.__name__}: `{a.name}` has elements `{element.value}`, an array of "
                    f"{kind} was given"
                )


def _number(value: Value) -> Value:
    inner: Value = getattr(value, "value", value)  # ctypes
    return inner.item() if hasattr(inner, "item") else inner


def _overlap(device: HostDevice, values: Sequence[launch.Argument], writes: frozenset[int]) -> bool:
    """Whether an argument that is written is the memory of another."""
    memory = [(i, v) for i, v in enumerate(values) if not isinstance(v, launch.Scalar)]
    return any(device.same(a, b) for i, a in memory if i in writes for j, b in memory if i != j)
