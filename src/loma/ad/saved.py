"""Memory of known length that is kept for the reverse sweep, or set to zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loma.ir.builder import Builder, const, place_type
from loma.ir.nodes import Alloc, Const, For, Op, Operand, Path, Pop, Push, Region, Var
from loma.ir.types import I32, ArrayType, Scalar, Structs, StructType, has_pointer


@dataclass(frozen=True, slots=True)
class Kept:
    """What runs before the call, and the copy in the reverse sweep."""

    before: list[Op]
    root: Var


def count_of(made: Op | None) -> Operand | None:
    """The length of a local array that the run decides."""
    return made.count if isinstance(made, Alloc) else None


@dataclass(frozen=True, slots=True)
class Saved:
    """Walks over all scalars of a root."""

    b: Builder
    structs: Structs

    def blank(self, x: Var) -> Var:
        """Memory that stands in for a root that nobody reads."""
        content = x.content
        unbounded = isinstance(content, ArrayType) and content.size is None
        return self.b.alloc(content, x.name, Const(1, I32) if unbounded else None)

    def is_known(self, x: Var, made: Op | None) -> bool:
        """Whether the length of a root is known, and it holds no pointers."""
        content = x.content
        if isinstance(content, ArrayType) and content.size is None:
            return count_of(made) is not None and not has_pointer(content.element, self.structs)
        return not has_pointer(content, self.structs)

    def copy(self, x: Var, made: Op | None) -> Var:
        """A copy of a root of known length."""
        count = count_of(made)
        copy = self.b.alloc(x.content, x.name, count)
        self.fill(copy, x, count)
        return copy

    def fill(self, into: Var, source: Var, count: Operand | None) -> None:
        """Copies every scalar of a root into another one of the same shape."""
        b = self.b
        self.each(source, (), count, lambda path: b.store(into, path, b.load(source, path)))

    def keep(self, x: Var, made: Op | None, tape: Callable[[], Var]) -> Kept:
        """A copy of a root of known length on the tape."""
        count, content = count_of(made), x.content
        store = tape()
        with self.b.nested() as before:
            self.each(x, (), count, lambda path: self.push(store, x, path))
        copy = self.b.alloc(content, x.name, count)
        self.each(copy, (), count, lambda path: self.pop(store, copy, path), back=True)
        return Kept(before, copy)

    def zero(self, x: Var) -> None:
        """Sets every float of a root without pointers to zero."""

        def clear(path: Path) -> None:
            place = place_type(x.content, path, self.structs)
            assert isinstance(place, Scalar)
            if place.is_float:
                self.b.store(x, path, const(0.0, place))

        self.each(x, (), None, clear)

    def push(self, tape: Var, x: Var, path: Path) -> None:
        """Keeps one scalar."""
        self.b.emit(Push(tape, (self.b.load(x, path),), span=self.b.span))

    def pop(self, tape: Var, x: Var, path: Path) -> None:
        """Takes one scalar back."""
        place = place_type(x.content, path, self.structs)
        assert isinstance(place, Scalar)
        value = Var("kept", place)
        self.b.emit(Pop(tape, (value,), span=self.b.span))
        self.b.store(x, path, value)

    def each(
        self,
        x: Var,
        path: Path,
        count: Operand | None,
        visit: Callable[[Path], None],
        back: bool = False,
    ) -> None:
        """Visits every scalar, or all of them in the opposite order."""
        match place_type(x.content, path, self.structs):
            case Scalar():
                visit(path)
            case StructType(name):
                members = self.structs[name].members
                for member, _ in reversed(members) if back else members:
                    self.each(x, (*path, member), None, visit, back)
            case ArrayType(_, size):
                number = count if size is None else Const(size, I32)
                assert number is not None, "the array has a length"
                self.loop(x, path, number, visit, back)
            case other:
                raise AssertionError(f"{other} cannot be kept")

    def loop(
        self, x: Var, path: Path, count: Operand, visit: Callable[[Path], None], back: bool
    ) -> None:
        """Visits the elements of an array."""
        kind = count.type
        assert isinstance(kind, Scalar)
        one = const(1, kind)
        start: Operand = self.b.sub(count, one) if back else const(0, kind)
        i = Var("i", kind)
        with self.b.nested() as ops:
            self.each(x, (*path, i), None, visit, back)
        step = const(-1, kind) if back else one
        region = Region((i,), tuple(ops), ())
        self.b.emit(For(start, count, step, (), region, (), span=self.b.span))
