"""Parallel loops become plain ones, for targets that run one iteration after the other.

After the last differentiation only. Scalars that iterations add to are then carried values.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.nodes import For, Function, Module, Op
from loma.opt import promote
from loma.opt.rewrite import Rewriter


def run(function: Function, module: Module) -> Function:
    """The function without parallel loops; a kernel stays one."""
    done = _Serial().function(function)
    return function if done is function else promote.run(done, module)


class _Serial(Rewriter):
    def op(self, op: Op) -> None:
        new = self.nested(op)
        if isinstance(new, For) and new.parallel:
            new = replace(new, parallel=False, long=True)
        self.emit(new)
