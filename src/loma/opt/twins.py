"""Twins: second forms of functions, optimised further for arguments that are different memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from loma.ir.analysis.clashes import clashes
from loma.ir.nodes import Accum, Call, For, Function, Module, Parallel, Store, StoreRef, While
from loma.ir.traverse import regions, walk
from loma.opt import pipeline

LOOPS: Final = (For, While, Parallel)


def writes_in_loops(f: Function) -> bool:
    """Whether a loop writes memory, so that it matters what that is distinct from."""
    loops = (op for op in walk(f.body) if isinstance(op, LOOPS))
    return any(
        isinstance(op, Store | Accum | StoreRef | Call)
        for loop in loops
        for inner in regions(loop)
        for op in walk(inner)
    )


def with_twins(functions: dict[str, Function], module: Module) -> dict[str, Function]:
    """The functions, and a distinct twin of each exported one with loops over arrays that it
    writes.
    """
    found = dict(functions)
    for name, f in functions.items():
        if f.exported and not f.cold and writes_in_loops(f) and clashes(f):
            twin = replace(f, name=f"_distinct_{name}", exported=False, distinct=True)
            found[twin.name] = pipeline.run(pipeline.DISTINCT, twin, module)
            found[name] = replace(f, fast=twin.name)
    return found
