"""Types: scalars, structs, arrays, and references to places in memory.

Type   = Scalar | StructType | ArrayType | TapeType      what a loma program can name
Ref    = a reference to a place that holds a `Type`      what a core-IR root is
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias


class Scalar(Enum):
    """A machine scalar; `float` and `int` of the surface are F32 or F64, and I32."""

    BOOL = "bool"
    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"

    @property
    def is_float(self) -> bool:
        """Whether values of the type have derivatives."""
        return self in (Scalar.F32, Scalar.F64)

    @property
    def is_int(self) -> bool:
        """Whether the type is a wrapping integer (bool is not)."""
        return self in (Scalar.I32, Scalar.I64)

    @property
    def bytes(self) -> int:
        """Size in memory, in bytes (a bool is stored as a 32-bit integer, as in the course)."""
        return 8 if self in (Scalar.I64, Scalar.F64) else 4


@dataclass(frozen=True, slots=True)
class StructType:
    """A struct, by name; the module's table holds its members."""

    name: str


@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array: inline when `size` is a number, a pointer of unknown length when it is None."""

    element: Type
    size: int | None = None


@dataclass(frozen=True, slots=True)
class TapeType:
    """The last-in first-out store of a reverse sweep: scalars of any type, pushed and popped."""


Type: TypeAlias = Scalar | StructType | ArrayType | TapeType


@dataclass(frozen=True, slots=True)
class Ref:
    """The type of a root: a reference to memory that holds `content`.

    A `growable` root (content an unbounded array) behaves as an endless zeroed array: it grows at
    each store beyond its span, and a load outside the span gives zero.
    """

    content: Type
    growable: bool = False


BOOL: Final = Scalar.BOOL
I32: Final = Scalar.I32
I64: Final = Scalar.I64
F32: Final = Scalar.F32
F64: Final = Scalar.F64
TAPE: Final = TapeType()


@dataclass(frozen=True, slots=True)
class StructDef:
    """A struct's members in order of declaration."""

    name: str
    members: tuple[tuple[str, Type], ...]

    def member(self, name: str) -> Type:
        """The type of the member called `name`."""
        return dict(self.members)[name]


Structs: TypeAlias = Mapping[str, StructDef]


def has_float(t: Type, structs: Structs) -> bool:
    """Whether a value of type `t` holds anything that can be differentiated."""
    return _has_float(t, structs, frozenset())


def _has_float(t: Type, structs: Structs, seen: frozenset[str]) -> bool:
    match t:
        case Scalar():
            return t.is_float
        case ArrayType(element):
            return _has_float(element, structs, seen)
        case StructType(name):
            if name in seen:
                return False
            return any(_has_float(m, structs, seen | {name}) for _, m in structs[name].members)
        case TapeType():
            return True


def has_pointer(t: Type, structs: Structs) -> bool:
    """Whether a value of type `t` holds a pointer (an array without a size) inline."""
    match t:
        case ArrayType(element, size):
            return size is None or has_pointer(element, structs)
        case StructType(name):
            return any(has_pointer(m, structs) for _, m in structs[name].members)
        case _:
            return False


def type_text(t: Type, float_type: Scalar = F32) -> str:
    """The type as loma source; the scalar that `float` stands for prints as `float`."""
    match t:
        case Scalar():
            if t is float_type:
                return "float"
            return "int" if t is I32 else t.value
        case StructType(name):
            return name
        case ArrayType(element, None):
            return f"Array[{type_text(element, float_type)}]"
        case ArrayType(element, size):
            return f"Array[{type_text(element, float_type)}, {size}]"
        case TapeType():
            return "Tape"
