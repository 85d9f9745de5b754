"""What a gradient stores, what it computes again and why, how many bytes and operations it takes.

The rows come from the derivative as it is compiled, for arguments that are different memory. The
figures of a call come from the core interpreter, beside the bytes that the machine code measured.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from loma import driver
from loma.ad.restore import Level, Plan
from loma.backends.llvm.tapes import packed
from loma.diagnostics import Span, source_lines
from loma.frontend import typed
from loma.host.calls import Compiled, Operands
from loma.host.gradient import reverse_operands, value_and_gradient
from loma.host.meter import Meter, frame_bytes
from loma.host.plain import Plain
from loma.host.reasons import Facts, Reason
from loma.host.requests import requested, signature_of, sliced
from loma.ir.analysis.roots import written_params
from loma.ir.derived import Mode
from loma.ir.nodes import Apply, Call, Function, Load, Module, Op, Push, Signature, Var
from loma.ir.traverse import op_reads, outs, walk
from loma.ir.types import ArrayType, Scalar, StructType

LONGEST: Final = 40
INTEGERS: Final = (Scalar.I32, Scalar.I64)


@dataclass(frozen=True, slots=True)
class Stored:
    """A value that the gradient pushes to its tape: once in each of `times` frames."""

    line: int
    what: str
    bytes: int
    reason: Reason
    times: int | None = None

    def __str__(self) -> str:
        return f"stores `{self.what}`, {amount(self.bytes)}: {self.reason.text}"


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A value that the gradient reads or computes again; `stored`: from what on the tape."""

    line: int
    what: str
    kind: str
    stored: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "read":
            return f"reads `{self.what}` again: nothing overwrites it"
        names = ", ".join(f"`{s}`" for s in self.stored)
        return f"computes `{self.what}` again: " + (
            f"from {names} on the tape" if names else "all that it takes is at hand")


@dataclass(frozen=True, slots=True)
class Frame:
    """A place that pushes: bytes of one frame, and how often, as text; `times` in the call."""

    bytes: int
    count: str
    line: int
    times: int | None = None

    def __str__(self) -> str:
        return str(self.bytes) if self.count == "1" else f"{self.bytes}*{self.count}"


