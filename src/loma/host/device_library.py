"""The kernels of a program on a device, as attributes: `lib.k(arguments ..., threads)`.

Arrays and everything that is written are the device's memory (buffers of OpenCL, arrays of CuPy,
PyTorch or JAX), or the host's (NumPy arrays, ctypes objects), which is copied there and back.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TypeAlias

from loma.backends import device_launch as launch
from loma.backends.device import DeviceError, holds_pointer
from loma.backends.device_launch import Buffer, Launcher
from loma.host.marshal import CType, ctypes_type
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, Structs, type_text

LETTERS: Final = {
    Scalar.BOOL: "i",
    Scalar.I32: "i",
    Scalar.I64: "q",
    Scalar.F32: "f",
    Scalar.F64: "d",
}
Value: TypeAlias = Any  # what a user passes

CTYPES: Final = {
    Scalar.BOOL: ctypes.c_bool,
    Scalar.I32: ctypes.c_int32,
    Scalar.I64: ctypes.c_int64,
    Scalar.F32: ctypes.c_float,
    Scalar.F64: ctypes.c_double,
}
COUNT_BITS: Final = 31


class HostDevice(launch.Device, Protocol):
    """A device that can tell its own memory from the host's."""

    @property
    def copies(self) -> bool:
        """Whether memory of the host is copied there and back."""
        ...

    def own(self, value: object) -> Buffer | None:
        """The memory of the device that a value stands for, if it does."""
        ...

    def begin(self) -> None:
        """A call begins."""
        ...

    def follow(self, other: Self) -> None:
        """Works where another program on this device does."""
        ...

    def span(self, buffer: Buffer) -> tuple[int, int]:
        """Where memory begins and ends, in numbers that differ for different memory."""
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
        self._structs = structs
        self._launcher = launcher
        self._used: list[Launcher] = []
        self._arguments = signature.arguments
        self._by_value = [
            a.direction is Direction.IN and not isinstance(a.type, ArrayType)
            for a in signature.arguments
        ]
        self._kinds = [_kind(a) for a in signature.arguments]
        self._fine: list[Value] = [None] * len(self._kinds)
        self._numbers: list[tuple[Value, str]] = [
            (CTYPES[a.type], LETTERS[a.type]) if isinstance(a.type, Scalar) else (None, "")
            for a in signature.arguments
        ]

    @property
    def writes(self) -> frozenset[int]:
        """The positions of the arguments that it writes."""
        return self._launcher(False).text.kernels[self.__name__].writes

    def __call__(self, *values: Value) -> None:
        """Runs the kernel; the last value is the number of threads."""
        self._call(values, False)

    def fresh(self, *values: Value) -> None:
        """Runs the kernel as if what it only adds to, such as a gradient, held zeros: whatever is
        there is overwritten, and need not be filled before."""
        self._call(values, True)

    def wait(self) -> None:
        """Waits until all calls have ended; raises what a thread of one of them has met."""
        for launcher in self._used:
            launcher.raise_noted(wait=True)

    def _call(self, values: tuple[Value, ...], fresh: bool) -> None:
        count = len(self._arguments)
        if len(values) != count + 1:
            raise ArgumentError(
                f"{self.__name__} takes {count} arguments and the number of threads, "
                f"{len(values)} were given"
            )
        threads = _number(values[-1])
        if not isinstance(threads, int) or threads >> COUNT_BITS:
            raise ArgumentError(f"{self.__name__}: the number of threads is {values[-1]!r}")
        launcher = self._launcher(False)
        with launcher.lock:
            self._run(launcher, values, threads, fresh)

    def _run(
        self, launcher: Launcher, values: tuple[Value, ...], threads: int, fresh: bool
    ) -> None:
        device: Any = launcher.device
        device.begin()
        given = Given([], [])
        writes = launcher.text.kernels[self.__name__].writes
        for i in range(len(self._arguments)):
            value = values[i]
            given.values.append(
                self._passed(i, value)
                if self._by_value[i]
                else self._memory(device, i, value, given, i in writes)
            )
        if _overlap(device, given.values, writes):
            launcher = self._launcher(True)
            follower: Any = launcher.device
            follower.follow(device)
        if launcher not in self._used:
            self._used.append(launcher)
        launcher.run(self.__name__, given.values, threads, fresh)
        if given.back:
            launcher.raise_noted(wait=True)
        for buffer, data in given.back:
            device.download(buffer, data)

    def _memory(
        self, device: HostDevice, i: int, value: Value, given: Given, written: bool
    ) -> launch.Argument:
        own = device.own(value)
        if own is not None:
            self._matches(i, value)
            if written and getattr(own, "fixed", False):
                raise ArgumentError(
                    f"{self.__name__}: `{self._arguments[i].name}` is written, and a "
                    f"{type(value).__name__} never changes: pass an array of CuPy or PyTorch"
                )
            return own
        a = self._arguments[i]
        if a.name in self._pointers:
            raise ArgumentError(
                f"{self.__name__}: `{a.name} : {type_text(a.type)}` holds pointers, which must be "
                "the device's: memory of the host was given"
            )
        data = self._host(device, i, value)
        if written and data.readonly:
            raise ArgumentError(f"{self.__name__}: `{a.name}` is written, its array is read-only")
        buffer = device.upload(data)
        if written:
            given.back.append((buffer, data))
        return buffer

    def _passed(self, i: int, value: Value) -> launch.Scalar:
        if self._numbers[i][1]:
            return self._scalar(i, value)
        a = self._arguments[i]
        if not isinstance(value, ctypes_type(a.type, self._structs)):
            raise ArgumentError(
                f"{self.__name__}: `{a.name}` is `{type_text(a.type)}`, "
                f"{type(value).__name__} was given"
            )
        return launch.Scalar(bytes(value))

    def _scalar(self, i: int, value: Value) -> launch.Scalar:
        made, letter = self._numbers[i]
        if type(value) is float and letter == "d":
            return launch.Scalar(value, letter)
        number = _number(value)
        try:
            return launch.Scalar(
                made(float(number) if letter in "fd" else int(number)).value, letter)
        except (TypeError, ValueError, OverflowError):
            a = self._arguments[i]
            raise ArgumentError(
                f"{self.__name__}: `{a.name}` is `{Scalar(a.type).value}`, {value!r} was given"
            ) from None

    def _host(self, device: HostDevice, i: int, value: Value) -> memoryview:
        """The bytes of the host that a value stands for."""
        inner = getattr(value, "_obj", None)  # what ctypes.byref refers to
        value = value if inner is None else inner
        if isinstance(value, ctypes._Pointer | ctypes.c_void_p):
            value = self._pointed_at(device, i, value)
        self._matches(i, value)
        try:
            return memoryview(value).cast("B")
        except TypeError:
            a = self._arguments[i]
            raise ArgumentError(
                f"{self.__name__}: `{a.name}` wants memory of `{type_text(a.type)}` that lies in "
                f"one piece, {type(value).__name__} was given"
            ) from None

    def _pointed_at(self, device: HostDevice, i: int, pointer: Value) -> Value:
        """What a pointer of ctypes leads to, if it tells how much that is."""
        array: Value = getattr(pointer, "_arr", None)  # the array of NumPy's `data_as`
        if array is not None:
            return array
        a, target = self._arguments[i], pointer._type_
        short = isinstance(a.type, ArrayType) and not hasattr(target, "_length_")
        if isinstance(pointer, ctypes.c_void_p) or (short and device.copies):
            raise ArgumentError(
                f"{self.__name__}: `{a.name}` is memory, and a pointer does not say how much: pass "
                "a NumPy array, an array of ctypes, or NumPy's `ctypes.data_as`"
            )
        return pointer.contents

    def _matches(self, i: int, value: Value) -> None:
        """Checks the element type of an array that knows it."""
        found = getattr(value, "dtype", None)
        if found is self._fine[i]:
            return
        element = self._kinds[i]
        if found is not None and element is not None and not _holds(found, element):
            kind = str(getattr(found, "name", found)).removeprefix("torch.")
            raise ArgumentError(
                f"{self.__name__}: `{self._arguments[i].name}` has elements `{element.value}`, an "
                f"array of {kind} was given"
            )
        self._fine[i] = found


