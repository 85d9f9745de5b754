"""A call by the function's forward rule, for numbers with slopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loma.frontend.oracle.calls import Call, Found, overwrite_all
from loma.frontend.oracle.derivatives import (
    Operand,
    World,
    as_memory,
    duplicate,
)
from loma.frontend.oracle.memory import (
    Array,
    Cell,
    Memory,
    Struct,
    array,
    cell,
    struct,
)
from loma.frontend.oracle.numbers import Dual, slope_at, value_at
from loma.ir.derived import DVAL, VAL
from loma.ir.nodes import Argument, Direction
from loma.ir.types import ArrayType, Scalar, StructType, Type, has_float


@dataclass
class Pushed(Call):
    """By the forward rule: one run for each direction; `apart`: values are those of the function.
    """

    apart: bool

    def run(self, operands: Sequence[Operand]) -> Operand:
        """The call."""
        found = {d for x in self.f.numbers(operands) if x.tag == self.tag for d in x.slopes}
        arguments = self.f.signature.arguments
        out: Operand = None
        slopes: Found = {}
        last: list[Operand] = []
        for d in sorted(found) or [0]:
            last = [self.dual(x, a, d) for x, a in zip(operands, arguments, strict=True)]
            out = self.rule.run(last, self.threads)
            self.collect_all(slopes, last, out, d)
        pure = [self.plain(x, a) for x, a in zip(operands, arguments, strict=True)]
        self.finish(operands, last, slopes)
        if self.apart:
            out = self.f.run(pure, self.threads)
            self.revalue(operands, pure)
        return self.result(out, slopes)

    def result(self, out: Operand, slopes: Found) -> Operand:
        """The result with its slopes."""
        t = self.f.signature.result
        if t is None or not has_float(t, self.f.world.structs):
            return out
        m = as_memory(out)
        made = duplicate(m) if self.apart else _values(m, t, self.f.world)
        for path, found in self.leaves(made, t):
            at = len(self.f.signature.arguments), path
            found.value = self.joined(found.value, slopes.get(at, {}))
        return cell(made).value if isinstance(t, Scalar) else made

    def collect_all(self, slopes: Found, last: list[Operand], out: Operand, d: int) -> None:
        """Notes the slopes of all outputs along one direction."""
        s, structs = self.f.signature, self.f.world.structs
        for k, a in enumerate(s.arguments):
            if a.direction is not Direction.IN and has_float(a.type, structs):
                self.collect(slopes, k, last[k], a.type, d)
        if s.result is not None and has_float(s.result, structs):
            self.collect(slopes, len(s.arguments), out, s.result, d)

    def revalue(self, operands: Sequence[Operand], pure: Sequence[Operand]) -> None:
        """Puts the function's own values under the slopes of the outputs."""
        for x, y, a in zip(operands, pure, self.f.signature.arguments, strict=True):
            if a.direction is Direction.IN:
                continue
            values = dict(self.leaves(as_memory(y), a.type))
            for path, found in self.leaves(as_memory(x), a.type):
                old, new = found.value, values[path].value
                slopes = old.slopes if isinstance(old, Dual) and old.tag == self.tag else {}
                found.value = self.joined(new, dict(slopes))

    def finish(
        self,
        operands: Sequence[Operand],
        last: Sequence[Operand],
        slopes: Found,
    ) -> None:
        """Writes the outputs."""
        for k, (x, y, a) in enumerate(
            zip(operands, last, self.f.signature.arguments, strict=True)
        ):
            if a.direction is Direction.IN:
                continue
            m = as_memory(x)
            if not has_float(a.type, self.f.world.structs):
                overwrite_all(m, as_memory(y))
                continue
            made = _values(as_memory(y), a.type, self.f.world)
            overwrite_all(m, made)
            for path, found in self.leaves(m, a.type):
                found.value = self.joined(found.value, slopes.get((k, path), {}))

    def collect(
        self,
        slopes: Found,
        k: int,
        out: Operand,
        t: Type,
        d: int,
    ) -> None:
        """Notes the slopes of one output along one direction."""
        made = _halves(as_memory(out), t, self.f.world, DVAL)
        for path, found in self.leaves(made, t):
            slopes.setdefault((k, path), {})[d] = found.value

    def dual(self, x: Operand, a: Argument, d: int) -> Operand:
        """An operand as the forward rule takes it."""
        if a.nodiff or not has_float(a.type, self.f.world.structs):
            return self.plain(x, a)
        return self.outward(as_memory(x), a.type, d)

    def outward(self, m: Memory | None, t: Type, d: int) -> Memory | None:
        """Memory of type Diff[t] for numbers with slopes."""
        if m is None or not has_float(t, self.f.world.structs):
            return duplicate(m)
        match t:
            case StructType(name):
                table = self.f.world.structs[name].members
                members = struct(m).members
                return Struct({k: self.outward(members[k], mt, d) for k, mt in table})
            case ArrayType(element):
                items = [self.outward(i, element, d) for i in array(m).items]
                return Array([i for i in items if i is not None])
            case _:
                x = cell(m).value
                value, slope = value_at(x, self.tag), slope_at(x, self.tag, d)
                return Struct({VAL: Cell(value), DVAL: Cell(slope)})


def _values(m: Memory | None, t: Type, world: World) -> Memory | None:
    return _halves(m, t, world, VAL)


def _halves(m: Memory | None, t: Type, world: World, half: str) -> Memory | None:
    """The values or the tangents of memory of type Diff[t]."""
    if m is None or not has_float(t, world.structs):
        return m
    match t:
        case StructType(name):
            members = struct(m).members
            return Struct(
                {k: _halves(members[k], mt, world, half) for k, mt in world.structs[name].members}
            )
        case ArrayType(element):
            items = [_halves(i, element, world, half) for i in array(m).items]
            return Array([i for i in items if i is not None])
        case _:
            return Cell(cell(struct(m).members[half]).value)
