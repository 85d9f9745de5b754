"""stop_gradient: a value without its derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loma.frontend import surface, typed
from loma.frontend.check.construct import stoppable
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import rules as codes
from loma.ir.prims.gradient import STOP_GRADIENT
from loma.ir.types import BOOL, I32, Scalar, StructType

if TYPE_CHECKING:
    from loma.frontend.check.call import CallChecker


def stopped(c: CallChecker, e: surface.Call) -> typed.Expr | None:
    """A number as it is; a struct by a function that copies it member by member."""
    found = [c.expr(a) for a in e.args]
    if len(found) != 1:
        c.report(call_codes.arity(e, 1, len(found), "stop_gradient(x)"))
        return None
    value = found[0]
    match None if value is None else value.type:
        case Scalar() as t if value is not None:
            meet = I32 if t is BOOL else t
            return c.apply(STOP_GRADIENT, (value,), meet, e.span, meet)
        case StructType() as t if value is not None and stoppable(t, c.types):
            name = c.context.maker("stop", t)
            c.called.add(name)
            return typed.Call(name, (value,), t, span=e.span)
        case None:
            return None
        case t:
            c.report(codes.stopped(e.args[0].span, c.types.text(t)))
            return None
