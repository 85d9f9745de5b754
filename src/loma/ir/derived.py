"""Differential types, and the signature of a derived function: read by checker, ad and hosts alike.

Diff[float] = _dfloat {val, dval}     Diff[X] = _dX, memberwise     Diff[int] = int fwd_diff(f):
every type mapped. rev_diff(f): In x -> In x, Out adj_x; Out y -> In adj_y; InOut x -> In x, InOut
adj_x; then In _dreturn; then the hidden sizes. Adjoints of arrays have their shape.

A forward derivative may carry several tangents, its `width`: then duals are {val, dval, dval_1,
...}.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import Final

from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import (
    F32,
    F64,
    ArrayType,
    Scalar,
    StructDef,
    Structs,
    StructType,
    TapeType,
    Type,
)

VAL: Final = "val"
DVAL: Final = "dval"
SEED: Final = "_dreturn"
RETURN: Final = "_return"
THREADS: Final = "_threads"


class Mode(Enum):
    """A derivative transform."""

    FORWARD = "fwd"
    REVERSE = "rev"


MODES: Final = {"fwd_diff": Mode.FORWARD, "rev_diff": Mode.REVERSE}


def implicit_name(function: str, mode: Mode, width: int = 1) -> str:
    """The exported name of a derivative that no one declared."""
    return f"_d_{mode.value}{width if width > 1 else ''}_{function}"


def lanes(width: int) -> tuple[str, ...]:
    """The members of a dual that hold its tangents."""
    return (DVAL, *(f"{DVAL}_{k}" for k in range(1, width)))


def prefix(width: int) -> str:
    """What the names of Diff types begin with; with several tangents, nobody can write it so."""
    return "_d" if width == 1 else f"_d{width}_"


def dual_name(scalar: Scalar, float_type: Scalar, width: int = 1) -> str:
    """The name of Diff of a float: `_dfloat` for the scalar that `float` stands for."""
    return prefix(width) + ("float" if scalar is float_type else scalar.value)


def is_dual(t: Type) -> bool:
    """Whether the type is Diff of a float scalar."""
    return isinstance(t, StructType) and t.name in ("_dfloat", "_df32", "_df64")


def diff_type(t: Type, float_type: Scalar, width: int = 1) -> Type:
    """Diff[t]; arrays are mapped elementwise. `width`: how many tangents there are."""
    match t:
        case Scalar():
            return StructType(dual_name(t, float_type, width)) if t.is_float else t
        case StructType(name):
            return StructType(f"{prefix(width)}{name}")
        case ArrayType(element, size):
            return ArrayType(diff_type(element, float_type, width), size)
        case TapeType():
            return t


def dual_struct(scalar: Scalar, float_type: Scalar, width: int = 1) -> StructDef:
    """The struct {val, dval} of a float scalar."""
    members = tuple((name, scalar) for name in (VAL, *lanes(width)))
    return StructDef(dual_name(scalar, float_type, width), members)


def diff_struct(s: StructDef, float_type: Scalar, width: int = 1) -> StructDef:
    """Diff of a struct, memberwise."""
    members = tuple((name, diff_type(t, float_type, width)) for name, t in s.members)
    name = diff_type(StructType(s.name), float_type, width)
    assert isinstance(name, StructType)
    return StructDef(name.name, members)


def with_diff_structs(
    structs: Structs, wanted: Iterable[Type], float_type: Scalar, width: int = 1
) -> dict[str, StructDef]:
    """The table extended by the structs of the duals and by Diff of every type in `wanted`.

    `wanted` are types of which Diff is needed (a struct, nested or not); once a file requests a
    derivative, callers pass all its structs.
    """
    table = dict(structs)
    for scalar in (F32, F64):
        dual = dual_struct(scalar, float_type, width)
        table.setdefault(dual.name, dual)
    todo = [t for t in wanted]
    while todo:
        match todo.pop():
            case ArrayType(element):
                todo.append(element)
            case StructType(name):
                d = diff_struct(table[name], float_type, width)
                if d.name not in table:
                    table[d.name] = d
                    todo.extend(m for _, m in table[name].members)
            case _:
                pass
    return table


def forward_signature(s: Signature, float_type: Scalar, width: int = 1) -> Signature:
    """The signature of fwd_diff of a function with signature `s`."""
    arguments = tuple(
        a if a.nodiff else replace(a, type=diff_type(a.type, float_type, width))
        for a in s.arguments
    )
    result = None if s.result is None else diff_type(s.result, float_type, width)
    return Signature(arguments, result, s.simd)


def reverse_signature(s: Signature) -> Signature:
    """The signature of rev_diff of a function with signature `s`."""
    taken = {a.name for a in s.arguments}
    arguments = [b for a in s.written for b in _reversed(a, taken)]
    if s.result is not None:
        arguments.append(Argument(_fresh(SEED, taken), s.result, Direction.IN))
    return Signature((*arguments, *s.sizes), None, s.simd)


def _reversed(a: Argument, taken: set[str]) -> list[Argument]:
    """What one argument of a function becomes in its reverse derivative."""
    if isinstance(a.type, TapeType):
        return [a]
    primal = replace(a, direction=Direction.IN, growable=False)
    if a.nodiff:
        return [] if a.direction is Direction.OUT else [primal]
    adjoint = replace(primal, name=_fresh(f"adj_{a.name}", taken))
    match a.direction:
        case Direction.IN:
            return [primal, replace(adjoint, direction=Direction.OUT)]
        case Direction.OUT:
            return [adjoint]
        case Direction.INOUT:
            return [primal, replace(adjoint, direction=Direction.INOUT)]


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{name}_"
    taken.add(name)
    return name


def derived_signature(
    s: Signature, mode: Mode, float_type: Scalar, width: int = 1,
    held: frozenset[str] = frozenset(),
) -> Signature:
    """The signature of a derivative; by the arguments that are `held` nothing is derived."""
    s = marked(s, held, True)
    match mode:
        case Mode.FORWARD:
            return marked(forward_signature(s, float_type, width), held, False)
        case Mode.REVERSE:
            return marked(reverse_signature(s), held, False)


def marked(s: Signature, names: frozenset[str], nodiff: bool) -> Signature:
    """The signature with some of its arguments as NoDiff, or as others."""
    if not names:
        return s
    arguments = [replace(a, nodiff=nodiff) if a.name in names else a for a in s.arguments]
    return replace(s, arguments=tuple(arguments))


def is_half(name: str, signature: Signature) -> bool:
    """Whether a function is the reverse half of a split derivative, by the name it is printed
    with: its adjoints may be one memory, where they add up.
    """
    tape = any(isinstance(a.type, TapeType) for a in signature.arguments)
    return tape and name.startswith("_adj_")
