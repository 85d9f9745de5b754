"""Variables without a declaration: their first assignment gives them their type."""

from __future__ import annotations

from loma.frontend import surface, typed
from loma.frontend.check.call import CallChecker
from loma.frontend.check.scope import Context, Entry, Slot
from loma.frontend.codes import names as codes
from loma.frontend.codes import short as short_codes
from loma.ir.types import BOOL, I32, I64, ArrayType, Scalar, Type


class Inference(CallChecker):
    """Knows the variables that have no declaration.

    A slot is a name that every way through an `if` assigns first. It is declared before the `if`,
    and is visible in a branch from where that assigns it, and after the `if`.
    """

    def __init__(self, context: Context, function: str, simd: bool) -> None:
        super().__init__(context, function, simd)
        self.slots: dict[str, Slot] = {}
        self.unpacked: set[surface.Assign] = set()
        self.inferred: dict[typed.Symbol, tuple[surface.Assign, int]] = {}

    def first(self, s: surface.Assign, name: str, value: typed.Expr) -> typed.Stmt | None:
        """The first assignment to a name; None if the name already has its type."""
        slot = self.slots.get(name)
        if slot is not None and slot.entry is not None:
            slot.block[name] = slot.entry
            return None
        assert value.type is not None, "calls without a value were reported"
        symbol = typed.Symbol(name, value.type, s.target.span)
        self.inferred[symbol] = s, len(self.scope.order)
        entry = Entry(symbol, s)
        done = self.settled(value, value.type) if isinstance(value.type, Scalar) else value
        if slot is None:
            self.scope.declare(name, entry)
            return typed.Declare(symbol, done, span=s.span)
        self.scope.order.append(name)
        slot.entry = slot.block[name] = entry
        assert done is not None, "a literal fits in its own type"
        return typed.Assign(typed.Name(symbol, span=s.target.span), done, span=s.span)

    def hide(self, visible: set[str]) -> None:
        """Ends what a block assigned first."""
        for name, slot in self.slots.items():
            if name not in visible:
                slot.block.pop(name, None)

    def visible(self) -> set[str]:
        """The names of slots that may be read here."""
        return {name for name, slot in self.slots.items() if name in slot.block}

    def open_slots(self, names: dict[str, None]) -> tuple[list[str], list[str]]:
        """The names that branches assign first, and those of them that belong to this `if`."""
        fresh = [n for n in names if self.scope.find(n) is None]
        own = [n for n in fresh if n not in self.slots]
        for n in own:
            self.slots[n] = Slot(self.scope.blocks[-1])
        return fresh, own

    def close_slots(self, fresh: list[str], own: list[str]) -> None:
        """Makes what both branches assigned visible after them."""
        for n in fresh:
            slot = self.slots[n]
            if slot.entry is not None:
                slot.block[n] = slot.entry
        for n in own:
            entry = self.slots.pop(n).entry
            if entry is not None and entry.symbol is not None:
                self.ahead.append(typed.Declare(entry.symbol, span=entry.declaration.span))

    def fits_inferred(self, s: surface.Node, target: typed.Expr, value: typed.Expr) -> bool:
        """Whether a variable that got its type from its first value can hold a later one."""
        if isinstance(target, typed.Index):
            return self.fits_elements(s, target, value.type)
        if not isinstance(target, typed.Name) or target.symbol not in self.inferred:
            return True
        if not _loses(target.type, value.type):
            return True
        self.report(codes.differing(s, value.span, target.symbol.name,
                                    self.types.text(target.type), self.types.text(value.type)))
        return False

    def fits_elements(self, s: surface.Node, target: typed.Expr, given: Type | None) -> bool:
        """Whether an array that got its type from its first elements can hold later ones."""
        root, held = target, target.type
        while isinstance(root, typed.Index | typed.View):
            root = root.base
        while isinstance(held, ArrayType):
            held = held.element
        if not isinstance(root, typed.Name) or root.symbol not in self.inferred:
            return True
        if not _loses(held, given):
            return True
        self.report(short_codes.held(s, s.span, root.symbol.name, self.types.text(held),
                                     self.types.text(given)))
        return False

    def check_read(self) -> None:
        """Reports variables that were never declared and never read: probably misspelled."""
        for symbol, (s, count) in self.inferred.items():
            if symbol not in self.read and symbol.name not in self.missing:
                known = self.context.guesses(self.scope.order[:count])
                self.report(codes.undeclared(
                    s, symbol.span, symbol.name, known, self.context.signatures,
                    None, "assigned here, and never read" + (
                        ": write `_` to ignore it" if s in self.unpacked else "")))


def _loses(held: Type | None, given: Type | None) -> bool:
    """Whether a conversion that nobody asked for loses a part of the value."""
    if not isinstance(held, Scalar) or not isinstance(given, Scalar):
        return False
    if held is BOOL:
        return given is not BOOL
    return given.is_float and not held.is_float or (held, given) == (I32, I64)
