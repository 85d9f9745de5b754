"""Which parameters a host could bind to one memory so that it matters: two addresses, one of them
written.
"""

from __future__ import annotations

from itertools import combinations

from loma.ir.analysis.roots import written_params
from loma.ir.nodes import Direction, Function
from loma.ir.types import Ref, StructType


def clashes(f: Function) -> list[tuple[int, int]]:
    """Pairs of parameter positions whose base addresses a door compares; an In struct is a
    private copy.
    """
    written = written_params({f.name: f})[f.name]
    copies = {
        i
        for i, a in enumerate(f.signature.arguments)
        if a.direction is Direction.IN and isinstance(a.type, StructType)
    }
    roots = [
        i
        for i, p in enumerate(f.params)
        if isinstance(p.type, Ref) and i not in copies and i < len(f.signature.arguments)
    ]
    return [(i, j) for i, j in combinations(roots, 2) if i in written or j in written]
