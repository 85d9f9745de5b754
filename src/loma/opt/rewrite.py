"""One walk over a function from its first operation to its last, under a growing substitution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import is_

from loma.diagnostics import Span
from loma.ir.builder import type_of
from loma.ir.nodes import (
    Apply,
    For,
    Function,
    If,
    Op,
    Operand,
    Parallel,
    Region,
    Var,
    While,
)
from loma.ir.prims.record import Prim, Result
from loma.ir.traverse import CONTROL, operands, regions, reread
from loma.ir.types import Scalar


class Rewriter:
    """Copies a function, keeping its variables; subclasses override `op` and use `emit` and
    `subst`.

    What does not change stays the same object, so that a pass which finds nothing gives its input
    back.
    """

    def __init__(self) -> None:
        self.subst: dict[Var, Operand] = {}
        self.ops: list[Op] = []

    def function(self, f: Function) -> Function:
        """The function with its body rewritten."""
        body = self.region(f.body)
        return f if body is f.body else replace(f, body=body)

    def value(self, x: Operand) -> Operand:
        """The operand under the substitution."""
        return self.subst.get(x, x) if isinstance(x, Var) else x

    def values(self, xs: tuple[Operand, ...]) -> tuple[Operand, ...]:
        """Operands under the substitution; the same tuple if nothing changes."""
        if not any(x in self.subst for x in xs if isinstance(x, Var)):
            return xs
        return tuple(self.value(x) for x in xs)

    def emit(self, op: Op) -> None:
        """Appends an operation to what the current region becomes."""
        self.ops.append(op)

    def region(self, region: Region) -> Region:
        """A region rewritten, in a list of its own."""
        outer, self.ops = self.ops, []
        self.body(region)
        ops, self.ops = self.ops, outer
        yields = self.values(region.yields)
        if yields is region.yields and same_ops(ops, region.ops):
            return region
        return Region(region.args, tuple(ops), yields)

    def body(self, region: Region) -> None:
        """Rewrites each operation of a region into the current list."""
        op, read = self.op, self.read
        for x in region.ops:
            op(read(x))

    def read(self, op: Op) -> Op:
        """The operation with its own operands under the substitution."""
        if self.subst:
            for x in operands(op):
                if type(x) is Var and x in self.subst:
                    return reread(op, self.value)
        return op

    def op(self, op: Op) -> None:
        """Emits what an operation (whose operands are rewritten already) becomes."""
        self.emit(self.nested(op))

    def nested(self, op: Op) -> Op:
        """The operation with its regions rewritten."""
        if type(op) not in CONTROL:
            return op
        inner = regions(op)
        new = tuple(self.region(r) for r in inner)
        return op if all(map(is_, new, inner)) else with_regions(op, new)

    def inline(self, region: Region, outs: tuple[Var, ...]) -> None:
        """Puts a region's operations here; `outs` become what it yields."""
        self.body(region)
        for v, y in zip(outs, region.yields, strict=True):
            self.subst[v] = self.value(y)

    def apply(
        self, prim: Prim, *args: Operand, span: Span, name: str = "t", type: Scalar | None = None
    ) -> Var:
        """Emits a primitive and gives its result."""
        op = applied(prim, *args, span=span, name=name, type=type)
        self.emit(op)
        return op.out


def same_ops(a: Sequence[Op], b: Sequence[Op]) -> bool:
    """Whether two lists hold the same operations, as objects."""
    return len(a) == len(b) and all(map(is_, a, b))


def applied(
    prim: Prim, *args: Operand, span: Span, name: str = "t", type: Scalar | None = None
) -> Apply:
    """A primitive applied to operands, with a fresh result."""
    match prim.result:
        case Result.SAME:
            out = type_of(args[-1])
        case Result.BOOL:
            out = Scalar.BOOL
        case Result.GIVEN:
            assert type is not None, "a cast states its type"
            out = type
    return Apply(prim, args, Var(name, out), span=span)


def with_regions(op: Op, inner: tuple[Region, ...]) -> Op:
    """The operation with its nested regions replaced, in the order of `traverse.regions`."""
    match op:
        case If():
            then, orelse = inner
            return replace(op, then=then, orelse=orelse)
        case While():
            cond, body = inner
            return replace(op, cond=cond, body=body)
        case For() | Parallel():
            (body,) = inner
            return replace(op, body=body)
        case _:
            assert not inner, "only control holds regions"
            return op
