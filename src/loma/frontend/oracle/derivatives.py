"""What a derivative of a function *means*, by running the function on dual numbers.

    Forward: every float becomes val + dval * e; the e-parts are read off at the end.
    Reverse: each float input leaf gets a direction of its own; the outcome is the Jacobian J, and
             the adjoint outputs grow by the transpose of J applied to the adjoint inputs.
Both work on numbers that are duals already: derivatives of derivatives are judged too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from loma.frontend.oracle.memory import (
    Array,
    Cell,
    Memory,
    Steps,
    Struct,
    Tape,
    Value,
    array,
    cell,
    float_cells,
    struct,
    zero_of,
)
from loma.frontend.oracle.numbers import Dual, Number, Numbers, is_zero, slope_at, value_at
from loma.ir.derived import DVAL, VAL, Mode, forward_signature, marked, reverse_signature
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, Structs, StructType, TapeType, Type, has_float

Operand: TypeAlias = Value | Memory | None
Order: TypeAlias = Callable[[int], Sequence[int]]


class Unjudged(Exception):
    """The oracle gives no verdict: a derivative of a function that takes a tape."""


class Routine(Protocol):
    """A function, or a derivative of one.

    Operands: a value for an In scalar, a Cell for an Out or InOut one, otherwise the memory itself.
    """

    @property
    def signature(self) -> Signature:
        """What callers see."""
        ...

    def run(self, operands: Sequence[Operand], threads: int) -> Operand:
        """Runs on memory; gives the result."""
        ...


@dataclass
class World:
    """What all routines of one oracle share."""

    structs: Structs
    numbers: Numbers
    float_type: Scalar
    file: str
    routine: Callable[[str], Routine]
    order: Order
    steps_left: int
    depth_left: int
    write: Callable[[str], object] = lambda text: None
    tags: dict[int, Mode] = field(default_factory=dict)

    def fresh_tag(self, mode: Mode) -> int:
        """A tag that no number has, of a run in some mode."""
        tag = self.numbers.fresh_tag()
        self.tags[tag] = mode
        return tag


class Forward:
    """fwd_diff of a routine; arguments that are `held` have no slopes of its own."""

    def __init__(
        self, primal: Routine, world: World, held: frozenset[str] = frozenset()
    ) -> None:
        self._formal = marked(primal.signature, held, True)
        derived = forward_signature(self._formal, world.float_type)
        self.signature = marked(derived, held, False)
        self._primal = primal
        self._world = world

    def run(self, operands: Sequence[Operand], threads: int) -> Operand:
        """Runs the primal on duals of a fresh tag."""
        view = DualView(self._world, self._world.fresh_tag(Mode.FORWARD))
        arguments = self._formal.arguments
        inner = [view.operand(x, a) for x, a in zip(operands, arguments, strict=True)]
        out = self._primal.run(inner, threads)
        view.write_back()
        result = self._primal.signature.result
        return None if result is None else view.result(out, result)


@dataclass
class DualView:
    """Memory of Diff types seen as memory of duals; one object is seen as one object."""

    world: World
    tag: int
    seen: dict[int, tuple[Memory, Memory, Type]] = field(default_factory=dict)

    def operand(self, x: Operand, a: Argument) -> Operand:
        """An operand of the derivative as one of the primal."""
        if isinstance(a.type, TapeType):
            raise Unjudged(a.name)
        if a.nodiff or not isinstance(x, Cell | Array | Struct):
            return x
        inner = self.inward(x, a.type)
        if isinstance(a.type, Scalar) and a.direction is Direction.IN:
            return cell(inner).value
        return inner

    def inward(self, m: Memory | None, t: Type) -> Memory | None:
        """Memory of type Diff[t] as memory of type t that holds duals."""
        if m is None or not has_float(t, self.world.structs):
            return m
        if id(m) not in self.seen:
            self.seen[id(m)] = (m, self._made(m, t), t)
        return self.seen[id(m)][1]

    def _made(self, m: Memory, t: Type) -> Memory:
        match t:
            case StructType(name):
                members = struct(m).members
                table = self.world.structs[name].members
                return Struct({k: self.inward(members[k], mt) for k, mt in table})
            case ArrayType(element):
                return self._array(array(m), element)
            case _:
                members = struct(m).members
                value, slope = cell(members[VAL]).value, cell(members[DVAL]).value
                return Cell(value if is_zero(slope) else Dual(self.tag, value, {0: slope}))

    def _array(self, outer: Array, element: Type) -> Array:
        def item(m: Memory) -> Memory:
            made = self.inward(m, element)
            assert made is not None, "an element of an array is never null"
            return made

        def grow() -> Memory:
            assert outer.grow is not None, "only an array that grows asks for more"
            outer.items.append(outer.grow())
            return item(outer.items[-1])

        return Array([item(m) for m in outer.items], grow if outer.grow else None)

    def write_back(self) -> None:
        """Copies what the duals have become into the memory that they stand for."""
        originals = {id(inner): outer for outer, inner, _ in self.seen.values()}
        for outer, inner, t in list(self.seen.values()):
            match t:
                case Scalar():
                    self._split(cell(inner).value, struct(outer), t)
                case StructType(name):
                    for k, mt in self.world.structs[name].members:
                        if isinstance(mt, ArrayType) and mt.size is None:
                            pointer = struct(inner).members[k]
                            struct(outer).members[k] = originals.get(id(pointer), pointer)
                case _:
                    pass

    def _split(self, x: Number, into: Struct, t: Scalar) -> None:
        slope = self.world.numbers.rounded(slope_at(x, self.tag, 0), t)
        cell(into.members[VAL]).value = value_at(x, self.tag)
        cell(into.members[DVAL]).value = slope

    def result(self, out: Operand, t: Type) -> Operand:
        """A result of the primal as one of the derivative."""
        if (
            isinstance(t, Scalar)
            and t.is_float
            and not isinstance(out, Array | Struct | Tape | None)
        ):
            pair = Struct({VAL: Cell(), DVAL: Cell()})
            self._split(out.value if isinstance(out, Cell) else out, pair, t)
            return pair
        if isinstance(out, Struct) and isinstance(t, StructType):
            table = self.world.structs[t.name].members
            return Struct({k: self._member(out.members[k], mt) for k, mt in table})
        if isinstance(out, Array) and isinstance(t, ArrayType):
            return Array(
                [m for m in (self._member(i, t.element) for i in out.items) if m is not None]
            )
        return out

    def _member(self, m: Memory | None, t: Type) -> Memory | None:
        for outer, inner, _ in self.seen.values():
            if inner is m:
                return outer
        made = self.result(m, t)
        assert made is None or isinstance(made, Cell | Array | Struct | Tape), "members are memory"
        return made


@dataclass
class Sweep:
    """One run of the primal with a direction for each float input leaf."""

    tag: int
    targets: list[tuple[Memory | None, Steps, bool]] = field(default_factory=list)
    outputs: list[tuple[Memory, Type, dict[Steps, Number]]] = field(default_factory=list)

    def seeded(
        self, m: Memory, t: Type, adjoint: Memory | None, replace: bool, structs: Structs
    ) -> None:
        """Gives each float a direction whose adjoint goes to the same path of `adjoint`."""
        for path, found in float_cells(m, t, structs):
            found.value = Dual(self.tag, found.value, {len(self.targets): 1.0})
            self.targets.append((adjoint, path, replace))

    def pulled_back(self, numbers: Numbers, structs: Structs) -> dict[int, Number]:
        """The transpose of the Jacobian applied to the seeds: adjoint by direction."""
        totals: dict[int, Number] = {}
        for memory, t, seeds in self.outputs:
            for path, found in float_cells(memory, t, structs):
                seed = seeds.get(path, 0.0)
                if (
                    not isinstance(found.value, Dual)
                    or found.value.tag != self.tag
                    or is_zero(seed)
                ):
                    continue
                for direction, slope in found.value.slopes.items():
                    term = numbers.mul(slope, seed)
                    totals[direction] = numbers.add(totals.get(direction, 0.0), term)
        return totals


class Reverse:
    """rev_diff of a routine; arguments that are `held` get no directions."""

    def __init__(
        self, primal: Routine, world: World, held: frozenset[str] = frozenset()
    ) -> None:
        self._formal = marked(primal.signature, held, True)
        self.signature = marked(reverse_signature(self._formal), held, False)
        self._primal = primal
        self._world = world

    def run(self, operands: Sequence[Operand], threads: int) -> Operand:
        """Adds the transposed Jacobian times the adjoint inputs to the adjoint outputs."""
        structs, numbers = self._world.structs, self._world.numbers
        sweep = Sweep(self._world.fresh_tag(Mode.REVERSE))
        signature = self._formal
        last = len(operands) - len(signature.sizes)
        rest = list(operands[:last])
        inner = [self._operand(sweep, a, rest) for a in signature.written]
        out = self._primal.run([*inner, *operands[last:]], threads)
        result = self._primal.signature.result
        if result is not None:
            self._output(sweep, as_memory(out), result, as_memory(rest.pop(0)))
        totals = sweep.pulled_back(numbers, structs)
        for direction, (adjoint, path, replace) in enumerate(sweep.targets):
            total = totals.get(direction, 0.0)
            if replace or not is_zero(total):
                target = follow(adjoint, path)
                target.value = total if replace else numbers.add(target.value, total)
        return None

    def _operand(self, sweep: Sweep, a: Argument, rest: list[Operand]) -> Operand:
        if isinstance(a.type, TapeType):
            raise Unjudged(a.name)
        if a.nodiff:
            return rest.pop(0)
        structs = self._world.structs
        if a.direction is Direction.OUT:
            seed = as_memory(rest.pop(0))
            fresh = blank(seed, a.type, structs)
            self._output(sweep, fresh, a.type, seed)
            return fresh
        given, adjoint = as_memory(rest.pop(0)), as_memory(rest.pop(0))
        fresh = duplicate(given)
        if a.direction is Direction.INOUT:
            self._output(sweep, fresh, a.type, adjoint)
        if fresh is not None:
            sweep.seeded(fresh, a.type, adjoint, a.direction is Direction.INOUT, structs)
        is_value = isinstance(a.type, Scalar) and a.direction is Direction.IN
        return cell(fresh).value if is_value else fresh

    def _output(self, sweep: Sweep, m: Memory | None, t: Type, seed: Memory | None) -> None:
        if m is not None:
            seeds = {path: found.value for path, found in float_cells(seed, t, self._world.structs)}
            sweep.outputs.append((m, t, seeds))


def as_memory(x: Operand) -> Memory | None:
    """An operand as memory: a bare value gets a cell."""
    return x if x is None or isinstance(x, Cell | Array | Struct | Tape) else Cell(x)


def duplicate(m: Memory | None) -> Memory | None:
    """Memory of the same shape and values, nothing shared."""
    match m:
        case Cell(value):
            return Cell(value)
        case Array(items):
            copies = (duplicate(i) for i in items)
            return Array([c for c in copies if c is not None])
        case Struct(members):
            return Struct({k: duplicate(v) for k, v in members.items()})
        case _:
            return m


def blank(like: Memory | None, t: Type, structs: Structs) -> Memory | None:
    """Zeroed memory in the shape of `like`."""
    match t:
        case Scalar():
            return Cell(zero_of(t))
        case StructType(name):
            members = struct(like).members
            return Struct({k: blank(members[k], mt, structs) for k, mt in structs[name].members})
        case ArrayType(element):
            made = (
                (blank(i, element, structs) for i in array(like).items)
                if like is not None
                else None
            )
            return None if made is None else Array([m for m in made if m is not None])
        case TapeType():
            raise Unjudged("Tape")


def follow(m: Memory | None, path: Steps) -> Cell:
    """The scalar at the end of a path."""
    for step in path:
        m = array(m).items[step] if isinstance(step, int) else struct(m).members[step]
    return cell(m)
