"""Accesses through a view become accesses to its base root; views stay only where calls or pointers
need them.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.nodes import (
    Accum,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Path,
    Store,
    StoreRef,
    Var,
    View,
)
from loma.opt.rewrite import Rewriter


class _Views(Rewriter):
    def __init__(self) -> None:
        super().__init__()
        self.views: dict[Var, tuple[Var, Path]] = {}

    def op(self, op: Op) -> None:
        match op:
            case View(root, path, out):
                base = self.base(root, path)
                if not base[1]:
                    self.subst[out] = base[0]
                    return
                self.views[out] = base
                self.emit(op if base[0] is root else replace(op, root=base[0], path=base[1]))
            case Load() | LoadRef() | Store() | Accum() | StoreRef() if op.root in self.views:
                root, path = self.base(op.root, op.path)
                self.emit(replace(op, root=root, path=path))
            case _:
                super().op(op)

    def base(self, root: Var, path: Path) -> tuple[Var, Path]:
        if root not in self.views:
            return root, path
        base, prefix = self.views[root]
        return base, (*prefix, *path)


def run(function: Function, module: Module) -> Function:
    """The function with every path starting at a parameter, an Alloc or a LoadRef."""
    return _Views().function(function)
