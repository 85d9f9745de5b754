"""Loops that keep every iteration on a tape keep one in a while, and run again from there.

The reverse sweep of a loop pops what the loop pushed, iteration by iteration. On a device the tape
of a thread lies in memory that all threads want at once, and costs far more than the loop. So the
loop pushes only what it carries, once in a while (a checkpoint), and the reverse sweep goes by
segments: it pops a checkpoint, runs the iterations of the segment again, in which what they would
have pushed goes to a small array of the thread's own, and reverses them.

    for i in n: push(v(x)); x = f(x)           for i in n: if i % 32 == 0: push(x); x = f(x)
    for i in n: pop(v); g(v)             ==>   for each segment, the last one first:
                                                   pop(x); for k in segment: a[k] = v(x); x = f(x)
                                                   for k in segment, backwards: v = a[k]; g(v)

The iterations are repeated exactly, for all that they read is what they carry and memory that
nobody writes. Only where array parameters are distinct memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from loma.ir.analysis.roots import bases, region_writes
from loma.ir.builder import NOTHING, Builder, const, type_of
from loma.ir.nodes import (
    Alloc,
    Apply,
    Check,
    Const,
    For,
    Function,
    If,
    Load,
    Module,
    Op,
    Operand,
    Pop,
    Push,
    Region,
    Var,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import clone_op, op_reads, outs, regions, value, walk
from loma.ir.types import I32, ArrayType, Ref
from loma.opt.emit import Emitter
from loma.opt.rewrite import Rewriter

Loop: TypeAlias = For | While
LENGTH: Final = 32
"""Iterations of a segment."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A loop that pushes in each iteration, and the one that pops in each; `needed` are the
    positions of the carried values from which iterations can be repeated, and `again` is what
    repeats one: `push.values`, and the next of these values.
    """

    forward: Loop
    push: Push
    back: For
    pop: Pop
    needed: tuple[int, ...]
    again: tuple[Op, ...]

    @property
    def carried(self) -> tuple[Var, ...]:
        """What the first loop carries."""
        args = self.forward.body.args
        return args if isinstance(self.forward, While) else args[1:]


def run(function: Function, module: Module) -> Function:
    """The function with such pairs of loops; only where array parameters are known to be
    distinct.
    """
    if not function.distinct:
        return function
    pairs = list(_pairs(function))
    return _Checkpoints(pairs).function(function) if pairs else function


def _pairs(f: Function) -> Iterator[Pair]:
    """The pairs of loops in one region that have a tape of their own."""
    users: dict[Var, list[Op]] = {}
    for op in walk(f.body):
        if isinstance(op, Push | Pop):
            users.setdefault(op.tape, []).append(op)
    base = bases(f.body)
    fixed = set(f.params) - region_writes(f.body, base, {})
    unwritten = fixed | {v for v, b in base.items() if b in fixed}
    for region in _regions(f.body):
        for tape, used in users.items():
            if len(used) == 2 and (found := _pair(region, tape, unwritten)) is not None:
                yield found


def _regions(region: Region) -> Iterator[Region]:
    yield region
    for op in walk(region):
        yield from regions(op)


def _pair(region: Region, tape: Var, unwritten: set[Var]) -> Pair | None:
    """The loops of a region that push to a tape, and pop from it."""
    forward: tuple[Loop, Push] | None = None
    for op in region.ops:
        if not isinstance(op, For | While):
            continue
        for x in op.body.ops:
            if isinstance(x, Push) and x.tape is tape:
                forward = op, x
            elif isinstance(x, Pop) and x.tape is tape and forward is not None:
                return _made(*forward, op, x, unwritten)
    return None


def _made(forward: Loop, push: Push, back: Loop, pop: Pop, unwritten: set[Var]) -> Pair | None:
    if not isinstance(back, For) or not _same_count(forward, back):
        return None
    cone = _cone(forward, push)
    if cone is None:
        return None
    needed, ops = cone
    if not all(_repeatable(x, unwritten) for x in ops):
        return None
    return Pair(forward, push, back, pop, needed, tuple(ops))


def _same_count(forward: Loop, back: For) -> bool:
    """Whether the second loop runs as often as the first."""
    if isinstance(forward, For):
        return forward.count is back.count or (
            isinstance(forward.count, Const) and forward.count == back.count
        )
    if back.count not in forward.outs:
        return False
    k = forward.outs.index(back.count)
    start, after = forward.inits[k], forward.body.yields[k]
    step = next((x for x in forward.body.ops if after in outs(x)), None)
    return (
        isinstance(start, Const)
        and start.value == 0
        and isinstance(step, Apply)
        and step.prim is A.ADD
        and step.args == (forward.body.args[k], const(1, type_of(start)))
    )


def _cone(loop: Loop, push: Push) -> tuple[tuple[int, ...], list[Op]] | None:
    """Which carried values, and which operations of the body, lead to what is pushed, and to these
    values in the next iteration."""
    skip = 0 if isinstance(loop, While) else 1
    args, body = loop.body.args[skip:], loop.body
    needed: set[int] = set()
    while True:
        wanted = [*push.values, *(body.yields[k] for k in sorted(needed))]
        ops, live = _slice(body.ops, wanted)
        more = {k for k, v in enumerate(args) if v in live}
        if more <= needed:
            return tuple(sorted(needed)), ops
        needed |= more


def _slice(ops: Iterable[Op], wanted: Iterable[Operand]) -> tuple[list[Op], set[Var]]:
    """The operations that compute values, in order, and all that these read."""
    live = {x for x in wanted if isinstance(x, Var)}
    found: list[Op] = []
    for op in reversed(tuple(ops)):
        if any(v in live for v in outs(op)):
            found.append(op)
            live.update(op_reads(op))
    return found[::-1], live


def _repeatable(op: Op, unwritten: set[Var]) -> bool:
    """Whether an operation gives the same again, and does nothing else."""
    match op:
        case Apply():
            return True
        case Load(root):
            return root in unwritten
        case If(_, then, orelse):
            inner = (*then.ops, *orelse.ops)
            return all(isinstance(x, Check) or _repeatable(x, unwritten) for x in inner)
        case _:
            return False


def _unchecked(op: Op) -> Op:
    """The operation without checks, which were passed before."""
    if not isinstance(op, If):
        return op
    then, orelse = (
        replace_ops(r, [_unchecked(x) for x in r.ops if not isinstance(x, Check)])
        for r in (op.then, op.orelse)
    )
    return replace(op, then=then, orelse=orelse)


def replace_ops(region: Region, ops: Iterable[Op]) -> Region:
    """A region with other operations."""
    return Region(region.args, tuple(ops), region.yields)


class _Checkpoints(Rewriter):
    def __init__(self, pairs: list[Pair]) -> None:
        super().__init__()
        self.forward = {p.forward: p for p in pairs}
        self.back = {p.back: p for p in pairs}
        self.tapes = {p.push.tape: p for p in pairs}
        self.arrays: dict[Push, tuple[Var, ...]] = {}

    def read(self, op: Op) -> Op:
        """Nothing is substituted."""
        return op

    def op(self, op: Op) -> None:
        match op:
            case Alloc(out) if out in self.tapes:
                self.emit(op)
                self.allocate(self.tapes[out])
            case For() | While() if op in self.forward:
                self.emit(_sparse(self.forward[op], self.nested(op)))
            case For() if op in self.back:
                self.segments(self.back[op], self.nested(op))
            case _:
                self.emit(self.nested(op))

    def allocate(self, p: Pair) -> None:
        """An array for each value of a segment's frames."""
        made = tuple(
            Var(f"kept_{k}", Ref(ArrayType(type_of(x), LENGTH)))
            for k, x in enumerate(p.push.values)
        )
        self.ops += [Alloc(v, span=p.push.span) for v in made]
        self.arrays[p.push] = made

    def segments(self, p: Pair, new: Op) -> None:
        """The loop over segments."""
        assert isinstance(new, For)
        e = Emitter(self, new.span)
        kind = type_of(new.count)
        length = const(LENGTH, kind)
        count = e.positive(new.count)
        whole = e.make(A.IDIV, e.add(count, const(LENGTH - 1, kind)), length)
        outer = _Outer(self, p, new, self.arrays[p.push])
        self.emit(
            For(
                const(0, kind), whole, const(1, kind), new.inits,
                outer.body(count, whole), new.outs, span=new.span,
            )
        )  # fmt: skip


