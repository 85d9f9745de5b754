"""Which parts of an argument a body may write, as shapes of paths."""

from __future__ import annotations

from collections.abc import Collection

from loma.ad.places import Shape, leaf_shapes, shape_of
from loma.ir.analysis.roots import Written, bases
from loma.ir.nodes import (
    Accum,
    Call,
    LoadRef,
    Op,
    Path,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.traverse import outs, walk
from loma.ir.types import Structs


def kept(body: Region, root: Var, written: Written, structs: Structs) -> frozenset[Shape]:
    """The shapes of the scalars in a root that are never written."""
    touched = touched_shapes(body, root, written)
    shapes = [shape for shape, _ in leaf_shapes(root.content, structs)]
    return frozenset(s for s in shapes if not any(s[: len(t)] == t for t in touched))


def touched_shapes(body: Region, root: Var, written: Written) -> set[Shape]:
    """The shapes of the paths that lead to what is written, or to what holds it."""
    base = bases(body)
    defs: dict[Var, Op] = {v: op for op in walk(body) for v in outs(op)}

    def whole(part: Var, path: Path) -> Path:
        op = defs.get(part)
        if part is root or not isinstance(op, View | Window | LoadRef):
            return path
        begin = op.path[:-1] if isinstance(op, Window) and path else op.path
        return whole(op.root, (*begin, *path))

    return {
        shape_of(whole(part, path))
        for op in walk(body)
        for part, path in _written_at(op, written)
        if base.get(part, part) is root
    }


def _written_at(op: Op, written: Written) -> Collection[tuple[Var, Path]]:
    """The roots that an operation writes to, and where in them."""
    match op:
        case Store(part, path) | Accum(part, path) | StoreRef(part, path):
            return [(part, path)]
        case Call(name, args):
            places = written.get(name, range(len(args)))
            return [(x, ()) for i, x in enumerate(args) if isinstance(x, Var) and i in places]
        case _:
            return []
