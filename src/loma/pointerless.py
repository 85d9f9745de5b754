"""Functions without pointers in their local memory, as differentiation wants them."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from loma.ir.nodes import Function, Module
from loma.opt import apart, pipeline, pointers, promote
from loma.opt.origins import overwritten_fields, stores_pointers

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
    """Turns pointers into integers, and takes the structs apart that are passed on."""

    maker: Maker

    def of(self, f: Function) -> Function:
        """The function with integers for the pointers in its local memory."""
        if not self.concerns(f):
            return f
        if not self.maker.fast and overwritten_fields(self.known(f)):
            f = self.maker.simplified(f, pipeline.BEFORE_AD)
        structs = self.maker.module.structs
        new = apart.opened(f, self.parts(self.known(f)), self.variant, structs)
        new = pointers.run(new, replace(self.maker.module, functions=self.known(new)))
        return f if new is f else pipeline.run(AFTER, new, self.maker.module)

    def concerns(self, f: Function) -> bool:
        """Whether a function, or one that it calls, assigns pointers."""
        return any(map(stores_pointers, (f, *self.known(f).values())))

    def known(self, f: Function) -> dict[str, Function]:
        """The functions that one calls."""
        return {g: self.maker.function(g) for g in self.maker.called(f)}

    def parts(self, known: dict[str, Function]) -> apart.Positions:
        """The arguments of functions without rules that are taken apart."""
        free = {g: f for g, f in known.items() if g not in self.maker.rules}
        return apart.positions(free, self.maker.module.structs)

    def variant(self, name: str) -> str:
        """A function that takes structs apart."""
        f = self.maker.function(name)
        where = self.parts({name: f, **self.known(f)})
        change = partial(
            apart.apart,
            mine=where[name],
            where=where,
            variant=self.variant,
            structs=self.maker.module.structs,
        )
        return self.maker.variant("apart", f, frozenset(where[name]), change)
