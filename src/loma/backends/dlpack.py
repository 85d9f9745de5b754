"""DLPack: the memory of arrays of other libraries, without copies."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final, TypeAlias

Value: TypeAlias = Any  # an array of a library, or a capsule of Python

CUDA_KINDS: Final = (2, 13)
"""A GPU's memory, and memory that a GPU shares with the host."""
READ_ONLY: Final = 1
VERSIONED: Final = b"dltensor_versioned"


class _Device(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("number", ctypes.c_int32)]


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("device", _Device), ("ndim", ctypes.c_int32),
        ("dtype", _Type), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)), ("offset", ctypes.c_uint64)]


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


class _Versioned(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32 * 2), ("context", ctypes.c_void_p), ("deleter", _Deleter),
        ("flags", ctypes.c_uint64), ("tensor", _Tensor)]


_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
    ("PyCapsule_GetName", ctypes.pythonapi))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi))


@dataclass(frozen=True, slots=True)
class View:
    """Memory that another library's array stands for; `owner` keeps it."""

    address: int
    size: int
    whole: bool
    fixed: bool
    owner: Value


def imported(value: Value, stream: int | None) -> View:
    """The memory of an array, ready for work in a stream (of CUDA)."""
    try:
        capsule = value.__dlpack__(stream=stream, max_version=(1, 0))
    except TypeError:  # a library from before versions
        capsule = value.__dlpack__(stream=stream)
    name = _name(capsule)
    at = _pointer(capsule, name)
    versioned = name == VERSIONED
    found = (_Versioned if versioned else _Managed).from_address(at)
    t = found.tensor
    shape = [t.shape[i] for i in range(t.ndim)]
    size = prod(shape) * t.dtype.bits * t.dtype.lanes // 8
    strides = [t.strides[i] for i in range(t.ndim)] if t.strides else None
    fixed = versioned and bool(found.flags & READ_ONLY)
    return View((t.data or 0) + t.offset, size, in_one_piece(shape, strides), fixed, capsule)


def in_one_piece(shape: Sequence[int], strides: Sequence[int] | None, unit: int = 1) -> bool:
    """Whether elements lie side by side in the order of C; strides count parts of `unit`."""
    if strides is None or 0 in shape:
        return True
    wanted = unit
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and stride != wanted:
            return False
        wanted *= n
    return True
