"""Dead code: keeps what effects and results need, by marking from them.

A value that a loop carries only to compute itself, a local root that is written but never read, and
a loop without effects or used results disappear. A `While` that would never end may disappear too:
loma assumes forward progress. Checks, calls and accesses to tapes that are ever popped stay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from loma.ir.nodes import (
    Accum,
    Alloc,
    Call,
    Check,
    For,
    Function,
    If,
    Module,
    Op,
    Operand,
    Parallel,
    Pop,
    Print,
    Push,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    While,
)
from loma.ir.traverse import CONTROL, operands, outs, regions
from loma.opt.rewrite import same_ops, with_regions

T = TypeVar("T")


def run(function: Function, module: Module) -> Function:
    """The function without operations, results and carried values that nothing needs."""
    live = _Liveness(function)
    live.solve()
    body = live.sweep(function.body)
    return function if body is function.body else replace(function, body=body)


class _Liveness:
    """Marks operations and variables that are needed; `todo` holds marked variables yet to be
    followed.
    """

    def __init__(self, function: Function) -> None:
        self.needed: set[Var] = set()
        self.kept: set[Op] = set()
        self.todo: list[Var] = []
        self.defined: dict[Var, Op] = {}
        self.carried: dict[Var, tuple[Op, int]] = {}
        self.parent: dict[Op, Op | None] = {}
        self.writers: dict[Var, list[Op]] = {}
        self.pops: dict[Var, None] = {}
        self.effects: list[Op] = []
        self.index(function.body, None)
        for y in function.body.yields:
            self.need(y)
        # A kernel is one Parallel, even if it does nothing.
        kernel = function.body.ops if function.signature.simd else ()
        for op in (*self.effects, *kernel):
            self.keep(op)

    # What there is.

    def index(self, region: Region, parent: Op | None) -> None:
        """Notes every operation's place, and which ones have effects."""
        for op in region.ops:
            self.parent[op] = parent
            for v in outs(op):
                self.defined[v] = op
            self.note(op)
            if type(op) not in CONTROL:
                continue
            for inner in regions(op):
                self.index(inner, op)
                for k, v in enumerate(inner.args if isinstance(op, While) else inner.args[1:]):
                    self.carried[v] = (op, k)

    def note(self, op: Op) -> None:
        match op:
            case Store(root) | Accum(root) | StoreRef(root) | Push(root):
                base = self.base(root)
                if isinstance(self.defined.get(base), Alloc):
                    self.writers.setdefault(base, []).append(op)
                else:
                    self.effects.append(op)
            case Pop(tape):
                self.pops[self.base(tape)] = None
                self.effects.append(op)
            case Check() | Call() | Print():
                self.effects.append(op)
            case _:
                pass

    def base(self, root: Var) -> Var:
        while isinstance(op := self.defined.get(root), View):
            root = op.root
        return root

    # What is needed.

    def need(self, x: Operand) -> None:
        if isinstance(x, Var) and x not in self.needed:
            self.needed.add(x)
            self.todo.append(x)

    def keep(self, op: Op) -> None:
        """Keeps an operation with all that it reads itself, and those that hold it."""
        at: Op | None = op
        while at is not None and at not in self.kept:
            self.kept.add(at)
            for x in self.own_reads(at):
                self.need(x)
            at = self.parent[at]

    def own_reads(self, op: Op) -> tuple[Operand, ...]:
        match op:
            case For():
                return (op.start, op.count)
            case While():
                return op.cond.yields
            case _:
                return operands(op)

    def solve(self) -> None:
        """Follows every needed variable to what it needs."""
        for tape in self.pops:
            self.need(tape)
        while self.todo:
            v = self.todo.pop()
            if v in self.carried:
                self.follow_carried(*self.carried[v])
            op = self.defined.get(v)
            if op is None:
                continue
            self.keep(op)
            self.follow(op, v)

    def follow(self, op: Op, v: Var) -> None:
        match op:
            case Alloc():
                for write in self.writers.get(v, ()):
                    self.keep(write)
            case If():
                k = op.outs.index(v)
                self.need(op.then.yields[k])
                self.need(op.orelse.yields[k])
            case For() | While():
                self.follow_carried(op, op.outs.index(v))
            case Parallel():
                self.need(op.body.yields[op.outs.index(v)])
            case _:
                pass

    def follow_carried(self, op: Op, k: int) -> None:
        names: tuple[Operand, ...]
        match op:
            case For():
                names = (op.body.args[k + 1], op.inits[k], op.body.yields[k])
            case While():
                names = (op.cond.args[k], op.body.args[k], op.inits[k], op.body.yields[k])
            case _:
                raise AssertionError("only loops carry values")
        self.keep(op)
        for x in names:
            self.need(x)

    # What is left.

    def sweep(self, region: Region) -> Region:
        """A region with only what is needed."""
        ops = tuple(self.trimmed(op) for op in region.ops if op in self.kept)
        if same_ops(ops, region.ops):
            return region
        return replace(region, ops=ops)

    def trimmed(self, op: Op) -> Op:
        """An operation without the results and the nested operations that nothing needs."""
        if type(op) not in CONTROL:
            return op
        op = self.swept(op)
        match op:
            case If() | Parallel():
                keep = [v in self.needed for v in op.outs]
            case For():
                keep = [a in self.needed for a in op.body.args[1:]]
            case While():
                keep = [a in self.needed for a in op.body.args]
            case _:
                return op
        return op if all(keep) else _fewer(op, keep)

    def swept(self, op: Op) -> Op:
        old = regions(op)
        new = tuple(self.sweep(r) for r in old)
        return op if all(a is b for a, b in zip(old, new, strict=True)) else with_regions(op, new)


def _fewer(op: If | For | While | Parallel, keep: list[bool]) -> Op:
    """A control operation with only some of its results."""
    outs = only(op.outs, keep)
    match op:
        case If(_, then, orelse):
            return replace(
                op, then=_yielding(then, keep), orelse=_yielding(orelse, keep), outs=outs
            )
        case For(_, _, _, inits, body):
            body = _carrying(body, [True, *keep], keep)
            return replace(op, inits=only(inits, keep), outs=outs, body=body)
        case While(inits, cond, body):
            cond = replace(cond, args=only(cond.args, keep))
            body = _carrying(body, keep, keep)
            return replace(op, inits=only(inits, keep), outs=outs, cond=cond, body=body)
        case Parallel(_, body):
            return replace(op, body=_yielding(body, keep), outs=outs)


def only(xs: tuple[T, ...], keep: list[bool]) -> tuple[T, ...]:
    """The members that are kept."""
    return tuple(x for x, k in zip(xs, keep, strict=True) if k)


def _yielding(region: Region, keep: list[bool]) -> Region:
    return replace(region, yields=only(region.yields, keep))


def _carrying(region: Region, args: list[bool], yields: list[bool]) -> Region:
    return Region(only(region.args, args), region.ops, only(region.yields, yields))
