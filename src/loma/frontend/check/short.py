"""What Python writes short, checked: values that are kept, membership."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.frontend import surface, typed
from loma.frontend.check.operators import once
from loma.frontend.codes import short as codes
from loma.ir.prims import arithmetic as prims
from loma.ir.types import BOOL, I32, I64, Scalar

if TYPE_CHECKING:
    from loma.frontend.check.expr import ExpressionChecker
    from loma.frontend.check.stmt import FunctionChecker


def keep(c: FunctionChecker, s: surface.Keep) -> typed.Stmt | None:
    """Evaluates a value ahead; a literal stays one, and takes the type of its neighbours."""
    value = c.right_side(s.value)
    if value is not None and s.whole and value.type not in (I32, I64, BOOL):
        c.report(codes.subject(s.value, s.value.span, c.types.text(value.type)))
        value = None
    c.kept_values[s.key] = None if value is None else c.in_variable(value)
    return None


def flag(c: FunctionChecker, s: surface.Flag) -> typed.Stmt:
    """A truth value, declared false, or set."""
    truth = typed.Literal(s.raised, BOOL, span=s.span)
    place = c.kept_values.get(s.key)
    if s.raised:
        assert place is not None, "declared before its loop"
        return typed.Assign(place, truth, span=s.span)
    symbol = typed.Symbol("left", BOOL, s.span)
    c.kept_values[s.key] = typed.Name(symbol, span=s.span)
    return typed.Declare(symbol, truth, span=s.span)


def contains(c: ExpressionChecker, e: surface.Contains) -> typed.Expr | None:
    """value in (a, b): whether it is equal to one of them."""
    found = c.in_order((e.value, *e.elements))
    for x, value in zip((e.value, *e.elements), found, strict=True):
        if value is not None and not isinstance(value.type, Scalar):
            c.report(codes.membership(e, x.span, c.types.text(value.type)))
            return None
    known = [x for x in found if x is not None]
    if len(known) < len(found):
        return None
    first, *others = known
    tests: list[typed.Expr] = []

    def any_of(value: typed.Expr) -> typed.Expr:
        for x, other in zip(e.elements, others, strict=True):
            test = c.infix(surface.Binary("==", e.value, x, span=e.span), value, other)
            tests.extend(() if test is None else (test,))
        whole, *rest = tests or [typed.Literal(False, BOOL, span=e.span)]
        for test in rest:
            whole = typed.Apply(prims.OR, (whole, test), BOOL, span=e.span)
        return whole

    done = once(first, any_of)
    return done if len(tests) == len(e.elements) else None
