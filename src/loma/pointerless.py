"""Functions without pointers in their local memory, as differentiation wants them."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from loma.ir.nodes import Function, Module
from loma.opt import apart, inline, pipeline, pointers, promote
from loma.opt.origins import overwritten_fields, stores_pointers

INLINED: Final = (inline.run, promote.run)
AFTER: Final = (promote.run, pipeline.simplify)
"""After pointers have become integers."""


class Maker(Protocol):
    """What is asked about functions."""

    @property
    def fast(self) -> bool:
        """Whether calls were inlined already."""
        ...

    @property
    def module(self) -> Module:
        """The program as lowered."""
        ...

    @property
    def rules(self) -> Container[str]:
        """The functions that are kept apart for their rules."""
        ...

    def function(self, name: str) -> Function:
        """A function as lowered, or as derived."""
        ...

    def called(self, f: Function) -> dict[str, None]:
        """Every function that `f` may reach."""
        ...

    def simplified(self, f: Function, passes: tuple[pipeline.Pass, ...]) -> Function:
        """A function after some passes, what it calls inlined."""
        ...

    def variant(
        self,
        kind: str,
        f: Function,
        positions: frozenset[int],
        change: Callable[[Function], Function],
    ) -> str:
        """The name of a changed copy of a function, made once."""
        ...


@dataclass(frozen=True, slots=True)
class Pointerless:
    """Turns pointers into integers, and takes the structs apart that are passed on.

    `taken` says what becomes of a function that was met, `blind` which arguments of the variants
    hold no pointers.
    """

    maker: Maker
    taken: dict[str, apart.Taken | None] = field(default_factory=dict)
    blind: set[tuple[str, int]] = field(default_factory=set)

    def of(self, f: Function) -> Function:
        """The function with integers for the pointers in its local memory."""
        if not self.concerns(f):
            return f
        if not self.maker.fast and overwritten_fields(self.known(f)):
            f = self.maker.simplified(f, pipeline.BEFORE_AD)
        where = self.where(self.known(f))
        new = self.traced(apart.opened(f, where, self.variant, self.maker.module.structs), {})
        return f if new is f else pipeline.run(AFTER, new, self.maker.module)

    def traced(self, f: Function, held: pointers.Held) -> Function:
        """The function with integers for pointers; those in arguments are `held`."""
        structs, known = self.maker.module.structs, self.known(f)
        others = {n: g for n, g in known.items() if not self.is_apart(n)}
        elsewhere = overwritten_fields(others)
        return pointers.run(f, structs, elsewhere, apart.blind(known, structs) | self.blind, held)

    def is_apart(self, name: str) -> bool:
        """Whether a function is a variant, or one that variants are called instead of."""
        return self.taken.get(name) is not None or any(name == variant for variant, _ in self.blind)

    def concerns(self, f: Function) -> bool:
        """Whether a function, or one that it calls, assigns pointers."""
        return any(map(stores_pointers, (f, *self.known(f).values())))

    def known(self, f: Function) -> dict[str, Function]:
        """The functions that one calls."""
        return {g: self.maker.function(g) for g in self.maker.called(f)}

    def where(self, known: dict[str, Function]) -> dict[str, apart.Taken]:
        """The functions without rules of which arguments are taken apart."""
        if not known.keys() <= self.taken.keys():
            structs = self.maker.module.structs
            free = {g: self.plain(f) for g, f in known.items() if g not in self.maker.rules}
            found = apart.settled(free, apart.taken(free, structs), structs)
            for g in known:
                self.taken.setdefault(g, found.get(g))
        return {g: t for g in known if (t := self.taken[g]) is not None}

    def plain(self, f: Function) -> Function:
        """The function with what it calls inlined, if some of that assigns pointers."""
        return self.maker.simplified(f, INLINED) if overwritten_fields(self.known(f)) else f

    def variant(self, name: str) -> str:
        """A function that takes structs apart."""
        f = self.maker.function(name)
        where = self.where({name: f, **self.known(f)})
        change = partial(self.changed, mine=where[name], where=where)
        return self.maker.variant("apart", f, frozenset(where[name].structs()), change)

    def changed(self, f: Function, mine: apart.Taken, where: dict[str, apart.Taken]) -> Function:
        """A function with its arguments taken apart."""
        self.blind.update((f.name, i) for i in mine.structs())
        new, held = apart.apart(
            self.plain(f), mine, where, self.variant, self.maker.module.structs
        )
        return self.traced(new, held) if held else new
