"""Integers that a counted loop steps by a fixed amount are computed from its index instead of being
carried.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from loma.ir.builder import const, type_of
from loma.ir.nodes import Apply, Const, For, Function, Module, Op, Operand, Region, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound
from loma.opt.emit import Emitter
from loma.opt.rewrite import Rewriter

T = TypeVar("T")


def run(function: Function, module: Module) -> Function:
    """The function with integers that are affine in a loop's index no longer carried."""
    return _Induction().function(function)


class _Induction(Rewriter):
    def op(self, op: Op) -> None:
        if isinstance(op, For) and (steps := _steps(op)):
            op = self.freed(op, steps)
        self.emit(self.nested(op))
        if isinstance(op, For):
            for v, start, by in self.after.pop(op, ()):
                self.last(op, v, start, by)

    def __init__(self) -> None:
        super().__init__()
        self.after: dict[Op, list[tuple[Var, Operand, Operand]]] = {}

    def freed(self, op: For, steps: dict[int, Operand]) -> For:
        """The loop with the affine values computed at the start of its body."""
        outer, self.ops = self.ops, []
        make = Emitter(self, op.span)
        for k, by in steps.items():
            arg = op.body.args[k + 1]
            times = make.sub(op.body.args[0], op.start)
            scale = by if op.step.value == 1 else _scale(make, by, int(op.step.value))
            moved = make.mul(make.cast(times, arg.scalar), scale)
            self.subst[arg] = make.add(op.inits[k], moved)
        first, self.ops = self.ops, outer

        def kept(xs: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(x for k, x in enumerate(xs) if k not in steps)

        args = (op.body.args[0], *kept(op.body.args[1:]))
        body = Region(args, (*first, *op.body.ops), kept(op.body.yields))
        new = replace(op, inits=kept(op.inits), body=body, outs=kept(op.outs))
        self.after[new] = [(op.outs[k], op.inits[k], by) for k, by in steps.items()]
        return new

    def last(self, op: For, v: Var, start: Operand, by: Operand) -> None:
        """Binds what an affine value is after the loop."""
        make = Emitter(self, op.span)
        times = make.cast(make.positive(op.count), v.scalar)
        self.subst[v] = make.add(start, make.mul(times, by))


def _scale(make: Emitter, by: Operand, step: int) -> Operand:
    if isinstance(by, Const):
        return const(int(by.value) // step, by.type)
    return make.make(A.NEG, by)


def _steps(op: For) -> dict[int, Operand]:
    """What each iteration adds to each carried value that steps by an invariant integer."""
    made = {x.out: x for x in op.body.ops if isinstance(x, Apply) and x.prim in (A.ADD, A.SUB)}
    inside: set[Var] | None = None
    found: dict[int, Operand] = {}
    for k, (arg, y) in enumerate(zip(op.body.args[1:], op.body.yields, strict=True)):
        step = made.get(y) if isinstance(y, Var) else None
        if step is None or not arg.scalar.is_int or not _spans(op, arg):
            continue
        by = _by(step, arg)
        if isinstance(by, Const) and by.value % op.step.value == 0:
            found[k] = by
        elif isinstance(by, Var) and abs(op.step.value) == 1:
            inside = bound(op.body) if inside is None else inside
            if by not in inside:
                found[k] = by
    return found


def _spans(op: For, arg: Var) -> bool:
    """Whether index - start, in the index's type, is known modulo the range of the carried type."""
    from_zero = isinstance(op.start, Const) and op.start.value == 0
    return from_zero or arg.scalar.bytes <= op.body.args[0].scalar.bytes


def _by(step: Apply, arg: Var) -> Operand | None:
    x, y = step.args
    if step.prim is A.ADD:
        return y if x is arg else x if y is arg else None
    if x is arg and isinstance(y, Const):
        return const(-y.value, type_of(y))
    return None
