"""Operations on the bits of integers, as in two's complement."""

from __future__ import annotations

from typing import Final

from loma.ir.prims.record import Operands, Prim, Result

WIDEST: Final = 64


def _shifted_left(x: int, count: int) -> int:
    return x << count if 0 <= count < WIDEST else 0


def _shifted_right(x: int, count: int) -> int:
    return x >> (count if 0 <= count < WIDEST else WIDEST)


BIT_AND: Final[Prim] = Prim(
    "bit_and",
    2,
    Operands.INT,
    Result.SAME,
    lambda x, y: x & y,
    symbol="&",
    precedence=9,
)
BIT_OR: Final[Prim] = Prim(
    "bit_or",
    2,
    Operands.INT,
    Result.SAME,
    lambda x, y: x | y,
    symbol="|",
    precedence=7,
)
BIT_XOR: Final[Prim] = Prim(
    "bit_xor",
    2,
    Operands.INT,
    Result.SAME,
    lambda x, y: x ^ y,
    symbol="^",
    precedence=8,
)
BIT_NOT: Final[Prim] = Prim(
    "bit_not",
    1,
    Operands.INT,
    Result.SAME,
    lambda x: ~x,
    symbol="~",
    precedence=13,
)
SHL: Final[Prim] = Prim(  # a count outside 0 .. width - 1 shifts everything out
    "shl",
    2,
    Operands.INT,
    Result.SAME,
    _shifted_left,
    symbol="<<",
    precedence=10,
)
SHR: Final[Prim] = Prim(  # rounds down; a count outside 0 .. width - 1 leaves the sign
    "shr",
    2,
    Operands.INT,
    Result.SAME,
    _shifted_right,
    symbol=">>",
    precedence=10,
)

BITS: Final[tuple[Prim, ...]] = (BIT_AND, BIT_OR, BIT_XOR, BIT_NOT, SHL, SHR)