def _kind(a: Argument) -> Scalar | None:
    """What an argument's memory is made of, if that is scalars."""
    element = a.type
    while isinstance(element, ArrayType):
        element = element.element
        if isinstance(element, ArrayType) and element.size is None:
            return Scalar.I64  # an address
    return element if isinstance(element, Scalar) else None


def _holds(dtype: Value, element: Scalar) -> bool:
    """Whether an array with this `dtype` holds such elements."""
    size = getattr(dtype, "itemsize", element.bytes)
    kind = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
    wanted = {"f": "float", "i": "int", "q": "int", "d": "float"}[LETTERS[element]]
    return bool(size == element.bytes and kind.startswith((wanted, "bool")))


def _number(value: Value) -> Value:
    if type(value) in (int, float):
        return value
    inner: Value = getattr(value, "value", value)  # ctypes
    return inner.item() if hasattr(inner, "item") else inner


def _overlap(device: HostDevice, values: Sequence[launch.Argument], writes: frozenset[int]) -> bool:
    """Whether memory that is written is that of another argument, or a part of it."""
    spans = [
        (*device.span(v), i in writes)
        for i, v in enumerate(values)
        if not isinstance(v, launch.Scalar)
    ]
    spans.sort()
    end, written = -1, -1
    for start, stop, writes_it in spans:
        if start < written or (writes_it and start < end):
            return True
        end = max(end, stop)
        written = max(written, stop) if writes_it else written
    return False
