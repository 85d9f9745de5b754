"""loma types as ctypes: structs, prototypes, and a library whose attributes are C functions."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, assert_never

from loma.backends.base import Loaded
from loma.backends.interface import Interface
from loma.backends.llvm.layout import Layout
from loma.host import libffi
from loma.host.stopped import raise_stopped
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, StructDef, StructType, TapeType, Type

CType: TypeAlias = Any  # ctypes types have no common class that mypy could name

IMPLICIT: Final = "_d_"
"""What names of derivatives begin with that nobody asked for by name."""
SCALARS: Final[Mapping[Scalar, CType]] = {
    Scalar.BOOL: ctypes.c_int, Scalar.I32: ctypes.c_int, Scalar.I64: ctypes.c_int64,
    Scalar.F32: ctypes.c_float, Scalar.F64: ctypes.c_double}


def ctypes_structs(structs: Mapping[str, StructDef]) -> dict[str, type[ctypes.Structure]]:
    """A ctypes.Structure for every struct, with the layout of C."""
    made: dict[str, type[ctypes.Structure]] = {
        name: type(name, (ctypes.Structure,), {}) for name in structs}
    for name in in_order(structs):
        made[name]._fields_ = [(m, ctypes_type(t, made)) for m, t in structs[name].members]
    return made


def in_order(structs: Mapping[str, StructDef]) -> list[str]:
    """The structs, each one after those that it holds inline."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in done:
            return
        for _, t in structs[name].members:
            inner = _inline(t)
            if inner is not None:
                visit(inner)
        done[name] = None

    for name in structs:
        visit(name)
    return list(done)


def _inline(t: Type) -> str | None:
    """The struct that a value of the type holds inline."""
    while isinstance(t, ArrayType) and t.size is not None:
        t = t.element
    return t.name if isinstance(t, StructType) else None


def ctypes_type(t: Type, structs: Mapping[str, CType]) -> CType:
    """The ctypes type of a value in memory."""
    match t:
        case Scalar():
            return SCALARS[t]
        case StructType(name):
            return structs[name]
        case ArrayType(element, None):
            return ctypes.POINTER(ctypes_type(element, structs))
        case ArrayType(element, size):
            return ctypes_type(element, structs) * size
        case TapeType():
            return ctypes.c_void_p
        case _:
            assert_never(t)


def argument_type(a: Argument, structs: Mapping[str, CType]) -> CType:
    """The ctypes type of an argument: arrays and everything that is written go by pointer."""
    if isinstance(a.type, ArrayType):
        return ctypes.POINTER(ctypes_type(a.type.element, structs))
    passed = ctypes_type(a.type, structs)
    return passed if a.direction is Direction.IN else ctypes.POINTER(passed)


def prototype(s: Signature, structs: Mapping[str, CType]) -> Callable[[int], Any]:
    """The ctypes prototype of a function: applied to an address, it gives the callable."""
    result = None if s.result is None else ctypes_type(s.result, structs)
    threads = [ctypes.c_int] if s.simd else []
    return ctypes.CFUNCTYPE(result, *(argument_type(a, structs) for a in s.arguments), *threads)


class Library:
    """The functions of a compiled module as attributes, each a ctypes function.

    `rest` compiles the module with the derivatives that nobody asked for by name: they are there as
    soon as one of them is looked up.
    """

    def __init__(
        self, interface: Interface, loaded: Loaded, structs: Mapping[str, CType],
        rest: Callable[[], tuple[Interface, Loaded]] | None = None,
    ) -> None:
        self.__structs = structs
        self.__rest = rest
        self.__bind(interface, loaded)

    def __bind(self, interface: Interface, loaded: Loaded) -> None:
        layout = Layout(interface.structs)
        for name, signature in interface.signatures.items():
            if name not in self.__dict__:
                function = bind(name, signature, loaded, self.__structs)
                lost = libffi.lost(signature, layout)
                setattr(self, name, libffi.Split(function, lost) if lost else function)

    def __getattr__(self, name: str) -> CType:
        if name.startswith(IMPLICIT) and self.__rest is not None:
            rest, self.__rest = self.__rest, None
            self.__bind(*rest())
            return getattr(self, name)
        raise AttributeError(f"the program has no function {name!r}")


def bind(
    name: str, signature: Signature, loaded: Loaded, structs: Mapping[str, CType],
) -> Callable[..., Any]:
    """A function as a ctypes callable that keeps its code alive and raises RunError for a trap."""
    function = prototype(signature, structs)(loaded.address(name))
    function.__name__ = name
    function.loaded = loaded
    if loaded.may_trap(name):
        function.errcheck = _raising(loaded)
    return function  # type: ignore[no-any-return]


def _raising(loaded: Loaded) -> Callable[[object, object, object], object]:
    """What ctypes runs after a call: raises when the call left an error."""

    stopped = loaded.stopped

    def check(result: object, function: object, arguments: object) -> object:
        if stopped[0] and (error := loaded.take_error()) is not None:
            raise_stopped(error)
        return result

    return check
