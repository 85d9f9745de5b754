"""Where the primal and the adjoint of a root live while a derivative runs.

The transform sees plain loads and stores; a policy per base root says what they become:

    primal    Plain      the memory itself (locals, In data)
              Dropped    nothing: an Out that is never read back
              Overlay    an Out or InOut array: writes go to a scratch, reads see the scratch,
                else the caller's data
              Mirror     in the body of a rule: an adjoint that is a LastWrite
    adjoint   Shadow     memory of the same shape, consumed as the reverse sweep proceeds
              Given      the caller's adjoint, read only: every element has one last write
              LastWrite  the caller's adjoint, read at the first visit in reverse (which is the
                last write)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from loma.ad.rows import paired
from loma.ir.builder import Builder, place_type, type_of
from loma.ir.nodes import Alloc, Check, Const, For, Op, Operand, Path, Region, Trap, Var
from loma.ir.types import BOOL, I32, I64, ArrayType, Ref, Scalar, Structs, StructType, Type

Start = Callable[[Op], None]
Below = Callable[[], Operand]
Shape: TypeAlias = tuple[str, ...]
INDEX: Final = "[]"


@dataclass(slots=True)
class Scratch:
    """Arrays that grow, one per shape of path, made on demand at the start of a scope; a scalar
    for a shape without indices.
    """

    name: str
    start: Start
    made: dict[Shape, Var] = field(default_factory=dict)

    def of(self, shape: Shape, scalar: Scalar) -> Var:
        """The scratch array for a shape of path."""
        if shape not in self.made:
            array = Ref(ArrayType(scalar), growable=True)
            out = Var(self.name, array if INDEX in shape else Ref(scalar))
            self.made[shape] = out
            self.start(Alloc(out))
        return self.made[shape]


@dataclass(frozen=True, slots=True)
class Cells:
    """Finds the places of a root in scratch arrays: no two places of one shape have one index.

    The root holds a `content`, or is the part of one that `prefix` leads to; if `windowed`, an
    array that begins at that element. `rows` are tables for arrays of unknown length that hold
    pointers to such arrays (`rows.py`).
    """

    content: Type
    structs: Structs
    rows: Scratch
    prefix: Path = ()
    windowed: bool = False

    def whole(self, b: Builder | None, path: Path) -> Path:
        """The path from where `content` begins."""
        if self.windowed and path:
            return (*self.prefix[:-1], joined(b, self.prefix[-1], path[0]), *path[1:])
        return (*self.prefix, *path)

    def place(
        self, b: Builder, of: Scratch, path: Path, scalar: Scalar, grow: bool
    ) -> tuple[Var, Path]:
        """The scratch array for a whole path, and the place in it.

        With `grow`, the place may be written.
        """
        shape = shape_of(path)
        return of.of(shape, scalar), (self.index(b, path, grow),) if INDEX in shape else ()

    def index(self, b: Builder, path: Path, grow: bool) -> Operand:
        """One index for all indices of a path, row by row."""
        index: Operand | None = None
        count: int | None = 1
        for k, step in enumerate(path):
            if isinstance(step, str):
                continue
            match place_type(self.content, path[:k], self.structs):
                case ArrayType(_, int() as size):
                    index = _in_row(b, index, size, step)
                    count = None if count is None else count * size
                case _:
                    if index is not None and count is None:
                        table = self.rows.of(shape_of(path[: k + 1]), I64)
                        index = paired(b, table, index, step, grow)
                    elif index is not None:
                        index = b.add(b.mul(b.cast(step, I64), Const(count or 1, I64)),
                                      b.cast(index, I64))
                    else:
                        index = step
                    count = None
        assert index is not None, "the path has an index"
        return index


def _in_row(b: Builder, row: Operand | None, size: int, step: Operand) -> Operand:
    """The index of an element of a row of known length."""
    if row is None or (isinstance(row, Const) and row.value == 0):
        return step
    return b.add(b.mul(row, Const(size, type_of(row))), b.cast(step, type_of(row)))


def joined(b: Builder | None, begin: Operand | str, first: Operand | str) -> Operand:
    """The sum of two indices; without a builder, one of them, where only shapes count."""
    assert not isinstance(begin, str) and not isinstance(first, str), "indices"
    if b is None or (isinstance(first, Const) and first.value == 0):
        return begin
    wide = I64 if I64 in (begin.type, first.type) else type_of(first)
    return b.add(b.cast(begin, wide), b.cast(first, wide))


def shape_of(path: Path) -> Shape:
    """The shape of a path: its fields, and where its indices are."""
    return tuple(x if isinstance(x, str) else INDEX for x in path)


@dataclass(frozen=True, slots=True)
class Plain:
    """The memory itself."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """No primal memory: what is written is never read."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Writes go to `values` and are marked in `written`; unwritten places are read from the
    caller's data, below a root that stands for `incoming`.

    Without `incoming` (an Out) reading an unwritten place traps. What has one of the `kept` shapes
    is never written.
    """

    cells: Cells
    values: Scratch
    written: Scratch
    incoming: Var | None
    kept: frozenset[Shape] = frozenset()

    def load(self, b: Builder, path: Path, scalar: Scalar, below: Below) -> Operand:
        """The current value of a place; `below` reads the caller's data."""
        if self.incoming is not None and shape_of(path) in self.kept:
            return below()
        written, at = self.cells.place(b, self.written, path, BOOL, grow=False)
        seen = b.load(written, at, "written")
        if self.incoming is None:
            b.emit(Check(seen, Trap.UNWRITTEN, span=b.span))
        value = b.load(self.values.of(shape_of(path), scalar), at)
        return value if self.incoming is None else b.select(seen, value, below())

    def store(self, b: Builder, path: Path, value: Operand) -> None:
        """Overwrites a place."""
        written, at = self.cells.place(b, self.written, path, BOOL, grow=True)
        b.store(written, at, Const(True, BOOL))
        b.store(self.values.of(shape_of(path), type_of(value)), at, value)

    def add(self, b: Builder, path: Path, value: Operand, below: Below) -> None:
        """Adds to a place; one that is not written yet stays so, since what it holds is unknown."""
        if self.incoming is None:
            root, at = self.cells.place(b, self.values, path, type_of(value), grow=True)
            b.accum(root, at, value)
        else:
            self.store(b, path, b.add(self.load(b, path, type_of(value), below), value))


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
    """The caller's adjoint of memory whose places may be written several times or read back.

    `pending` collects the adjoints of later reads; `visited` marks places whose last write has
    been reversed.
    """

    root: Var
    cells: Cells
    pending: Scratch
    visited: Scratch

    def read(self, b: Builder, path: Path, scalar: Scalar, below: Below) -> Operand:
        """The adjoint of the place's current content; `below` reads the caller's."""
        visited, at = self.cells.place(b, self.visited, path, BOOL, grow=False)
        seen = b.load(visited, at, "visited")
        given = below()
        last = b.select(seen, b.number(0.0, given), given)
        return b.add(b.load(self.pending.of(shape_of(path), scalar), at), last)

    def kill(self, b: Builder, path: Path, scalar: Scalar) -> None:
        """Records that a write to the place has been reversed."""
        root, at = self.cells.place(b, self.pending, path, scalar, grow=True)
        b.store(root, at, Const(0.0, scalar))
        b.store(self.visited.of(shape_of(path), BOOL), at, Const(True, BOOL))

    def add(self, b: Builder, path: Path, value: Operand) -> None:
        """Adds the adjoint of a read."""
        b.accum(*self.cells.place(b, self.pending, path, type_of(value), grow=True), value)


