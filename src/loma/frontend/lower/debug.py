"""Debug mode: checks of every division, domain and index, with messages that show the values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from loma.frontend.expr_text import expr_text
from loma.frontend.lower.scan import subexpressions
from loma.frontend.typed import Apply, Assert, Call, Convert, Expr, Index, Literal, Name, View
from loma.ir.builder import Builder, const, type_of
from loma.ir.nodes import Check, Const, Operand, Text, Trap
from loma.ir.prims import arithmetic as A
from loma.ir.prims import elementary as E
from loma.ir.prims import math as M
from loma.ir.prims import rounding as R
from loma.ir.prims.record import Prim
from loma.ir.shown import merged
from loma.ir.types import BOOL, F64, I32, ArrayType, Ref, Scalar

if TYPE_CHECKING:
    from loma.frontend.lower.expr import Expressions, Place

Rule = Callable[[Builder, tuple[Operand, ...]], Operand]
MOST: Final = 8
"""Values in a message."""
LIMITS: Final = {Scalar.I32: 2.0**31, Scalar.I64: 2.0**63}


def _not(b: Builder, x: Operand) -> Operand:
    return b.apply(A.NOT, x)


def _fails(prim: Prim, bound: float) -> Rule:
    """Fails where the first operand compares so with a number (nan does not)."""
    return lambda b, xs: _not(b, b.apply(prim, xs[0], b.number(bound, xs[0])))


def _within(b: Builder, xs: tuple[Operand, ...]) -> Operand:
    (x,) = xs
    low = b.apply(A.LT, x, b.number(-1.0, x))
    return _not(b, b.apply(A.OR, low, b.apply(A.GT, x, b.number(1.0, x))))


def _divisor(b: Builder, xs: tuple[Operand, ...]) -> Operand:
    return b.apply(A.NE, xs[1], const(0, type_of(xs[1])))


def _power(b: Builder, xs: tuple[Operand, ...]) -> Operand:
    x, y = xs
    zero = b.number(0.0, x)
    broken = b.apply(A.AND, b.apply(A.LT, x, zero), b.apply(A.NE, y, b.apply(R.TRUNC, y)))
    pole = b.apply(A.AND, b.apply(A.EQ, x, zero), b.apply(A.LT, y, zero))
    return _not(b, b.apply(A.OR, broken, pole))


DOMAINS: Final[Mapping[Prim, tuple[Trap, str, Rule]]] = {
    A.DIV: (Trap.DIVISION, "division by zero", _divisor),
    A.IDIV: (Trap.DIVISION, "division by zero", _divisor),
    R.FMOD: (Trap.DIVISION, "remainder of a division by zero", _divisor),
    M.SQRT: (Trap.DOMAIN, "root of a negative number", _fails(A.LT, 0.0)),
    M.LOG: (Trap.DOMAIN, "logarithm of a number that is not positive", _fails(A.LE, 0.0)),
    E.LOG2: (Trap.DOMAIN, "logarithm of a number that is not positive", _fails(A.LE, 0.0)),
    E.LOG10: (Trap.DOMAIN, "logarithm of a number that is not positive", _fails(A.LE, 0.0)),
    E.LOG1P: (Trap.DOMAIN, "log1p of a number that is not above -1", _fails(A.LE, -1.0)),
    E.ASIN: (Trap.DOMAIN, "arcsine of a number outside of -1 to 1", _within),
    E.ACOS: (Trap.DOMAIN, "arccosine of a number outside of -1 to 1", _within),
    M.POW: (Trap.DOMAIN, "power that is no real number", _power),
}


def operation(to: Expressions, e: Apply, operands: tuple[Operand, ...]) -> None:
    """Checks that operands are in the domain of an operation."""
    found = DOMAINS.get(e.prim)
    if found is None:
        return
    trap, what, rule = found
    holds = rule(to.b, operands)
    pairs = [(a, x) for a, x in zip(e.args, operands, strict=True) if not isinstance(a, Literal)]
    _check(to, holds, trap, (f"{what}: {expr_text(e)}", *_with(to, e, pairs)))


def conversion(to: Expressions, e: Convert, value: Operand) -> None:
    """Checks that a float has a value as an integer."""
    if not type_of(value).is_float or not e.type.is_int:
        return
    b, bound = to.b, LIMITS[e.type]
    below = b.apply(A.LT, value, b.number(bound, value))
    if e.type is I32 and type_of(value) is F64:
        above = b.apply(A.GT, value, b.number(-bound - 1.0, value))
    else:  # there is no number between the least integer and the one below it
        above = b.apply(A.GE, value, b.number(-bound, value))
    text = f"conversion to an integer that cannot hold it: {expr_text(e)}"
    _check(to, b.apply(A.AND, above, below), Trap.DOMAIN,
           (text, *_with(to, e, [(e.value, value)])))


def index(to: Expressions, e: Index, place: Place, at: Operand, length: Operand | None) -> None:
    """Checks that indices are inside their array, as far as its sizes are known, or told."""
    if len(e.at) > 1:
        dimensions(to, e)
    elif length is not None:
        _inside(to, e, (e.index, at), length, "an array")
    elif e.at and e.at[0][0] is e.index:
        _inside(to, e, (e.index, at), to.value(e.at[0][1]), "an array")
    else:
        dimensions(to, e)
        if not _has_shape(e.base):
            _told(to, e, place, at)


def _told(to: Expressions, e: Index, place: Place, at: Operand) -> None:
    """Checks an index into an array whose length only the host knows, if anyone."""
    names = [] if isinstance(e.index, Name) else _with(to, e.index, [])
    said = f": {expr_text(e)}"
    above = to.b.apply(A.GE, at, const(0, type_of(at)))
    _check(to, above, Trap.INDEX, ("index ", at, " is below zero", said, *names))
    _beyond(to, place, at, ("index ", at), (said, *names))


def part(to: Expressions, e: View, place: Place, start: Operand) -> None:
    """Checks that a part of an array ends inside it, where only the host knows its length."""
    if _has_shape(e.base):
        return
    first, flat = e.shape[0], isinstance(e.base.type, ArrayType) and (
        e.base.type.element == e.type.element)
    last = to.b.sub(start, const(1, type_of(start)))
    if first is not None and flat and len(e.shape) == 1:
        last = to.b.add(last, to.b.cast(to.value(first), type_of(start)))
    _beyond(to, place, last, ("index ", last), (f": {expr_text(e)}", *_with(to, e.start, [])))


def _has_shape(e: Expr) -> bool:
    return isinstance(e, Name) and bool(e.symbol.shape)


def _beyond(to: Expressions, place: Place, at: Operand, before: Text, after: Text) -> None:
    """Checks that an index is below the end of an array of unknown length."""
    root, path = place
    if path or isinstance(root.type, Ref) and root.type.growable:
        return
    shown: Text = (*before, " is outside an array of length ", root, *after)
    to.b.emit(Check(
        const(True, BOOL), Trap.INDEX, text=merged(shown), within=(root, at), span=to.b.span))


def dimensions(to: Expressions, e: Index | View) -> None:
    """Checks that each of several indices is inside its dimension."""
    if any(isinstance(x, Call) for i, _ in e.at for x in subexpressions(i)):
        return
    for k, (i, n) in enumerate(e.at):
        what = f"dimension {k}" if len(e.at) > 1 else "an array"
        _inside(to, e, (i, to.value(i)), to.value(n), what)


def _inside(
    to: Expressions, e: Index | View, index: tuple[Expr, Operand], length: Operand, what: str
) -> None:
    written, at = index
    if isinstance(at, Const) and isinstance(length, Const):
        return
    b = to.b
    wide = b.cast(length, type_of(at))
    above = b.apply(A.GE, at, const(0, type_of(at)))
    holds = b.apply(A.AND, above, b.apply(A.LT, at, wide))
    names = [] if isinstance(written, Name) else _with(to, written, [])
    b.span = e.span  # that of a size is where it is named
    _check(to, holds, Trap.INDEX, (
        "index ", at, f" is outside {what} of length ", length, f": {expr_text(e)}", *names))


def assertion(to: Expressions, s: Assert) -> Text:
    """The values of what an asserted condition names."""
    found = _with(to, s.cond, [])
    return (": ", expr_text(s.cond), *found) if found else ()


def _with(to: Expressions, e: Expr, pairs: Sequence[tuple[Expr, Operand]]) -> Text:
    """` with x = ..., y = ...`: operands, then the variables of an expression."""
    found: dict[str, Operand] = {expr_text(a): x for a, x in pairs}
    for x in subexpressions(e):
        if isinstance(x, Name) and x.symbol in to.env:
            found.setdefault(x.symbol.name, to.env[x.symbol])
    shown: list[Operand | str] = []
    for k, (name, value) in enumerate(list(found.items())[:MOST]):
        shown += [f"{', ' if k else ' with '}{name} = ", value]
    return tuple(shown)


def _check(to: Expressions, holds: Operand, trap: Trap, text: Text) -> None:
    if isinstance(holds, Const) and holds.value:
        return
    to.b.emit(Check(holds, trap, text=merged(text), span=to.b.span))
