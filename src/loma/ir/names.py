"""A supply of names that are unique, deterministic, and scoped like the blocks of a program."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from loma.ir.prims import FUNCTIONS

BUILTIN: Final = "builtin_"
"""Before the name of a builtin: always means it, also where the program has taken the name."""
LANGUAGE: Final = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *FUNCTIONS}
    | {
        "In",
        "Out",
        "InOut",
        "Array",
        "Diff",
        "NoDiff",
        "Tape",
        "int",
        "float",
        "bool",
        "i32",
        "i64",
        "f32",
        "f64",
    }
    | {
        "simd",
        "thread_id",
        "atomic_add",
        "push",
        "pop",
        "select",
        "range",
        "int2float",
        "float2int",
    }
    | {"fwd_diff", "rev_diff", "print", "len", "abs", "min", "max"}
)
"""What no variable of printed loma text may be called."""


class Names:
    """Gives names that are not taken; inside `scope()`, names given are released at its end."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken: set[str] = set(taken)
        self._next: dict[str, int] = {}

    def fresh(self, hint: str) -> str:
        """The hint if it is free, else its stem with the smallest free number: `x`, `x_1`,
        `x_2`."""
        name = hint
        if hint in self._taken:
            stem = re.sub(r"_\d+$", "", hint) or hint
            k = self._next.get(stem, 1)
            while (name := f"{stem}_{k}") in self._taken:
                k += 1
            self._next[stem] = k + 1
        self._taken.add(name)
        return name

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Within the block, names are given as usual; at its end they are free again."""
        taken, following = set(self._taken), dict(self._next)
        try:
            yield
        finally:
            self._taken, self._next = taken, following
