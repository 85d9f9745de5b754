"""Assignments, plain and augmented."""

from __future__ import annotations

from abc import abstractmethod

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.functions import mode_of
from loma.frontend.check.methods import Item
from loma.frontend.check.parallel import check_written
from loma.frontend.check.parts import Parts, is_part, is_pointed
from loma.frontend.check.places import is_memory, is_place
from loma.frontend.check.scope import Entry
from loma.frontend.check.tuples import IGNORED, is_ignored, shaped, unpack, unpack_value
from loma.frontend.codes import arrays as array_codes
from loma.frontend.codes import constructs as construct_codes
from loma.frontend.codes import flow as codes
from loma.frontend.codes import types as type_codes
from loma.ir.types import TAPE, ArrayType, Scalar, StructType, TapeType, Type


class Assignments(Parts):
    """Checks assignments."""

    def right_side(self, e: surface.Expr) -> typed.Expr | None:
        """A whole right side: the result of a call that writes its operands goes where it belongs.
        """
        match e:
            case surface.MethodCall():
                return self.method_call(e, "whole")
            case surface.Call(function) if self.scope.find(function) is None and (
                    self.context.signatures.get(function) is not None):
                return self.valued(e, self.user_call(e, statement=False), "whole")
            case _:
                return self.expr(e)

    def assign(self, s: surface.Assign) -> typed.Stmt | None:
        """target = value; the first assignment to a name declares it."""
        if isinstance(s.target, surface.Tuple):
            return unpack(self, s, s.target)
        if isinstance(s.value, surface.List | surface.Comprehension):
            return self.list_assigned(s, s.value)
        function = isinstance(s.value, surface.Lambda) or mode_of(s.value) is not None
        if isinstance(s.target, surface.Name) and function:
            self.named_function(s, s.target.name)
            return None
        return self.assigned(s, self.right_side(s.value))

    def list_assigned(
        self, s: surface.Assign, e: surface.List | surface.Comprehension
    ) -> typed.Stmt | None:
        """target = an array as it is written."""
        raise NotImplementedError

    @abstractmethod
    def named_function(self, s: surface.Assign, name: str) -> None:
        """name = fwd_diff(g) or a `lambda`: from here on the name is that function."""

    def assigned(self, s: surface.Assign, value: typed.Expr | None) -> typed.Stmt | None:
        """target = value, with the value checked already."""
        if isinstance(s.target, surface.Tuple):
            return unpack_value(self, s, s.target, value)
        if is_ignored(self, s.target) and value is not None and not isinstance(
                value.type, ArrayType | TapeType | None):
            return typed.Declare(typed.Symbol(IGNORED, value.type, s.span), value, span=s.span)
        if isinstance(s.target, surface.Name) and self.scope.find(s.target.name) is None:
            if self.named_part(s, s.target.name, value):
                return None
            if value is None or isinstance(value.type, (ArrayType, TapeType)):
                self._unknown(s, s.target.name, value)
                return None
            done = self.first(s, s.target.name, value)
            if done is not None:
                return done
        at, effects = len(self.ahead), self.effects
        target = self.written_place(s, s.target)
        return self.put(s, target, value if effects == self.effects else self.held(value, at))

    def put(
        self, s: surface.Assign, target: typed.Expr | None, value: typed.Expr | None
    ) -> typed.Stmt | None:
        """The assignment of a value to a place."""
        if target is None or value is None or not self.fits_inferred(s, target, value):
            return None
        if isinstance(target, Item):
            return self.stored_item(s, target.node, (*target.args, value))
        if is_part(s.target, target) and not is_pointed(target, value):
            return self.copied_part(s, target, value)
        ready = self._ready(s, target, value)
        return None if ready is None else typed.Assign(target, ready, span=s.span)

    def _ready(
        self, s: surface.Assign | surface.Augment, target: typed.Expr, value: typed.Expr
    ) -> typed.Expr | None:
        """The value as one of the target's type."""
        ready = shaped(self, value, target.type)
        if ready is None:
            return None
        value = ready
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
        target = self.written_place(s, s.target)
        at, effects = len(self.ahead), self.effects
        value = self.expr(s.value)
        if target is None or value is None:
            return None
        changed = effects < self.effects
        if isinstance(target, Item):
            return self._augment_item(s, target, value, at if changed else None)
        place = before = self.fixed(target)
        if changed:
            with self.back_at(at):
                place = self.kept_place(target)
                before = self.in_variable(place) if isinstance(place.type, Scalar) else place
        done = self._stepped(s, before, value)
        if done is None or not self.fits_inferred(s, place, done):
            return None
        ready = self._ready(s, place, done)
        return None if ready is None else typed.Assign(place, ready, span=s.span)

    def _stepped(
        self, s: surface.Augment, place: typed.Expr, value: typed.Expr
    ) -> typed.Expr | None:
        """What an augmented assignment assigns."""
        step = surface.Binary(s.operator, s.target, s.value, span=s.span)
        if s.operator == "@" and not isinstance(place.type, StructType):
            self.report(construct_codes.augmented(s.span, "@"))
            return None
        return self.infix(step, place, value)

    # Items of structs.

    def _augment_item(
        self, s: surface.Augment, target: Item, value: typed.Expr, at: int | None
    ) -> typed.Stmt | None:
        """base[indices] operator= value, of a struct: the indices are evaluated once. `at`: where
        the item is read, if the value changes something.
        """
        base, *indices = target.args
        with self.back_at(len(self.ahead) if at is None else at):
            fixed = (self.fixed(base) if at is None else self.kept_place(base),)
            kept = (*fixed, *(self._kept(i) if at is None else self.in_variable(i)
                              for i in indices))
            found = self.item(target.node, kept)
            found = found if at is None or found is None else self.in_variable(found)
        done = None if found is None else self._stepped(s, found, value)
        return None if done is None else self.stored_item(s, target.node, (*kept, done))

    def fixed(self, e: typed.Expr) -> typed.Expr:
        """The place, with indices that cost something evaluated once, ahead."""
        match e:
            case typed.Member(base, field, t):
                return typed.Member(self.fixed(base), field, t, span=e.span)
            case typed.Index(base, index, t):
                return typed.Index(self.fixed(base), self._kept(index), t, span=e.span)
            case _:
                return e

    def _kept(self, index: typed.Expr) -> typed.Expr:
        """An index that is evaluated once, ahead, if it costs something."""
        if _plain(index) or index.type is None:
            return index
        symbol = typed.Symbol("i", index.type, index.span)
        self.ahead.append(typed.Declare(symbol, index, span=index.span))
        return typed.Name(symbol, span=index.span)

    def copied_tape(self, span: Span) -> None:
        """Reports a tape that is copied."""
        self.report(type_codes.misplaced_type(
            span, "a `Tape`", "copied", "pass it on as an `InOut[Tape]` argument"))

    def written_place(self, s: surface.Node, e: surface.Expr) -> typed.Expr | None:
        """A place that is written."""
        if isinstance(e, surface.Name):
            entry = self.scope.find(e.name)
            if entry is not None and entry.view is not None:
                self.report(array_codes.view_assigned(s, e.span, e.name))
                return None
            found = self.variable(e, s) if self.writable(e) else None
            return found if check_written(self, found) else None
        if self.in_captured(e):
            return None
        self.stored = e
        target = self.expr(e)
        if isinstance(target, Item) and is_place(e):
            return target
        if not check_written(self, target):
            return None
        made = target is not None and not is_memory(target)
        if (made or not is_place(e)) and not isinstance(e, surface.Bad):
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
