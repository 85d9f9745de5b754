"""Load, add, store at one place becomes one addition to the place, whose adjoint only reads.

Only where the loaded value and the sum have no other use, and nothing between the two may write the
place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from loma.ir.analysis.alias import Aliases, Place
from loma.ir.analysis.effects import EffectTable
from loma.ir.builder import type_of
from loma.ir.nodes import Accum, Apply, Function, Load, Module, Op, Operand, Region, Store, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import reads
from loma.opt.rewrite import Rewriter, applied


def run(function: Function, module: Module) -> Function:
    """The function with `x[i] = x[i] + e` as additions to x[i]."""
    effects = EffectTable(Aliases(function, module))
    return _Raise(effects, Counter(reads(function.body))).function(function)


@dataclass(slots=True)
class _Open:
    """A load whose place was not written since: the sum that uses it, once there is one."""

    load: Load
    place: Place
    sum: Apply | None = None


class _Raise(Rewriter):
    """`pending` holds open loads by what carries them: the loaded value, then the sum."""

    def __init__(self, effects: EffectTable, uses: Counter[Var]) -> None:
        super().__init__()
        self.effects = effects
        self.uses = uses
        self.pending: dict[Var, _Open] = {}
        self.dropped: set[Op] = set()

    def region(self, region: Region) -> Region:
        outer, self.pending = self.pending, {}
        raised = super().region(region)
        self.pending = outer
        if not any(op in self.dropped for op in raised.ops):
            return raised
        return replace(raised, ops=tuple(op for op in raised.ops if op not in self.dropped))

    def op(self, op: Op) -> None:
        new = self.nested(op)
        match new:
            case Load(_, _, out) if out.scalar.is_float and self.uses[out] == 1:
                self.pending[out] = _Open(new, self.effects.aliases.place(new.root, new.path))
            case Apply(prim, args, out) if prim in (A.ADD, A.SUB):
                self.carry(new, args, out)
            case Store(_, _, Var() as value) if value in self.pending:
                if (accum := self.accum(new, self.pending.pop(value))) is not None:
                    self.written(new)
                    self.emit(accum)
                    return
                self.written(new)
            case _:
                self.written(op)
        self.emit(new)

    def carry(self, op: Apply, args: tuple[Operand, ...], out: Var) -> None:
        """Follows a loaded value into a sum with one use."""
        if self.uses[out] != 1:
            return
        for x in args if op.prim is A.ADD else args[:1]:
            if isinstance(x, Var) and x in self.pending and self.pending[x].sum is None:
                entry = self.pending.pop(x)
                entry.sum = op
                self.pending[out] = entry
                return

    def accum(self, op: Store, entry: _Open) -> Accum | None:
        """The addition that a store stands for."""
        total = entry.sum
        if total is None or self.effects.aliases.place(op.root, op.path) != entry.place:
            return None
        x, y = total.args
        value: Operand = y if x is entry.load.out else x
        if total.prim is A.SUB:
            negated = applied(A.NEG, value, span=total.span)
            self.emit(negated)
            value = negated.out
        assert type_of(value).is_float, "only floats are accumulated"
        self.dropped |= {entry.load, total}
        return Accum(op.root, op.path, value, span=op.span)

    def written(self, op: Op) -> None:
        """Forgets open loads whose place an operation may write."""
        if not self.pending:
            return
        effects = self.effects.op(op)
        if effects.writes:
            stale = [
                v for v, o in self.pending.items() if self.effects.writes_any(effects, o.place)
            ]
            for v in stale:
                del self.pending[v]
