"""Which types fit where: core parameters of a signature, operands of primitives and of calls."""

from __future__ import annotations

from loma.ir.nodes import Direction, Signature
from loma.ir.prims.record import Operands
from loma.ir.types import BOOL, I32, ArrayType, Ref, Scalar


def core_parameters(s: Signature) -> tuple[Scalar | Ref, ...]:
    """The types of the core parameters of a function with signature `s`."""
    types: list[Scalar | Ref] = [
        a.type
        if a.direction is Direction.IN and isinstance(a.type, Scalar)
        else Ref(a.type, a.growable)
        for a in s.arguments
    ]
    if s.result is not None and not isinstance(s.result, Scalar):
        types.append(Ref(s.result))
    if s.simd:
        types.append(I32)
    return tuple(types)


def accepts(operands: Operands, t: Scalar) -> bool:
    """Whether operands of a class may have a type."""
    match operands:
        case Operands.FLOAT:
            return t.is_float
        case Operands.INT:
            return t.is_int
        case Operands.NUMBER:
            return t is not BOOL
        case Operands.BOOL:
            return t is BOOL
        case Operands.ANY | Operands.CHOICE:
            return True


def fits(given: Scalar | Ref, wanted: Scalar | Ref) -> bool:
    """Whether an operand may be passed: of the same type, or an array where one has no size."""
    match given, wanted:
        case Ref(ArrayType(a, n)), Ref(ArrayType(b, m)):
            return (
                a == b and given.growable == wanted.growable and (n == m or n is None or m is None)
            )
        case _:
            return given == wanted
