"""Pointers in local memory become integers: which of its origins a pointer has, and the indices on
the way from there.

What a pointer leads to is then reached from the origin itself, by a branch if there are several.
Reverse mode needs that: integers can be stored on a tape, and what belongs to an argument is seen
to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from loma.diagnostics import Span
from loma.ir.builder import const, place_type
from loma.ir.nodes import (
    Alloc,
    Apply,
    Const,
    Function,
    If,
    Load,
    LoadRef,
    Op,
    Operand,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import clone_op, operands, outs
from loma.ir.types import I32, I64, ArrayType, Ref, Scalar, Structs, Type
from loma.opt.emit import Emitter
from loma.opt.origins import (
    Origin,
    Origins,
    Places,
    Slot,
    extended,
    followed,
    index_type,
    stores_pointers,
)
from loma.opt.rewrite import Rewriter

ZERO: Final = Const(0, I32)
Indices: TypeAlias = tuple[Operand, ...]
Choice: TypeAlias = tuple[int, Origin, Indices]


@dataclass(frozen=True, slots=True)
class Pointer:
    """One of several origins, and the indices on the way from it."""

    origins: tuple[Origin, ...]
    which: Operand
    at: Indices

    def choice(self, k: int) -> Choice:
        """The k-th origin, with its indices."""
        return k, self.origins[k], self.at[: self.origins[k].holes]

    @property
    def is_one(self) -> bool:
        """Whether there is one origin only."""
        return len(self.origins) == 1


@dataclass(frozen=True, slots=True)
class Cells:
    """The local memory that holds the pointers of a slot as integers."""

    origins: tuple[Origin, ...]
    which: Var | None
    at: tuple[Var, ...]

    @property
    def roots(self) -> tuple[Var, ...]:
        """All of it."""
        return self.at if self.which is None else (self.which, *self.at)


Held: TypeAlias = Mapping[Slot, Cells]
_NONE: Final[Held] = {}


def run(
    f: Function, structs: Structs, elsewhere: frozenset[str], blind: Places, held: Held = _NONE
) -> Function:
    """The function with the pointers in its local memory as integers.

    `elsewhere` are fields whose pointers other functions overwrite; `blind` arguments whose
    pointers functions do not use; `held` the integers of slots in the function's own arguments.
    """
    if not stores_pointers(f):
        return f
    given = {slot: cells.origins for slot, cells in held.items()}
    found = Origins(f, structs, elsewhere, blind, given)
    return _Pointers(f, found, structs, held).function(f) if found.slots else f


class _Pointers(Rewriter):
    """`where` holds what is known of each part of a root, `cells` the memory of each slot; `there`
    are the roots that exist here, `nowhere` pointers that were never assigned.
    """

    def __init__(self, f: Function, found: Origins, structs: Structs, held: Held) -> None:
        super().__init__()
        self.found = found
        self.structs = structs
        self.kind = I64 if held or index_type(f) else I32
        self.where: dict[Var, Pointer] = {}
        self.there = set(f.params)
        self.nowhere: set[Var] = set()
        self.cells = {
            slot: held[slot] if slot in held else self.cells_of(slot, tuple(os))
            for slot, os in found.slots.items()
        }

    def cells_of(self, slot: Slot, origins: tuple[Origin, ...]) -> Cells:
        """Memory for a slot."""
        root, steps = slot
        name = "_".join((root.name, *(s for s in steps if s is not None)))
        content = _in_shape(root.content, steps, self.kind, self.structs)
        which = Var(f"{name}_of", Ref(content)) if len(origins) > 1 else None
        width = max(o.holes for o in origins)
        return Cells(origins, which, tuple(Var(f"{name}_at", Ref(content)) for _ in range(width)))

    def op(self, op: Op) -> None:
        match op:
            case Alloc(out):
                self.there.add(out)
                self.emit(op)
                for slot, cells in self.cells.items():
                    if slot[0] is out:
                        for root in cells.roots:
                            self.emit(Alloc(root, op.count, span=op.span))
            case View() | Window() | LoadRef():
                self.part(op)
            case StoreRef():
                self.store(op)
            case _:
                self.used(op)

    def used(self, op: Op) -> None:
        """An operation that may use parts of roots."""
        for x in operands(op):
            if isinstance(x, Var) and not self.pointer(x).is_one:
                self.spread(op, x)
                return
        super().op(op)

    def pointer(self, v: Var) -> Pointer:
        """What is known of a root."""
        return self.where.get(v) or Pointer((Origin(v),), ZERO, ())

    # Parts.

    def part(self, op: View | Window | LoadRef) -> None:
        """A part of a root, from its origins."""
        p = self.pointer(op.root)
        if not p.is_one:
            self.bind(op, self.chosen(p, op))
            return
        found = self.step(p.choice(0), op)
        if isinstance(op, LoadRef) and self.is_slotted(p.choice(0), op):
            self.bind(op, found)
        else:
            self.where[op.out] = found
            self.emit(op)

    def is_slotted(self, choice: Choice, op: LoadRef) -> bool:
        """Whether a pointer is read from a slot."""
        _, origin, at = choice
        place, _ = extended(origin, at, op, lambda x, _: x)
        return self.found.slot(place) in self.cells

    def step(self, choice: Choice, op: View | Window | LoadRef) -> Pointer:
        """A part of what one origin leads to."""
        _, origin, at = choice
        place, at = extended(origin, at, op, self.joined(op.span))
        slot = self.found.slot(place)
        if not isinstance(op, LoadRef) or slot not in self.cells:
            return Pointer((place,), ZERO, at)
        cells = self.cells[slot]
        return Pointer(
            cells.origins,
            ZERO if cells.which is None else self.load(cells.which, at, op.span),
            tuple(self.load(root, at, op.span) for root in cells.at),
        )

    def load(self, root: Var, at: Indices, span: Span) -> Var:
        """An integer from the memory of a slot."""
        out = Var(root.name, self.kind)
        self.emit(Load(root, at, out, span=span))
        return out

    def bind(self, op: View | Window | LoadRef, p: Pointer) -> None:
        """Gives what an operation gives."""
        if not self.choices(p):  # read before it was ever assigned
            root = self.reached(self.choices(self.pointer(op.root))[0], op.span)
            self.emit(replace(op, root=root))
            self.nowhere.add(op.out)
            self.there.add(op.out)
            return
        self.where[op.out] = p
        if p.is_one:
            self.reached(p.choice(0), op.span, op.out)

    def reached(self, choice: Choice, span: Span, out: Var | None = None) -> Var:
        """What an origin leads to, under the name `out` if there is one."""
        _, origin, at = choice
        ops, root = followed(origin, origin.root, at, span, out)
        for op in ops:
            self.emit(op)
        if out is not None and not origin.links:
            self.subst[out] = root
        self.where[root] = Pointer((origin,), ZERO, at)
        return root

    def joined(self, span: Span) -> Callable[[Operand, Operand], Operand]:
        """Adds two indices."""
        make = Emitter(self, span)
        return lambda x, y: make.add(make.cast(x, self.kind), make.cast(y, self.kind))

    # Branches.

    def chosen(self, p: Pointer, op: View | Window | LoadRef) -> Pointer:
        """A part of what a pointer with several origins leads to."""
        steps: list[tuple[Choice, Pointer, list[Op]]] = []
        for choice in self.choices(p):
            outer, self.ops = self.ops, []
            steps.append((choice, self.step(choice, op), self.ops))
            self.ops = outer
        origins = tuple(dict.fromkeys(o for _, q, _ in steps for o in q.origins))
        width = max((o.holes for o in origins), default=0)
        arms: list[tuple[int, Region]] = []
        for (k, _, _), q, ops in steps:
            outer, self.ops = self.ops, ops
            yields = self.numbers(q, origins, width, op.span)
            arms.append((k, Region((), tuple(self.ops), yields)))
            self.ops = outer
        found = tuple(Var(f"{op.out.name}_at", self.kind) for _ in range(width + 1))
        self.branch(p.which, arms, found, op.span)
        which, *at = self.values(found)
        return Pointer(origins, which, tuple(at))

    def choices(self, p: Pointer) -> list[Choice]:
        """The origins that can be meant here."""
        found = map(p.choice, range(len(p.origins)))
        return [c for c in found if c[1].root in self.there]

    def numbers(
        self, q: Pointer, origins: Sequence[Origin], width: int, span: Span
    ) -> Indices:
        """A pointer as integers: which of some origins, and indices."""
        make = Emitter(self, span)
        if q.origins[0].root in self.nowhere:
            return (const(0, self.kind),) * (width + 1)
        which: Operand = const(origins.index(q.origins[-1]), self.kind)
        for k, o in enumerate(q.origins[:-1]):
            is_this = make.make(A.EQ, q.which, const(k, self.kind))
            which = make.select(is_this, const(origins.index(o), self.kind), which)
        at = [make.cast(x, self.kind) for x in q.at]
        return (which, *at, *([const(0, self.kind)] * (width - len(at))))

    def spread(self, op: Op, v: Var) -> None:
        """An operation once for each origin of one of its roots."""
        p = self.pointer(v)
        arms: list[tuple[int, Region]] = []
        for choice in self.choices(p):
            outer, self.ops = self.ops, []
            new = clone_op(op, {v: self.reached(choice, op.span)})
            self.op(new)
            arms.append((choice[0], Region((), tuple(self.ops), self.values(outs(new)))))
            self.ops = outer
        self.branch(p.which, arms, outs(op), op.span)

    def branch(
        self, which: Operand, arms: Sequence[tuple[int, Region]], found: tuple[Var, ...], span: Span
    ) -> None:
        """Emits the one of several regions that a number tells."""
        *first, (_, rest) = arms
        for k, arm in reversed(first):
            is_this = Var("is_this", Scalar.BOOL)
            test = Apply(A.EQ, (which, const(k, self.kind)), is_this, span=span)
            names = tuple(Var(v.name, v.type) for v in found)
            chosen = If(is_this, arm, rest, names, span=span)
            rest = Region((), (test, chosen), names)
        for op in rest.ops:
            self.emit(op)
        self.subst |= dict(zip(found, rest.yields, strict=True))

    # Assignments.

    def store(self, op: StoreRef) -> None:
        """A pointer that is assigned."""
        p, q = self.pointer(op.root), self.pointer(op.value)
        if not p.is_one:
            self.spread(op, op.root)
            return
        _, origin, at = p.choice(0)
        place, at = extended(origin, at, op, self.joined(op.span))
        slot = self.found.slot(place)
        if slot is not None:
            self.write(self.cells[slot], at, q, op.span)
        elif q.is_one:
            self.emit(op)
        else:
            self.spread(op, op.value)

    def write(self, cells: Cells, at: Indices, q: Pointer, span: Span) -> None:
        """Stores a pointer as integers."""
        which, *rest = self.numbers(q, cells.origins, len(cells.at), span)
        if cells.which is not None:
            self.emit(Store(cells.which, at, which, span=span))
        for root, x in zip(cells.at, rest, strict=True):
            self.emit(Store(root, at, x, span=span))


def _in_shape(content: Type, steps: Sequence[str | None], kind: Scalar, structs: Structs) -> Type:
    """The type of memory with an integer for each place of a shape."""
    if not steps:
        return kind
    step, *rest = steps
    if step is not None:
        return _in_shape(place_type(content, (step,), structs), rest, kind, structs)
    assert isinstance(content, ArrayType), "an index leads into an array"
    return ArrayType(_in_shape(content.element, rest, kind, structs), content.size)
