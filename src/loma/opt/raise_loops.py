"""Counted loops: a `While` that steps an integer up or down to a bound becomes a `For`.

    while i < n (<=): i += s > 0        while i > n (>=): i -= s > 0        while i != n: i ±= 1

The count is exact for every loop that ends without the index passing the end of its type; where the
difference of bound and start may not fit the type, the loop counts in 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from loma.ir.analysis.alias import Aliases
from loma.ir.analysis.effects import Effects, EffectTable
from loma.ir.builder import const, type_of
from loma.ir.nodes import (
    Apply,
    Check,
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
    Var,
    View,
    While,
    Window,
)
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim
from loma.ir.traverse import operands
from loma.ir.types import Scalar
from loma.opt import carried
from loma.opt.emit import Emitter
from loma.opt.rewrite import Rewriter

_MIRROR: Final[dict[Prim, Prim]] = {A.LT: A.GT, A.GT: A.LT, A.LE: A.GE, A.GE: A.LE, A.NE: A.NE}
_WIDEST: Final = 1 << 30
T = TypeVar("T")


def run(function: Function, module: Module) -> Function:
    """The function with counted loops as `For`."""
    function = carried.run(function, module)
    return _Raise(EffectTable(Aliases(function, module))).function(function)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A loop while `index compare bound`, where each iteration adds `step` to carried value `k`."""

    k: int
    compare: Prim
    bound: Operand
    step: int
    before: list[Op]


class _Raise(Rewriter):
    """`natural` holds the variables that are known not to be negative."""

    def __init__(self, effects: EffectTable) -> None:
        super().__init__()
        self.effects = effects
        self.natural: set[Var] = set()

    def op(self, op: Op) -> None:
        match op:
            case While():
                new = self.nested(op)
                assert isinstance(new, While), "its own kind"
                found = _counted(new, self.effects)
                if found is None:
                    self.emit(new)
                else:
                    _Counter(self, new, found).emit()
            case For(start, _, step):
                if self.is_natural(start) and step.value > 0:
                    self.natural.add(op.body.args[0])
                self.emit(self.nested(op))
            case Parallel():
                self.natural.add(op.body.args[0])
                self.emit(self.nested(op))
            case _:
                self.emit(self.nested(op))

    def is_natural(self, x: Operand) -> bool:
        """Whether an integer is known not to be negative."""
        return x in self.natural if isinstance(x, Var) else x.value >= 0


def _counted(op: While, table: EffectTable) -> _Counted | None:
    compare = _condition(op)
    if compare is None:
        return None
    names = {v: k for k, v in enumerate(op.cond.args)}
    x, y = compare.args
    for prim, index, bound in ((compare.prim, x, y), (_MIRROR[compare.prim], y, x)):
        if not isinstance(index, Var) or index not in names or not index.scalar.is_int:
            continue
        k = names[index]
        step = _step(op.body, k)
        before = _invariant(op, compare, bound, table)
        if step is not None and before is not None and _reaches(prim, step, index.scalar):
            return _Counted(k, prim, bound, step, before)
    return None


def _condition(op: While) -> Apply | None:
    c = op.cond.yields[0]
    last = next((x for x in reversed(op.cond.ops) if isinstance(x, Apply) and x.out is c), None)
    return last if last is not None and last.prim in _MIRROR else None


def _step(body: Region, k: int) -> int | None:
    """What each iteration adds to carried value `k`, if that is a literal."""
    index, y = body.args[k], body.yields[k]
    made = next((x for x in reversed(body.ops) if isinstance(x, Apply) and x.out is y), None)
    if made is None:
        return None
    match made.prim, made.args:
        case (A.ADD, (x, Const(step))) | (A.ADD, (Const(step), x)) if x is index:
            return int(step)
        case (A.SUB, (x, Const(step))) if x is index:
            return -int(step)
        case _:
            return None


def _reaches(prim: Prim, step: int, type: Scalar) -> bool:
    """Whether stepping so makes the condition false before the index wraps (or exactly once
    around).
    """
    if not 0 < abs(step) <= _WIDEST:
        return False
    if prim is A.NE:
        return abs(step) == 1 and type is Scalar.I32
    return (step > 0) == (prim in (A.LT, A.LE))


