"""What the rounds of a parallel loop may do: their order, and where they run, is left open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loma.frontend import surface, typed
from loma.frontend.codes import parallel as codes
from loma.frontend.errors import Finding
from loma.frontend.lower.flow import expressions, statements
from loma.frontend.lower.scan import base_of, subexpressions
from loma.ir.derived import Mode
from loma.ir.nodes import Direction, Signature
from loma.ir.types import ArrayType

if TYPE_CHECKING:
    from loma.frontend.check.expr import ExpressionChecker

ANYTHING: Final = frozenset({"read", "add"})
"""More than the rounds of a loop may do with what they share."""


def check_written(c: ExpressionChecker, place: typed.Expr | None) -> bool:
    """Whether a place may be written here; one that all rounds of a loop share is reported.

    An element is checked later, once it is known which rounds it belongs to.
    """
    shown = None if place is None else _shared(c, place)
    if shown is None or place is None:
        return True
    c.report(codes.shared_written(place.span, shown, c.types.text(place.type)))
    return False


def _shared(c: ExpressionChecker, place: typed.Expr) -> str | None:
    """How a place that all rounds share is written; None for others."""
    base, members = place, ""
    while isinstance(base, typed.Member):
        members = f".{base.field}{members}"
        base = base.base
    if isinstance(place.type, ArrayType) or not isinstance(base, typed.Name):
        return None
    return f"{base.symbol.name}{members}" if c.scope.is_shared(base.symbol) else None


def note_outputs(
    c: ExpressionChecker, function: str, args: tuple[typed.Expr, ...], signature: Signature
) -> None:
    """Notes operands that a callee would write for all rounds at once: it may add to them."""
    for k, (place, argument) in enumerate(zip(args, signature.written, strict=True)):
        shown = _shared(c, place)
        if argument.direction is not Direction.IN and shown is not None:
            kind = c.types.text(place.type)
            c.context.passed.append(Passed(function, k, codes.shared_written(
                place.span, shown, kind, function)))


@dataclass(frozen=True, slots=True)
class Passed:
    """An operand that all rounds of a loop share: an output of a function, by position."""

    function: str
    position: int
    finding: Finding


def misused(
    passed: Iterable[Passed],
    functions: Mapping[str, typed.Function],
    derivatives: Mapping[str, surface.Derivative],
    signatures: Mapping[str, Signature | None],
) -> list[Finding]:
    """The findings for operands that a callee does more with than read them, or add to them."""
    uses = _Uses(functions, derivatives, signatures)
    return [p.finding for p in passed if uses.of(p.function, p.position) == ANYTHING]


@dataclass(slots=True)
class _Uses:
    """What functions do with their outputs: `read`, `add`, or both, which includes to store."""

    functions: Mapping[str, typed.Function]
    derivatives: Mapping[str, surface.Derivative]
    signatures: Mapping[str, Signature | None]
    known: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)

    def of(self, function: str, position: int) -> frozenset[str]:
        """The uses of one argument (of a recursive call: none beyond those seen elsewhere)."""
        key = function, position
        if key not in self.known:
            self.known[key] = frozenset()
            self.known[key] = self._of(function, position)
        return self.known[key]

    def _of(self, function: str, position: int) -> frozenset[str]:
        f, d = self.functions.get(function), self.derivatives.get(function)
        if f is not None:
            symbol = f.params[position]
            return frozenset(u for s in statements(f.body) for u in self.statement(s, symbol))
        if d is not None and d.mode is Mode.FORWARD:
            return self.of(d.primal, position)
        adjoint = self.direction(function, position) is Direction.OUT
        return frozenset({"add"}) if adjoint else ANYTHING

    def direction(self, function: str, position: int) -> Direction:
        """The direction of an argument."""
        signature = self.signatures.get(function)
        return Direction.INOUT if signature is None else signature.arguments[position].direction

    def statement(self, s: typed.Stmt, symbol: typed.Symbol) -> Iterator[str]:
        """The uses of a variable directly in a statement."""
        found = list(subexpressions(*expressions(s)))
        named = sum(isinstance(e, typed.Name) and e.symbol is symbol for e in found)
        outputs = [u for e in found if isinstance(e, typed.Call) for u in self.call(e, symbol)]
        match s:
            case typed.AtomicAdd(target) if base_of(target)[0] is symbol:
                outputs.append(frozenset({"add"}))
            case typed.Assign(target) if base_of(target)[0] is symbol:
                outputs.append(ANYTHING)
            case typed.Pop(_, targets) if any(base_of(t)[0] is symbol for t in targets):
                outputs.append(ANYTHING)
        yield from (u for uses in outputs for u in uses)
        if named > len(outputs):
            yield "read"

    def call(self, e: typed.Call, symbol: typed.Symbol) -> Iterator[frozenset[str]]:
        """The uses of a variable as an output of a call."""
        for k, value in enumerate(e.args):
            if base_of(value)[0] is symbol and self.direction(e.function, k) is not Direction.IN:
                yield self.of(e.function, k)
