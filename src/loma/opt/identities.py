"""Algebraic identities at one primitive, each exact in IEEE arithmetic and in wrapping integers.

`identity` gives an operand or a cheaper application for an application whose operands may be looked
through: `of` maps a variable to the application that computes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from loma.diagnostics import Span
from loma.ir.analysis.alias import same
from loma.ir.builder import const, is_const, rounded, type_of
from loma.ir.nodes import Apply, Const, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims import math as M
from loma.ir.prims.record import Prim
from loma.ir.types import Scalar
from loma.opt.rewrite import applied

Of: TypeAlias = Callable[[Operand], Apply | None]
Simpler: TypeAlias = Operand | Apply | None


def identity(op: Apply, of: Of) -> Simpler:
    """What the application equals, if that is simpler."""
    rule = _RULES.get(op.prim)
    return None if rule is None else rule(op, of)


def _arg(x: Operand, prim: Prim, of: Of) -> tuple[Operand, ...] | None:
    """The operands of `x` if `prim` computes it."""
    op = of(x)
    return op.args if op is not None and op.prim is prim else None


def _make(prim: Prim, *args: Operand, span: Span, type: Scalar | None = None) -> Apply:
    return applied(prim, *args, span=span, type=type)


def _add(op: Apply, of: Of) -> Simpler:
    for x, y in (op.args, op.args[::-1]):
        # x + -0.0 == x; an integer has one zero.
        if is_const(y, -0.0) or (type_of(x).is_int and is_const(y, 0)):
            return x
        # x + -y == x - y
        if (n := _arg(y, A.NEG, of)) is not None:
            return _make(A.SUB, x, n[0], span=op.span)
    return _int_chain(op, of, 1)


def _sub(op: Apply, of: Of) -> Simpler:
    x, y = op.args
    # x - 0.0 == x, also at x = -0.0
    if is_const(y, 0.0):
        return x
    # x - -y == x + y
    if (n := _arg(y, A.NEG, of)) is not None:
        return _make(A.ADD, x, n[0], span=op.span)
    # -0.0 - x == -x; in integers 0 - x == -x and x - x == 0
    if is_const(x, -0.0) or (type_of(x).is_int and is_const(x, 0)):
        return _make(A.NEG, y, span=op.span)
    if type_of(x).is_int:
        # (z ± c) - (z ± d) == ±c - ±d
        (a, c), (b, d) = _offset(x, of), _offset(y, of)
        if same(a, b):
            return const(c - d, type_of(x))
    return _int_chain(op, of, -1)


def _offset(x: Operand, of: Of) -> tuple[Operand, int]:
    """An integer as another one and a literal distance from it."""
    op = of(x)
    if op is not None and op.prim in (A.ADD, A.SUB):
        y, c = op.args
        if isinstance(c, Const):
            return y, int(c.value) if op.prim is A.ADD else -int(c.value)
        if op.prim is A.ADD and isinstance(y, Const):
            return c, int(y.value)
    return x, 0


def _int_chain(op: Apply, of: Of, sign: int) -> Simpler:
    """(x ± c) ± d == x + (±c ± d) in wrapping integers."""
    x, d = op.args
    if sign > 0 and isinstance(x, Const):
        x, d = d, x
    if not isinstance(d, Const) or not d.type.is_int:
        return None
    y, c = _offset(x, of)
    if y is x:
        return None
    total = rounded(sign * d.value + c, d.type)
    return y if total == 0 else _make(A.ADD, y, const(total, d.type), span=op.span)


def _mul(op: Apply, of: Of) -> Simpler:
    for x, y in (op.args, op.args[::-1]):
        if is_const(y, 1):
            return x
        if is_const(y, -1):
            return _make(A.NEG, x, span=op.span)
        if type_of(y).is_int and is_const(y, 0):
            return y
        # -x * c == x * -c
        if isinstance(y, Const) and y.type.is_float and (n := _arg(x, A.NEG, of)) is not None:
            return _make(A.MUL, n[0], const(-y.value, y.type), span=op.span)
    m, n = (_arg(x, A.NEG, of) for x in op.args)
    if m is not None and n is not None:
        return _make(A.MUL, m[0], n[0], span=op.span)
    return None


def _strong_mul(op: Apply, of: Of) -> Simpler:
    """0 s == 0 only for finite s, hence no rule for p == 0."""
    p, s = op.args
    if isinstance(s, Const):
        return _make(A.MUL, p, s, span=op.span) if s.value != 0 else const(0.0, s.type)
    if isinstance(p, Const) and p.value == 1:
        return s
    if isinstance(p, Const) and math.isfinite(p.value):
        return _make(A.MUL, p, s, span=op.span)
    return None


def _div(op: Apply, of: Of) -> Simpler:
    x, y = op.args
    if is_const(y, 1):
        return x
    if is_const(y, -1):
        return _make(A.NEG, x, span=op.span)
    # x / 2^k == x * 2^-k while 2^-k is a normal number
    if isinstance(y, Const) and y.value != 0 and math.isfinite(y.value):
        mantissa, exponent = math.frexp(y.value)
        if abs(mantissa) == 0.5 and abs(exponent) < 120:
            return _make(A.MUL, x, const(1 / y.value, y.type), span=op.span)
    m, n = _arg(x, A.NEG, of), _arg(y, A.NEG, of)
    if m is not None and n is not None:
        return _make(A.DIV, m[0], n[0], span=op.span)
    return None


def _idiv(op: Apply, of: Of) -> Simpler:
    return op.args[0] if is_const(op.args[1], 1) else None


def _neg(op: Apply, of: Of) -> Simpler:
    n = _arg(op.args[0], A.NEG, of)
    return None if n is None else n[0]


def _pow(op: Apply, of: Of) -> Simpler:
    x, y = op.args
    if is_const(y, 1):
        return x
    if is_const(y, 2):
        return _make(A.MUL, x, x, span=op.span)
    if isinstance(y, Const) and y.value == 0:
        return const(1, type_of(x))
    return None


_OPPOSITE: Final[dict[Prim, Prim]] = {
    A.LT: A.GE,
    A.LE: A.GT,
    A.GT: A.LE,
    A.GE: A.LT,
    A.EQ: A.NE,
    A.NE: A.EQ,
}


def _not(op: Apply, of: Of) -> Simpler:
    inner = of(op.args[0])
    if inner is None:
        return None
    if inner.prim is A.NOT:
        return inner.args[0]
    # A comparison of floats is false where an operand is nan; only == and != are opposites.
    opposite = _OPPOSITE.get(inner.prim)
    if opposite is None:
        return None
    if inner.prim in (A.EQ, A.NE) or not type_of(inner.args[0]).is_float:
        return _make(opposite, *inner.args, span=op.span)
    return None


def _logic(op: Apply, of: Of) -> Simpler:
    """x and True, x and False, x and x; x or False, x or True, x or x."""
    neutral = op.prim is A.AND
    for x, y in (op.args, op.args[::-1]):
        if isinstance(y, Const):
            return x if y.value is neutral else y
        if (n := _arg(y, A.NOT, of)) is not None and same(n[0], x):
            return const(not neutral, Scalar.BOOL)
    return op.args[0] if same(*op.args) else None


def _select(op: Apply, of: Of) -> Simpler:
    c, x, y = op.args
    if isinstance(c, Const):
        return x if c.value else y
    if same(x, y):
        return x
    if (n := _arg(c, A.NOT, of)) is not None:
        return _make(A.SELECT, n[0], y, x, span=op.span)
    if type_of(x) is Scalar.BOOL:
        return _select_bool(op, c, x, y)
    for k, z in ((1, x), (2, y)):  # a choice within a choice by the same condition
        if (inner := _arg(z, A.SELECT, of)) is not None and same(inner[0], c):
            args = (c, inner[1], y) if k == 1 else (c, x, inner[2])
            return _make(A.SELECT, *args, span=op.span)
    return None


def _select_bool(op: Apply, c: Operand, x: Operand, y: Operand) -> Simpler:
    match x, y:
        case Const(True), Const(False):
            return c
        case Const(False), Const(True):
            return _make(A.NOT, c, span=op.span)
        case Const(True), _:
            return _make(A.OR, c, y, span=op.span)
        case _, Const(False):
            return _make(A.AND, c, x, span=op.span)
        case _:
            return None


def _compare(op: Apply, of: Of) -> Simpler:
    x, y = op.args
    if same(x, y):
        if op.prim in (A.LT, A.GT):
            return const(False, Scalar.BOOL)
        if not type_of(x).is_float:
            return const(op.prim is not A.NE, Scalar.BOOL)
    return _truth(op, of) if op.prim in (A.EQ, A.NE) else None


def _truth(op: Apply, of: Of) -> Simpler:
    """b == True, b != 0 and the like, for b that is a bool or a bool made a number."""
    x, y = op.args
    if isinstance(x, Const):
        x, y = y, x
    if not isinstance(y, Const):
        return None
    b: Operand = x
    if type_of(x) is not Scalar.BOOL:
        cast = _arg(x, A.CAST, of)
        if cast is None or type_of(cast[0]) is not Scalar.BOOL or y.value not in (0, 1):
            return None
        b = cast[0]
    return b if (op.prim is A.EQ) == bool(y.value) else _make(A.NOT, b, span=op.span)


_HOLDS: Final[dict[Scalar, tuple[Scalar, ...]]] = {
    Scalar.BOOL: (Scalar.I32, Scalar.I64, Scalar.F32, Scalar.F64),
    Scalar.I32: (Scalar.I64, Scalar.F64),
    Scalar.F32: (Scalar.F64,),
    Scalar.I64: (),
    Scalar.F64: (),
}


def _cast(op: Apply, of: Of) -> Simpler:
    x = op.args[0]
    if type_of(x) is op.out.type:
        return x
    # A cast that loses nothing, cast again, is one cast.
    inner = _arg(x, A.CAST, of)
    if inner is None or type_of(x) not in _HOLDS[type_of(inner[0])]:
        return None
    if type_of(inner[0]) is op.out.type:
        return inner[0]
    return _make(A.CAST, inner[0], span=op.span, type=op.out.scalar)


_RULES: Final[dict[Prim, Callable[[Apply, Of], Simpler]]] = {
    A.ADD: _add,
    A.SUB: _sub,
    A.MUL: _mul,
    A.DIV: _div,
    A.IDIV: _idiv,
    A.NEG: _neg,
    M.POW: _pow,
    A.NOT: _not,
    A.AND: _logic,
    A.OR: _logic,
    A.SELECT: _select,
    A.STRONG_MUL: _strong_mul,
    A.CAST: _cast,
    A.LT: _compare,
    A.LE: _compare,
    A.GT: _compare,
    A.GE: _compare,
    A.EQ: _compare,
    A.NE: _compare,
}


def definitions() -> tuple[dict[Var, Apply], Of]:
    """A growing table of what computes each variable, and its look-up."""
    table: dict[Var, Apply] = {}

    def of(x: Operand) -> Apply | None:
        return table.get(x) if isinstance(x, Var) else None

    return table, of
