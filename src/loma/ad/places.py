"""Where the primal and the adjoint of a root live while a derivative runs.

The transform sees plain loads and stores; a policy per base root says what they become:

    primal    Plain      the memory itself (locals, In data)
              Dropped    nothing: an Out that is never read back
              Overlay    an Out or InOut array: writes go to a scratch, reads see the scratch,
                else the caller's data
    adjoint   Shadow     memory of the same shape, consumed as the reverse sweep proceeds
              Given      the caller's adjoint, read only: every element has one last write
              LastWrite  the caller's adjoint, read at the first visit in reverse (which is the
                last write)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from loma.ir.builder import Builder, place_type, type_of
from loma.ir.nodes import Alloc, Check, Const, For, Op, Operand, Path, Region, Trap, Var
from loma.ir.types import BOOL, I32, ArrayType, Ref, Scalar, Structs, StructType, Type

Start = Callable[[Op], None]
Shape: TypeAlias = tuple[str, ...]
INDEX: Final = "[]"


@dataclass(slots=True)
class Scratch:
    """Growable one-dimensional arrays, one per shape of path, made on demand at the start of a
    scope.

    A place is found again by its flattened index: no two places of one shape share it.
    """

    name: str
    structs: Structs
    start: Start
    made: dict[Shape, Var] = field(default_factory=dict)

    def at(self, b: Builder, content: Type, path: Path, scalar: Scalar) -> tuple[Var, Path]:
        """The scratch array for a path into `content`, and the index of the place in it."""
        shape = tuple(x if isinstance(x, str) else INDEX for x in path)
        return self.of(shape, scalar), (flat_index(b, content, path, self.structs),)

    def of(self, shape: Shape, scalar: Scalar) -> Var:
        """The scratch array for a shape of path."""
        if shape not in self.made:
            out = Var(self.name, Ref(ArrayType(scalar), growable=True))
            self.made[shape] = out
            self.start(Alloc(out))
        return self.made[shape]


def flat_index(b: Builder, content: Type, path: Path, structs: Structs) -> Operand:
    """One index for all indices of a path, row by row."""
    index: Operand = Const(0, I32)
    for k, step in enumerate(path):
        if isinstance(step, str):
            continue
        match place_type(content, path[:k], structs):
            case ArrayType(_, int() as size):
                if isinstance(index, Const) and index.value == 0:
                    index = step
                else:
                    index = b.add(
                        b.mul(index, Const(size, type_of(index))), b.cast(step, type_of(index))
                    )
            case _:
                index = step
    return index


@dataclass(frozen=True, slots=True)
class Plain:
    """The memory itself."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """No primal memory: what is written is never read."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Writes go to `values` and are marked in `written`; unwritten places are read from `incoming`.

    Without `incoming` (an Out) reading an unwritten place traps.
    """

    content: Type
    values: Scratch
    written: Scratch
    incoming: Var | None

    def load(self, b: Builder, path: Path, scalar: Scalar) -> Operand:
        """The current value of a place."""
        seen = b.load(*self.written.at(b, self.content, path, BOOL), "written")
        if self.incoming is None:
            b.emit(Check(seen, Trap.UNWRITTEN, span=b.span))
        root, at = self.values.at(b, self.content, path, scalar)
        value = b.load(root, at)
        if self.incoming is None:
            return value
        return b.select(seen, value, b.load(self.incoming, path))

    def store(self, b: Builder, path: Path, value: Operand) -> None:
        """Overwrites a place."""
        b.store(*self.written.at(b, self.content, path, BOOL), Const(True, BOOL))
        b.store(*self.values.at(b, self.content, path, type_of(value)), value)

    def add(self, b: Builder, path: Path, value: Operand) -> None:
        """Adds to a place; one that is not written yet stays so, since what it holds is unknown."""
        if self.incoming is None:
            b.accum(*self.values.at(b, self.content, path, type_of(value)), value)
        else:
            self.store(b, path, b.add(self.load(b, path, type_of(value)), value))


Primal: TypeAlias = Plain | Dropped | Overlay


@dataclass(frozen=True, slots=True)
class Shadow:
    """Adjoint memory of the same shape as the primal."""

    root: Var


@dataclass(frozen=True, slots=True)
class Given:
    """The caller's adjoint, read where the one write of each element is reversed."""

    root: Var


@dataclass(frozen=True, slots=True)
class LastWrite:
    """The caller's adjoint of an array whose elements may be written several times or read back.

    `pending` collects the adjoints of later reads; `visited` marks places whose last write has
    been reversed.
    """

    root: Var
    pending: Scratch
    visited: Scratch

    def read(self, b: Builder, path: Path, scalar: Scalar) -> Operand:
        """The adjoint of the place's current content."""
        seen = b.load(*self.visited.at(b, self.root.content, path, BOOL), "visited")
        given = b.load(self.root, path)
        last = b.select(seen, b.number(0.0, given), given)
        root, at = self.pending.at(b, self.root.content, path, scalar)
        return b.add(b.load(root, at), last)

    def kill(self, b: Builder, path: Path, scalar: Scalar) -> None:
        """Records that a write to the place has been reversed."""
        root, at = self.pending.at(b, self.root.content, path, scalar)
        b.store(root, at, Const(0.0, scalar))
        b.store(*self.visited.at(b, self.root.content, path, BOOL), Const(True, BOOL))

    def add(self, b: Builder, path: Path, value: Operand) -> None:
        """Adds the adjoint of a read."""
        b.accum(*self.pending.at(b, self.root.content, path, type_of(value)), value)


Adjoint: TypeAlias = Shadow | Given | LastWrite


def leaf_shapes(content: Type, structs: Structs) -> list[tuple[Shape, Scalar]]:
    """The shape of the path to each scalar of a type without inner pointers, in order."""
    match content:
        case Scalar():
            return [((), content)]
        case ArrayType(element):
            return [((INDEX, *shape), s) for shape, s in leaf_shapes(element, structs)]
        case StructType(name):
            return [
                ((member, *shape), s)
                for member, t in structs[name].members
                for shape, s in leaf_shapes(t, structs)
            ]
        case _:
            return []


def is_unbounded(content: Type) -> bool:
    """Whether the root is a pointer to data of unknown length."""
    return isinstance(content, ArrayType) and content.size is None


def copy_leaves(b: Builder, source: Var, target: Var, structs: Structs, path: Path = ()) -> None:
    """Copies every scalar of one root into another of the same shape (no pointers inside)."""
    match place_type(source.content, path, structs):
        case Scalar():
            b.store(target, path, b.load(source, path))
        case StructType(name):
            for member, _ in structs[name].members:
                copy_leaves(b, source, target, structs, (*path, member))
        case ArrayType(_, int() as size):
            _copy_elements(b, source, target, structs, path, size)
        case other:
            raise AssertionError(f"cannot copy a {other}")


def _copy_elements(
    b: Builder, source: Var, target: Var, structs: Structs, path: Path, size: int
) -> None:
    i = Var("i", I32)
    with b.nested() as ops:
        copy_leaves(b, source, target, structs, (*path, i))
    b.emit(
        For(
            Const(0, I32),
            Const(size, I32),
            Const(1, I32),
            (),
            Region((i,), tuple(ops), ()),
            (),
            span=b.span,
        )
    )
