"""Structured control flow, calls and checks as basic blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, assert_never

from loma.backends.llvm import memory, moving, scalars, show, steady, tapes
from loma.backends.llvm.code import Code, internal
from loma.backends.llvm.layout import VALUE
from loma.ir.builder import const, type_of
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Call,
    Check,
    For,
    If,
    Load,
    LoadRef,
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
    Window,
)
from loma.ir.traverse import walk
from loma.ir.types import Ref, Scalar

BUSY: Final = 6
"""Loads in the body of a sum that keep the machine busy."""
ROW: Final = ('!{!"llvm.loop.interleave.count", i32 1}',)
"""Not to be interleaved."""
PLAIN: Final = ('!{!"llvm.loop.vectorize.enable", i1 false}', '!{!"llvm.loop.unroll.disable"}')
"""To be run as it is written."""


def region(code: Code, body: Region) -> list[str]:
    """Emits a region whose args are bound, and gives what it yields."""
    for op in body.ops:
        operation(code, op)
    yields = [code.read(y) for y in body.yields]
    memory.release(code, body.ops)
    return yields


def operation(code: Code, op: Op) -> None:  # noqa: C901, PLR0915 - one dispatch
    """Emits one operation."""
    match op:
        case Apply():
            scalars.apply(code, op)
            moving.note(code, op)
        case Load():
            memory.load(code, op)
        case Store():
            memory.store(code, op)
        case Accum():
            memory.accumulate(code, op)
        case View() | Window():
            memory.view(code, op)
        case LoadRef():
            memory.load_ref(code, op)
        case StoreRef():
            memory.store_ref(code, op)
        case Alloc():
            memory.alloc(code, op)
        case Push():
            tapes.push(code, op)
        case Pop():
            tapes.pop(code, op)
        case Check():
            show.check(code, op)
        case Print():
            show.print_(code, op)
        case Call():
            call(code, op)
        case If():
            branch(code, op)
        case For():
            counted(code, op)
        case While():
            repeat(code, op)
        case Parallel():
            parallel(code, op)
        case _:
            assert_never(op)


def call(code: Code, op: Call) -> None:
    """Calls another function of the module."""
    callee = code.unit.module.functions[op.function]
    args = ["ptr %ctx"] if op.function in code.unit.effects.context else []
    for param, arg in zip(callee.params, op.args, strict=True):
        if isinstance(arg, Var) and isinstance(arg.type, Ref):
            growable = isinstance(param.type, Ref) and param.type.growable
            args.append(f"ptr {memory.pointer(code, arg, growable)}")
        else:
            args.append(code.typed(arg))
    result = VALUE[type_of(callee.body.yields[0])] if callee.body.yields else "void"
    text = f"call {result} {internal(op.function)}({', '.join(args)})"
    if not op.outs:
        code.line(text)
        return
    (out,) = op.outs
    code.bind(out, code.value(text))


def branch(code: Code, op: If) -> None:
    """Runs one of two regions."""
    then, orelse, join = (code.fresh_label(x) for x in ("then", "else", "join"))
    code.line(f"br i1 {code.read(op.cond)}, label %{then}, label %{orelse}")
    ends = []
    for label, body in ((then, op.then), (orelse, op.orelse)):
        code.block(label)
        yields = region(code, body)
        ends.append((yields, code.label))
        code.line(f"br label %{join}")
    code.block(join)
    for i, out in enumerate(op.outs):
        cases = ", ".join(f"[ {yields[i]}, %{label} ]" for yields, label in ends)
        code.bind(out, code.value(f"phi {VALUE[out.scalar]} {cases}"))


def _phi(code: Code, var: Var) -> tuple[int, str]:
    """A phi for a variable, to be filled in when the loop's end is known."""
    slot, name = code.slot(), code.fresh()
    code.bind(var, name)
    return slot, name


def _fill(
    code: Code, phi: tuple[int, str], type: Scalar, first: tuple[str, str], next_: tuple[str, str],
) -> None:
    """Fills a phi in: its first value and its next one, each with the block that it is from."""
    slot, name = phi
    code.lines[slot] = (
        f"{name} = phi {VALUE[type]} [ {first[0]}, %{first[1]} ], [ {next_[0]}, %{next_[1]} ]")


def counted(code: Code, op: For) -> None:
    """A counted loop: tested once before it, then at its end."""
    said = PLAIN if op.short else ROW if _is_busy_row(code, op) else ()
    with _hints(code, op.independent, said) as again:
        _loop(code, op, (op.start, op.step), op.inits, op.body, again=again)


def _is_busy_row(code: Code, op: For) -> bool:
    """Whether a loop in a loop sums so much at once that interleaving iterations gains nothing:
    it would only make short rows too short for vectors.
    """
    loads = sum(isinstance(x, Load) for x in op.body.ops)
    return bool(code.loops and op.inits) and loads >= BUSY


@contextmanager
def _hints(code: Code, independent: bool, said: tuple[str, ...] = ()) -> Iterator[str]:
    """Within the block, loads and stores are those of a loop whose iterations do not meet (if
    `independent`), and of which more is `said` to LLVM.

    Gives what the loop's branch must carry to say so.
    """
    outer, hints = code.group, list[int]()
    if independent:
        group = code.unit.node("distinct !{ }")
        code.group = f", !llvm.access.group !{group}"
        hints.append(code.unit.node(f'!{{!"llvm.loop.parallel_accesses", !{group}}}'))
    hints += (code.unit.node(text) for text in said)
    if hints:
        listed = ", ".join(f"!{n}" for n in hints)
        yield f", !llvm.loop !{code.unit.node('distinct !{{}, ' + listed + '}')}"
    else:
        yield ""
    code.group = outer


