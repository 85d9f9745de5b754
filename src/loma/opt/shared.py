"""The places that all threads of a kernel add to."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from loma.ir.analysis.roots import bases
from loma.ir.builder import type_of
from loma.ir.kernel import Sum
from loma.ir.nodes import (
    Accum,
    Const,
    Function,
    Load,
    LoadRef,
    Op,
    Parallel,
    Path,
    Store,
    StoreRef,
    Var,
)
from loma.ir.traverse import walk
from loma.opt.rewrite import Rewriter

MOST: Final = 32
"""Sums that a group of threads has memory for."""


def added(f: Function, threads: Parallel) -> frozenset[Var]:
    """The parameters that threads do nothing with but add."""
    base = bases(f.body)
    adds = {base.get(op.root, op.root) for op in walk(threads.body) if isinstance(op, Accum)}
    others = {
        base.get(op.root, op.root)
        for op in walk(threads.body)
        if isinstance(op, Load | Store | LoadRef | StoreRef)
    }
    return frozenset(f.params) & (adds - others)


def sums(
    threads: Parallel, shared: AbstractSet[Var], given: AbstractSet[Var] = frozenset()
) -> dict[Sum, list[Accum]]:
    """The additions to places of `shared` parameters that do not depend on the thread: indices are
    constants, or `given` numbers."""
    found: dict[Sum, list[Accum]] = {}
    for op in walk(threads.body):
        match op:
            case Accum(root, path) if root in shared and _fixed(path, given):
                kind = type_of(op.value)
                known = next((s for s in found if (s.root, s.path) == (root, path)), None)
                if kind.is_float and (known is not None or len(found) < MOST):
                    found.setdefault(known or Sum(root, path, kind), []).append(op)
            case _:
                pass
    return found


class Redirected(Rewriter):
    """Additions go to scalars of their own."""

    def __init__(self, targets: Mapping[Accum, Var]) -> None:
        super().__init__()
        self.targets = targets

    def op(self, op: Op) -> None:
        if isinstance(op, Accum) and op in self.targets:
            self.emit(replace(op, root=self.targets[op], path=()))
        else:
            self.emit(self.nested(op))


def _fixed(path: Path, given: AbstractSet[Var]) -> bool:
    return all(isinstance(step, str | Const) or step in given for step in path)
