"""Turns loops that run backward forward where the order of iterations does not matter.

A reverse sweep visits iterations last to first. Where a body only adds to memory and carries only
sums, running it forward gives the same up to the order of the additions, and suits caches and
vector units better. Not for strict mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from loma.ir.analysis.alias import Aliases, Key
from loma.ir.analysis.apart import Nests
from loma.ir.analysis.effects import EffectTable
from loma.ir.analysis.polynomial import polynomial
from loma.ir.builder import const, type_of
from loma.ir.nodes import (
    Accum,
    Apply,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Region,
    Var,
    View,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import reads, walk
from loma.opt.emit import Emitter
from loma.opt.rewrite import Rewriter

Apart: TypeAlias = Callable[[Key, Key], bool]


def run(function: Function, module: Module) -> Function:
    """The function with its order-free loops running forward."""
    return _Forwards(function, module).function(function)


class _Forwards(Rewriter):
    def __init__(self, function: Function, module: Module) -> None:
        super().__init__()
        self.effects = EffectTable(Aliases(function, module))
        self.nests = Nests(function)

    def op(self, op: Op) -> None:
        new = self.nested(op)
        if isinstance(new, For) and new.step.value < 0 and order_free(
            new.body, self.effects, partial(self.nests.never_meet, new)
        ):
            self.turn(new)
        else:
            self.emit(new)

    def turn(self, op: For) -> None:
        """The loop from its last index to its first."""
        start = self.last(op)
        self.emit(replace(op, start=start, step=const(-op.step.value, op.step.type)))

    def last(self, op: For) -> Operand:
        """The last index, most often a number."""
        of, t = self.nests.polynomials.of, type_of(op.count)
        turns = of(op.count).plus(polynomial(1), -1)
        found = of(op.start).plus(turns, int(op.step.value))
        if not found.variables():
            return const(found.terms.get((), 0), t)
        e = Emitter(self, op.span)
        return e.add(op.start, e.mul(e.sub(op.count, const(1, t)), op.step))


def _unknown(_a: Key, _b: Key) -> bool:
    """Nothing is known of the places below one root."""
    return False


def order_free(body: Region, effects: EffectTable, apart: Apart = _unknown) -> bool:
    """Whether iterations may run in any order: they only add, to memory that they do not read.

    `apart` says of two places below one root whether they never meet.
    """
    inner = list(walk(body))
    if not all(isinstance(x, Apply | Load | LoadRef | View | Accum | If | For) for x in inner):
        return False
    added = [effects.aliases.place(x.root, x.path) for x in inner if isinstance(x, Accum)]
    loads = [effects.aliases.place(x.root, x.path) for x in inner if isinstance(x, Load | LoadRef)]
    met = [(a, b) for a in added for b in loads if effects.aliases.may_alias(a, b)]
    if any(a.root is not b.root or not apart(a.key, b.key) for a, b in met):
        return False
    return carries_sums(body)


def carries_sums(body: Region) -> bool:
    """Whether every carried value is a sum: its argument is read only to add to it."""
    uses: dict[Var, int] = {}
    for v in reads(body):
        uses[v] = uses.get(v, 0) + 1
    return all(_is_sum(body, k, uses) for k in range(len(body.yields)))


def _is_sum(body: Region, k: int, uses: Mapping[Var, int]) -> bool:
    """Whether carried value `k` is only added to, here or in one loop inside."""
    v, y = body.args[k + 1], body.yields[k]
    if not isinstance(y, Var) or uses.get(v, 0) != 1 or uses[y] != 1:
        return False
    for op in body.ops:
        match op:
            case Apply(A.ADD, args) if op.out is y:
                return v in args
            case Apply(A.SUB, (first, _)) if op.out is y:
                return v is first
            case For() if y in op.outs:
                inner = op.outs.index(y)
                return op.inits[inner] is v and _is_sum(op.body, inner, uses)
            case _:
                pass
    return False
