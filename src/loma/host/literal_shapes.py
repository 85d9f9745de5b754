"""Sizes in calls with literals: nested lists as arrays of several dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from loma.host.literals import CallError, Literal
from loma.host.plain import Plain
from loma.ir.nodes import Argument, Signature


@dataclass
class Sizes:
    """The named sizes of one call, told by the literals that are given."""

    signature: Signature
    known: dict[str, int] = field(default_factory=dict)

    def flat(self, a: Argument, x: Literal) -> Literal:
        """The elements of an array, row by row; what else there is stays as it is."""
        if isinstance(x, int) and any(a.name in b.shape for b in self.signature.written):
            self._agree(a, a.name, x)
        for k, size in enumerate(a.shape):
            given = (x if k else [x]) if isinstance(x, list) else []
            rows = [r for r in given if isinstance(r, list)]
            if len(rows) < len(given) or len({len(r) for r in rows}) != 1:
                raise CallError(f"`{a.name}` needs {len(a.shape)} levels of lists, of one length")
            self._agree(a, size, len(rows[0]))
            x = [e for r in rows for e in r] if k else x
        return x

    def _agree(self, a: Argument, size: str | int, length: int) -> None:
        wanted = size if isinstance(size, int) else self.known.setdefault(size, length)
        if wanted != length:
            raise CallError(f"`{a.name}` has the length {length} where `{size}` is {wanted}")

    def hidden(self) -> dict[str, Plain]:
        """The sizes that are arguments of their own below."""
        for a in self.signature.sizes:
            if a.name not in self.known:
                raise CallError(f"no argument tells the size `{a.name}`")
        return {a.name: self.known[a.name] for a in self.signature.sizes}

    def length(self, a: Argument) -> int:
        """The number of elements of an array."""
        return math.prod(n if isinstance(n, int) else self.known[n] for n in a.shape)