def _invariant(op: While, compare: Apply, bound: Operand, table: EffectTable) -> list[Op] | None:
    """The operations of the condition but the comparison, if they never change."""
    varying: set[Var] = set(op.cond.args)
    if bound in varying:
        return None
    effects = Effects()
    effects.add(table.region(op.cond))
    effects.add(table.region(op.body))
    before: list[Op] = []
    for x in op.cond.ops:
        if x is compare:
            continue
        match x:
            case Apply() | View() | Window() | Check():
                pass
            case Load(root, path) | LoadRef(root, path):
                if table.writes_any(effects, table.aliases.place(root, path)):
                    return None
            case _:
                return None
        if any(v in varying for v in operands(x)):
            return None
        before.append(x)
    return None if any(compare.out in operands(x) for x in before) else before


class _Counter:
    """Emits one loop as a `For`."""

    def __init__(self, to: _Raise, op: While, found: _Counted) -> None:
        self.to = to
        self.loop = op
        self.found = found
        self.make = Emitter(to, op.span)
        self.start = op.inits[found.k]
        self.type = type_of(self.start)

    def emit(self) -> None:
        """Emits the invariant part of the condition, the count, the loop, and the index's last
        value.
        """
        for x in self.found.before:
            self.to.emit(x)
        wide = self.type is Scalar.I32 and not self.fits()
        type = Scalar.I64 if wide else self.type
        runs = self.make.make(self.found.compare, self.start, self.found.bound)
        count = self.count(type, runs)
        self.body(type, count)
        self.last(runs, count)

    def fits(self) -> bool:
        """Whether the distance to the bound fits the index's type."""
        start, bound = self.start, self.found.bound
        if isinstance(start, Const) and isinstance(bound, Const):
            return abs(bound.value - start.value) < _WIDEST and self.found.compare is not A.NE
        if self.found.compare in (A.LT, A.LE):
            return self.to.is_natural(start)
        if self.found.compare is A.GT:
            return self.to.is_natural(bound)
        return self.found.compare is A.GE and isinstance(bound, Const) and bound.value >= 1

    def count(self, type: Scalar, runs: Operand) -> Operand:
        """The number of iterations; not positive when there is none."""
        make, step = self.make, self.found.step
        start, bound = make.cast(self.start, type), make.cast(self.found.bound, type)
        distance = make.sub(bound, start) if step > 0 else make.sub(start, bound)
        if self.found.compare is A.NE:
            around = make.add(distance, const(1 << 32, type))
            return make.select(make.make(A.LT, distance, const(0, type)), around, distance)
        inclusive = self.found.compare in (A.LE, A.GE)
        if abs(step) != 1:
            full = distance if inclusive else make.sub(distance, const(1, type))
            count = make.add(make.make(A.IDIV, full, const(abs(step), type)), const(1, type))
        else:
            count = make.add(distance, const(1, type)) if inclusive else distance
            if step > 0 and isinstance(start, Const) and start.value == 0:
                return count
        return make.select(runs, count, const(0, type))

    def body(self, type: Scalar, count: Operand) -> None:
        """Emits the loop; its index is the carried value, or is cast to it."""
        op, k = self.loop, self.found.k
        index, ops = op.body.args[k], op.body.ops
        if type is not self.type:
            wide = Var(index.name, type)
            ops = (Apply(A.CAST, (wide,), index, span=op.span), *ops)
            index = wide
        args = (index, *_without(op.body.args, k))
        self.to.emit(
            For(
                self.make.cast(self.start, type),
                count,
                const(self.found.step, type),
                _without(op.inits, k),
                Region(args, ops, _without(op.body.yields, k)),
                _without(op.outs, k),
                span=op.span,
            )
        )

    def last(self, runs: Operand, count: Operand) -> None:
        """Binds what the index is after the loop."""
        make, found = self.make, self.found
        if abs(found.step) == 1 and found.compare in (A.LT, A.GT, A.NE):
            value = make.select(runs, found.bound, self.start)
        else:
            times = make.cast(make.positive(count), self.type)
            value = make.add(self.start, make.mul(times, const(found.step, self.type)))
        self.to.subst[self.loop.outs[found.k]] = value


def _without(xs: tuple[T, ...], k: int) -> tuple[T, ...]:
    return (*xs[:k], *xs[k + 1 :])
