"""What the calls of functions with rules share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from loma.frontend.oracle.derivatives import (
    Operand,
    Routine,
    World,
    as_memory,
    duplicate,
)
from loma.frontend.oracle.memory import (
    Array,
    Cell,
    Memory,
    Steps,
    Struct,
    Value,
    cell,
    float_cells,
    stopped,
)
from loma.frontend.oracle.numbers import Dual, Number, is_zero, value_at
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import Scalar, Type

Slopes: TypeAlias = dict[int, Number]
Found: TypeAlias = dict[tuple[int, Steps], Slopes]


class RuledFunction(Protocol):
    """A function with rules."""

    @property
    def primal(self) -> Routine:
        """The function itself."""
        ...

    @property
    def world(self) -> World:
        """What all routines share."""
        ...

    @property
    def signature(self) -> Signature:
        """What callers see."""
        ...

    def run(self, operands: Sequence[Operand], threads: int) -> Operand:
        """Runs the function."""
        ...

    def numbers(self, operands: Sequence[Operand]) -> Iterator[Dual]:
        """All numbers with slopes among the operands."""
        ...


@dataclass
class Call:
    """One call, at the newest tag."""

    f: RuledFunction
    tag: int
    threads: int
    rule: Routine

    def plain(self, x: Operand, a: Argument) -> Operand:
        """A copy of an operand without slopes of the tag."""
        m = duplicate(as_memory(stopped(x) if a.nodiff else x))
        if m is not None and not a.nodiff:
            for _, found in float_cells(m, a.type, self.f.world.structs):
                found.value = value_at(found.value, self.tag)
        by_value = a.direction is Direction.IN and isinstance(a.type, Scalar)
        return cell(m).value if by_value else m

    def leaves(self, m: Memory | None, t: Type) -> list[tuple[Steps, Cell]]:
        """The floats in memory."""
        return [] if m is None else list(float_cells(m, t, self.f.world.structs))

    def joined(self, value: Value, slopes: Slopes) -> Value:
        """A number with slopes of the tag."""
        kept = {d: s for d, s in slopes.items() if not is_zero(s)}
        return Dual(self.tag, value, kept) if kept else value

    def write_back(self, operands: Sequence[Operand], done: Sequence[Operand]) -> None:
        """Copies what was computed on copies into the outputs: integers, and values."""
        for x, y, a in zip(operands, done, self.f.signature.arguments, strict=True):
            if a.direction is not Direction.IN:
                overwrite_all(as_memory(x), as_memory(y))


def overwrite_all(target: Memory | None, source: Memory | None) -> None:
    match target, source:
        case Cell(), Cell():
            target.value = source.value
        case Array(), Array():
            while target.grow is not None and len(target.items) < len(source.items):
                target.items.append(target.grow())
            for a, b in zip(target.items, source.items, strict=False):
                overwrite_all(a, b)
        case Struct(), Struct():
            for name, member in target.members.items():
                overwrite_all(member, source.members[name])
        case _:
            pass
