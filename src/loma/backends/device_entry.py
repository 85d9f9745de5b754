"""The entry of a kernel in a language like C: a lane of the device takes its share of the threads,
one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loma.backends.c import C
from loma.backends.c_words import words
from loma.ir.layout import INDENT
from loma.ir.types import Scalar

SCALARS: Final = C.value
NAMES: Final = words("ctx _lane _lanes _next _round _many _all _words _capacity _heap _size _error")
"""What entries call their own."""
CONTEXT: Final = ("{}uint32_t *_words", "uint32_t _capacity", "{}char *_heap", "uint64_t _size",
                  "{}int32_t *_error")
LOOP: Final = (
    "for (int64_t _next = _lane; _next < _threads; _next += _lanes) {{",
    f"{INDENT}const int32_t {{index}} = (int32_t)_next;",
)


PART: Final = 128
"""How many numbers of 32 bits a lane adds up before it adds their sum to another."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry is made of.

    `context`: whether the thread function takes one. `index` names the thread. `sums`: type, name
    of the variable, and the address of the place that is added to. `pools`: its groups collect what
    their threads add.
    """

    name: str
    parameters: list[str]
    call: str
    index: str
    context: bool
    sums: list[tuple[Scalar, str, str]]
    pools: bool


def nothing(e: Entry) -> list[str]:
    """Where a language has nothing to say."""
    return []


@dataclass(frozen=True, slots=True)
class Entries:
    """How a language declares an entry, and how the lanes share the threads.

    `head` declares it; `lane` is the number of a lane, `lanes` how many there are; `loop` begins
    the loop over a lane's threads, and `leave` leaves it, or goes on to the next. `parameter`
    adapts a parameter; `sum` is the type of what a lane adds up, in `parts` if lanes may be so few
    that a sum of 32 bits would lose digits. `more` are further parameters, `before` and `after`
    what stands around the loop.
    """

    head: str
    lane: str
    lanes: str
    loop: tuple[str, ...] = LOOP
    leave: str = "break;"
    parameter: Callable[[str], str] = str
    sum: Callable[[Scalar], str] = SCALARS.__getitem__
    parts: bool = False
    more: Callable[[Entry], list[str]] = nothing
    before: Callable[[Entry], list[str]] = nothing
    after: Callable[[Entry], list[str]] = nothing

    def text(self, e: Entry, shared: str) -> list[str]:
        """The lines of an entry; `shared` qualifies pointers to the device's memory."""
        parameters = [*e.parameters, "int32_t _threads"]
        if e.context:
            parameters += [x.format(shared) for x in CONTEXT]
        parameters = [*map(self.parameter, parameters), *self.more(e)]
        body = [*self.before(e), *self._lanes(e)]
        body += [f"{self.sum(t)} {name} = 0;" for t, name, _ in e.sums]
        parts = [name for t, name, _ in e.sums if t is Scalar.F32 and self.parts]
        if parts:
            body += [f"float _many[{len(parts)}] = {{0}}, _all[{len(parts)}] = {{0}};",
                     "int64_t _round = 0;"]
        body += [x.format(index=e.index) for x in self.loop]
        body += [*self._round(e), *_parts(parts), "}"]
        body += [f"{x} = _all[{k}] + (_many[{k}] + {x});" for k, x in enumerate(parts)]
        body += self.after(e)
        head = self.head.format(name=e.name, parameters=", ".join(parameters))
        return [head, "{", *(INDENT + x for x in body), "}"]

    def _lanes(self, e: Entry) -> list[str]:
        """Which lane this is, and its memory."""
        if not e.context and self.loop is not LOOP:
            return []
        here = f"const int64_t _lane = {self.lane}, _lanes = {self.lanes};"
        return [
            here,
            "loma_context ctx = {",
            f"{INDENT}_words + 8 * _lane, 8 * _lanes, 0, _capacity,",
            f"{INDENT}_heap + _lane * _size, 0, 0, _size, _error, false",
            "};",
        ] if e.context else [here]

    def _round(self, e: Entry) -> list[str]:
        """One thread: its memory is that of the last one, as new."""
        lines = [e.call]
        if e.context:
            lines = ["if (ctx.stopped)", INDENT + self.leave, "ctx.used = 0;",
                     "ctx.filled = ctx.top = 0;", e.call]
        return [INDENT + x for x in lines]


def _parts(names: list[str]) -> list[str]:
    """Puts sums away, in a loop, that would become the sum of many numbers."""
    few = [f"{INDENT}_many[{k}] += {x}, {x} = 0;" for k, x in enumerate(names)]
    many = [f"{INDENT}_all[{k}] += _many[{k}], _many[{k}] = 0;" for k in range(len(names))]
    lines = [f"if (++_round % {PART} == 0) {{", *few, "}",
             f"if (_round % {PART * PART} == 0) {{", *many, "}"]
    return [INDENT + x for x in lines] if names else []
