"""Activity: which values and roots depend on the inputs, and which of them the outputs depend on.

Values are tracked one by one, memory by base root. (Griewank & Walther, Evaluating Derivatives,
section 6.2.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from loma.ir.analysis.roots import bases
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Call,
    Check,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Op,
    Operand,
    Parallel,
    Pop,
    Print,
    Push,
    Store,
    StoreRef,
    Var,
    View,
    While,
    Window,
)
from loma.ir.traverse import walk
from loma.ir.types import Ref, Scalar, Structs, has_float


def differentiable(v: Operand, structs: Structs) -> bool:
    """Whether a value or a root is of a type that has derivatives."""
    if isinstance(v.type, Ref):
        return has_float(v.type.content, structs)
    return v.type.is_float


def unvaried(f: Function) -> frozenset[Var]:
    """The parameters that no derivative is taken by."""
    arguments = f.signature.arguments
    return frozenset(p for p, a in zip(f.params, arguments, strict=False) if a.nodiff)


class Activity:
    """The active values and roots of a function, every differentiable parameter being an input
    except the `fixed` ones.

    `active(v)`: v depends on an input, and an output depends on v.
    """

    def __init__(
        self, function: Function, structs: Structs, fixed: Collection[Var] = ()
    ) -> None:
        self.structs = structs
        self.fixed = {*fixed, *unvaried(function)}
        self.base = bases(function.body)
        self.body = function.body
        self.varied = self._varied(function)
        self.useful = self._useful(function)

    def active(self, v: Operand) -> bool:
        """Whether derivatives flow through the value or root."""
        if not isinstance(v, Var):
            return False
        key = self.base.get(v, v)
        return key in self.varied and key in self.useful and differentiable(v, self.structs)

    def is_varied(self, v: Operand) -> bool:
        """Whether the value or root depends on an input."""
        return (
            isinstance(v, Var)
            and self.base.get(v, v) in self.varied
            and differentiable(v, self.structs)
        )

    def reached(self, source: Var) -> set[Var]:
        """The values and roots that depend on one input."""
        return self._grow({source}, self._vary)

    # Both analyses run to a fixed point over the whole body: sets only grow.

    def _varied(self, function: Function) -> set[Var]:
        marked = {p for p in function.params if differentiable(p, self.structs)} - self.fixed
        return self._grow(marked, self._vary)

    def _useful(self, function: Function) -> set[Var]:
        marked = {p for p in function.params if isinstance(p.type, Ref)}
        marked |= {y for y in function.body.yields if isinstance(y, Var)}
        return self._grow(marked, self._use)

    def _grow(self, marked: set[Var], step: _Step) -> set[Var]:
        ops = list(walk(self.body))
        if step == self._use:
            ops.reverse()
        size = -1
        while size != len(marked):
            size = len(marked)
            for op in ops:
                step(op, marked)
        return marked

    def _roots(self, xs: Iterable[Operand]) -> set[Var]:
        return {self.base.get(x, x) for x in xs if isinstance(x, Var)}

    def _share(self, root: Var, value: Var, marked: set[Var]) -> None:
        """Memory that a pointer leads to is reached from both of its roots."""
        both = self._roots((root, value))
        _flow(both, both - self.fixed, marked)

    def _vary(self, op: Op, marked: set[Var]) -> None:  # noqa: C901, PLR0915 - one dispatch
        match op:
            case Apply(prim, args, out):
                if out.scalar.is_float and not prim.flat and self._roots(args) & marked:
                    marked.add(out)
            case Load(root, _, out):
                if out.scalar.is_float and self.base.get(root, root) in marked:
                    marked.add(out)
            case Store(root, _, value) | Accum(root, _, value):
                _flow(self._roots((value,)), self._roots((root,)) - self.fixed, marked)
            case StoreRef(root, _, value):
                self._share(root, value, marked)
            case Push(tape, values):
                _flow(self._roots(values), self._roots((tape,)), marked)
            case Pop(tape, outs):
                _flow(self._roots((tape,)), {v for v in outs if v.scalar.is_float}, marked)
            case Call(_, args, outs):
                touched = {r for r in self._roots(args) if isinstance(r.type, Ref)} - self.fixed
                _flow(self._roots(args), touched | {v for v in outs if v.scalar.is_float}, marked)
            case If(_, then, orelse, outs):
                for region in (then, orelse):
                    _bind(region.yields, outs, marked)
            case For() | While():
                carried = op.body.args[1:] if isinstance(op, For) else op.body.args
                _bind(op.inits, carried, marked)
                _bind(op.body.yields, carried, marked)
                _bind(carried, op.outs, marked)
                if isinstance(op, While):
                    _bind(carried, op.cond.args, marked)
            case Parallel(_, body, outs):
                _bind(body.yields, outs, marked)
            case View() | Window() | LoadRef() | Alloc() | Check() | Print():
                pass

    def _use(self, op: Op, marked: set[Var]) -> None:  # noqa: C901, PLR0915 - one dispatch
        match op:
            case Apply(prim, args, out):
                if out in marked and not prim.flat:
                    marked.update(_floats(args))
            case Load(root, _, out):
                _flow({out}, self._roots((root,)), marked)
            case Store(root, _, value) | Accum(root, _, value):
                _flow(self._roots((root,)), self._roots((value,)), marked)
            case StoreRef(root, _, value):
                self._share(root, value, marked)
            case Push(tape, values):
                _flow(self._roots((tape,)), set(_floats(values)), marked)
            case Pop(tape, outs):
                _flow(set(outs), self._roots((tape,)), marked)
            case Call(_, args, outs):
                touched = {r for r in self._roots(args) if isinstance(r.type, Ref)}
                _flow(touched | set(outs), self._roots(args), marked)
            case If(_, then, orelse, outs):
                for region in (then, orelse):
                    _bind(outs, region.yields, marked)
            case For() | While():
                carried = op.body.args[1:] if isinstance(op, For) else op.body.args
                _bind(op.outs, carried, marked)
                _bind(carried, op.body.yields, marked)
                _bind(carried, op.inits, marked)
            case Parallel(_, body, outs):
                _bind(outs, body.yields, marked)
            case View() | Window() | LoadRef() | Alloc() | Check() | Print():
                pass


class _Step(Protocol):
    """A transfer function: marks what one operation makes depend on what is marked."""

    def __call__(self, op: Op, marked: set[Var]) -> None: ...


def _floats(xs: Iterable[Operand]) -> list[Var]:
    return [x for x in xs if isinstance(x, Var) and isinstance(x.type, Scalar) and x.type.is_float]


def _flow(sources: set[Var], targets: set[Var], marked: set[Var]) -> None:
    if sources & marked:
        marked |= targets


def _bind(sources: Iterable[Operand], targets: Iterable[Operand], marked: set[Var]) -> None:
    for s, t in zip(sources, targets, strict=True):
        if s in marked and isinstance(t, Var) and isinstance(t.type, Scalar) and t.type.is_float:
            marked.add(t)
