"""A call by the function's reverse rule, for numbers with slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loma.frontend.oracle.calls import Call, Slopes
from loma.frontend.oracle.derivatives import (
    Operand,
    as_memory,
    blank,
    duplicate,
    follow,
)
from loma.frontend.oracle.memory import (
    Memory,
    Steps,
    Value,
    cell,
)
from loma.frontend.oracle.numbers import Dual, Number, is_zero, slope_at
from loma.ir.nodes import Argument, Direction
from loma.ir.types import Scalar, Type, has_float


class Pulled(Call):
    """By the reverse rule: one run for each number that is an output."""

    def run(self, operands: Sequence[Operand]) -> Operand:
        """The call."""
        arguments = self.f.signature.arguments
        written = self.written(operands)
        before = [self.plain(x, a) for x, a in zip(operands, arguments, strict=True)]
        done = [self.plain(x, a) for x, a in zip(operands, arguments, strict=True)]
        out = self.f.run(done, self.threads)
        slopes = {
            key: self.pulled(operands, before, out, key)
            for key in self.outputs(operands, out)
            if arguments_are_written(key, written, arguments)
        }
        kept = {
            (k, path): found.value
            for k, (x, a) in enumerate(zip(operands, arguments, strict=True))
            if a.direction is Direction.OUT
            for path, found in self.leaves(as_memory(x), a.type)
            if (k, path) not in slopes
        }
        self.write_back(operands, done)
        for k, (x, a) in enumerate(zip(operands, arguments, strict=True)):
            if a.direction is Direction.IN:
                continue
            for path, found in self.leaves(as_memory(x), a.type):
                key = k, path
                old = kept.get(key)
                found.value = (
                    self.joined(found.value, slopes[key]) if key in slopes else old or found.value
                )
        return self.result(out, slopes)

    def result(self, out: Operand, slopes: Mapping[tuple[int, Steps], Slopes]) -> Operand:
        """The result with its slopes."""
        t = self.f.signature.result
        if t is None or not has_float(t, self.f.world.structs):
            return out
        made = duplicate(as_memory(out))
        for path, found in self.leaves(made, t):
            at = len(self.f.signature.arguments), path
            found.value = self.joined(found.value, slopes[at])
        return cell(made).value if isinstance(t, Scalar) else made

    def outputs(self, operands: Sequence[Operand], out: Operand) -> list[tuple[int, Steps]]:
        """Every float that is an output."""
        s = self.f.signature
        found = [
            (k, path)
            for k, (x, a) in enumerate(zip(operands, s.arguments, strict=True))
            if a.direction is not Direction.IN
            for path, _ in self.leaves(as_memory(x), a.type)
        ]
        if s.result is not None and has_float(s.result, self.f.world.structs):
            leaves = self.leaves(as_memory(out), s.result)
            found += [(len(s.arguments), path) for path, _ in leaves]
        return found

    def written(self, operands: Sequence[Operand]) -> set[tuple[int, Steps]]:
        """The floats of Out arguments that the call overwrites."""
        marker = self.f.world.numbers.fresh_tag()
        arguments = self.f.signature.arguments
        copies = [self.plain(x, a) for x, a in zip(operands, arguments, strict=True)]
        marks: dict[tuple[int, Steps], int] = {}
        for k, (x, a) in enumerate(zip(copies, arguments, strict=True)):
            if a.direction is Direction.OUT:
                for path, found in self.leaves(as_memory(x), a.type):
                    marks[k, path] = len(marks)
                    found.value = Dual(marker, found.value, {marks[k, path]: 1.0})
        self.f.primal.run(copies, self.threads)
        written = set(marks)
        for k, (x, a) in enumerate(zip(copies, arguments, strict=True)):
            for path, found in self.leaves(as_memory(x), a.type):
                mark = marks.get((k, path))
                if mark is not None and not is_zero(slope_at(found.value, marker, mark)):
                    written.discard((k, path))
        return written

    def pulled(
        self,
        operands: Sequence[Operand],
        before: Sequence[Operand],
        out: Operand,
        key: tuple[int, Steps],
    ) -> Slopes:
        """The slopes of one output number."""
        arguments = self.f.signature.arguments
        given: list[Operand] = []
        adjoints: list[tuple[int, Memory | None]] = []
        for k, (x, a) in enumerate(zip(before, arguments, strict=True)):
            if a.hidden:
                continue
            adjoint = self.seeded(k, x, a.type, key)
            if a.direction is Direction.OUT:
                given.append(_operand(adjoint, a.type))
                continue
            given.append(self.plain(x, a))
            if not a.nodiff:
                given.append(adjoint)
                adjoints.append((k, adjoint))
        result = self.f.signature.result
        if result is not None:
            given.append(_operand(self.seeded(len(arguments), out, result, key), result))
        given += before[len(self.f.signature.written) :]
        self.rule.run(given, self.threads)
        slopes: Slopes = {}
        for k, adjoint in adjoints:
            for path, found in self.leaves(as_memory(operands[k]), arguments[k].type):
                self.weigh(slopes, found.value, follow(adjoint, path).value)
        return slopes

    def seeded(self, k: int, x: Operand, t: Type, key: tuple[int, Steps]) -> Memory | None:
        """Adjoint memory, zero but for one number if it is that output."""
        made = blank(as_memory(x), t, self.f.world.structs)
        if k == key[0]:
            follow(made, key[1]).value = 1.0
        return made

    def weigh(self, slopes: Slopes, x: Value, weight: Number) -> None:
        """Adds the slopes of an input, times its adjoint."""
        numbers = self.f.world.numbers
        if isinstance(x, Dual) and x.tag == self.tag:
            for d, slope in x.slopes.items():
                slopes[d] = numbers.add(slopes.get(d, 0.0), numbers.mul(weight, slope))


def arguments_are_written(
    key: tuple[int, Steps], written: set[tuple[int, Steps]], arguments: Sequence[Argument]
) -> bool:
    """Whether an output is one that the call sets."""
    k = key[0]
    return k >= len(arguments) or arguments[k].direction is Direction.INOUT or key in written


def _operand(m: Memory | None, t: Type) -> Operand:
    return cell(m).value if isinstance(t, Scalar) else m
