"""What a call means of a function that has derivatives of its own: its rules say how slopes pass.

Numbers that carry slopes of a forward run pass by the forward rule, those of a reverse run by the
reverse rule; where that one is missing, by the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from loma.frontend.oracle.derivatives import (
    Operand,
    Routine,
    World,
    as_memory,
)
from loma.frontend.oracle.memory import (
    float_cells,
)
from loma.frontend.oracle.numbers import Dual
from loma.frontend.oracle.pulled import Pulled
from loma.frontend.oracle.pushed import Pushed
from loma.ir.derived import Mode
from loma.ir.nodes import Signature


@dataclass(frozen=True, slots=True)
class Ruled:
    """A function with rules."""

    primal: Routine
    world: World
    rules: Mapping[Mode, str]

    @property
    def signature(self) -> Signature:
        """What callers see."""
        return self.primal.signature

    def run(self, operands: Sequence[Operand], threads: int) -> Operand:
        """Runs the function; the newest slopes of its operands pass by a rule."""
        tag = max((x.tag for x in self.numbers(operands)), default=0)
        mode = self.world.tags.get(tag)
        if mode is None:
            return self.primal.run(operands, threads)
        if mode in self.rules:
            by = mode
        else:
            by = Mode.FORWARD if mode is Mode.REVERSE else Mode.REVERSE
        routine = self.world.routine(self.rules[by])
        if by is Mode.FORWARD:
            return Pushed(self, tag, threads, routine, mode is Mode.REVERSE).run(operands)
        return Pulled(self, tag, threads, routine).run(operands)

    def numbers(self, operands: Sequence[Operand]) -> Iterator[Dual]:
        """All numbers with slopes among the operands."""
        for x, a in zip(operands, self.signature.arguments, strict=True):
            m = as_memory(x)
            if a.nodiff or m is None:
                continue
            for _, found in float_cells(m, a.type, self.world.structs):
                if isinstance(found.value, Dual):
                    yield found.value