@dataclass(frozen=True, slots=True)
class Figures:
    """One call of the gradient.

    `tape_bytes`: all frames, by the formula. `predicted_bytes`: the most bytes of memory alive at
    once, in chunks of tape and local arrays on the heap; `measured_bytes`: the same, as the
    machine code counted. Costs are weighted operations: add and multiply 1, divide and root 4,
    transcendental 20.
    """

    tape_bytes: int
    predicted_bytes: int
    measured_bytes: int
    primal_cost: int
    gradient_cost: int

    @property
    def ratio(self) -> float:
        """Operations of the gradient, the value included, by those of the function."""
        return self.gradient_cost / self.primal_cost if self.primal_cost else float("nan")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the gradient of `function` does, by the lines of the program."""

    function: str
    source: str
    first: int
    last: int
    stored: tuple[Stored, ...]
    recomputed: tuple[Recomputed, ...]
    frames: tuple[Frame, ...]
    figures: Figures | None = field(default=None)

    @property
    def formula(self) -> str:
        """The bytes of all frames, in terms of the arguments; `runs(n)`: how often line n runs."""
        sums: dict[str, int] = {}
        for f in self.frames:
            sums[f.count] = sums.get(f.count, 0) + f.bytes
        return " + ".join(str(Frame(b, c, 0)) for c, b in sums.items()) or "0"

    def at(self, line: int) -> tuple[Stored | Recomputed, ...]:
        """What happens to the values of a line."""
        return tuple(x for x in self.notes if x.line == line)

    @property
    def notes(self) -> list[Stored | Recomputed]:
        """All that is said about values."""
        return [*self.stored, *self.recomputed]

    def __repr__(self) -> str:
        from loma.host.explain_text import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from loma.host.explain_text import as_html

        return as_html(self)


def explained(
    program: typed.Module, function: str, operands: Operands | None = None,
    texts: Mapping[str, str] | None = None,
) -> Explanation:
    """What the reverse derivative of a function does; with operands, the figures of that call."""
    program, name = requested(program, Mode.REVERSE, function)
    program = sliced(program, function, name)
    work = driver.derived(program)
    module = driver.finished(work, False)
    view = _View(program, module, texts or {program.file: program.source})
    sweep = module.functions[name]
    sweep = module.functions[sweep.fast] if sweep.fast else sweep
    facts = view.facts(sweep)
    figures, meter = None, None
    if operands is not None:
        figures, meter = _measured(program, module, function, name, operands)
    first, last = view.extent(function)
    return Explanation(
        function, view.text(module.functions[function].span.file), first, last,
        tuple(view.stored(facts, meter)), tuple(view.recomputed(work.splitter.plans)),
        tuple(view.frames(facts, meter)), figures)


class _View:
    """A compiled module, in the words of its program."""

    def __init__(
        self, program: typed.Module, module: Module, texts: Mapping[str, str]
    ) -> None:
        self.program = program
        self.module = module
        self.lines = {file: source_lines(text) for file, text in texts.items()}
        self.texts = texts

    def text(self, file: str) -> str:
        """The text of a file."""
        return self.texts.get(file, self.program.source)

    def extent(self, function: str) -> tuple[int, int]:
        """The first and the last line of a function."""
        span = self.module.functions[function].span
        lines = self.lines.get(span.file, source_lines(self.program.source))
        head = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
        margin, stop = len(head) - len(head.lstrip()), span.line
        for at in range(span.line, len(lines)):
            line = lines[at]
            if line.strip() and len(line) - len(line.lstrip()) <= margin:
                break
            stop = at + 1 if line.strip() else stop
        return span.line, stop

    def facts(self, sweep: Function) -> list[Facts]:
        """The derivative and all that it calls."""
        found: dict[str, Function] = {}
        todo = [sweep]
        while todo:
            f = todo.pop(0)
            if f.name not in found:
                found[f.name] = f
                todo += [self.module.functions[op.function]
                         for op in walk(f.body) if isinstance(op, Call)]
        written = written_params(dict(self.module.functions))
        return [Facts(f, written, self.named) for f in found.values()]

    def what(self, span: Span, v: Var) -> str:
        """A value as the program writes it, else by its name."""
        lines = self.lines.get(span.file, [])
        one_line = span.line == span.end_line and 0 < span.line <= len(lines)
        cut = lines[span.line - 1][span.column : span.end_column] if one_line else ""
        return cut if cut and len(cut) <= LONGEST else v.name

    def made(self, op: Op | None, v: Var) -> str:
        """A value by the operation that makes it."""
        if isinstance(op, Apply | Call):
            return self.what(op.span, v)
        if isinstance(op, Load):
            cut = self.what(op.span, v)
            return v.name if "(" in cut.partition("[")[0] else cut
        return v.name

    def named(self, facts: Facts, v: Var) -> str:
        """A value of a function."""
        return self.made(facts.defs.get(v), v)

    def stored(self, facts: list[Facts], meter: Meter | None) -> Iterator[Stored]:
        """Every value that a frame holds."""
        for f in facts:
            for push in f.pushes():
                times = None if meter is None else meter.times[id(push)]
                for v in push.values:
                    if not isinstance(v, Var):
                        continue
                    size = packed([v.scalar])[1]
                    line = f.place(v).line or push.span.line
                    yield Stored(line, self.named(f, v), size, f.why(v, push), times)

    def frames(self, facts: list[Facts], meter: Meter | None) -> Iterator[Frame]:
        """Every place that pushes."""
        for i, f in enumerate(facts):
            for push in f.pushes():
                count = f.count(push) if i == 0 else None
                times = None if meter is None else meter.times[id(push)]
                line = push.span.line
                yield Frame(frame_bytes(push), count or f"runs({line})", line, times)

    def recomputed(self, plans: Sequence[tuple[Level, Plan]]) -> Iterator[Recomputed]:
        """What runs again, each place of the program once."""
        seen: set[Span] = set()
        for level, plan in plans:
            below: dict[Var, tuple[str, ...]] = {
                v: (self.made(level.defined.get(v), v),) for v in plan.saved}
            for op in plan.again:
                names = dict.fromkeys(n for v in op_reads(op) for n in below.get(v, ()))
                below |= dict.fromkeys(outs(op), tuple(names))
                if not isinstance(op, Apply | Load) or not op.span.line or op.span in seen:
                    continue
                if isinstance(op, Apply) and op.out.scalar in INTEGERS:
                    continue  # where an element lies
                what = self.what(op.span, op.out)
                seen.add(op.span)
                kind = "read" if isinstance(op, Load) else "computed"
                yield Recomputed(op.span.line, what, kind, tuple(names))


# One call.


def _measured(
    program: typed.Module, module: Module, function: str, name: str, operands: Operands
) -> tuple[Figures, Meter]:
    """The figures of a call, and the meter that ran it."""
    found = value_and_gradient(program, function, operands)
    signature = signature_of(program, function)
    result = None
    if signature.result is not None:
        result = Compiled(sliced(program, function)).call(function, operands).result
    primal = Meter(module)
    _run(primal, function, signature, operands)
    data = reverse_operands(signature, operands, result, program.structs)
    gradient = Meter(module)
    _run(gradient, name, signature_of(program, name), Operands(tuple(data), operands.threads))
    pushes = {op: None for f in module.functions.values() for op in walk(f.body)
              if isinstance(op, Push)}
    tape = sum(frame_bytes(op) * gradient.times[id(op)] for op in pushes)
    return Figures(tape, gradient.heap.most, found.peak_tape_bytes,
                   primal.cost, gradient.cost), gradient


def _run(meter: Meter, name: str, signature: Signature, operands: Operands) -> None:
    """Calls a function in the interpreter: the form for arguments that are different memory."""
    f = meter.module.functions[name]
    data: list[Plain] = []
    for x, a in zip(operands.data, signature.arguments, strict=True):
        memory = isinstance(a.type, ArrayType | StructType)
        alone = isinstance(a.type, Scalar) and a.direction.value != "In"
        data.append([x] if alone else copy.deepcopy(x) if memory else x)
    if signature.simd:
        data.append(operands.threads)
    meter.run(f.fast or name, data)  # type: ignore[arg-type]




def amount(size: int) -> str:
    """A number of bytes."""
    return f"{size} byte{'s' * (size != 1)}"
