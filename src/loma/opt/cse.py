"""One computation for equal expressions, one load for equal places, and no load of what was just
stored.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace
from typing import Final

from loma.ir.analysis.alias import Aliases, Place
from loma.ir.analysis.apart import Nests
from loma.ir.analysis.effects import Effects, EffectTable, Memory
from loma.ir.builder import const, type_of
from loma.ir.nodes import (
    Alloc,
    Apply,
    Const,
    For,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.prims import math as M
from loma.ir.prims.record import Prim
from loma.ir.traverse import regions
from loma.ir.types import Scalar
from loma.opt.known import Known
from loma.opt.rewrite import Rewriter

_COMMUTES: Final[frozenset[Prim]] = frozenset((A.ADD, A.MUL, A.EQ, A.NE, A.AND, A.OR))
_MIRRORED: Final[dict[Prim, Prim]] = {A.GT: A.LT, A.GE: A.LE}


def run(function: Function, module: Module) -> Function:
    """The function with each value computed and loaded once where it dominates its uses."""
    return _Share(function, Aliases(function, module)).function(function)


class _Share(Rewriter):
    """`seen` maps expressions to their first result; `trail` lists its keys, so that regions can
    take theirs back.
    """

    def __init__(self, function: Function, aliases: Aliases) -> None:
        super().__init__()
        self.aliases = aliases
        self.effects = EffectTable(aliases)
        self.nests = Nests(function)
        self.known = Known(aliases)
        self.seen: dict[Hashable, Var] = {}
        self.trail: list[Hashable] = []
        self.numbers: dict[Hashable, int] = {}
        self.square_roots: set[Var] = set()

    def op(self, op: Op) -> None:
        match op:
            case Apply(_, _, out) | View(_, _, out):
                self.share(op, out)
            case Load() | LoadRef():
                self.load(op)
            case Store() | StoreRef():
                place = self.aliases.place(op.root, op.path)
                self.known.forget(place)
                self.known.learn(place, op.value)
                self.emit(op)
            case Alloc(out):
                self.emit(op)
                if isinstance(out.content, Scalar):
                    self.known.learn(self.aliases.place(out, ()), zero(out.content))
            case _:
                self.control(op)

    def control(self, op: Op) -> None:
        """An operation with regions or other effects: what it writes is forgotten after it."""
        effects = self.effects.op(op)
        new = self.within(op, effects) if regions(op) else op
        self.clobber(effects)
        self.emit(new)

    def within(self, op: Op, effects: Effects) -> Op:
        if not isinstance(op, For | While | Parallel):
            return self.nested(op)
        kept = self.kept(op, effects) if isinstance(op, For) else []
        self.known.enter()
        self.clobber(effects)
        for place, value in kept:
            self.known.learn(place, value)
        new = self.nested(op)
        self.known.leave()
        return new

    def kept(self, op: For, effects: Effects) -> list[tuple[Place, Operand]]:
        """The known values of places that a loop reads, and writes next to."""
        found: list[tuple[Place, Operand]] = []
        for x in op.body.ops:
            if not isinstance(x, Load):
                continue
            path = tuple(s if isinstance(s, str) else self.value(s) for s in x.path)
            place = self.aliases.place(x.root, path)
            value = self.known.find(place)
            if value is not None and all(self.spared(op, w, place) for w in effects.writes):
                found.append((place, value))
        return found

    def spared(self, loop: For, written: Memory, place: Place) -> bool:
        """Whether what a loop writes is not at a place."""
        if not self.effects.conflict(written, place):
            return True
        if not isinstance(written, Place) or written.root is not place.root:
            return False
        return self.nests.never_meet(loop, written.key, place.key)

    def clobber(self, effects: Effects) -> None:
        for memory in effects.writes:
            self.known.forget(memory)

    def region(self, region: Region) -> Region:
        mark = len(self.trail)
        self.known.enter()
        result = super().region(region)
        self.known.leave()
        while len(self.trail) > mark:
            del self.seen[self.trail.pop()]
        return result

    def share(self, op: Apply | View, out: Var) -> None:
        key = self.key(op)
        first = self.seen.get(key)
        if first is not None:
            self.subst[out] = first
            return
        self.seen[key] = out
        self.trail.append(key)
        self.emit(self.cheaper(op) if isinstance(op, Apply) else op)

    def cheaper(self, op: Apply) -> Apply:
        """c / sqrt(x) for a power of two c as c * (1 / sqrt(x)), where that quotient is known.

        Exact: unlike other numbers, a root is never so small or large that its reciprocal is not.
        """
        if op.prim is M.SQRT:
            self.square_roots.add(op.out)
        match op:
            case Apply(A.DIV, (Const(c, t), Var() as y)) if y in self.square_roots and _is_power(c):
                one = Apply(A.DIV, (const(1.0, t), y), op.out)
                if (reciprocal := self.seen.get(self.key(one), op.out)) is not op.out:
                    return replace(op, prim=A.MUL, args=(op.args[0], reciprocal))
        return op

    def key(self, op: Apply | View) -> Hashable:
        if isinstance(op, View):
            return (id(op.root), *(s if isinstance(s, str) else self.name(s) for s in op.path))
        prim, args = op.prim, op.args
        if prim in _MIRRORED:
            prim, args = _MIRRORED[prim], args[::-1]
        names = [self.name(a) for a in args]
        if prim in _COMMUTES:
            names.sort()
        return (prim, op.out.scalar, *names)

    def name(self, x: Operand) -> int:
        known = (x.type, repr(x.value)) if isinstance(x, Const) else x
        return self.numbers.setdefault(known, len(self.numbers))

    def load(self, op: Load | LoadRef) -> None:
        place = self.aliases.place(op.root, op.path)
        value = self.known.find(place)
        if value is not None and fits(op.out, value):
            self.subst[op.out] = value
            return
        self.known.learn(place, op.out)
        self.emit(op)


def _is_power(c: float) -> bool:
    """Whether a number is a power of two of moderate size."""
    mantissa, exponent = math.frexp(c)
    return mantissa == 0.5 and -20 < exponent < 20


def fits(out: Var, value: Operand) -> bool:
    """Whether a known value has the type of what a load gives."""
    if isinstance(out.type, Scalar):
        return type_of(value) is out.type
    return isinstance(value, Var) and value.type == out.type


def zero(t: Scalar) -> Const:
    """What freshly allocated memory holds."""
    return Const(False if t is Scalar.BOOL else 0.0 if t.is_float else 0, t)