class _Outer:
    """Makes the body of the loop over segments."""

    def __init__(self, to: _Checkpoints, p: Pair, back: For, arrays: tuple[Var, ...]) -> None:
        self.to = to
        self.p = p
        self.back = back
        self.arrays = arrays
        self.kind = type_of(back.count)
        self.make = Emitter(to, back.span)

    def body(self, count: Operand, whole: Operand) -> Region:
        """One segment: its iterations again, then reversed."""
        done = Var("segment", self.kind)
        args = tuple(Var(v.name, v.scalar) for v in self.back.body.args[1:])
        results = tuple(Var(v.name, v.scalar) for v in self.back.body.args[1:])
        outer, self.to.ops = self.to.ops, []
        e = self.make
        left = e.sub(e.sub(whole, self.number(1)), done)
        first = e.mul(left, self.number(LENGTH))
        rest = e.sub(count, first)
        short = e.make(A.LT, rest, self.number(LENGTH))
        length = e.select(short, rest, self.number(LENGTH))
        self.again(first, length)
        self.reversed(first, length, count, args, results)
        ops, self.to.ops = self.to.ops, outer
        return Region((done, *args), tuple(ops), results)

    def number(self, n: int) -> Const:
        """A number of iterations."""
        return const(n, self.kind)

    def again(self, first: Operand, length: Operand) -> None:
        """Pops a checkpoint, and runs the iterations from there again."""
        p = self.p
        kept = [p.carried[k] for k in p.needed]
        state = tuple(Var(v.name, v.scalar) for v in kept)
        if state:
            self.to.emit(Pop(p.push.tape, state, span=self.back.span))
        k, args = Var("k", self.kind), tuple(Var(v.name, v.scalar) for v in kept)
        subst: dict[Var, Operand] = dict(zip(kept, args, strict=True))
        outer, self.to.ops = self.to.ops, []
        if isinstance(p.forward, For):
            number = self.make.add(first, k)
            subst[p.forward.body.args[0]] = self.index(p.forward, number)
        for op in p.again:
            self.to.emit(clone_op(_unchecked(op), subst))
        b = Builder({}, self.back.span)
        for array, x in zip(self.arrays, p.push.values, strict=True):
            b.store(array, (k,), value(x, subst))
        after = tuple(value(p.forward.body.yields[n], subst) for n in p.needed)
        ops, self.to.ops = [*self.to.ops, *b.ops], outer
        unused = tuple(Var(v.name, v.scalar) for v in kept)
        body = Region((k, *args), tuple(ops), after)
        start, step = self.number(0), self.number(1)
        self.to.emit(For(start, length, step, state, body, unused, span=self.back.span))

    def index(self, loop: For, number: Operand) -> Operand:
        """The index of an iteration of a loop."""
        e, kind = self.make, type_of(loop.start)
        return e.add(loop.start, e.mul(e.cast(number, kind), loop.step))

    def reversed(
        self,
        first: Operand,
        length: Operand,
        count: Operand,
        inits: tuple[Var, ...],
        results: tuple[Var, ...],
    ) -> None:
        """The second loop over the iterations of a segment."""
        e, back = self.make, self.back
        k, old = Var("k", self.kind), back.body.args[0]
        outer, self.to.ops = self.to.ops, []
        subst: dict[Var, Operand] = {}
        if any(old in op_reads(op) for op in back.body.ops) or old in back.body.yields:
            last = e.sub(e.sub(count, self.number(1)), first)
            subst[old] = self.index(back, e.sub(last, k))
        b = Builder({}, back.span)
        for array, out in zip(self.arrays, self.p.pop.outs, strict=True):
            b.emit(Load(array, (k,), out, span=back.span))
        self.to.ops += b.ops
        for op in back.body.ops:
            if op is not self.p.pop:
                self.to.emit(clone_op(op, subst, keep=True))
        ops, self.to.ops = self.to.ops, outer
        yields = tuple(value(y, subst) for y in back.body.yields)
        body = Region((k, *back.body.args[1:]), tuple(ops), yields)
        start = e.sub(length, self.number(1))
        self.to.emit(
            For(start, length, self.number(-1), inits, body, results, span=back.span)
        )


def _sparse(p: Pair, new: Op) -> Op:
    """The first loop, which pushes what it carries in the first iteration of each segment."""
    assert isinstance(new, For | While)
    left = Var("left", I32)
    b = Builder({}, p.push.span)
    begins = b.apply(A.EQ, left, const(0, I32))
    state = tuple(p.carried[k] for k in p.needed)
    for op in new.body.ops:
        if op is not p.push:
            b.emit(op)
        elif state:
            push = Push(op.tape, state, span=op.span)
            b.emit(If(begins, Region((), (push,), ()), NOTHING, (), span=op.span))
    fewer = b.apply(A.SUB, left, const(1, I32))
    after = b.select(begins, const(LENGTH - 1, I32), fewer)
    body = Region((*new.body.args, left), tuple(b.ops), (*new.body.yields, after))
    out = (*new.outs, Var("left", I32))
    zero = const(0, I32)
    if isinstance(new, While):
        cond = Region(
            (*new.cond.args, Var("left", I32)), new.cond.ops, new.cond.yields
        )
        return replace(new, inits=(*new.inits, zero), cond=cond, body=body, outs=out)
    return replace(new, inits=(*new.inits, zero), body=body, outs=out)
