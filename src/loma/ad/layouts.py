"""Memory operands of split calls that are not plain memory: overlays, and adjoints read at the last
write.

Such an operand travels as several arguments: the growable arrays behind it, one per scalar of an
element, and what lies below them.
"""

from __future__ import annotations

from dataclasses import dataclass

from loma.ad.places import LastWrite, Overlay, Plain, Scratch, Shadow, leaf_shapes
from loma.ad.state import Layout, State
from loma.ir.nodes import Argument, Direction, Op, Var
from loma.ir.types import BOOL, ArrayType, Ref, Scalar, Structs, Type


@dataclass(frozen=True, slots=True)
class Parts:
    """Parameters, or operands, that stand for one root; their arguments in a signature."""

    roots: tuple[Var, ...]

    def arguments(self) -> list[Argument]:
        """The arguments of the parameters."""
        return [_argument(v) for v in self.roots]


def _argument(v: Var) -> Argument:
    assert isinstance(v.type, Ref), "parts are roots"
    return Argument(v.name, v.type.content, Direction.INOUT, growable=v.type.growable)


def layout_of(state: State, root: Var) -> Layout:
    """How a root is represented in a sweep."""
    primal = state.primal.get(root, Plain())
    overlaid = isinstance(primal, Overlay)
    incoming = isinstance(primal, Overlay) and primal.incoming is not None
    return Layout(overlaid, incoming, isinstance(state.adjoint.get(root), LastWrite))


def primal_parts(state: State, root: Var) -> Parts:
    """The roots behind an overlaid operand, every scratch array made."""
    overlay = state.primal[root]
    assert isinstance(overlay, Overlay), f"{root.name} is plain memory"
    shapes = leaf_shapes(overlay.content, state.structs)
    values = [overlay.values.of(shape, s) for shape, s in shapes]
    written = [overlay.written.of(shape, BOOL) for shape, _ in shapes]
    below = () if overlay.incoming is None else (overlay.incoming,)
    return Parts((*values, *written, *below))


def adjoint_parts(state: State, root: Var) -> Parts:
    """The roots behind an adjoint that is read at the last write."""
    last = state.adjoint[root]
    assert isinstance(last, LastWrite), f"the adjoint of {root.name} is plain memory"
    shapes = [(shape, s) for shape, s in leaf_shapes(root.content, state.structs) if s.is_float]
    pending = [last.pending.of(shape, s) for shape, s in shapes]
    visited = [last.visited.of(shape, BOOL) for shape, _ in shapes]
    return Parts((last.root, *pending, *visited))


def give_primal(state: State, p: Var, layout: Layout) -> Parts:
    """Parameters for an overlaid root of a callee, which becomes its policy there."""
    content, structs = p.content, state.structs
    incoming = Var(p.name, Ref(content)) if layout.incoming else None
    values = _given(f"new_{p.name}", content, structs, None)
    written = _given(f"written_{p.name}", content, structs, BOOL)
    state.primal[p] = Overlay(content, values, written, incoming)
    return primal_parts(state, p)


def give_adjoint(state: State, p: Var, layout: Layout) -> Parts:
    """Parameters for the adjoint of a root of a callee, which becomes its policy there."""
    adjoint = Var(f"adj_{p.name}", p.type)
    if not layout.last_write:
        state.adjoint[p] = Shadow(adjoint)
        return Parts((adjoint,))
    pending = _given(f"pending_{p.name}", p.content, state.structs, None)
    visited = _given(f"visited_{p.name}", p.content, state.structs, BOOL)
    state.adjoint[p] = LastWrite(adjoint, pending, visited)
    return adjoint_parts(state, p)


def _given(name: str, content: Type, structs: Structs, scalar: Scalar | None) -> Scratch:
    """Scratch arrays that are parameters."""

    def never(op: Op) -> None:
        raise AssertionError(f"{op} makes a scratch array that the caller did not pass")

    made = {
        shape: Var(name, Ref(ArrayType(scalar or s), growable=True))
        for shape, s in leaf_shapes(content, structs)
    }
    return Scratch(name, structs, never, made)
