"""Operators that are made of primitives: floors and remainders, powers, chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.codes import types as codes
from loma.frontend.convert import Weak, coerce
from loma.frontend.typed import Apply, Expr, Let, Literal, Name, Symbol
from loma.ir.prims import FUNCTIONS, bits
from loma.ir.prims import arithmetic as prims
from loma.ir.prims import math as functions
from loma.ir.prims.record import Prim
from loma.ir.types import BOOL, F32, F64, Scalar

if TYPE_CHECKING:
    from loma.frontend.check.expr import ExpressionChecker

MOST: Final = 64
BITS: Final[dict[str, Prim]] = {
    "&": bits.BIT_AND, "|": bits.BIT_OR, "^": bits.BIT_XOR, "<<": bits.SHL, ">>": bits.SHR,
}
TRUTHS: Final[dict[str, Prim]] = {"&": prims.AND, "|": prims.OR, "^": prims.NE}


def once(e: Expr, body: Callable[[Expr], Expr]) -> Expr:
    """The body, in which the value may occur many times; a scalar is evaluated once."""
    if isinstance(e, (Literal, Name)) or not isinstance(e.type, Scalar):
        return body(e)
    symbol = Symbol("t", e.type, e.span)
    inner = body(Name(symbol, span=e.span))
    assert isinstance(inner.type, Scalar), "only scalars are made of scalars"
    return Let(symbol, e, inner, inner.type, span=inner.span)


class Operators:
    """Makes trees of one type, at one place in the source."""

    def __init__(self, type: Scalar, span: Span) -> None:
        self.type = type
        self.span = span

    def make(self, prim: Prim, *args: Expr) -> Expr:
        """A primitive whose result has the type of its operands."""
        return Apply(prim, args, self.type, span=self.span)

    def test(self, prim: Prim, *args: Expr) -> Expr:
        """A primitive whose result is a truth value."""
        return Apply(prim, args, BOOL, span=self.span)

    def number(self, value: int) -> Expr:
        """A literal."""
        return Literal(float(value) if self.type.is_float else value, self.type, span=self.span)

    def floor_division(self, x: Expr, y: Expr) -> Expr:
        """x / y, rounded down."""
        if self.type.is_float:
            return self.make(FUNCTIONS["floor"], self.make(prims.DIV, x, y))

        def of(x: Expr, y: Expr, quotient: Expr) -> Expr:
            rest = self.make(prims.SUB, x, self.make(prims.MUL, quotient, y))
            less = once(rest, lambda r: self.opposite(r, y))
            step = coerce(less, self.type)
            assert step is not None, "a truth value fits in any type"
            return self.make(prims.SUB, quotient, step)

        return once(x, lambda x: once(y, lambda y: once(
            self.make(prims.IDIV, x, y), lambda quotient: of(x, y, quotient))))

    def remainder(self, x: Expr, y: Expr) -> Expr:
        """What the division that rounds down leaves: it has the sign of y."""

        def of(x: Expr, y: Expr) -> Expr:
            if self.type.is_float:
                rest = self.make(FUNCTIONS["fmod"], x, y)
            else:
                whole = self.make(prims.IDIV, x, y)
                rest = self.make(prims.SUB, x, self.make(prims.MUL, whole, y))
            return once(rest, lambda r: self.make(
                prims.SELECT, self.opposite(r, y), self.make(prims.ADD, r, y), r))

        return once(x, lambda x: once(y, lambda y: of(x, y)))

    def opposite(self, r: Expr, y: Expr) -> Expr:
        """Whether r is not zero and has another sign than y."""
        zero = self.number(0)
        if isinstance(y, Literal):
            return self.test(prims.LT if y.value > 0 else prims.GT, r, zero)
        some = self.test(prims.NE, r, zero)
        signs = (self.test(prims.LT, v, zero) for v in (r, y))
        return self.test(prims.AND, some, self.test(prims.NE, *signs))

    def power(self, x: Expr, exponent: int) -> Expr:
        """x to a literal exponent: products, whose derivatives are exact everywhere."""
        if self.type.is_float and abs(exponent) > MOST:
            return self.make(functions.POW, x, self.number(exponent))
        if exponent < 0:
            return self.make(prims.DIV, self.number(1), self.power(x, -exponent))
        return once(x, lambda x: self._product(x, exponent))

    def _product(self, x: Expr, exponent: int) -> Expr:
        if exponent == 0:
            return self.number(1)
        if exponent == 1:
            return x
        if exponent % 2:
            return self.make(prims.MUL, self._product(x, exponent - 1), x)
        return once(self.make(prims.MUL, x, x), lambda y: self._product(y, exponent // 2))


def chained(
    operands: list[Expr], compare: Callable[[int, Expr, Expr], Expr | None], span: Span
) -> Expr | None:
    """compare(0, a, b) and compare(1, b, c) ...: inner operands are evaluated once."""

    missing: list[int] = []

    def absent() -> Expr:
        missing.append(1)
        return Literal(False, BOOL, span=span)

    def tail(k: int, left: Expr) -> Expr:
        right = operands[k + 1]
        if k + 2 == len(operands):
            return compare(k, left, right) or absent()

        def both(middle: Expr) -> Expr:
            first = compare(k, left, middle) or absent()
            return typed.Logical("and", first, tail(k + 1, middle), span=span)

        return once(right, both)

    done = once(operands[0], lambda first: tail(0, first))
    return None if missing else done


def counted(e: Expr) -> Expr:
    """An operand of arithmetic: a comparison of floats counts as a float, as in the course."""
    match e:
        case Apply(_, (first, *_), Scalar.BOOL) if first.type in (F32, F64):
            return typed.Convert(e, first.type, span=e.span)
        case _:
            return e


def quotient(
    c: ExpressionChecker, e: surface.Binary, left: typed.Expr, right: typed.Expr, meet: Scalar
) -> typed.Expr | None:
    """A division of integers; one of two literals that loses a fraction is remarked."""
    done = c.apply(prims.IDIV, (left, right), meet, e.span, meet)
    if not (isinstance(left, Weak) and isinstance(right, Weak)):
        c.quotients |= {done} if done is not None else set()
    elif right.value and left.value % right.value:
        found = codes.whole_quotient(e.span, int(left.value / right.value))
        c.context.remarks[e.span] = found
    return done


def integer_power(
    c: ExpressionChecker, left: typed.Expr, right: typed.Expr, meet: Scalar, span: Span
) -> typed.Expr | None:
    """A power of integers, by a function."""
    x, n = c.settled(left, meet), c.settled(right, meet)
    if x is None or n is None:
        return None
    function = c.context.maker("power", meet)
    c.called.add(function)
    return typed.Call(function, (x, n), meet, span=span)
