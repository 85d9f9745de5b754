"""Launches kernels: how many threads run at once, and what happens where their memory runs out.

A thread whose tape or local arrays outgrow its memory stops, and so does the launch in effect: what
it wrote is put back, and it runs again with more memory for each thread (and, when the device has
no more, fewer threads at once).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from loma.backends.device import DeviceText, KernelFacts
from loma.diagnostics import RunError
from loma.ir.nodes import Trap

TAPE_FULL: Final = -1
HEAP_FULL: Final = -2
FIRST_WORDS: Final = 64
FIRST_BYTES: Final = 4096
GROWTH: Final = 4
SHARE: Final = 4
"""Threads may take one part in so many of the device's memory."""

Buffer: TypeAlias = Any  # memory of a device, as the device's library represents it


class Device(Protocol):
    """A device with a queue of work."""

    group: int
    """Threads in a group."""

    @property
    def groups(self) -> int:
        """Groups that keep the device busy."""
        ...

    @property
    def memory(self) -> int:
        """Bytes of memory."""
        ...

    def allocate(self, size: int) -> Buffer:
        """Fresh memory; raises MemoryError where there is none."""
        ...

    def copy_of(self, buffer: Buffer) -> Buffer:
        """A copy of memory."""
        ...

    def restore(self, buffer: Buffer, copy: Buffer) -> None:
        """Copies back."""
        ...

    def write_error(self, buffer: Buffer, value: int) -> None:
        """Sets an error number."""
        ...

    def read_error(self, buffer: Buffer) -> int:
        """Waits until all is done, and gives the error number."""
        ...

    def launch(self, entry: str, groups: int, arguments: Sequence[Argument]) -> None:
        """Runs a kernel."""
        ...


@dataclass(frozen=True, slots=True)
class Scalar:
    """An argument that is passed by value, as bytes, with the letter of its type in `struct`, or
    none for a struct."""

    data: bytes
    letter: str = ""


Argument: TypeAlias = Scalar | Buffer


@dataclass(slots=True)
class Launcher:
    """The kernels of one program on one device; remembers how much memory they needed."""

    device: Device
    text: DeviceText
    file: str
    words: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)

    def run(self, name: str, arguments: Sequence[Argument], threads: int) -> None:
        """Runs a kernel; raises RunError where a thread stops itself."""
        if threads <= 0:
            return
        kernel = self.text.kernels[name]
        needed = -(-threads // self.device.group)
        count = Scalar(threads.to_bytes(4, "little", signed=True), "i")
        if not kernel.context:
            groups = min(needed, self.device.groups) if kernel.sums else needed
            self.device.launch(kernel.entry, groups, [*arguments, count])
            return
        copies = self._copies(kernel, arguments)
        while (error := self._attempt(name, kernel, [*arguments, count], needed)) < 0:
            for buffer, copy in copies:
                self.device.restore(buffer, copy)
            self._grow(name, error)
        if error > 0:
            stop = self.text.stops[error - 1]
            raise RunError(stop.trap.name, stop.message, self.file, stop.line)

    def _copies(
        self, kernel: KernelFacts, arguments: Sequence[Argument]
    ) -> list[tuple[Buffer, Buffer]]:
        if not (kernel.tape or kernel.heap):
            return []
        written = [arguments[i] for i in sorted(kernel.writes)]
        return [(b, self.device.copy_of(b)) for b in written]

    def _attempt(
        self, name: str, kernel: KernelFacts, arguments: list[Argument], needed: int
    ) -> int:
        device = self.device
        words = self.words.setdefault(name, FIRST_WORDS) if kernel.tape else 1
        size = self.bytes.setdefault(name, FIRST_BYTES) if kernel.heap else 16
        group = device.group * (4 * words + size)
        fitting = device.memory // SHARE // group
        if fitting == 0:
            raise RunError(
                Trap.MEMORY.name,
                f"a thread of `{name}` needs more than {4 * words + size} bytes for tapes and "
                "local arrays, which the device has not",
                self.file,
                0,
            )
        groups = min(needed, device.groups, fitting)
        tape = device.allocate(groups * device.group * 4 * words)
        heap = device.allocate(groups * device.group * size)
        error = device.allocate(4)
        device.write_error(error, 0)
        limits = Scalar(words.to_bytes(4, "little"), "I"), Scalar(size.to_bytes(8, "little"), "Q")
        device.launch(kernel.entry, groups, [*arguments, tape, limits[0], heap, limits[1], error])
        return device.read_error(error)

    def _grow(self, name: str, error: int) -> None:
        table = self.words if error == TAPE_FULL else self.bytes
        table[name] *= GROWTH
