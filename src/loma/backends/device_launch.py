"""Launches kernels: how many threads run at once, and what happens where their memory runs out.

A thread whose tape or local arrays outgrow its memory stops, and so does the launch in effect: what
it wrote is put back, and it runs again with more memory for each thread (and, when the device has
no more, fewer threads at once).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Final, NoReturn, Protocol, TypeAlias

from loma.backends.device import DeviceText, KernelFacts
from loma.diagnostics import RunError
from loma.ir.nodes import Trap

TAPE_FULL: Final = -1
FIRST_WORDS: Final = 64
FIRST_BYTES: Final = 4096
GROWTH: Final = 4
SHARE: Final = 4
"""Threads may take one part in so many of the device's memory."""
MORE: Final = 4
"""Times as many groups start as keep the device busy, if threads may differ in what they do."""
LARGEST: Final = (1 << 31) - 1
SPARE: Final = 1 << 26
"""Bytes that are kept for the next call even if that needs far less."""

Buffer: TypeAlias = Any  # memory of a device, as the device's library represents it


class Flag(Protocol):
    """A number that the device sets and the host reads; as an argument it is memory."""

    value: int

    def wait(self) -> None:
        """Waits until the device has done all its work."""
        ...


class Device(Protocol):
    """A device with a queue of work."""

    def group(self, threads: int) -> int:
        """Threads in a group, if so many run in all."""
        ...

    @property
    def groups(self) -> int:
        """Groups that keep the device busy."""
        ...

    @property
    def memory(self) -> int:
        """Bytes of memory that threads may share; what it is must not take long to find out."""
        ...

    @property
    def flag(self) -> Flag | None:
        """A place for an error number that the host sees without waiting, if there is one."""
        ...

    def allocate(self, size: int) -> Buffer:
        """Fresh memory; raises MemoryError where there is none."""
        ...

    def restore(self, buffer: Buffer, copy: Buffer) -> None:
        """Copies as much as the smaller of the two has into `buffer`."""
        ...

    def clear(self, buffer: Buffer, start: int) -> None:
        """Fills memory from a byte on with zeros."""
        ...

    def write_error(self, buffer: Buffer, value: int) -> None:
        """Sets an error number."""
        ...

    def download(self, buffer: Buffer, data: memoryview) -> None:
        """Copies to the host's memory, once all is done."""
        ...

    def launch(
        self, entry: str, groups: int, group: int, arguments: Sequence[Argument]
    ) -> None:
        """Runs a kernel in groups of so many threads."""
        ...


class Scalar:
    """An argument that is passed by value: a number, with the letter of its type in `struct`, or
    the bytes of a struct, with none. (No dataclass: one is made for each argument of each call.)"""

    __slots__ = ("letter", "value")

    def __init__(self, value: int | float | bytes, letter: str = "") -> None:
        self.value = value
        self.letter = letter

    @property
    def data(self) -> bytes:
        """The bytes."""
        if isinstance(self.value, bytes):
            return self.value
        return struct.pack(f"<{self.letter}", self.value)


Argument: TypeAlias = Scalar | Buffer


