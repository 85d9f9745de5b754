"""The order of passes, as values.

    optimised = run(pipeline.BEFORE_AD, function, module)

Every pass is Function x Module -> Function and leaves the function valid. All keep every value
exactly, but for those that reassociate sums: `forwards`, `reduce` and `fuse` (in PREPARED, so in
FINAL), `interchange`, `gather`, `delay` and `distribute` (only in DISTINCT).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from loma.ir.nodes import Function, Module
from loma.opt import (
    carried,
    cse,
    dce,
    delay,
    distribute,
    expand,
    fold,
    forwards,
    fuse,
    gather,
    hoist,
    ifconvert,
    induction,
    inline,
    interchange,
    promote,
    raise_accum,
    raise_loops,
    ranges,
    reduce,
    serial,
    unroll,
)

Pass: TypeAlias = Callable[[Function, Module], Function]

ROUNDS: Final = 4
"""Rounds after which a fixpoint is given up: what is left by then is little."""


def tidy(function: Function, module: Module) -> Function:
    """The function after one round of folding, sharing and dropping."""
    return run((fold.run, carried.run, cse.run, dce.run), function, module)


def simplify(function: Function, module: Module) -> Function:
    """The function after such rounds until nothing changes (at most a few)."""
    for _ in range(ROUNDS):
        before, function = function, tidy(function, module)
        if function is before:
            break
    return function


def unrolled(function: Function, module: Module) -> Function:
    """The function without short loops, and local arrays that only they indexed as variables."""
    new = unroll.short(function, module)
    return function if new is function else run((tidy, promote.run, tidy), new, module)


def run(passes: tuple[Pass, ...], function: Function, module: Module) -> Function:
    """The function after each pass in turn; what is simplified is not simplified again."""
    clean: Function | None = None
    for p in passes:
        if p in (tidy, simplify) and function is clean:
            continue
        before, function = function, p(function, module)
        if p is simplify or (p is tidy and function is before):
            clean = function
    return function


BEFORE_AD: Final[tuple[Pass, ...]] = (
    inline.run,
    promote.run,
    tidy,
    promote.run,
    raise_loops.run,
    induction.run,
    ranges.run,
    unrolled,
    hoist.run,
    simplify,
    raise_accum.run,
    dce.run,
)
AFTER_AD: Final[tuple[Pass, ...]] = (promote.run, tidy, induction.run, hoist.run, cse.run, dce.run)
LOOPS: Final[tuple[Pass, ...]] = (
    inline.run,
    serial.run,
    promote.run,
    tidy,
    promote.promote_params,
    raise_loops.run,
    induction.run,
    ranges.run,
    unrolled,
    hoist.last,
    tidy,
)
"""What STRICT and FINAL begin with: calls inlined, loops counted and simplified."""
STRICT: Final[tuple[Pass, ...]] = (
    *LOOPS,
    expand.run,
    ifconvert.run,
    simplify,
)
"""FINAL without what reassociates."""
PREPARED: Final[tuple[Pass, ...]] = (
    serial.run,
    forwards.run,
    reduce.run,
    promote.promote_params,
    fuse.run,
    expand.run,
    ifconvert.run,
    simplify,
)
"""The rest of FINAL, for a function that has been through BEFORE_AD."""
FINAL: Final[tuple[Pass, ...]] = (*LOOPS, *PREPARED)
PLAIN: Final[tuple[Pass, ...]] = (serial.run, expand.run)
"""What a readable function needs before a backend can print it, and no more."""
COLD: Final[tuple[Pass, ...]] = (expand.run,)
"""What every function needs before a backend can print it, and no more: for those rarely run."""
DISTINCT: Final[tuple[Pass, ...]] = (
    cse.run,
    forwards.run,
    interchange.run,
    reduce.run,
    promote.promote_params,
    tidy,
    fuse.run,
    gather.run,
    delay.run,
    hoist.last,
    distribute.run,
    simplify,
)
"""What a twin whose parameters are different memory gains over FINAL, which it has been through."""


def optimise(module: Module, passes: tuple[Pass, ...] = FINAL) -> Module:
    """The module with every function optimised; calls are inlined first, callees before callers."""
    module = inline.inline_all(module)
    functions = {name: run(passes, f, module) for name, f in module.functions.items()}
    return replace(module, functions=functions)
