"""Calls that ctypes cannot make as they are, because libffi passes one argument wrong.

On x86-64 a struct of an integer (or pointer) and a float takes a general and a vector register.
libffi up to 3.4 copies the whole struct into the general one; if that is the last of the six, what
follows it in memory is lost: the first float argument of the call. Passed as its two parts, the
struct reaches the same registers unharmed.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

from loma.backends.llvm.abi import SYSTEM_V, InRegisters, Registers
from loma.backends.llvm.layout import Layout
from loma.ir.nodes import Direction, Signature
from loma.ir.types import Scalar, StructType

CType: TypeAlias = Any  # ctypes types have no common class that mypy could name


def lost(signature: Signature, layout: Layout) -> list[int]:
    """The positions of the struct arguments that libffi would pass at the cost of another one."""
    if not any(isinstance(a.type, StructType) for a in signature.arguments):
        return []
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() == "Windows":
        return []
    registers = Registers(SYSTEM_V, layout)
    if isinstance(signature.result, StructType):
        registers.result(signature.result)
    floats = registers.floats
    found = []
    for i, a in enumerate(signature.arguments):
        match a.type:
            case Scalar() as t if a.direction is Direction.IN:
                registers.scalar(t)
            case StructType() as t if a.direction is Direction.IN:
                last, passed = registers.ints == 1, registers.struct(t)
                if last and registers.floats < floats - 1 and _is_mixed(passed):
                    found.append(i)
            case _:
                registers.pointer()
    return found


def _is_mixed(passed: object) -> bool:
    """Whether a struct takes a general register, then a vector register."""
    if not isinstance(passed, InRegisters):
        return False
    return [p.is_float for p in passed.pieces] == [False, True]


class Split:
    """A ctypes function whose struct arguments at some positions are passed as their parts."""

    def __init__(self, function: CType, positions: Sequence[int]) -> None:
        self.__name__ = function.__name__
        self.argtypes, self.restype = function.argtypes, function.restype
        self.loaded = function.loaded
        self._as_parameter_ = ctypes.cast(function, ctypes.c_void_p)
        self._positions = tuple(positions)
        kinds: list[CType] = []
        for i, kind in enumerate(function.argtypes):
            kinds += [ctypes.c_uint64, ctypes.c_double] if i in positions else [kind]
        made = ctypes.CFUNCTYPE(function.restype, *kinds)(self._as_parameter_.value or 0)
        if getattr(function, "errcheck", None) is not None:
            made.errcheck = function.errcheck
        self._made: CType = made

    def __call__(self, *values: object) -> object:
        """Calls the function."""
        if len(values) != len(self.argtypes):
            raise TypeError(
                f"this function takes {len(self.argtypes)} arguments ({len(values)} given)"
            )
        given: list[object] = []
        for i, value in enumerate(values):
            given += self._parts(i, value) if i in self._positions else [value]
        return self._made(*given)

    def _parts(self, position: int, value: object) -> list[object]:
        kind = self.argtypes[position]
        if not isinstance(value, kind):
            raise ctypes.ArgumentError(
                f"argument {position + 1}: expected {kind.__name__} instance instead of "
                f"{type(value).__name__}"
            )
        return list(struct.unpack("Qd", bytes(value).ljust(16, b"\0")))
