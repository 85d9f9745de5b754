"""Memory operands of split calls that are not plain memory: overlays, and adjoints read at the last
write.

Such an operand travels as several arguments: the growable arrays behind it, one per scalar of an
element, the tables and the indices that lead to it, and what lies below it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from loma.ad.places import (
    INDEX,
    Cells,
    LastWrite,
    Overlay,
    Plain,
    Scratch,
    Shadow,
    Shape,
    leaf_shapes,
    shape_of,
    table_shapes,
)
from loma.ad.state import Layout, State
from loma.ir.nodes import Argument, Const, Direction, Op, Operand, Path, Var
from loma.ir.types import BOOL, I64, ArrayType, Ref, Scalar, Structs


@dataclass(frozen=True, slots=True)
class Parts:
    """Parameters that stand for one root; their arguments in a signature."""

    roots: tuple[Var, ...]

    def arguments(self) -> list[Argument]:
        """The arguments of the parameters."""
        return [_argument(v) for v in self.roots]


def _argument(v: Var) -> Argument:
    if not isinstance(v.type, Ref):
        return Argument(v.name, v.scalar)
    return Argument(v.name, v.type.content, Direction.INOUT, growable=v.type.growable)


def layout_of(state: State, root: Var) -> Layout:
    """How a root is represented in a sweep."""
    base = state.root_base(root)
    primal, adjoint = state.primal.get(base, Plain()), state.adjoint.get(base)
    found = Layout(last_write=isinstance(adjoint, LastWrite))
    if isinstance(primal, Overlay):
        found = replace(
            found, overlaid=True, incoming=primal.incoming is not None, kept=primal.kept
        )
    cells = cells_of(primal, adjoint)
    if cells is None:
        return found
    shape = shape_of(prefix_of(state, root, cells, static=True))
    windowed = bool(shape) and isinstance(root.content, ArrayType)
    return replace(found, content=cells.content, prefix=shape, windowed=windowed)


def cells_of(primal: object, adjoint: object) -> Cells | None:
    """How places are found in an overlay, else in an adjoint."""
    if isinstance(primal, Overlay):
        return primal.cells
    return adjoint.cells if isinstance(adjoint, LastWrite) else None


def prefix_of(state: State, root: Var, cells: Cells, static: bool = False) -> Path:
    """The path that leads to a root; to its first element, if it is an array and part of another
    root.
    """
    if root is state.root_base(root) and not cells.prefix:
        return ()
    first = (Const(0, I64),) if isinstance(root.content, ArrayType) else ()
    return state.whole(root, first, cells, static)


def primal_operands(state: State, root: Var) -> list[Operand]:
    """The operands that stand for an overlaid root, every scratch array made."""
    overlay = state.primal[state.root_base(root)]
    assert isinstance(overlay, Overlay), f"{root.name} is plain memory"
    layout = layout_of(state, root)
    scratch = _overlay_scratch(overlay, layout, state.structs)
    below = [] if overlay.incoming is None else [state.followed(root, overlay.incoming)]
    return [*scratch, *_indices(state, root, overlay.cells), *below]


def adjoint_operands(state: State, root: Var) -> list[Operand]:
    """The operands that stand for an adjoint that is read at the last write."""
    last = state.adjoint[state.root_base(root)]
    assert isinstance(last, LastWrite), f"the adjoint of {root.name} is plain memory"
    scratch = _last_scratch(last, layout_of(state, root), state.structs)
    return [state.shadow(root), *scratch, *_indices(state, root, last.cells)]


def beginning_at(state: State, root: Var, policy: Overlay | LastWrite) -> Overlay | LastWrite:
    """The policy of the base of a root, for a root that begins where that one does."""
    prefix = prefix_of(state, root, policy.cells)
    windowed = bool(prefix) and isinstance(root.content, ArrayType)
    cells = replace(policy.cells, prefix=prefix, windowed=windowed)
    if isinstance(policy, LastWrite):
        return replace(policy, cells=cells, root=state.shadow(root))
    below = None if policy.incoming is None else state.followed(root, policy.incoming)
    return replace(policy, cells=cells, incoming=below)


def _indices(state: State, root: Var, cells: Cells) -> list[Operand]:
    steps = prefix_of(state, root, cells)
    return [state.b.cast(x, I64) for x in steps if not isinstance(x, str)]


def _overlay_scratch(overlay: Overlay, layout: Layout, structs: Structs) -> list[Var]:
    shapes = _below(layout, structs, overlay.kept)
    values = [overlay.values.of(shape, s) for shape, s in shapes]
    written = [overlay.written.of(shape, BOOL) for shape, _ in shapes]
    return [*values, *written, *_tables(overlay.cells, shapes)]


def _last_scratch(last: LastWrite, layout: Layout, structs: Structs) -> list[Var]:
    shapes = [(shape, s) for shape, s in _below(layout, structs) if s.is_float]
    pending = [last.pending.of(shape, s) for shape, s in shapes]
    visited = [last.visited.of(shape, BOOL) for shape, _ in shapes]
    return [*pending, *visited, *_tables(last.cells, shapes)]


def _below(
    layout: Layout, structs: Structs, kept: frozenset[Shape] = frozenset()
) -> list[tuple[Shape, Scalar]]:
    """The scalars below a prefix, but for the kept ones."""
    assert layout.content is not None, "an overlay has a content"
    n = len(layout.prefix)
    found = leaf_shapes(layout.content, structs)
    return [(shape, s) for shape, s in found if shape[:n] == layout.prefix and shape not in kept]


def _tables(cells: Cells, shapes: Iterable[tuple[Shape, Scalar]]) -> list[Var]:
    needed = table_shapes(cells.content, cells.structs, [shape for shape, _ in shapes])
    return [cells.rows.of(shape, I64) for shape in needed]


def give_primal(state: State, p: Var, layout: Layout) -> Parts:
    """Parameters for an overlaid root of a callee, which becomes its policy there."""
    incoming = Var(p.name, Ref(p.content)) if layout.incoming else None
    cells = _given_cells(state, layout, p.name)
    values, written = _given(f"new_{p.name}"), _given(f"written_{p.name}")
    overlay = Overlay(cells, values, written, incoming, layout.kept)
    state.primal[p] = overlay
    scratch = _overlay_scratch(overlay, layout, state.structs)
    return Parts((*scratch, *_given_indices(cells), *(() if incoming is None else (incoming,))))


def give_adjoint(state: State, p: Var, layout: Layout) -> Parts:
    """Parameters for the adjoint of a root of a callee, which becomes its policy there."""
    adjoint = Var(f"adj_{p.name}", p.type)
    if not layout.last_write:
        state.adjoint[p] = Shadow(adjoint)
        return Parts((adjoint,))
    cells = _given_cells(state, layout, p.name)
    last = LastWrite(adjoint, cells, _given(f"pending_{p.name}"), _given(f"visited_{p.name}"))
    state.adjoint[p] = last
    scratch = _last_scratch(last, layout, state.structs)
    return Parts((adjoint, *scratch, *_given_indices(cells)))


def _given_cells(state: State, layout: Layout, name: str) -> Cells:
    """The cells of a parameter, the indices that lead to it parameters as well."""
    assert layout.content is not None, "an overlay has a content"
    prefix = tuple(Var("at", I64) if x == INDEX else x for x in layout.prefix)
    rows = _given(f"rows_{name}")
    return Cells(layout.content, state.structs, rows, prefix, layout.windowed)


def _given_indices(cells: Cells) -> list[Var]:
    return [x for x in cells.prefix if isinstance(x, Var)]


def _given(name: str) -> Scratch:
    """Scratch arrays that are parameters."""

    def given(op: Op) -> None:
        """The caller makes them."""

    return Scratch(name, given)
