"""Reductions over arrays: `sum`, `min`, `max`, `argmin` and `argmax` of what a loop visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.frontend import surface, typed
from loma.frontend.check.shapes import as_view, number
from loma.frontend.codes import arrays as array_codes
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import parallel as codes
from loma.frontend.codes import short as short_codes
from loma.ir.types import BOOL, I32, ArrayType, Scalar

if TYPE_CHECKING:
    from loma.frontend.check.call import CallChecker


def finished(
    c: CallChecker, e: surface.Reduce | surface.Call, kind: str,
    value: typed.Expr, over: typed.Reduce,
) -> typed.Expr | None:
    """A reduction of a value that is checked; `over` has its bounds."""
    if not isinstance(value.type, Scalar):
        c.report(codes.reduced(value.span, kind, c.types.text(value.type)))
        return None
    t = I32 if value.type is BOOL else value.type
    ready = c.settled(value, t)
    index = over.symbol.type
    assert isinstance(index, Scalar), "a counter is a number"
    given = index if kind.startswith("arg") else t
    return None if ready is None else typed.Reduce(
        kind, over.symbol, over.start, over.stop, over.step, ready, given, span=e.span)


def whole(c: CallChecker, e: surface.Call) -> typed.Expr | None:
    """sum(array), min(array) ..."""
    values = c.in_order(e.args)
    if len(values) != 1:
        c.report(call_codes.arity(e, 1, len(values), f"{e.function}(array)"))
        return None
    array = values[0]
    if array is None:
        return None
    if not isinstance(array.type, ArrayType) and e.function in ("min", "max"):
        c.report(call_codes.arity(e, 2, 1, f"{e.function}(x, y)"))
        return None
    if not isinstance(array.type, ArrayType):
        c.report(short_codes.not_visited(e, e.args[0].span, c.types.text(array.type)))
        return None
    view = as_view(array, e.span)
    size = view.shape[0]
    if size is None:
        c.report(array_codes.no_length(e, e.args[0].span, c.shown(array)))
        return None
    symbol = typed.Symbol("k", I32, e.span)
    element = c.element(view, [typed.Name(symbol, span=e.span)], view.shape, e.span)
    bounds = typed.Reduce(e.function, symbol, number(0, e.span), size, 1, element, I32)
    return finished(c, e, e.function, element, bounds)