@dataclass(frozen=True, slots=True)
class Mirror:
    """An adjoint that is read at the last write, as memory for the body of a rule."""

    last: LastWrite

    @property
    def cells(self) -> Cells:
        """How its places are found."""
        return self.last.cells

    @property
    def incoming(self) -> Var:
        """The caller's data."""
        return self.last.root

    def load(self, b: Builder, path: Path, scalar: Scalar, below: Below) -> Operand:
        """The adjoint of the place's current content."""
        return self.last.read(b, path, scalar, below) if scalar.is_float else below()

    def store(self, b: Builder, path: Path, value: Operand) -> None:
        """Replaces the adjoint."""
        if type_of(value).is_float:
            self.last.kill(b, path, type_of(value))
            self.last.add(b, path, value)

    def add(self, b: Builder, path: Path, value: Operand, _below: Below) -> None:
        """Adds to the adjoint."""
        self.last.add(b, path, value)


Adjoint: TypeAlias = Shadow | Given | LastWrite
Primal: TypeAlias = Plain | Dropped | Overlay | Mirror


def leaf_shapes(content: Type, structs: Structs) -> list[tuple[Shape, Scalar]]:
    """The shape of the path to each scalar of a type, in order, pointers followed."""
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


def table_shapes(content: Type, structs: Structs, shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes that have a table: indices without a known bound, after another such one."""
    found: dict[Shape, None] = {}
    for shape in shapes:
        path: Path = tuple(Const(0, I32) if x == INDEX else x for x in shape)
        unbounded = 0
        for k, step in enumerate(shape):
            t = place_type(content, path[:k], structs)
            if step == INDEX and isinstance(t, ArrayType) and t.size is None:
                unbounded += 1
                if unbounded > 1:
                    found[shape[: k + 1]] = None
    return list(found)


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
