"""The frame that a function runs on in the interpreter: one list of numbers, one list of roots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, cast

from loma.ir.nodes import Const, Operand, Path, Var
from loma.ir.types import Scalar


class Cells(Protocol):
    """Memory that holds scalars under keys; a scalar that stands alone has the key 0."""

    def __getitem__(self, key: float | str, /) -> float:
        """The scalar at a key."""
        ...

    def __setitem__(self, key: float | str, value: float, /) -> None:
        """Overwrites the scalar at a key."""
        ...


class Spot:
    """A scalar inside other memory, as memory of its own."""

    def __init__(self, cells: Cells, key: float | str) -> None:
        self.cells = cells
        self.key = key

    def __getitem__(self, _: float | str) -> float:
        return self.cells[self.key]

    def __setitem__(self, _: float | str, value: float) -> None:
        self.cells[self.key] = value


class Window:
    """The array that begins at an element of another, `depth` levels of arrays seen as one."""

    def __init__(self, cells: Cells, start: int, depth: int) -> None:
        self.cells = cells
        self.start = start
        self.depth = depth

    def _at(self, key: float | str) -> tuple[Cells, int]:
        """The innermost array that holds an element, and the element's index there."""
        cells, index = self.cells, self.start
        sizes: list[int] = []
        inner = cells
        for _ in range(self.depth - 1):
            inner = cast(Cells, inner[0])
            sizes.append(len(cast(list[float], inner)))
        index = index * math.prod(sizes) + int(key)
        for k in range(len(sizes)):
            step = math.prod(sizes[k:])
            cells, index = cast(Cells, cells[index // step]), index % step
        return cells, index

    def __getitem__(self, key: float | str, /) -> float:
        cells, index = self._at(key)
        return cells[index]

    def __setitem__(self, key: float | str, value: float, /) -> None:
        cells, index = self._at(key)
        cells[index] = value


Values: TypeAlias = list[float]
Roots: TypeAlias = list[Cells]
Tape: TypeAlias = list[tuple[float, ...]]
Step: TypeAlias = Callable[[Values, Roots], None]
Key: TypeAlias = Callable[[Values], float | str]
Reach: TypeAlias = Callable[[Values, Roots], Cells]
BAD_PLACE = (IndexError, TypeError)


class Slots:
    """Where the variables and literals of a function lie in its frames; how places are found."""

    def __init__(self) -> None:
        self.values: Values = []
        self.roots = 0
        self.at: dict[Var, int] = {}
        self._literals: dict[tuple[Scalar, str], int] = {}

    def frame(self) -> tuple[Values, Roots]:
        """A fresh frame."""
        nothing = cast(Cells, None)
        return self.values.copy(), [nothing] * self.roots

    # Slots.

    def bind(self, v: Var) -> int:
        """A slot for a variable that is bound here."""
        if isinstance(v.type, Scalar):
            self.at[v] = len(self.values)
            self.values.append(0)
        else:
            self.at[v] = self.roots
            self.roots += 1
        return self.at[v]

    def value(self, x: Operand) -> int:
        """The slot of an operand."""
        if isinstance(x, Var):
            return self.at[x]
        key = (x.type, repr(x.value))
        if key not in self._literals:
            self._literals[key] = len(self.values)
            self.values.append(x.value)
        return self._literals[key]

    def several(self, xs: Sequence[Operand]) -> tuple[int, ...]:
        """The slots of operands."""
        return tuple(self.value(x) for x in xs)

    def fresh(self, vs: Sequence[Var]) -> tuple[int, ...]:
        """Slots for variables that are bound here."""
        return tuple(self.bind(v) for v in vs)

    # Places.

    def key(self, step: Operand | str) -> Key:
        """The key for one step of a path; a negative index is out of bounds."""
        if isinstance(step, str):
            return lambda v: step
        if isinstance(step, Const) and step.value >= 0:
            return lambda v: step.value
        slot = self.value(step)

        def key(v: Values) -> float:
            if v[slot] < 0:
                raise IndexError
            return v[slot]

        return key

    def place(self, root: Var, path: Path) -> tuple[Reach, Key]:
        """How to find the memory that holds a place, and its key there."""
        slot = self.at[root]
        if not path:
            return (lambda v, r: r[slot]), (lambda v: 0)
        if len(path) == 1:
            return (lambda v, r: r[slot]), self.key(path[0])
        keys = tuple(self.key(p) for p in path[:-1])

        def reach(v: Values, r: Roots) -> Cells:
            cells = r[slot]
            for key in keys:
                cells = cast(Cells, cells[key(v)])
            return cells

        return reach, self.key(path[-1])
