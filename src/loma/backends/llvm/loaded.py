"""Object code in this process: its bytes with what a host must know, and its loading."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from loma.backends.base import TrapRecord, stack_bytes
from loma.backends.llvm import machine, vectors
from loma.backends.llvm.code import Site, entry
from loma.backends.llvm.runtime import RECORD_BYTES
from loma.backends.llvm.runtime_threads import DEFAULT_LIMIT_PERCENT
from loma.ir.nodes import Trap

if TYPE_CHECKING:
    import llvmlite.binding as binding

MAGIC: Final = b"loma-llvm-3\n"
MESSAGE: Final = 64


@dataclass(frozen=True, slots=True)
class Bundle:
    """Object code, which of its functions may trap, and the meaning of trap numbers."""

    entries: dict[str, bool]
    sites: tuple[Site, ...]
    object: bytes
    prints: bool = False
    extents: bool = False

    def to_bytes(self) -> bytes:
        """All of it as bytes."""
        sites = [(s.trap.name, s.file, s.line, s.message) for s in self.sites]
        table = {"entries": self.entries, "sites": sites, "prints": self.prints,
                 "extents": self.extents}
        head = json.dumps(table).encode()
        return MAGIC + len(head).to_bytes(8, "little") + head + self.object

    @staticmethod
    def from_bytes(data: bytes) -> Bundle:
        """The inverse of `to_bytes`; ValueError for anything else."""
        start = len(MAGIC) + 8
        size = int.from_bytes(data[len(MAGIC):start], "little")
        if data[:len(MAGIC)] != MAGIC or len(data) < start + size:
            raise ValueError("not a bundle of object code")
        head = json.loads(data[start:start + size])
        sites = tuple(
            Site(Trap[t], file, line, message) for t, file, line, message in head["sites"])
        return Bundle(head["entries"], sites, data[start + size:], head["prints"],
                      head["extents"])


class _Record(ctypes.Structure):
    """%loma.record of the runtime."""

    _fields_ = [
        ("site", ctypes.c_int32), ("owner", ctypes.c_void_p), ("most", ctypes.c_int64),
        ("lowest", ctypes.c_void_p), ("hard", ctypes.c_void_p), ("inside", ctypes.c_int32)]


class _State(ctypes.Structure):
    """%loma.state of the runtime."""

    _fields_ = [
        ("ready", ctypes.c_int32), ("key", ctypes.c_int32), ("limit", ctypes.c_int64),
        ("stack", ctypes.c_int64), ("stack_key", ctypes.c_int32), ("main", ctypes.c_uint64),
        ("host", ctypes.c_void_p), ("stopped", ctypes.c_int32)]


assert ctypes.sizeof(_Record) <= MESSAGE < RECORD_BYTES


@cache
def record_key() -> int:
    """The pthread key of the error records, one for the whole process (keys are few)."""
    return _new_key()


@cache
def stack_key() -> int:
    """The pthread key of the stacks of recursive programs."""
    return _new_key()


@cache
def extents_key() -> int:
    """The pthread key of the table that tells the lengths of arrays."""
    return _new_key(owned=False)


def _new_key(owned: bool = True) -> int:
    """A pthread key, for memory that is freed when its thread ends if it is `owned`."""
    key = ctypes.c_uint32()
    libc = ctypes.CDLL(None)
    freed = ctypes.cast(libc.free, ctypes.c_void_p) if owned else None
    if libc.pthread_key_create(ctypes.byref(key), freed) != 0:
        raise OSError("pthread_key_create failed")
    return key.value


@cache
def _getter() -> Callable[[int], int | None]:
    """pthread_getspecific."""
    get = ctypes.CDLL(None).pthread_getspecific
    get.argtypes, get.restype = [ctypes.c_uint32], ctypes.c_void_p
    return get


def _record() -> _Record | None:
    """The calling thread's record, if it has one."""
    address = _getter()(record_key())
    return _Record.from_address(address) if address else None


def _told(record: _Record) -> str:
    """The message that a trap has left, which is cleared."""
    at = ctypes.addressof(record) + MESSAGE
    text = ctypes.string_at(at).decode("utf-8", "replace")
    ctypes.c_char.from_address(at).value = b"\0"
    return text


@contextmanager
def knowing(spans: Iterable[tuple[int, int]]) -> Iterator[None]:
    """Within the block, debug code that this thread calls knows these stretches of memory."""
    listed = sorted(set(spans))
    words = [len(listed), *(x for span in listed for x in span)]
    table = (ctypes.c_uint64 * len(words))(*words)
    libc, key = ctypes.CDLL(None), ctypes.c_uint32(extents_key())
    libc.pthread_setspecific(key, ctypes.byref(table))
    try:
        yield
    finally:
        libc.pthread_setspecific(key, None)


