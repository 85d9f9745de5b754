"""What lowering knows at one point: the values of variables, and what an exit must clear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loma.frontend.typed import Symbol
from loma.ir.nodes import Operand


class Env:
    """The current value of each scalar variable, with branches that can be undone."""

    def __init__(self) -> None:
        self._values: dict[Symbol, Operand] = {}
        self._journals: list[dict[Symbol, Operand | None]] = []

    def __contains__(self, symbol: Symbol) -> bool:
        return symbol in self._values

    def __getitem__(self, symbol: Symbol) -> Operand:
        return self._values[symbol]

    def __setitem__(self, symbol: Symbol, value: Operand) -> None:
        if self._journals:
            self._journals[-1].setdefault(symbol, self._values.get(symbol))
        self._values[symbol] = value

    @contextmanager
    def bound(self, symbol: Symbol, value: Operand) -> Iterator[None]:
        """A variable that exists inside one expression only."""
        self._values[symbol] = value
        yield
        del self._values[symbol]

    @contextmanager
    def hidden(self, symbols: Iterable[Symbol]) -> Iterator[None]:
        """Variables that lie in memory for a while."""
        values = {symbol: self._values.pop(symbol) for symbol in symbols}
        yield
        self._values |= values

    @contextmanager
    def branch(self) -> Iterator[dict[Symbol, Operand]]:
        """Undoes the assignments of its block; gives, at its end, those to outer variables."""
        changed: dict[Symbol, Operand] = {}
        self._journals.append({})
        yield changed
        for symbol, old in self._journals.pop().items():
            if old is None:
                del self._values[symbol]
            else:
                changed[symbol] = self._values[symbol]
                self._values[symbol] = old


@dataclass(frozen=True, slots=True)
class Exits:
    """The flags, true while all goes on, that each kind of exit sets to false."""

    on_return: tuple[Symbol, ...] = ()
    on_break: tuple[Symbol, ...] = ()
    on_continue: tuple[Symbol, ...] = ()

    def guarded(self, flag: Symbol) -> Exits:
        """The exits in a statement after which the rest of its block runs only if `flag` holds."""
        return Exits((*self.on_return, flag), (*self.on_break, flag), (*self.on_continue, flag))

    def looped(self, go: Symbol | None) -> Exits:
        """The exits inside the body of a loop that goes on while `go` holds."""
        if go is None:
            return Exits(self.on_return)
        known = go in self.on_return
        return Exits(self.on_return if known else (*self.on_return, go), (go,))
