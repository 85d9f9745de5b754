"""Why a reverse derivative stores a value: read off the derivative as it is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from loma.diagnostics import NOWHERE, Span
from loma.ir.analysis.roots import Written, bases, written_roots
from loma.ir.nodes import (
    Alloc,
    Apply,
    Call,
    Const,
    For,
    Function,
    If,
    Load,
    Op,
    Operand,
    Parallel,
    Pop,
    Push,
    Region,
    Var,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import outs, regions
from loma.ir.types import Ref, Scalar

LOOPS: TypeAlias = For | While | Parallel
SIGNS: Final = {A.ADD: "+", A.SUB: "-", A.MUL: "*"}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a value cannot be had again. `kind`: overwritten, local, carried, call, branch, loop,
    trips, argument, tape or computed; `line`: the line of the program that is to blame, or 0.
    """

    kind: str
    line: int
    text: str


LOST: Final = Reason("computed", 0, "what it is computed from is lost")


@dataclass(slots=True)
class Facts:
    """Where one function defines its values, and what is around each operation.

    `named` says how the program writes a value.
    """

    f: Function
    written: Written
    named: Callable[[Facts, Var], str]
    defs: dict[Var, Op] = field(default_factory=dict)
    carried: dict[Var, tuple[LOOPS, Operand]] = field(default_factory=dict)
    indices: set[Var] = field(default_factory=set)
    around: dict[Op, tuple[Op, ...]] = field(default_factory=dict)
    order: dict[Op, int] = field(default_factory=dict)
    base: Mapping[Var, Var] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = bases(self.f.body)
        for op, outer in _nested(self.f.body, ()):
            self.around[op] = outer
            self.order[op] = len(self.order)
            self.defs |= dict.fromkeys(outs(op), op)
            self.arguments(op)

    def arguments(self, op: Op) -> None:
        """The variables that a loop binds."""
        match op:
            case For(body=body):
                self.indices.add(body.args[0])
                self.carried |= {v: (op, y) for v, y in zip(body.args[1:], body.yields)}
            case While(body=body):
                self.carried |= {v: (op, y) for v, y in zip(body.args, body.yields)}
            case Parallel(body=body):
                self.indices.add(body.args[0])
            case _:
                pass

    def pushes(self) -> list[Push]:
        """Where frames are stored."""
        return [op for op in self.order if isinstance(op, Push)]

    def loops(self, op: Op) -> tuple[Op, ...]:
        """The loops around an operation, the outermost one first."""
        return tuple(x for x in self.around[op] if isinstance(x, LOOPS))

    def place(self, v: Operand) -> Span:
        """Where the program computes a value."""
        if isinstance(v, Var) and v in self.carried:
            loop, y = self.carried[v]
            made = self.defs.get(y) if isinstance(y, Var) else None
            return made.span if made is not None and made.span.line else loop.span
        op = self.defs.get(v) if isinstance(v, Var) else None
        return NOWHERE if op is None else op.span

    # Why.

    def why(self, v: Operand, push: Push) -> Reason:  # noqa: C901 - one dispatch
        """Why a value is on the tape."""
        if not isinstance(v, Var) or v not in self.defs:
            return self.why_bound(v)
        op = self.defs[v]
        line = op.span.line
        match op:
            case Load():
                return self.why_read(op)
            case Call():
                return Reason("call", line, "the result of a call")
            case If():
                return Reason("branch", line, f"the branch taken at line {line} decides it")
            case While() if v.name.startswith("trips"):
                return Reason("trips", line, f"how often the loop at line {line} ran")
            case For() | While() | Parallel():
                return Reason("loop", line, f"a result of the loop at line {line}")
            case Pop():
                return Reason("tape", 0, "it comes from the tape of a derivative")
            case Apply():
                return self.why_computed(op, push)
            case _:
                return LOST

    def why_bound(self, v: Operand) -> Reason:
        """Why the value of an argument, or one that a loop carries, is on the tape."""
        if isinstance(v, Var) and v in self.carried:
            line = self.carried[v][0].span.line
            return Reason("carried", line, f"each iteration of the loop at line {line} changes it")
        return Reason("argument", 0, "an argument, which is gone when the callee is reversed")

    def why_read(self, load: Load) -> Reason:
        """Why a load cannot be repeated."""
        writer = self.writer(load)
        made = self.defs.get(self.base.get(load.root, load.root))
        if isinstance(made, Alloc) and not self.at_hand:
            return Reason("local", made.span.line, "its memory ends with the call")
        if writer is not None and writer.span.line:
            line = writer.span.line
            return Reason("overwritten", line, f"line {line} overwrites it")
        if isinstance(made, Alloc) and self.loops(made):
            return Reason("local", made.span.line, "its memory ends with the iteration")
        return Reason("overwritten", 0, "other memory that is written may be the same")

    def writer(self, load: Load) -> Op | None:
        """The operation that overwrites, after the load, the memory that it reads."""
        base = self.base.get(load.root, load.root)
        found = [op for op in self.order
                 if base in written_roots(op, self.base, self.written)]
        later = [op for op in found if self.order[op] > self.order[load]]
        again = [op for op in found if set(self.loops(op)) & set(self.loops(load))]
        return next(iter([*later, *again]), None)

    def why_overlaid(self, loads: list[Load]) -> Reason:
        """Why an element of an argument that is written in a copy cannot be read again."""
        roots = {self.base.get(load.root, load.root) for load in loads}
        for op in self.order:
            if op.span.line and roots & written_roots(op, self.base, self.written):
                line = op.span.line
                return Reason("overwritten", line, f"line {line} overwrites elements of the array")
        return Reason("overwritten", 0, "the argument is overwritten")

    def overlaid(self, op: Apply) -> list[Load]:
        """The loads from growing arrays that a selection is made of."""
        made = [self.defs.get(x) for x in op.args if isinstance(x, Var)]
        return [load for load in made if isinstance(load, Load) and is_growable(load.root)]

    def why_computed(self, op: Apply, push: Push) -> Reason:
        """Why a value is stored that could be computed from others: those are lost as well."""
        if loads := self.overlaid(op):
            return self.why_overlaid(loads)
        for leaf in self.lost(op, push, set()):
            found = self.why(leaf, push)
            if found.kind != "computed":
                text = f"computed from `{self.named(self, leaf)}`: {found.text}"
                return Reason("computed", found.line, text)
        return LOST

    @property
    def at_hand(self) -> bool:
        """Whether arguments are still there in the reverse sweep."""
        return self.f.exported or self.f.distinct

    def lost(self, op: Apply, push: Push, seen: set[Var]) -> Iterator[Var]:
        """What an operation is computed from and the reverse sweep does not have."""
        for x in op.args:
            if not isinstance(x, Var) or x in seen or x in self.indices:
                continue
            seen.add(x)
            made = self.defs.get(x)
            if isinstance(made, Apply) and self.loops(made) == self.loops(push):
                yield from self.lost(made, push, seen)
            elif self.is_lost(x, push):
                yield x

    def is_lost(self, x: Var, push: Push) -> bool:
        """Whether a value that is not computed is gone in the reverse sweep."""
        inner, made = self.loops(push), self.defs.get(x)
        if x in self.carried:
            return self.carried[x][0] in inner[-1:]
        if made is None:
            return not self.at_hand
        if self.loops(made) != inner or isinstance(made, Apply):
            return False
        return not isinstance(made, Load) or self.writer(made) is not None

    # How often.

    def count(self, push: Push) -> str | None:
        """How often an operation runs, in terms of arguments; None where that is not known."""
        factors: list[str] = []
        for op in self.around[push]:
            text = self.text(op.count) if isinstance(op, For | Parallel) else None
            if text is None:
                return None
            factors.append(text)
        return "*".join(f"({x})" if " " in x else x for x in factors) or "1"

    def text(self, x: Operand) -> str | None:
        """An expression over the function's arguments."""
        if isinstance(x, Const):
            return repr(x.value)
        if x in self.f.params and isinstance(x.type, Scalar):
            return x.name.removeprefix("_")
        made = self.defs.get(x)
        if not isinstance(made, Apply) or made.prim not in SIGNS or len(made.args) != 2:
            return None
        a, b = map(self.text, made.args)
        if a is None or b is None:
            return None
        a, b = (f"({t})" if " " in t else t for t in (a, b))
        return f"{a} {SIGNS[made.prim]} {b}".replace("+ -", "- ")


def is_growable(root: Var) -> bool:
    """Whether a root is an array that grows."""
    return isinstance(root.type, Ref) and root.type.growable


def _nested(region: Region, outer: tuple[Op, ...]) -> Iterator[tuple[Op, tuple[Op, ...]]]:
    """Every operation with those that hold it."""
    for op in region.ops:
        yield op, outer
        for inner in regions(op):
            yield from _nested(inner, (*outer, op))
