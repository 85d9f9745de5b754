"""What the rules of reverse mode share: the roots of one body with their policies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from loma.ad.adjoints import Adjoints
from loma.ad.errors import NotDifferentiable
from loma.ad.places import Adjoint, Below, Cells, Primal, Shadow, Shape, joined
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
    LoadRef,
    Module,
    Op,
    Operand,
    Parallel,
    Path,
    Region,
    Var,
    View,
    Window,
)
from loma.ir.traverse import outs, walk
from loma.ir.types import TAPE, ArrayType, Ref, Scalar, Type


@dataclass(frozen=True, slots=True)
class Layout:
    """How a memory operand of a split call is represented, where it is not plain memory.

    `overlaid`: the primal is an overlay, with or without `incoming` data below it. `last_write`:
    the adjoint is the caller's, read at the last write. `kept`, `content`, `prefix` and `windowed`
    are those of the overlay and its cells, the prefix as a shape.
    """

    overlaid: bool = False
    incoming: bool = False
    last_write: bool = False
    kept: frozenset[Shape] = frozenset()
    content: Type | None = None
    prefix: Shape = ()
    windowed: bool = False


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

    def halves(self, call: Call, sweep: State, still: frozenset[int] | None) -> Halves:
        """The split derivative that suits a call site; see `State.still`."""
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

    `fills` says whether a position is that of an output which is certainly written as a whole, if
    it is memory of a type; `still` names a copy of the function that writes constants; `inlined`
    gives the rule with what it calls inlined.
    """

    primal: Function
    reverse: Function
    still: str
    fills: Callable[[int, Type], bool]
    inlined: Callable[[], Function]

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
    """The state of the reverse transform of one body; subclasses add the rules.

    A `still` one consumes the adjoints of what the body writes, and hands nothing on.
    """

    def __init__(
        self,
        f: Function,
        module: Module,
        reloads: Reloads,
        callees: Callees,
        fixed: Collection[Var] = (),
        still: bool = False,
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
        self.as_long: dict[Var, Var] = {}
        self.still = still

    # Small questions.

    def refuse(self, span: Span, reason: str, help: str) -> NotDifferentiable:
        """The error that names a line and a reason."""
        return NotDifferentiable(self.f.name, span, reason, help)

    def active(self, v: Operand) -> bool:
        """Whether derivatives flow through a value or root."""
        if self.still and (not isinstance(v.type, Ref) or isinstance(self.defs.get(v), Alloc)):
            return False
        return self.activity.active(v)

    def root_base(self, root: Var) -> Var:
        """The parameter or allocation that a root stems from."""
        return self.base.get(root, root)

    def adjoints(self) -> Adjoints:
        """A fresh set of adjoints."""
        return Adjoints(self.b, self.active)

    # Parts of roots.

    def shadow(self, root: Var) -> Var:
        """The adjoint memory of a root; views and pointers are followed in the shadow as in the
        primal.
        """
        return self.followed(root, self.adjoint[self.root_base(root)].root, "adj_")

    def followed(self, root: Var, begin: Var, prefix: str = "") -> Var:
        """What a root would be if its base were another one."""
        if self.root_base(root) is root:
            return begin
        op = self.defs[root]
        assert isinstance(op, View | Window | LoadRef), f"{root.name} is not part of a root"
        above, name = self.followed(op.root, begin, prefix), f"{prefix}{root.name}"
        match op:
            case View():
                return self.b.view(above, op.path, name)
            case Window():
                assert isinstance(op.out.content, ArrayType), "a Window is an array"
                return self.b.window(above, op.path, op.out.content.size, op.depth, name)
            case LoadRef():
                return self.b.load_ref(above, op.path, name)

    def below(self, root: Var, begin: Var | None, path: Path) -> Below:
        """Reads a place in the memory of a caller, which begins at `begin`."""

        def read() -> Operand:
            assert begin is not None, "the caller has memory there"
            return self.b.load(self.followed(root, begin), path)

        return read

    def whole(self, root: Var, path: Path, cells: Cells, static: bool = False) -> Path:
        """The path from the base root, through pointers; `static` if only its shape counts."""
        if self.root_base(root) is root:
            return cells.whole(None if static else self.b, path)
        op = self.defs[root]
        if isinstance(op, Window) and path:
            index = joined(None if static else self.b, op.path[-1], path[0])
            return self.whole(op.root, (*op.path[:-1], index, *path[1:]), cells, static)
        assert isinstance(op, View | Window | LoadRef), f"{root.name} is not part of a root"
        return self.whole(op.root, (*op.path, *path), cells, static)

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