def parallel(code: Code, op: Parallel) -> None:
    """The iterations of a kernel, one after the other; `outs` are accumulated.

    This is the place for vector lanes and for several cores: the iterations are unordered.
    """
    type = op.body.args[0].scalar
    inits = tuple(const(0.0, v.scalar) for v in op.outs)
    carried = tuple(Var(v.name, v.scalar) for v in op.outs)
    body = Region((*op.body.args, *carried), op.body.ops, op.body.yields)
    apart = not any(isinstance(inner, Accum) for inner in walk(op.body))
    with _hints(code, apart) as again:
        _loop(
            code, op, (const(0, type), const(1, type)), inits, body, sums=carried, again=again)


def _loop(
    code: Code, op: For | Parallel, steps: tuple[Operand, Operand], inits: tuple[Operand, ...],
    body: Region, sums: tuple[Var, ...] = (), again: str = "",
) -> None:
    """Emits a counted loop; what the body yields for `sums` is added to the carried values."""
    firsts = [code.read(x) for x in inits]
    trips, done, before = code.read(op.count), code.fresh_label("done"), code.label
    index = _Index(code, body.args[0], code.read(steps[0]), code.read(steps[1]), before)
    loop = index.enter(trips, done)
    phis = [_phi(code, v) for v in body.args[1:]]
    yields = _iteration(code, body, moving.of_loop(code, body, steps, index.counter[1]))
    for i, v in enumerate(sums):
        flags = "" if code.unit.strict else " reassoc"
        yields[i] = code.value(f"fadd{flags} {VALUE[v.scalar]} {code.names[v]}, {yields[i]}")
    _poll(code, op)
    more = index.advance(trips)
    end = code.label
    for phi, v, first, last in zip(phis, body.args[1:], firsts, yields, strict=True):
        _fill(code, phi, v.scalar, (first, before), (last, end))
    code.line(f"br i1 {more}, label %{loop}, label %{done}{again}")
    code.block(done)
    for out, first, last in zip(op.outs, firsts, yields, strict=True):
        cases = f"[ {first}, %{before} ], [ {last}, %{end} ]"
        code.bind(out, code.value(f"phi {VALUE[out.scalar]} {cases}"))


def _iteration(code: Code, body: Region, loop: moving.Moving) -> list[str]:
    """Emits the body of a counted loop, and gives what it yields."""
    outer = code.moving
    code.loops += 1
    held = steady.branches(body)
    for op in body.ops:
        loop.enter(op)
        if op in held:
            steady.hold(code)
        operation(code, op)
    code.loops -= 1
    code.moving = outer
    yields = [code.read(y) for y in body.yields]
    memory.release(code, body.ops)
    return yields


class _Index:
    """The counter of a loop, and its index where that is not the counter itself."""

    def __init__(self, code: Code, var: Var, start: str, step: str, before: str) -> None:
        self.code = code
        self.var = var
        self.kind = VALUE[var.scalar]
        self.start = start
        self.step = step
        self.before = before

    def enter(self, trips: str, done: str) -> str:
        """Goes into the loop if it runs at all; gives the label of its block."""
        code, loop = self.code, self.code.fresh_label("loop")
        enough = code.value(f"icmp sgt {self.kind} {trips}, 0")
        code.line(f"br i1 {enough}, label %{loop}, label %{done}")
        code.block(loop)
        self.counter = _phi(code, self.var)
        self.plain = (self.start, self.step) == ("0", "1")
        self.moving = self.counter if self.plain else _phi(code, self.var)
        return loop

    def advance(self, trips: str) -> str:
        """Counts one iteration; gives whether another one follows."""
        code, type = self.code, self.var.scalar
        after = code.value(f"add nuw nsw {self.kind} {self.counter[1]}, 1")
        _fill(code, self.counter, type, ("0", self.before), (after, code.label))
        if not self.plain:  # past the last index it may overflow, but then it is not used
            moved = code.value(f"add nsw {self.kind} {self.moving[1]}, {self.step}")
            _fill(code, self.moving, type, (self.start, self.before), (moved, code.label))
        return code.value(f"icmp slt {self.kind} {after}, {trips}")


def _poll(code: Code, op: Op) -> None:
    """Stops the program if the user wants that."""
    if op in code.unit.effects.polls:
        code.poll(op.span)


def repeat(code: Code, op: While) -> None:
    """A loop that runs while its condition region yields true."""
    firsts = [code.read(x) for x in op.inits]
    before = code.label
    head, body, done = (code.fresh_label(x) for x in ("head", "body", "exit"))
    code.line(f"br label %{head}")
    code.block(head)
    phis = [_phi(code, v) for v in op.cond.args]
    code.loops += 1
    (go,) = region(code, op.cond)
    code.line(f"br i1 {go}, label %{body}, label %{done}")
    code.block(body)
    for (_, name), v in zip(phis, op.body.args, strict=True):
        code.bind(v, name)
    yields = region(code, op.body)
    code.loops -= 1
    _poll(code, op)
    for phi, v, first, last in zip(phis, op.cond.args, firsts, yields, strict=True):
        _fill(code, phi, v.scalar, (first, before), (last, code.label))
    code.line(f"br label %{head}")
    code.block(done)
    for (_, name), out in zip(phis, op.outs, strict=True):
        code.bind(out, name)
