"""Compiles ISPC by the compiler `ispc`, where that is, and runs it on the host's memory."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from loma.backends.device import DeviceError, DeviceText
from loma.backends.device_launch import Argument, Scalar
from loma.backends.toolchain import find_compiler, shared_library_suffix

WIDEST: Final = 64

CTYPES: Final[dict[str, Any]] = {
    "i": ctypes.c_int32, "I": ctypes.c_uint32, "q": ctypes.c_int64, "Q": ctypes.c_uint64,
    "f": ctypes.c_float, "d": ctypes.c_double,
}


class IspcError(DeviceError):
    """The compiler is missing, or failed."""


def compilers() -> tuple[str, Sequence[str]]:
    """Where the compiler is, and the command of one for C, which links."""
    found = shutil.which("ispc")
    if found is None:
        raise IspcError(
            "the target 'ispc' needs the compiler `ispc` on the path: install it, or use the "
            "target 'llvm', which compiles the same kernels to the same vectors without it"
        )
    linker = find_compiler()
    if linker is None:
        raise IspcError(
            "the target 'ispc' needs a C compiler to link: install gcc or clang, or pip install "
            "'loma-lang[zig]'"
        )
    return found, linker.command


def describe() -> str:
    """What compiles kernels."""
    return compilers()[0]


class Memory:
    """Memory of the host."""

    def __init__(self, data: memoryview) -> None:
        self.held: Any = (
            ctypes.create_string_buffer(data.tobytes(), data.nbytes)
            if data.readonly or not data.nbytes
            else ctypes.c_char.from_buffer(data)
        )
        self.address = ctypes.addressof(self.held)
        self.size = data.nbytes


class IspcDevice:
    """The CPU, with a program."""

    copies = False
    flag = None

    def __init__(self, text: DeviceText, strict: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "program.ispc"
            source.write_text(text.source)
            out = source.with_suffix(shared_library_suffix())
            ispc, linker = compilers()
            options = ["--opt=disable-fma"] if strict else []
            self._run([ispc, "--woff", "--pic", *options, str(source), "-o", f"{source}.o"])
            self._run([*linker, "-shared", f"{source}.o", "-o", str(out)])
            self._library = ctypes.CDLL(str(out))

    @staticmethod
    def _run(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise IspcError(f"`{Path(command[0]).name}` failed: {done.stderr.strip()}")

    def group(self, threads: int) -> int:
        """As many as the widest vectors hold: the loop over all threads is inside."""
        return WIDEST

    groups = 1
    memory = 1 << 40

    def begin(self) -> None:
        """A call begins."""

    def follow(self, other: IspcDevice) -> None:
        """Both work on the host's memory."""

    def allocate(self, size: int) -> Memory:
        """Fresh memory."""
        return Memory(memoryview(bytearray(max(size, 1))))

    def restore(self, buffer: Memory, copy: Memory) -> None:
        """Copies as much as the smaller of the two has into `buffer`."""
        ctypes.memmove(buffer.address, copy.address, min(buffer.size, copy.size))

    def clear(self, buffer: Memory, start: int) -> None:
        """Fills memory from a byte on with zeros."""
        ctypes.memset(buffer.address + start, 0, buffer.size - start)

    def write_error(self, buffer: Memory, value: int) -> None:
        """Sets an error number."""
        ctypes.c_int32.from_address(buffer.address).value = value

    def upload(self, data: memoryview) -> Memory:
        """The host's memory itself."""
        return Memory(data)

    def download(self, buffer: Memory, data: memoryview) -> None:
        """Copies what is not there yet."""
        if buffer.address != ctypes.addressof(Memory(data).held):
            data[:] = ctypes.string_at(buffer.address, data.nbytes)

    def own(self, value: object) -> Memory | None:
        """Nothing: all memory is the host's."""
        return None

    def span(self, buffer: Memory) -> tuple[int, int]:
        """Where memory begins and ends."""
        return buffer.address, buffer.address + buffer.size

    def launch(
        self, entry: str, groups: int, group: int, arguments: Sequence[Argument]
    ) -> None:
        """Runs a kernel."""
        given: list[object] = []
        for a in arguments:
            if not isinstance(a, Scalar):
                given.append(ctypes.c_void_p(a.address))
            elif isinstance(a.value, bytes):
                given.append(ctypes.create_string_buffer(a.value, len(a.value)))
            else:
                given.append(CTYPES[a.letter](a.value))
        getattr(self._library, entry)(*given)
