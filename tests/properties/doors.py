"""Calls compiled libraries through ctypes with plain data: numbers, lists, dicts."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from properties.inputs import Case

from loma.backends.llvm.loaded import knowing
from loma.ir.nodes import Direction
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type

SCALARS = {
    Scalar.F32: ctypes.c_float,
    Scalar.F64: ctypes.c_double,
    Scalar.I32: ctypes.c_int32,
    Scalar.I64: ctypes.c_int64,
    Scalar.BOOL: ctypes.c_int32,
}


class Door:
    """One library, and the ctypes classes of its structs."""

    def __init__(self, structs: Structs, classes: Mapping[str, Any], library: Any) -> None:
        self.structs = structs
        self.classes = classes
        self.library = library

    def ctype(self, t: Type) -> Any:
        """The ctypes class that holds a type inside memory."""
        match t:
            case Scalar():
                return SCALARS[t]
            case StructType(name):
                return self.classes[name]
            case ArrayType(element, None):
                return ctypes.POINTER(self.ctype(element))
            case ArrayType(element, size):
                return self.ctype(element) * (size or 0)
            case _:
                raise AssertionError(t)

    def call(self, case: Case) -> tuple[list[Any], Any]:
        """Runs a case; gives the operands as they are afterwards, and the result."""
        kept: list[Any] = []
        memory = [
            self.memory(x, a.type, kept)
            for x, a in zip(case.data, case.signature.arguments, strict=True)
        ]
        operands: list[Any] = []
        for m, a in zip(memory, case.signature.arguments, strict=True):
            if isinstance(a.type, ArrayType):
                operands.append(ctypes.cast(m, ctypes.POINTER(self.ctype(a.type.element))))
            elif a.direction is Direction.IN:
                operands.append(m.value if isinstance(a.type, Scalar) else m)
            else:
                operands.append(ctypes.byref(m))
        if case.signature.simd:
            operands.append(case.threads)
        stretches = [(ctypes.addressof(m), ctypes.sizeof(m)) for m in (*memory, *kept)]
        with knowing((at, at + size) for at, size in stretches):  # what debug mode asks for
            out = getattr(self.library, case.function)(*operands)
        after = [
            self.data(m, x, a.type)
            for m, x, a in zip(memory, case.data, case.signature.arguments, strict=True)
        ]
        result = case.signature.result
        if isinstance(result, StructType):
            out = self.data(out, None, result)
        return after, out

    def memory(self, x: Any, t: Type, kept: list[Any]) -> Any:
        """Plain data as a ctypes object; what it points to is kept alive in `kept`."""
        match t:
            case Scalar():
                return SCALARS[t](x)
            case StructType(name):
                made = self.classes[name]()
                for m, mt in self.structs[name].members:
                    setattr(made, m, self.inside(x[m], mt, kept))
                return made
            case ArrayType(element):
                return (self.ctype(element) * len(x))(*(self.inside(i, element, kept) for i in x))
            case _:
                raise AssertionError(t)

    def inside(self, x: Any, t: Type, kept: list[Any]) -> Any:
        """Plain data as it lies inside other memory: an array without a size is a pointer."""
        made = self.memory(x, t, kept)
        if isinstance(t, ArrayType) and t.size is None:
            kept.append(made)
            return ctypes.cast(made, self.ctype(t))
        return made.value if isinstance(t, Scalar) else made

    def data(self, m: Any, like: Any, t: Type) -> Any:
        """A ctypes object as plain data; `like` tells how long arrays are."""
        match t:
            case Scalar():
                return m.value if hasattr(m, "value") else m
            case StructType(name):
                return {
                    k: self.data(getattr(m, k), None if like is None else like[k], mt)
                    for k, mt in self.structs[name].members
                }
            case ArrayType(element, size):
                count = len(like) if like is not None else size or 0
                return [
                    self.data(m[i], None if like is None else like[i], element)
                    for i in range(count)
                ]
            case _:
                raise AssertionError(t)
