"""Kernels as the surface language can say them: one loop over the threads, and nothing around
it."""

from __future__ import annotations

from dataclasses import replace

from loma.diagnostics import InternalError
from loma.ir.nodes import (
    Accum,
    Apply,
    Call,
    For,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Var,
    View,
    Window,
)
from loma.ir.traverse import called_from, walk


def called_from_kernels(module: Module) -> frozenset[str]:
    """The kernels, what parallel loops call, and all that these call: there, additions to memory
    are atomic.
    """
    todo = [f.name for f in module.functions.values() if f.signature.simd]
    todo += [
        op.function
        for f in module.functions.values()
        for loop in walk(f.body)
        if isinstance(loop, For) and loop.parallel
        for op in walk(loop.body)
        if isinstance(op, Call)
    ]
    return frozenset(called_from(module, todo))


def sunk(f: Function) -> Function:
    """A kernel with the operations before its loop, and additions of its sums after it, moved
    inside."""
    loops = [op for op in f.body.ops if isinstance(op, Parallel)]
    if len(f.body.ops) == 1 and not loops[0].outs:
        return f
    if len(loops) != 1:
        raise InternalError(f"kernel {f.name} has {len(loops)} loops over its threads")
    loop = loops[0]
    at = f.body.ops.index(loop)
    before, after = f.body.ops[:at], f.body.ops[at + 1 :]
    if not all(isinstance(op, Apply | Load | View | Window | LoadRef) for op in before):
        raise InternalError(f"kernel {f.name} has effects before its loop over the threads")
    sums = dict(zip(loop.outs, loop.body.yields, strict=True))
    inner = Region(
        loop.body.args, (*before, *loop.body.ops, *(_added(op, sums, f) for op in after)), ()
    )
    return replace(
        f, body=Region(f.body.args, (replace(loop, body=inner, outs=()),), f.body.yields)
    )


def _added(op: Op, sums: dict[Var, Operand], f: Function) -> Op:
    match op:
        case Accum(_, _, Var() as value) if value in sums:
            return replace(op, value=sums[value])
        case Apply() | Load() | View() | Window() | LoadRef():
            return op
        case _:
            raise InternalError(f"kernel {f.name} has effects after its loop over the threads")
