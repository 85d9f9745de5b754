"""Arithmetic, comparisons, logic, choice and casts."""

from __future__ import annotations

from typing import Final

from loma.ir.prims.record import Operands, Prim, Result


def _trunc_div(x: int, y: int) -> int:
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


ADD: Final[Prim] = Prim(
    "add",
    2,
    Operands.NUMBER,
    Result.SAME,
    lambda x, y: x + y,
    partials=lambda b, out, x, y: (b.one(out), b.one(out)),
    symbol="+",
    precedence=11,
)
SUB: Final[Prim] = Prim(
    "sub",
    2,
    Operands.NUMBER,
    Result.SAME,
    lambda x, y: x - y,
    partials=lambda b, out, x, y: (b.one(out), b.minus_one(out)),
    symbol="-",
    precedence=11,
)
MUL: Final[Prim] = Prim(
    "mul",
    2,
    Operands.NUMBER,
    Result.SAME,
    lambda x, y: x * y,
    partials=lambda b, out, x, y: (y, x),
    symbol="*",
    precedence=12,
)
DIV: Final[Prim] = Prim(
    "div",
    2,
    Operands.FLOAT,
    Result.SAME,
    lambda x, y: x / y,
    partials=lambda b, out, x, y: (r := b.div(b.one(out), y), b.neg(b.mul(out, r))),
    domain=(0.3, 2.0),
    singular=True,
    cost=4,
    symbol="/",
    precedence=12,
)
IDIV: Final[Prim] = Prim(  # truncates toward zero; guarded by Check, hence never moved before it
    "idiv",
    2,
    Operands.INT,
    Result.SAME,
    _trunc_div,
    symbol="/",
    precedence=12,
    cost=4,
    speculatable=False,
)
NEG: Final[Prim] = Prim(
    "neg",
    1,
    Operands.NUMBER,
    Result.SAME,
    lambda x: -x,
    partials=lambda b, out, x: (b.minus_one(out),),
    symbol="-",
    precedence=13,
)

LT: Final[Prim] = Prim(
    "lt", 2, Operands.NUMBER, Result.BOOL, lambda x, y: x < y, symbol="<", precedence=6
)
LE: Final[Prim] = Prim(
    "le", 2, Operands.NUMBER, Result.BOOL, lambda x, y: x <= y, symbol="<=", precedence=6
)
GT: Final[Prim] = Prim(
    "gt", 2, Operands.NUMBER, Result.BOOL, lambda x, y: x > y, symbol=">", precedence=6
)
GE: Final[Prim] = Prim(
    "ge", 2, Operands.NUMBER, Result.BOOL, lambda x, y: x >= y, symbol=">=", precedence=6
)
EQ: Final[Prim] = Prim(
    "eq", 2, Operands.ANY, Result.BOOL, lambda x, y: x == y, symbol="==", precedence=6
)
NE: Final[Prim] = Prim(
    "ne", 2, Operands.ANY, Result.BOOL, lambda x, y: x != y, symbol="!=", precedence=6
)

NOT: Final[Prim] = Prim(
    "not", 1, Operands.BOOL, Result.BOOL, lambda x: not x, symbol="not", precedence=5
)
AND: Final[Prim] = Prim(  # both operands are evaluated; short circuits are Ifs
    "and", 2, Operands.BOOL, Result.BOOL, lambda x, y: x and y, symbol="and", precedence=4
)
OR: Final[Prim] = Prim(
    "or", 2, Operands.BOOL, Result.BOOL, lambda x, y: x or y, symbol="or", precedence=3
)

SELECT: Final[Prim] = Prim(  # its derivative is a select too: ad/ treats it by name
    "select", 3, Operands.CHOICE, Result.SAME, lambda c, x, y: x if c else y
)
CAST: Final[Prim] = Prim(  # float to int truncates toward zero and saturates (nan gives 0)
    "cast", 1, Operands.ANY, Result.GIVEN, lambda x: x
)

STRONG_MUL: Final[Prim] = Prim(
    # p * s, but exactly 0 where s is: a chain rule whose partial p may be infinite. Its derivative
    # by s is p also at s = 0, which a select would lose (third derivatives need it).
    "strong_mul",
    2,
    Operands.FLOAT,
    Result.SAME,
    lambda p, s: p * s if s != 0 else 0.0,
    partials=lambda b, out, p, s: (s, p),
    singular=True,
    cost=1,
    surface=True,
    expand=lambda b, p, s: b.select(
        b.apply(EQ, s, b.number(0.0, s)), b.number(0.0, s), b.mul(p, s)
    ),
)

ARITHMETIC: Final[tuple[Prim, ...]] = (
    ADD,
    SUB,
    MUL,
    DIV,
    IDIV,
    NEG,
    LT,
    LE,
    GT,
    GE,
    EQ,
    NE,
    NOT,
    AND,
    OR,
    SELECT,
    CAST,
    STRONG_MUL,
)
