"""Which integer additions may be taken not to overflow: those whose results are array indices.

A wrapped index is out of bounds, which nothing checks at the course's door. That holds only where
the access is sure to follow: in the body of a loop that consists of plain operations, for sums that
are themselves indices there. Sums of sums, and all else, wrap as the language says.
"""

from __future__ import annotations

from collections.abc import Iterator

from loma.ir.nodes import Accum, Apply, Load, Op, Region, Store, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import indices, regions
from loma.ir.types import Ref


def within_bounds(body: Region) -> frozenset[Op]:
    """The additions and subtractions of a function's body that are array indices."""
    return frozenset(_found(body))


def is_growable(root: Var) -> bool:
    """Whether any index of a root is within its bounds."""
    return isinstance(root.type, Ref) and root.type.growable


def _found(region: Region) -> Iterator[Op]:
    used: set[Var] = set()
    plain = True
    for op in region.ops:
        for inner in regions(op):
            yield from _found(inner)
        match op:
            case Load(root, path) | Store(root, path) | Accum(root, path) if not is_growable(root):
                used.update(x for x in indices(path) if isinstance(x, Var))
            case Apply() | Load() | Store() | Accum():
                pass
            case _:
                plain = False
    if plain:
        for op in region.ops:
            if isinstance(op, Apply) and op.out in used and op.prim in (A.ADD, A.SUB):
                yield op