def owned_arguments(
    kernel: KernelFacts, arguments: Sequence[Argument], fresh: bool
) -> list[Scalar]:
    """What a kernel is told of arrays whose element i is thread i's."""
    given: Sequence[Any] = arguments
    counts = [min(given[i].size // size, LARGEST) for i, size in kernel.owned]
    return [Scalar(int(fresh), "i"), *(Scalar(n, "i") for n in counts)]


def lengths(kernel: KernelFacts, arguments: Sequence[Argument]) -> list[Scalar]:
    """What a kernel is told of the lengths of arrays."""
    given: Sequence[Any] = arguments
    return [Scalar(min(given[i].size // size, LARGEST), "i") for i, size, _ in kernel.told]


@dataclass(slots=True, eq=False)
class Launcher:
    """The kernels of one program on one device; remembers how much memory they needed, and keeps
    the memory of the last call for the next. `lock` is held during a call."""

    device: Device
    text: DeviceText
    file: str
    words: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    kept: dict[str, tuple[int, Buffer]] = field(default_factory=dict)
    lock: AbstractContextManager[Any] = field(default_factory=RLock)

    def run(
        self, name: str, arguments: Sequence[Argument], threads: int, fresh: bool = False
    ) -> None:
        """Runs a kernel; raises RunError where a thread stops itself. If `fresh`, what the kernel
        only adds to begins with zeros, whatever is there."""
        self.raise_noted()
        kernel = self.text.kernels[name]
        if fresh:
            self._clear(kernel, arguments, max(threads, 0))
        if threads <= 0:
            return
        given: list[Argument] = [*arguments]
        if kernel.owned:
            given += owned_arguments(kernel, arguments, fresh)
        given += lengths(kernel, arguments)
        given.append(Scalar(threads, "i"))
        group, groups = self._groups(kernel, threads)
        flag = self.device.flag
        if not kernel.context:
            self.device.launch(kernel.entry, groups, group, given)
        elif flag is not None and not (kernel.tape or kernel.heap):
            none = self._allocate("tape", 4), Scalar(1, "I"), self._allocate("heap", 16)
            self.device.launch(kernel.entry, groups, group, [*given, *none, Scalar(16, "Q"), flag])
        else:
            self._repeated(name, kernel, arguments, given, threads)

    def raise_noted(self, wait: bool = False) -> None:
        """Raises the error that a thread of an earlier call has met, if one has; with `wait`, all
        calls have ended before."""
        flag = self.device.flag
        if flag is None:
            return
        if wait or flag.value:
            flag.wait()
        number, flag.value = flag.value, 0
        if number:
            self._raise(number)

    def _raise(self, number: int) -> NoReturn:
        stop = self.text.stops[number - 1]
        raise RunError(stop.trap.name, stop.message, stop.file, stop.line)

    def _repeated(
        self,
        name: str,
        kernel: KernelFacts,
        arguments: Sequence[Argument],
        given: list[Argument],
        threads: int,
    ) -> None:
        """Runs a kernel until its threads have enough memory."""
        copies = self._copies(kernel, arguments)
        while (error := self._attempt(name, kernel, given, threads)) < 0:
            for buffer, copy in copies:
                self.device.restore(buffer, copy)
            self._grow(name, error)
        if error > 0:
            self._raise(error)

    def _clear(self, kernel: KernelFacts, arguments: Sequence[Argument], threads: int) -> None:
        """Fills with zeros what a kernel only adds to, but not what its threads store."""
        stored = {position: threads * size for position, size in kernel.owned}
        given: Sequence[Any] = arguments
        for position in sorted(kernel.added):
            start = stored.get(position, 0)
            if given[position].size > start:
                self.device.clear(given[position], start)

    def _copies(
        self, kernel: KernelFacts, arguments: Sequence[Argument]
    ) -> list[tuple[Buffer, Buffer]]:
        if not (kernel.tape or kernel.heap):
            return []
        written: list[Any] = [arguments[i] for i in sorted(kernel.writes)]
        return [(b, self._allocate(f"copy {i}", b.size, b)) for i, b in enumerate(written)]

    def _attempt(
        self, name: str, kernel: KernelFacts, arguments: list[Argument], threads: int
    ) -> int:
        device = self.device
        group, groups = self._groups(kernel, threads)
        words = self.words.setdefault(name, FIRST_WORDS) if kernel.tape else 1
        size = self.bytes.setdefault(name, FIRST_BYTES) if kernel.heap else 16
        if kernel.tape or kernel.heap:
            groups = min(groups, self._fitting(name, group, 4 * words + size))
        lanes = groups * group
        tape = self._allocate("tape", lanes * 4 * words if kernel.tape else 4)
        heap = self._allocate("heap", lanes * size if kernel.heap else 16)
        error = self._allocate("error", 4)
        device.write_error(error, 0)
        limits = Scalar(words, "I"), Scalar(size, "Q")
        given = [*arguments, tape, limits[0], heap, limits[1], error]
        device.launch(kernel.entry, groups, group, given)
        number = bytearray(4)
        device.download(error, memoryview(number))
        return int.from_bytes(number, "little", signed=True)

    def _groups(self, kernel: KernelFacts, threads: int) -> tuple[int, int]:
        """How many threads are in a group, and how many groups are started."""
        group = self.device.group(threads)
        needed = -(-kernel.started(threads) // group)
        return group, min(needed, self.device.groups * (1 if kernel.sums else MORE))

    def _fitting(self, name: str, group: int, size: int) -> int:
        """How many groups have room for so many bytes for each thread."""
        fitting = self.device.memory // SHARE // (group * size)
        if fitting == 0:
            raise RunError(
                Trap.MEMORY.name,
                f"a thread of `{name}` needs more than {size} bytes for "
                "tapes and local arrays, which the device has not",
                self.file,
                0,
            )
        return fitting

    def _allocate(self, purpose: str, size: int, source: Buffer = None) -> Buffer:
        """Memory for a purpose, that of the last call if it is enough: with a copy of `source`."""
        have, buffer = self.kept.pop(purpose, (0, None))
        if have < size or have > SPARE and have > SHARE * size:
            buffer = None  # gives it back first
            have, buffer = size, self._fresh(size)
        self.kept[purpose] = have, buffer
        if source is not None:
            self.device.restore(buffer, source)
        return buffer

    def _fresh(self, size: int) -> Buffer:
        try:
            return self.device.allocate(size)
        except MemoryError:
            self.kept.clear()  # which may have been all that was missing
            return self.device.allocate(size)

    def _grow(self, name: str, error: int) -> None:
        table = self.words if error == TAPE_FULL else self.bytes
        table[name] *= GROWTH
