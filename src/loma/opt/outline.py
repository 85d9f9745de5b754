"""Cuts long stretches of code into functions of their own, which compilers digest in linear time.

A region with very many operations becomes a few that call its parts, in order. What one part
computes for another travels through a local array for each scalar type, the frame; memory, and
values from outside the region, are passed as arguments.

    v0 = ...; v1 = ...; ... v9999 = ...   ==>   _part0(x, frame); _part1(x, frame); ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from loma.ir.builder import const
from loma.ir.names import Names
from loma.ir.nodes import (
    Alloc,
    Argument,
    Call,
    Const,
    Direction,
    For,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Region,
    Signature,
    Store,
    Var,
    View,
    Window,
)
from loma.ir.traverse import clone_op, op_reads, outs, regions, value
from loma.ir.types import I32, ArrayType, Ref, Scalar
from loma.opt.rewrite import Rewriter

LARGE: Final = 4000
"""Operations in a region, nested ones included, from which on it is cut."""
PART: Final = 500
"""Operations in a part."""


def run(module: Module) -> Module:
    """The module with its large regions cut; parts are functions that are not exported."""
    names = Names(set(module.functions))
    functions: dict[str, Function] = {}
    for f in module.functions.values():
        cut = _Outline(f, names)
        functions[f.name] = cut.function(f)
        functions |= {part.name: part for part in cut.parts}
    return replace(module, functions=functions)


class _Outline(Rewriter):
    def __init__(self, f: Function, names: Names) -> None:
        super().__init__()
        self.f = f
        self.names = names
        self.parts: list[Function] = []
        self.sizes: dict[Region, int] = {}

    def function(self, f: Function) -> Function:
        return f if f.signature.simd or self.size(f.body) < LARGE else super().function(f)

    def region(self, region: Region) -> Region:
        done = super().region(region)
        if self.size(done) < LARGE:
            return done
        return _Cut(self, done).region()

    def op(self, op: Op) -> None:
        new = self.nested(op)
        if isinstance(new, For) and new is not op:
            new = replace(new, independent=False)
        self.emit(new)

    def size(self, region: Region) -> int:
        """The number of operations in a region, nested ones included."""
        if region not in self.sizes:
            self.sizes[region] = sum(map(self.weight, region.ops))
        return self.sizes[region]

    def weight(self, op: Op) -> int:
        """The number of operations that an operation is."""
        return 1 + sum(map(self.size, regions(op)))


@dataclass(slots=True)
class _Frame:
    """Where values that several parts use are kept: an array for each type, and a place for each
    value.
    """

    places: dict[Var, int] = field(default_factory=dict)
    counts: dict[Scalar, int] = field(default_factory=dict)
    roots: dict[Scalar, Var] = field(default_factory=dict)

    def add(self, v: Var) -> None:
        """Gives a value a place."""
        if v not in self.places:
            self.places[v] = self.counts.get(v.scalar, 0)
            self.counts[v.scalar] = self.places[v] + 1

    def made(self) -> list[Op]:
        """The operations that make the arrays, once all places are known."""
        self.roots = {t: Var("frame", Ref(ArrayType(t, count))) for t, count in self.counts.items()}
        return [Alloc(root) for root in self.roots.values()]

    def path(self, v: Var) -> tuple[Const]:
        """The path of a value in the array of its type."""
        return (const(self.places[v], I32),)


class _Cut:
    """One region that is cut.

    `stretches` are lists of operations that become parts, and single ones that stay between them.
    """

    def __init__(self, to: _Outline, region: Region) -> None:
        self.to = to
        self.old = region
        self.first: list[Op] = []
        self.stretches: list[list[Op] | Op] = []
        self.room = 0
        self.frame = _Frame()
        for op in region.ops:
            self.sort(op)
        self.home: dict[Var, int] = {}
        for k, stretch in enumerate(self.stretches):
            for op in stretch if isinstance(stretch, list) else [stretch]:
                self.home.update(dict.fromkeys(outs(op), k))

    def sort(self, op: Op) -> None:
        """Puts an operation where it will be: local memory first, roots between the parts, all else
        in a part.
        """
        if isinstance(op, Alloc) and not isinstance(op.count, Var):
            self.first.append(op)
        elif isinstance(op, Alloc | View | Window | LoadRef):
            self.stretches.append(op)
        else:
            last = self.stretches[-1] if self.stretches else None
            if not isinstance(last, list) or self.room <= 0:
                self.room = PART
                last = []
                self.stretches.append(last)
            last.append(op)
            self.room -= self.to.weight(op)

    def region(self) -> Region:
        """The region that calls the parts."""
        for k, stretch in enumerate(self.stretches):
            self.share(_needed(stretch if isinstance(stretch, list) else [stretch]), k)
        end = len(self.stretches)
        yielded = [y for y in self.old.yields if isinstance(y, Var)]
        self.share(yielded, end)
        ops = [*self.frame.made(), *self.first]
        for k, stretch in enumerate(self.stretches):
            if isinstance(stretch, list):
                ops.append(self.part(stretch, k))
            else:
                subst = self.loads(_needed([stretch]), self.frame.roots, ops, k)
                ops.append(clone_op(stretch, subst, keep=True))
        subst = self.loads(yielded, self.frame.roots, ops, end)
        return Region(self.old.args, tuple(ops), tuple(value(y, subst) for y in self.old.yields))

    def travels(self, v: Var, k: int) -> bool:
        """Whether stretch `k` finds a value in the frame."""
        return isinstance(v.type, Scalar) and self.home.get(v, k) != k

    def share(self, values: Iterable[Var], k: int) -> None:
        """Gives places to those values that stretch `k` reads and another one computes."""
        for v in values:
            if self.travels(v, k):
                self.frame.add(v)

    def loads(
        self, values: Iterable[Var], roots: Mapping[Scalar, Var], ops: list[Op], k: int
    ) -> dict[Var, Operand]:
        """Appends loads of what stretch `k` finds in the frame, and says what it is called then."""
        found: dict[Var, Operand] = {}
        for v in values:
            if self.travels(v, k) and v not in found:
                here = Var(v.name, v.type)
                ops.append(Load(roots[v.scalar], self.frame.path(v), here))
                found[v] = here
        return found

    def part(self, stretch: list[Op], k: int) -> Call:
        """Makes a function of a stretch, and the call of it."""
        inputs = _needed(stretch)
        kept = [v for op in stretch for v in outs(op) if v in self.frame.places]
        given = [v for v in inputs if not self.travels(v, k)]
        types = dict.fromkeys(v.scalar for v in (*(set(inputs) - set(given)), *kept))
        frames = {t: root for t, root in self.frame.roots.items() if t in types}
        params = {v: Var(v.name, v.type) for v in (*given, *frames.values())}
        roots = {t: params[root] for t, root in frames.items()}
        ops: list[Op] = []
        subst: dict[Var, Operand] = {**params, **self.loads(inputs, roots, ops, k)}
        ops += (clone_op(op, subst, keep=True) for op in stretch)
        ops += (Store(roots[v.scalar], self.frame.path(v), v) for v in kept)
        made = self.function(tuple(ops), tuple(params.values()))
        self.to.parts.append(made)
        return Call(made.name, tuple(params), (), span=stretch[0].span)

    def function(self, ops: tuple[Op, ...], params: tuple[Var, ...]) -> Function:
        """A function of operations."""
        names = Names()
        arguments = tuple(_argument(p, names.fresh(p.name)) for p in params)
        name = self.to.names.fresh(f"_part_{self.to.f.name}")
        return Function(
            name,
            params,
            Region((), ops, ()),
            Signature(arguments),
            self.to.f.span,
            exported=False,
            part=True,
        )


def _argument(p: Var, name: str) -> Argument:
    if isinstance(p.type, Scalar):
        return Argument(name, p.type)
    return Argument(name, p.content, Direction.INOUT, growable=p.type.growable)


def _needed(ops: list[Op]) -> list[Var]:
    """What a stretch reads and does not bind at its top, in order of first use."""
    bound: set[Var] = set()
    found: dict[Var, None] = {}
    for op in ops:
        found.update((v, None) for v in op_reads(op) if v not in bound)
        bound.update(outs(op))
    return list(found)
