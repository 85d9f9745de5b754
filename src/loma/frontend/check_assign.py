"""Assignments, plain and augmented."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check_call import is_place
from loma.frontend.check_infer import Inference
from loma.frontend.check_scope import Entry
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import flow as codes
from loma.frontend.codes import types as type_codes
from loma.ir.types import TAPE, ArrayType, Scalar, TapeType, Type


class Assignments(Inference):
    """Checks assignments."""

    def right_side(self, e: surface.Expr) -> typed.Expr | None:
        """A whole right side: there, a call that takes a tape may write its operands."""
        signature = self.context.signatures.get(e.function) if isinstance(e, surface.Call) else None
        if signature is None or all(a.type is not TAPE for a in signature.arguments):
            return self.expr(e)
        assert isinstance(e, surface.Call), "only calls have signatures"
        done = self.user_call(e, statement=True)
        if done is not None and done.type is None:
            self.report(call_codes.no_value(e))
            return None
        return done

    def assign(self, s: surface.Assign) -> typed.Stmt | None:
        """target = value; the first assignment to a name declares it."""
        value = self.right_side(s.value)
        if isinstance(s.target, surface.Name) and self.scope.find(s.target.name) is None:
            if value is None or isinstance(value.type, (ArrayType, TapeType)):
                self._unknown(s, s.target.name, value)
                return None
            done = self.first(s, s.target.name, value)
            if done is not None:
                return done
        target = self._target(s, s.target)
        if target is None or value is None or not self.fits_inferred(s, target, value):
            return None
        ready = self._ready(s, target, value)
        return None if ready is None else typed.Assign(target, ready, span=s.span)

    def _ready(
        self, s: surface.Assign, target: typed.Expr, value: typed.Expr
    ) -> typed.Expr | None:
        """The value as one of the target's type."""
        if isinstance(value.type, Scalar) and isinstance(target.type, Scalar):
            return self.settled(value, target.type)
        if isinstance(target, typed.Member) and _shared(target.type, value.type):
            return value
        if isinstance(target.type, ArrayType):
            self.report(type_codes.whole_array(s, s.span, initial=False))
        elif target.type is TAPE:
            self.copied_tape(s.span)
        elif value.type != target.type:
            self.report(type_codes.assigned(
                s, s.value.span, self.types.text(value.type), self.types.text(target.type)))
        else:
            return value
        return None

    def _unknown(self, s: surface.Assign, name: str, value: typed.Expr | None) -> None:
        """A first assignment that gives no type."""
        self.scope.declare(name, Entry(None, s))
        if value is not None and value.type is TAPE:
            self.copied_tape(s.span)
        elif value is not None:
            self.report(type_codes.whole_array(s, s.span, initial=True))

    def augment(self, s: surface.Augment) -> typed.Stmt | None:
        """target operator= value; the target's indices are evaluated once."""
        target, value = self._target(s, s.target), self.expr(s.value)
        if target is None or value is None:
            return None
        place = self._fixed(target)
        step = surface.Binary(s.operator, s.target, s.value, span=s.span)
        done = self.infix(step, place, value)
        if done is None or not self.fits_inferred(s, place, done):
            return None
        assert isinstance(place.type, Scalar), "operators take scalars"
        done = self.settled(done, place.type)
        return None if done is None else typed.Assign(place, done, span=s.span)

    def _fixed(self, e: typed.Expr) -> typed.Expr:
        """The place, with indices that cost something evaluated once, ahead."""
        match e:
            case typed.Member(base, field, t):
                return typed.Member(self._fixed(base), field, t, span=e.span)
            case typed.Index(base, index, t):
                base = self._fixed(base)
                if not _plain(index):
                    assert isinstance(index.type, Scalar), "an index is an integer"
                    symbol = typed.Symbol("i", index.type, index.span)
                    self.ahead.append(typed.Declare(symbol, index, span=index.span))
                    index = typed.Name(symbol, span=index.span)
                return typed.Index(base, index, t, span=e.span)
            case _:
                return e

    def copied_tape(self, span: Span) -> None:
        """Reports a tape that is copied."""
        self.report(type_codes.misplaced_type(
            span, "a `Tape`", "copied", "pass it on as an `InOut[Tape]` argument"))

    def _target(self, s: surface.Node, e: surface.Expr) -> typed.Expr | None:
        """A place that is written."""
        if isinstance(e, surface.Name):
            return self.variable(e, s) if self.writable(e) else None
        target = self.expr(e)
        if not is_place(e) and not isinstance(e, surface.Bad):
            self.report(codes.not_assignable(s, e.span))
            return None
        return target


def _plain(e: typed.Expr) -> bool:
    """Whether an index is made of variables and literals alone."""
    match e:
        case typed.Literal() | typed.Name() | typed.ThreadId():
            return True
        case typed.Apply(prim, args):
            return prim.speculatable and all(map(_plain, args))
        case typed.Convert(value):
            return _plain(value)
        case _:
            return False


def _shared(target: Type | None, value: Type | None) -> bool:
    """Whether an assignment to a member makes it point to the array that the value points to."""
    return isinstance(target, ArrayType) and target.size is None and target == value
