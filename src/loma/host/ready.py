"""What is compiled for the calls of one function that come often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from loma.host.call import Instance
from loma.host.program import Program
from loma.host.values import Value
from loma.ir.nodes import Direction, Signature

Calls: TypeAlias = tuple[tuple[Callable[..., Any], Instance], ...]


class Watched(Protocol):
    """A function, as it is now."""

    @property
    def program(self) -> Program:
        """All that the function needs."""
        ...

    @property
    def signature(self) -> Signature:
        """The arguments and the result."""
        ...


class Ready:
    """Compiled calls, which give MISS for arguments that they do not take.

    `calls` take the arguments, `led` the number of threads before them. `routes` are those of
    derivatives, `counts` their calls so far, `kinds` calls with arrays of a GPU. All hold for as
    long as the names in the function mean what they meant, `seen`.
    """

    __slots__ = ("calls", "counts", "every", "inputs", "kinds", "led", "routes", "seen")

    def __init__(self) -> None:
        self.calls: Calls = ()
        self.led: Calls = ()
        self.routes: dict[object, Any] = {}
        self.counts: dict[object, int] = {}
        self.kinds: dict[object, Any] = {}
        self.seen: tuple[tuple[Callable[[str], object], str, object], ...] = ()
        self.every: tuple[str, ...] = ()
        self.inputs: tuple[str, ...] = ()

    def holds(self) -> bool:
        """Whether the names in the function mean what they meant."""
        return all(get(name) is found for get, name, found in self.seen)

    def watch(self, f: Watched) -> None:
        """Remembers what the names in the function mean now."""
        written = f.signature.written
        self.every = tuple([a.name for a in written])
        self.inputs = tuple([a.name for a in written if a.direction is not Direction.OUT])
        self.seen = tuple(
            (w.getter(), w.dotted[0], w.user.lookup(w.dotted)) for w in f.program.watches)

    def add(self, call: Callable[..., Any], instance: Instance, lead: bool) -> None:
        """One more compiled call; `lead`: it takes the number of threads first."""
        if lead:
            self.led = (*self.led, (call, instance))
        else:
            self.calls = (*self.calls, (call, instance))

    def ordered(
        self, args: tuple[Value, ...], kwargs: Mapping[str, Value]
    ) -> tuple[Value, ...] | None:
        """The arguments by position, where exactly the inputs are given, or every argument."""
        first = self.inputs if len(args) <= len(self.inputs) else self.every
        found = {**dict(zip(first, args)), **kwargs}
        count = len(args) + len(kwargs)
        wanted = self.every if count == len(self.every) else self.inputs
        if count != len(wanted) or any(n not in found for n in wanted):
            return None
        return tuple([found[n] for n in wanted])
