"""A name in a decorated function, and what it meant when the function was compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loma.frontend.python import Dotted
from loma.host.classes import Obj
from loma.host.definitions import Decorated, Definition, definition_of


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """A name in a decorated function, and the object that it referred to."""

    user: Decorated
    dotted: Dotted
    found: Obj
    definition: Definition | None = None

    def getter(self) -> Callable[[str], Obj]:
        """What gives the object that the name refers to now, from the first part of the name."""
        if len(self.dotted) == 1 and self.dotted[0] not in self.user.cells:
            return self.user.fn.__globals__.get
        return lambda _: self.user.lookup(self.dotted)

    def holds(self) -> bool:
        """Whether the name still refers to that object, or to the same definition."""
        now = self.user.lookup(self.dotted)
        if now is self.found:
            return True
        return self.definition is not None and definition_of(now) is self.definition
