"""Shared libraries of generated C in this process."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loma.backends.base import TrapRecord, stack_bytes


class _Error(ctypes.Structure):
    """`loma_error` of the generated header."""

    _fields_ = [
        ("trap", ctypes.c_char_p),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_int),
        ("message", ctypes.c_char_p),
    ]


@dataclass(frozen=True, slots=True)
class Library:
    """A loaded library; `symbols` and `traps` are keyed by the functions' names in loma."""

    symbols: Mapping[str, str]
    traps: Mapping[str, bool]
    handle: ctypes.CDLL = field(repr=False)

    def address(self, function: str) -> int:
        """The address of an exported function, in the C convention."""
        found = ctypes.cast(self.handle[self.symbols[function]], ctypes.c_void_p).value
        assert found is not None, f"{function} is not in the library"
        return found

    def may_trap(self, function: str) -> bool:
        """Whether a call of the function can leave a record in the error channel."""
        return self.traps[function]

    @property
    def stopped(self) -> Sequence[int]:
        """A number that is not 0: whether a call has left a record is not known from outside."""
        return (1,)

    def take_error(self) -> TrapRecord | None:
        """The calling thread's record, which is cleared; None when the last call went well."""
        error = _Error()
        if not any(self.traps.values()) or not self.handle.loma_take_error(ctypes.byref(error)):
            return None
        message = error.message.decode("utf-8", "replace")
        return TrapRecord(error.trap.decode(), error.file.decode(), error.line, message)

    def peak_tape_bytes(self) -> int:
        """The most bytes of tapes and local heap arrays alive at once in the thread's last call."""
        if not any(self.traps.values()):
            return 0
        most = self.handle.loma_most_bytes
        most.restype = ctypes.c_size_t
        return int(most())

    def set_stack(self, size: int) -> None:
        """Bounds the stack on which a recursive program runs, for threads yet to call it."""
        if hasattr(self.handle, "loma_stack_size"):
            ctypes.c_size_t.in_dll(self.handle, "loma_stack_size").value = size

    def print_to(self, address: int) -> None:
        """Hands what the program prints to a C function of text and its length."""
        if hasattr(self.handle, "loma_print_to"):
            self.handle.loma_print_to(ctypes.c_void_p(address))

    def set_limit(self, limit: int) -> None:
        """Bounds the bytes of tapes and heap arrays that one call may hold."""
        if any(self.traps.values()):
            ctypes.c_size_t.in_dll(self.handle, "loma_memory_limit").value = limit


def load(path: Path, symbols: Mapping[str, str], traps: Mapping[str, bool]) -> Library:
    """Loads a library; its file may be removed afterwards."""
    library = Library(dict(symbols), dict(traps), ctypes.CDLL(str(path)))
    library.set_stack(stack_bytes())
    return library
