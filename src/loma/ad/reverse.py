"""Reverse mode: the sweep. Each operation gives its forward code, and emits its reverse code.

    sweep(region) -> forward operations; the reverse ones go to the builder, last operation first

Reverse code names primal values by their own variables; `restore.py` sees to it that they are
there. A *joint* scope (a function's body, a kernel's thread) runs both sweeps one after the
other, so its values are at hand; loop bodies and the halves of split calls are *levels* with a
tape between them.
"""

from __future__ import annotations

from collections.abc import Iterable

from loma.ad.adjoints import Adjoints
from loma.ad.parallel import ParallelRules
from loma.ad.rules import pull_back
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
    View,
    While,
    Window,
)


class Sweep(ParallelRules):
    """The reverse transform of one body: the walk over its operations."""

    def sweep(
        self, region: Region, env: Adjoints, seeds: Iterable[Operand | None]
    ) -> tuple[list[Op], list[Op]]:
        """Forward and reverse operations of a region whose yields have the given adjoints."""
        forward: list[list[Op]] = []
        self.prologues.append([])
        with self.b.nested() as reverse:
            for y, g in zip(region.yields, seeds, strict=True):
                env.add(y, g)
            for op in reversed(region.ops):
                self.b.span = op.span
                forward.append(self.op(op, env))
        reverse[:0] = self.prologues.pop()
        return [op for ops in reversed(forward) for op in ops], reverse

    def op(self, op: Op, env: Adjoints) -> list[Op]:  # noqa: C901 - one dispatch
        """The forward code of an operation; its reverse code is emitted."""
        match op:
            case Apply():
                self.reverse_apply(op, env)
            case Load():
                return self.load(op, env)
            case Store():
                return self.store(op, env)
            case Accum():
                return self.accum(op, env)
            case Alloc():
                self.alloc(op)
            case Push() | Pop():
                self.tape_op(op, env)
            case StoreRef():
                return self.store_ref(op)
            case View() | Window() | LoadRef():
                return self.part(op)
            case Check(within=within) if within is not None:
                return self.within(op, *within)
            case Check() | Print():
                pass
            case Call():
                return self.call(op, env)
            case If():
                return self.branch(op, env)
            case For():
                return self.counted(op, env)
            case While():
                return self.unbounded(op, env)
            case Parallel():
                raise self.refuse(
                    op.span,
                    "a parallel loop stands beside other statements",
                    "put it into a kernel of its own",
                )
        return [op]

    def reverse_apply(self, op: Apply, env: Adjoints) -> None:
        """The chain rule for a scalar operation."""
        g = env.get(op.out)
        if g is None or not self.active(op.out):
            return
        for x, contribution in pull_back(self.b, op, g, tuple(self.active(x) for x in op.args)):
            env.add(x, contribution)
