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

from loma.backends.cache import Cache, key
from loma.backends.llvm import identity, python_call
from loma.backends.llvm.loaded import record_key
from loma.backends.llvm.python_shape import Shape, Slot
from loma.host.build import compiler_version
from loma.host.call import Instance, one_dimensional
from loma.ir.nodes import Direction
from loma.ir.types import ArrayType, Scalar

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


def shape_of(f: Instance) -> Shape | None:
    """What the calls of a function look like; None for functions that slower code calls."""
    signature, facts = f.description.signature, f.description.facts
    index = {a.name: i for i, a in enumerate(signature.arguments)}
    if signature.result is not None and not isinstance(signature.result, Scalar):
        return None
    threads = [index[n] for n in facts.threads
               if signature.arguments[index[n]].direction is not Direction.OUT
               and one_dimensional(signature.arguments[index[n]].type)]
    if signature.simd and not threads:
        return None
    groups = _groups(f, index)
    slots = [_slot(f, i, index, groups, threads) for i in range(len(signature.arguments))]
    if any(s is None for s in slots):
        return None
    equal = tuple(tuple(g) for g in [*groups.values(), *([threads] if signature.simd else [])])
    return Shape(tuple(s for s in slots if s is not None), signature.result, f.traps,
                 threads[0] if signature.simd else None, equal)


def _groups(f: Instance, index: dict[str, int]) -> dict[str, list[int]]:
    """The arguments that share a named size, the one that is the size first."""
    groups: dict[str, list[int]] = {}
    for name, sizes in f.description.facts.sizes.items():
        for size in sizes:
            if size is not None:
                groups.setdefault(size, []).append(index[name])
    for size, members in groups.items():
        if size in index and not f.description.signature.arguments[index[size]].hidden:
            members.insert(0, index[size])
    return groups


def _slot(f: Instance, i: int, index: dict[str, int], groups: dict[str, list[int]],
          threads: list[int]) -> Slot | None:
    """One argument, if it is a number or an array of numbers."""
    a = f.description.signature.arguments[i]
    if a.hidden:
        told = [m for m in groups.get(a.name, ()) if m != i and f.description.signature.arguments[
            m].direction is not Direction.OUT]
        return Slot(Scalar.I32, a.direction, False, length=told[0], hidden=True) if told else None
    if len(a.shape) > 1:
        return None
    written = a.direction is not Direction.IN or i in f.code.writes
    if isinstance(a.type, Scalar):
        return None if a.direction is Direction.INOUT else Slot(a.type, a.direction, False)
    if not one_dimensional(a.type) or not isinstance(a.type, ArrayType):
        return None
    assert isinstance(a.type.element, Scalar)
    length: int | None = None
    if a.direction is Direction.OUT and a.type.size is None:
        length = _length(a.name, i, f, index, groups, threads)
        if length is None:
            return None
    return Slot(a.type.element, a.direction, True, a.type.size, length, written)


def _length(name: str, i: int, f: Instance, index: dict[str, int], groups: dict[str, list[int]],
            threads: list[int]) -> int | None:
    """The argument that tells the length of an output."""
    like = f.description.facts.like.get(name)
    if like is not None:
        return index[like]
    for members in groups.values():
        if i in members:
            tellers = [m for m in members if f.description.signature.arguments[m].direction
                       is not Direction.OUT]
            return tellers[0] if tellers else None
    return threads[0] if f.description.signature.simd else None


def compiled(f: Instance) -> Fast | None:
    """The compiled call of a function, if its arguments allow one."""
    shape = shape_of(f)
    if shape is None:
        return None
    address, keep = _entry(shape)
    table = _table(f.code.loaded.address(f.code.name))
    method = Method(f.name.encode(), address, FASTCALL, None)
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    call = new(("PyCFunction_NewEx", ctypes.pythonapi))(ctypes.addressof(method), table, None)
    return Fast(call, (method, table, keep, f))


@lru_cache(maxsize=256)
def _entry(shape: Shape) -> tuple[int, object]:
    """The address of the code for calls of a shape, and what keeps it alive."""
    store = Cache()
    name = key("call", repr(shape), compiler_version(), *identity())
    code = store.get(name)
    if code is None:
        code = python_call.compile_call(shape)
        store.put(name, code)
    return python_call.load_call(code)


def _table(function: int) -> bytes:
    """The addresses that the code needs."""
    api = _numpy_api()
    return struct.pack(
        "10Q", function, id(np.ndarray), api[183], api[60], api[45], id(np.float64),
        id(np.float32), record_key(), id(MISS), id(TRAPPED))


@lru_cache(maxsize=1)
def _numpy_api() -> ctypes.Array[ctypes.c_uint64]:
    """NumPy's table of C functions."""
    umath = importlib.import_module("numpy._core._multiarray_umath")  # where headers look

    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    get = pointer(("PyCapsule_GetPointer", ctypes.pythonapi))
    address = get(umath._ARRAY_API, None)
    return (ctypes.c_uint64 * 200).from_address(address)
