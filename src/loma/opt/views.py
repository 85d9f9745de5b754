"""Accesses through a view become accesses to its base root; views stay only where calls or pointers
need them. So do accesses through a window: where it begins is added to the index.
"""

from __future__ import annotations

from dataclasses import replace

from loma.diagnostics import NOWHERE
from loma.ir.builder import is_const, type_of
from loma.ir.nodes import (
    Accum,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Path,
    Store,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.prims import arithmetic as A
from loma.opt.emit import Emitter
from loma.opt.rewrite import Rewriter


class _Views(Rewriter):
    def __init__(self) -> None:
        super().__init__()
        self.views: dict[Var, tuple[Var, Path]] = {}
        self.windows: set[Var] = set()

    def op(self, op: Op) -> None:
        match op:
            case View(root, path, out):
                base = self.base(root, path)
                if not base[1]:
                    self.subst[out] = base[0]
                    return
                self.views[out] = base
                self.emit(op if base[0] is root else replace(op, root=base[0], path=base[1]))
            case Window(root, path, out):
                self.window(op, *self.base(root, path))
            case Load() | LoadRef() | Store() | Accum() | StoreRef() if op.root in self.views:
                root, path = self.base(op.root, op.path)
                self.emit(replace(op, root=root, path=path))
            case _:
                super().op(op)

    def base(self, root: Var, path: Path) -> tuple[Var, Path]:
        if root not in self.views:
            return root, path
        base, prefix = self.views[root]
        if root not in self.windows:
            return base, (*prefix, *path)
        begin, first = prefix[-1], path[0]
        assert not isinstance(begin, str) and not isinstance(first, str), "these are indices"
        return base, (*prefix[:-1], self.sum(begin, first), *path[1:])

    def window(self, op: Window, root: Var, path: Path) -> None:
        """A window that begins at an index of its base, or, flattened, one that stays."""
        if op.depth == 1:
            self.views[op.out] = root, path
            self.windows.add(op.out)
        self.emit(op if root is op.root else replace(op, root=root, path=path))

    def sum(self, x: Operand, y: Operand) -> Operand:
        """An index into a window as one into its base."""
        if is_const(x, 0):
            return y
        make = Emitter(self, NOWHERE)
        wide = type_of(x) if type_of(x).bytes > type_of(y).bytes else type_of(y)
        return make.make(A.ADD, make.cast(x, wide), make.cast(y, wide))


def run(function: Function, module: Module) -> Function:
    """The function with every path starting at a parameter, an Alloc or a LoadRef."""
    return _Views().function(function)
