"""Calls without Python in between: a compiled function that reads NumPy arrays by itself."""

from __future__ import annotations

import ctypes
import importlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from loma.backends.llvm import python_call
from loma.backends.llvm.flat_shape import Counts, Dim
from loma.backends.llvm.loaded import record_key
from loma.backends.llvm.python_shape import Shape, Slot
from loma.host.arguments import Given
from loma.host.call import Instance
from loma.host.entries import entry
from loma.host.interop.buffers import LEAD, Lengths
from loma.ir.nodes import Argument, Direction
from loma.ir.types import ArrayType, Scalar, StructType, Type, has_pointer

FASTCALL: Final = 0x80


class Miss:
    """What a compiled call gives for arguments that it leaves to slower code."""


class Trapped:
    """What a compiled call gives when the loma program stopped itself."""


MISS: Final = Miss()
TRAPPED: Final = Trapped()


class Method(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = [
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p)]


@dataclass(frozen=True, slots=True)
class Fast:
    """A compiled call, and what it needs to stay alive."""

    call: Callable[..., Any]
    keep: tuple[object, ...]


def shape_of(f: Instance, lead: bool = False) -> Shape | None:
    """What the calls of a function look like; None for functions that slower code calls.

    `lead`: the number of threads is the first argument.
    """
    signature = f.description.signature
    if signature.result is not None and not isinstance(signature.result, Scalar):
        return None
    lengths = Lengths(f, LEAD if lead else None, {})
    known = {i: k + 1 for k, (i, _) in enumerate(records(f))}
    slots = [_slot(f, i, lengths, known.get(i, 0)) for i in range(len(signature.arguments))]
    if any(s is None for s in slots):
        return None
    found = tuple(s for s in slots if s is not None)
    threads = lengths.count() if signature.simd else None
    told = {d for s in found if s.direction is not Direction.OUT and not s.hidden
            for d in (s.tells, *(s.dims or ()))} | ({threads} if lead else set())
    if signature.simd and threads not in told:
        return None
    limited = tuple(i for i, a in enumerate(signature.arguments) if a.shape)
    makes = all(d in told for s in found for d in (s.dims or ()) if isinstance(d, Dim)) and not any(
        s.type is Scalar.BOOL and s.dims and s.direction is Direction.OUT for s in found)
    if any(s.hidden and s.tells not in told for s in found):
        return None
    return Shape(found, signature.result, f.traps, threads, lead, limited, makes)


def records(f: Instance) -> list[tuple[int, Type]]:
    """The arguments that are arrays of structs without pointers, and these structs."""
    found = ((i, base(a.type)) for i, a in enumerate(f.description.signature.arguments)
             if isinstance(a.type, ArrayType))
    structs = f.description.structs
    return [(i, t) for i, t in found if isinstance(t, StructType) and not has_pointer(t, structs)]


def _slot(f: Instance, i: int, lengths: Lengths, record: int) -> Slot | None:
    """One argument, if it is a number, or an array of numbers or of records."""
    a = f.description.signature.arguments[i]
    if a.hidden:
        size = lengths.of(("", a.name), False)
        return Slot(Scalar.I32, a.direction, hidden=True,
                    tells=size) if isinstance(size, Dim) else None
    if isinstance(a.type, Scalar):
        return None if a.direction is Direction.INOUT else Slot(
            a.type, a.direction, tells=lengths.told(a))
    dims = _dims(a, lengths)
    if dims is None or not (record or isinstance(base(a.type), Scalar)):
        return None
    written = a.direction is not Direction.IN or i in f.code.writes
    element = base(a.type)
    size = f.convert.dtype(element).itemsize if record else 0
    kind = element if isinstance(element, Scalar) else Scalar.I32
    free = a.direction is Direction.OUT and _unsized(a) and a.name not in f.description.facts.like
    facts = f.description.facts
    indexed = free and a.name in facts.threads if lengths.threads is None else a.name in facts.each
    return Slot(kind, a.direction, dims, written, free=free,
                least=lengths.count() if indexed else None, record=record, size=size)


def _dims(a: Argument, lengths: Lengths) -> Counts | None:
    """The lengths of an array; None for other arguments."""
    t = a.type
    if not isinstance(t, ArrayType):
        return None
    outer: Counts = tuple([n if isinstance(n, int) else lengths.of(("", n), False)
                           for n in a.shape])
    if not a.shape:
        outer = (lengths.of((a.name, ""), a.direction is Direction.OUT)
                 if t.size is None else t.size,)
    inner = sizes_of(t.element)
    return None if None in inner else (*outer, *(n for n in inner if n is not None))


def _unsized(a: Argument) -> bool:
    """Whether nothing in its type tells the length of an array."""
    return isinstance(a.type, ArrayType) and a.type.size is None and not a.shape


def base(t: Type) -> Type:
    """What an array of arrays consists of."""
    while isinstance(t, ArrayType):
        t = t.element
    return t


def sizes_of(t: Type) -> list[int | None]:
    """The sizes of an array of arrays."""
    found: list[int | None] = []
    while isinstance(t, ArrayType):
        found.append(t.size)
        t = t.element
    return found


def compiled(f: Instance, values: Given, lead: bool = False) -> Fast | None:
    """The compiled call of a function, if its arguments allow one; `values`: those of a call.

    Arrays of structs are known by the object that describes their elements: ours, or the user's.
    """
    shape = shape_of(f, lead)
    if shape is None:
        return None
    address, keep = entry("call", shape, python_call.compile_call, python_call.NAME)
    dtypes: list[np.dtype[Any]] = []
    for i, t in records(f):
        own = f.convert.dtype(t)
        x = values.get(f.description.signature.arguments[i].name)
        dtypes += [own, x.dtype if isinstance(x, np.ndarray) and x.dtype == own else own]
    table = table_of(f.code.loaded.address(f.code.name), *map(id, dtypes))
    return made(f, address, table, (keep, dtypes))


def made(f: Instance, address: int, table: bytes, keep: object) -> Fast:
    """The code at an address as a Python function."""
    method = Method(f.spoken.encode(), address, FASTCALL, None)
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    call = new(("PyCFunction_NewEx", ctypes.pythonapi))(ctypes.addressof(method), table, None)
    return Fast(call, (method, table, keep, f))


def table_of(function: int, *more: int) -> bytes:
    """The addresses that the code needs: those of `python_args.TABLE`, and more."""
    api = _numpy_api()
    words = (function, record_key(), id(np.ndarray), api[183], api[60], api[45], id(np.float64),
             id(np.float32), id(MISS), id(TRAPPED), api[184], *more)
    return struct.pack(f"{len(words)}Q", *words)


@lru_cache(maxsize=1)
def _numpy_api() -> ctypes.Array[ctypes.c_uint64]:
    """NumPy's table of C functions."""
    umath = importlib.import_module("numpy._core._multiarray_umath")  # where headers look

    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    get = pointer(("PyCapsule_GetPointer", ctypes.pythonapi))
    address = get(umath._ARRAY_API, None)
    return (ctypes.c_uint64 * 200).from_address(address)
