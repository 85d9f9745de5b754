"""What the rules of reverse mode share: the roots of one body with their policies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from loma.ad.adjoints import Adjoints
from loma.ad.errors import NotDifferentiable
from loma.ad.places import Adjoint, Primal, Shadow
from loma.ad.restore import Level, Plan
from loma.diagnostics import Span
from loma.ir.analysis.activity import Activity, differentiable
from loma.ir.analysis.reload import Reloads
from loma.ir.builder import Builder
from loma.ir.nodes import (
    Alloc,
    Call,
    Direction,
    Function,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Var,
)
from loma.ir.traverse import outs, walk
from loma.ir.types import TAPE, Ref, Scalar


@dataclass(frozen=True, slots=True)
class Layout:
    """How a memory operand of a split call is represented, where it is not plain memory.

    `overlaid`: the primal is an overlay, with or without `incoming` data below it. `last_write`:
    the adjoint is the caller's, read at the last write.
    """

    overlaid: bool = False
    incoming: bool = False
    last_write: bool = False


@dataclass(frozen=True, slots=True)
class Halves:
    """The split derivative of a callee.

    `aug` takes a tape at position `tape_at` of its arguments; `adj` takes, of the operands in
    memory, those whose content is `stable` between the halves, and no adjoints of `fixed` ones.
    """

    aug: str
    adj: str
    tape_at: int
    stable: frozenset[int]
    layouts: Mapping[int, Layout]
    fixed: frozenset[int] = frozenset()


@dataclass(slots=True)
class Joint:
    """A scope in which both sweeps run: what is allocated at its start, and its tape."""

    start: list[Op] = field(default_factory=list)
    tape: Var | None = None


class Callees(Protocol):
    """What a sweep asks about the functions that are called, and where it notes its `plans`."""

    plans: list[tuple[Level, Plan]]

    def halves(self, call: Call, sweep: State) -> Halves:
        """The split derivative that suits a call site."""
        ...

    def rule(self, function: str) -> Rule | NotDifferentiable | None:
        """The rule of a function that has one, or why it has none."""
        ...

    def writes(self, function: str) -> frozenset[int]:
        """The positions of the memory that a function may write."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """The reverse rule of a function, and what else its calls need.

    `writes` are the positions of outputs that are certainly written as a whole; `still` names a
    copy of the function that writes constants.
    """

    primal: Function
    reverse: Function
    still: str
    writes: frozenset[int]

    @property
    def silent(self) -> bool:
        """Whether the function's only output is its result."""
        arguments, result = self.primal.signature.arguments, self.primal.signature.result
        inward = all(a.direction is Direction.IN for a in arguments)
        return inward and isinstance(result, Scalar)


RuleOf = Callable[[str], "Rule | NotDifferentiable | None"]


def top_operations(f: Function) -> tuple[Op, ...]:
    """The operations that run once: of the body, or of a thread."""
    match f.body.ops:
        case (Parallel(body=body),) if f.signature.simd:
            return body.ops
        case ops:
            return ops


class State:
    """The state of the reverse transform of one body; subclasses add the rules."""

    def __init__(
        self,
        f: Function,
        module: Module,
        reloads: Reloads,
        callees: Callees,
        fixed: Collection[Var] = (),
    ) -> None:
        self.f = f
        self.structs = module.structs
        self.reloads = reloads
        self.callees = callees
        self.activity = Activity(f, module.structs, fixed)
        self.top = top_operations(f)
        self.base = self.activity.base
        self.defs: dict[Var, Op] = {v: op for op in walk(f.body) for v in outs(op)}
        self.b = Builder(module.structs, f.span)
        self.primal: dict[Var, Primal] = {}
        self.adjoint: dict[Var, Adjoint] = {
            v: Shadow(Var(f"adj_{v.name}", v.type))
            for v, op in self.defs.items()
            if isinstance(op, Alloc) and differentiable(v, module.structs)
        }
        self.joint = Joint()
        self.prologues: list[list[Op]] = [[]]
        self.is_level = False
        self.absent: dict[Var, Var] = {}

    # Small questions.

    def refuse(self, span: Span, reason: str, help: str) -> NotDifferentiable:
        """The error that names a line and a reason."""
        return NotDifferentiable(self.f.name, span, reason, help)

    def active(self, v: Operand) -> bool:
        """Whether derivatives flow through a value or root."""
        return self.activity.active(v)

    def root_base(self, root: Var) -> Var:
        """The parameter or allocation that a root stems from."""
        return self.base.get(root, root)

    def adjoints(self) -> Adjoints:
        """A fresh set of adjoints."""
        return Adjoints(self.b, self.active)

    def tape(self) -> Var:
        """The tape of the joint scope, made at its first use."""
        if self.joint.tape is None:
            self.joint.tape = Var("tape", Ref(TAPE))
            self.joint.start.append(Alloc(self.joint.tape))
        return self.joint.tape

    def sweep(
        self, region: Region, env: Adjoints, seeds: Iterable[Operand | None]
    ) -> tuple[list[Op], list[Op]]:
        """Forward and reverse operations of a region whose yields have the given adjoints."""
        raise NotImplementedError
