"""What a thread adds to one place in a loop is summed first, and reaches memory once.

    for j: adj[thread] += x * j     ==>     s : float
                                            for j: s += x * j
                                            if s != 0: adj[thread] += s

Only for memory with which threads do nothing but add. Nothing is added where the sum is 0: then the
loop may not have run, and the place may not be there. Reassociates additions.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

from loma.ir.builder import NOTHING, const, type_of
from loma.ir.nodes import Accum, Alloc, For, If, Load, Op, Path, Region, Var, While
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound, indices, walk
from loma.ir.types import Ref, Scalar
from loma.opt.rewrite import Rewriter, applied

Place: TypeAlias = tuple[Var, Path]

MOST: Final = 16
"""Places that a loop sums for: more would not stand in registers."""


def run(body: Region, roots: Collection[Var]) -> Region:
    """The body of a thread, which only adds to these roots."""
    return _Once(roots).region(body) if roots else body


class _Once(Rewriter):
    def __init__(self, roots: Collection[Var]) -> None:
        super().__init__()
        self.roots = roots
        self.totals: dict[Place, Var] = {}

    def op(self, op: Op) -> None:
        match op:
            case For() | While() if not self.totals:
                self.loop(op)
            case Accum(root, path, value) if (root, path) in self.totals:
                self.emit(Accum(self.totals[root, path], (), value, span=op.span))
            case _:
                self.emit(self.nested(op))

    def loop(self, op: For | While) -> None:
        """An outermost loop, with its sums before and after it."""
        found = self.places(op)
        if not found:
            self.emit(self.nested(op))
            return
        for (root, path), x in found.items():
            self.totals[root, path] = Var(f"sum_{root.name}", Ref(type_of(x.value)))
        totals = dict(self.totals)
        for total in totals.values():
            self.emit(Alloc(total, span=op.span))
        self.emit(self.nested(op))
        self.totals.clear()
        for (root, path), total in totals.items():
            self.add((root, path), total, type_of(found[root, path].value), op)

    def places(self, op: For | While) -> dict[Place, Accum]:
        """The places outside of a loop's doing that it adds floats to."""
        inside = bound(op.body)
        found: dict[Place, Accum] = {}
        for x in walk(op.body):
            if isinstance(x, Accum) and x.root in self.roots and type_of(x.value).is_float:
                if not inside.intersection(i for i in indices(x.path) if isinstance(i, Var)):
                    found.setdefault((x.root, x.path), x)
        return found if len(found) <= MOST else {}

    def add(self, place: Place, total: Var, kind: Scalar, loop: Op) -> None:
        """Adds a sum to its place."""
        root, path = place
        value = Var(total.name, kind)
        some = applied(A.NE, value, const(0.0, kind), span=loop.span)
        self.ops += [Load(total, (), value, span=loop.span), some]
        then = Region((), (Accum(root, path, value, span=loop.span),), ())
        self.emit(If(some.out, then, NOTHING, (), span=loop.span))