def default_limit() -> int:
    """How many bytes of tapes and local arrays one call may hold: most of the physical memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * DEFAULT_LIMIT_PERCENT // 100


@dataclass(slots=True)
class Jitted:
    """Machine code in this process; it lives as long as this object.

    `stopped` is one number, which is not 0 once a call has left a record in the error channel.
    """

    bundle: Bundle
    addresses: dict[str, int]
    owner: int
    printer: int
    stopped: Sequence[int] = field(repr=False)
    keep: tuple[binding.LLJIT, binding.ResourceTracker] = field(repr=False)

    def address(self, function: str) -> int:
        """The address of an exported function, in the C convention."""
        return self.addresses[function]

    def may_trap(self, function: str) -> bool:
        """Whether a call of the function can leave a record in the error channel."""
        return self.bundle.entries[function]

    @property
    def sites(self) -> tuple[Site, ...]:
        """What each number in the error channel means; the first is that of 1."""
        return self.bundle.sites

    def take_error(self) -> TrapRecord | None:
        """The calling thread's record, which is cleared; None when the last call went well."""
        record = _record()
        if record is None or record.owner != self.owner or not record.site:
            return None
        site = self.bundle.sites[record.site - 1]
        record.site = 0
        told = "" if site.message else _told(record)
        message = told or site.message or site.trap.value
        return TrapRecord(site.trap.name, site.file, site.line, message)

    def print_to(self, address: int) -> None:
        """Hands what the program prints to a C function of text and its length."""
        if self.printer:
            ctypes.c_void_p.from_address(self.printer).value = address

    def peak_tape_bytes(self) -> int:
        """The most bytes of tapes and heap arrays alive at once in the thread's last call."""
        record = _record()
        return int(record.most) if record is not None and record.owner == self.owner else 0

    def set_limit(self, limit: int) -> None:
        """Bounds the bytes of tapes and heap arrays that one call may hold."""
        if self.owner:
            _State.from_address(self.owner).limit = limit

    def set_stack(self, size: int) -> None:
        """Bounds the stack on which a recursive program runs, for threads yet to call it."""
        if self.owner:
            _State.from_address(self.owner).stack = size


@cache
def signal_functions() -> ctypes.Array[ctypes.c_void_p]:
    """CPython's functions by which a program asks whether Ctrl-C waits: take the interpreter's
    lock, ask, release it, and have the signal handled after all.
    """
    python = ctypes.pythonapi
    functions = (
        python.PyGILState_Ensure, python.PyOS_InterruptOccurred, python.PyGILState_Release,
        python.PyErr_SetInterrupt)
    return (ctypes.c_void_p * 4)(*(ctypes.cast(f, ctypes.c_void_p) for f in functions))


def _prepared(owner: int) -> Sequence[int]:
    """Fills the state of a module; gives its flag that a call has stopped itself."""
    state = _State.from_address(owner)
    state.key, state.limit = record_key(), default_limit()
    state.stack, state.stack_key = stack_bytes(), stack_key()
    state.main = threading.main_thread().ident or 0
    state.host = ctypes.addressof(signal_functions())
    state.ready = 1
    flag = (ctypes.c_int32 * 1).from_address(owner + _State.stopped.offset)
    return memoryview(flag).cast("B").cast("i")


def load(bundle: Bundle) -> Jitted:
    """Links object code into this process."""
    import llvmlite.binding as binding

    traps = any(bundle.entries.values())
    jit = binding.create_lljit_compiler(machine.target_machine(), use_jit_link=True)
    library = binding.JITLibraryBuilder().add_object_img(bundle.object)
    for image in vectors.images(bundle.object):
        library.add_object_img(image)
    library.add_current_process()
    for name in bundle.entries:
        library.export_symbol(entry(name))
    if traps:
        library.export_symbol("loma_state")
    if bundle.prints:
        library.export_symbol("loma_printer")
    if bundle.extents:
        library.export_symbol("loma_extents")
    tracker = library.link(jit, "loma")
    owner = tracker["loma_state"] if traps else 0
    stopped = _prepared(owner) if owner else (0,)
    if bundle.extents:
        ctypes.c_int32.from_address(tracker["loma_extents"]).value = extents_key()
    addresses = {name: tracker[entry(name)] for name in bundle.entries}
    printer = tracker["loma_printer"] if bundle.prints else 0
    return Jitted(bundle, addresses, owner, printer, stopped, (jit, tracker))
