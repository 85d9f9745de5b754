"""Instruments code so that it stops at the first result that is not finite, or not a number.

After each operation on floats comes a check: its result is finite, or one of its operands was not.
The message carries the number of the operation and the values; a table says what each number means.
What only a strong product or a choice takes is left out, as are values that only lead there: an
infinite partial derivative is harmless where the adjoint is zero. The product itself is checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias

from loma.diagnostics import Span
from loma.ir.builder import const, type_of
from loma.ir.derived import SEED
from loma.ir.nodes import (
    Accum,
    Apply,
    Check,
    Const,
    For,
    Function,
    Load,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Text,
    Trap,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim
from loma.ir.traverse import operands, outs, regions, walk
from loma.ir.types import Scalar
from loma.opt.rewrite import Rewriter

LARGEST: Final = {
    Scalar.F32: float.fromhex("0x1.fffffep+127"),
    Scalar.F64: float.fromhex("0x1.fffffffffffffp+1023"),
}
BREAK: Final = "\x1f"
PASSING: Final = (A.SELECT, A.CAST, A.NEG)
ADJOINT: Final = ("adj", "pending", SEED, "d_")


class Sought(Enum):
    """What to stop at."""

    INFINITE = "a result that is not finite"
    NAN = "a result that is not a number"


SLOPE: Final = "adjoint"
"""What stands for adjoints and tangents among the names of operands."""
Written: TypeAlias = tuple[Span, str]
"""Where an expression stands, and its primitive if it is an operation."""
Called: TypeAlias = tuple[str, Written | None]
"""The name of a value, and how to find what was written for it."""


@dataclass(frozen=True, slots=True)
class Place:
    """An operation: what it is called, what its operands and the loops around it are called.

    The values of the operands are followed by those of `primal`, the operation of the program whose
    derivative this is, where they are known.
    """

    function: str
    prim: str
    operands: tuple[Called, ...]
    loops: tuple[str, ...]
    span: Span
    kind: str
    primal: tuple[Called, ...] = ()


@dataclass(slots=True)
class Hunt:
    """What to stop at, the operations of the program itself, and the table of all that are checked.
    """

    sought: Sought
    primal: frozenset[tuple[Span, Prim]]
    places: list[Place] = field(default_factory=list)

    def module(self, module: Module) -> Module:
        """The module with checks."""
        functions = {n: _Instrument(f, self).function(f) for n, f in module.functions.items()}
        return replace(module, functions=functions)


def primal_operations(functions: Sequence[Function]) -> frozenset[tuple[Span, Prim]]:
    """The operations of functions that nobody has differentiated yet."""
    return frozenset(
        (op.span, op.prim) for f in functions for op in walk(f.body) if isinstance(op, Apply))


class _Instrument(Rewriter):
    def __init__(self, f: Function, hunt: Hunt) -> None:
        super().__init__()
        self.f = f
        self.hunt = hunt
        self.loops: list[Var] = []
        self.deferred = _deferred(f)
        self.adjoint = _adjoint(f)
        self.made: dict[Var, Op] = {}
        self.visible: set[Operand] = set(f.params)
        self.own: dict[Span, Apply] = {}

    def region(self, region: Region) -> Region:
        outer, self.visible = self.visible, {*self.visible, *region.args}
        made = super().region(region)
        self.visible = outer
        return made

    def op(self, op: Op) -> None:
        self.instrumented(op)
        self.visible.update(outs(op))
        self.made.update((v, op) for v in outs(op))
        if isinstance(op, Apply) and self.kind(op) == "program" and op.out.scalar.is_float:
            self.own.setdefault(op.span, op)

    def instrumented(self, op: Op) -> None:
        """Emits an operation with its check."""
        if isinstance(op, For | Parallel):
            self.loops.append(op.body.args[0])
            self.emit(self.nested(op))
            self.loops.pop()
        elif isinstance(op, Apply):
            self.emit(op)
            self.check(op)
        elif isinstance(op, Accum) and type_of(op.value).is_float:
            held, total = Var("sum", type_of(op.value)), Var("t", type_of(op.value))
            added = Apply(A.ADD, (held, op.value), total, span=op.span)
            self.emit(Load(op.root, op.path, held, span=op.span))
            self.emit(added)
            self.check(added)
            self.emit(op)
        else:
            self.emit(self.nested(op))

    def check(self, op: Apply) -> None:
        """Stops where the operation is the first to go wrong."""
        if not op.out.scalar.is_float or op.out in self.deferred:
            return
        if op.prim in PASSING and self.deferred.isdisjoint(op.args):
            return
        holds: Operand = self.fine(op.out, op.span)
        for x in op.args:
            if type_of(x).is_float and x not in self.deferred and isinstance(x, Var):
                bad = self.apply(A.NOT, self.fine(x, op.span), span=op.span)
                holds = self.apply(A.OR, holds, bad, span=op.span)
        self.emit(Check(holds, Trap.NONFINITE, text=self.text(op), span=op.span))

    def fine(self, x: Operand, span: Span) -> Var:
        """Whether a value is not what is sought."""
        t = type_of(x)
        if self.hunt.sought is Sought.NAN:
            return self.apply(A.LE, x, const(math.inf, t), span=span)
        low = self.apply(A.GE, x, const(-LARGEST[t], t), span=span)
        return self.apply(A.AND, low, self.apply(A.LE, x, const(LARGEST[t], t), span=span),
                          span=span)

    def text(self, op: Apply) -> Text:
        """The number of the operation, its result, its operands, and the indices of loops."""
        own = self.primal(op)
        values = (op.out, *op.args, *own, *self.loops)
        self.hunt.places.append(Place(
            self.f.name, op.prim.name, tuple(map(self.name, op.args)),
            tuple(v.name for v in self.loops), op.span, self.kind(op), tuple(map(self.name, own))))
        listed: list[Operand | str] = [f"{len(self.hunt.places) - 1}"]
        for x in values:
            listed += [BREAK, x]
        return tuple(listed)

    def primal(self, op: Apply) -> tuple[Operand, ...]:
        """The operands of the operation whose derivative this is, if they are known here."""
        own = self.own.get(op.span)
        if own is None or op.prim is not A.STRONG_MUL:
            return ()
        return tuple(x for x in own.args if isinstance(x, Var) and x in self.visible)

    def name(self, x: Operand) -> Called:
        """What a person calls an operand."""
        if not isinstance(x, Var):
            return "", None
        if x in self.adjoint or x.name.startswith(ADJOINT):
            return SLOPE, None
        match self.made.get(x):
            case Load(span=span):
                return x.name, (span, "")
            case Apply(prim, span=span) if x.name == "t":
                return "", (span, prim.name)
            case _:
                return x.name, None

    def kind(self, op: Apply) -> str:
        """What the operation belongs to."""
        if op.out in self.adjoint:
            return "derivative"
        known = (op.span, op.prim) in self.hunt.primal
        return "program" if known else "partial derivative"


def _deferred(f: Function) -> frozenset[Operand]:
    """The values that only strong products and choices take, or what is only on the way there."""
    users = _users(f.body)
    made = [op for op in walk(f.body) if isinstance(op, Apply) and op.out.scalar.is_float]
    found: set[Operand] = set()
    for op in reversed(made):
        if all(_defers(user, k, found) for user, k in users.get(op.out, ())):
            found.add(op.out)
    return frozenset(found)


def _users(body: Region) -> dict[Operand, list[tuple[Op | None, int]]]:
    """The operations that read each value, and as which operand; None for what a region yields."""
    users: dict[Operand, list[tuple[Op | None, int]]] = {}
    for region in _regions(body):
        for op in region.ops:
            for k, x in enumerate(operands(op)):
                users.setdefault(x, []).append((op, k))
        for y in region.yields:
            users.setdefault(y, []).append((None, 0))
    return users


def _defers(op: Op | None, k: int, deferred: set[Operand]) -> bool:
    match op:
        case Apply(A.STRONG_MUL):
            return k == 0
        case Apply(A.SELECT):
            return k > 0
        case Apply():
            return op.out in deferred
        case _:
            return False


def _adjoint(f: Function) -> frozenset[Var]:
    """The values that are computed from adjoints or tangents, as their names tell."""
    found: set[Var] = set()
    for op in walk(f.body):
        if any(isinstance(x, Var) and (x in found or x.name.startswith(ADJOINT))
               for x in operands(op) if not isinstance(x, Const)):
            found.update(outs(op))
    return frozenset(found)


def _regions(region: Region) -> Iterator[Region]:
    yield region
    for op in region.ops:
        for inner in regions(op):
            yield from _regions(inner)
