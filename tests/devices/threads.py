"""Runs the kernels that devices get, thread by thread, in the core interpreter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loma.ir.interp import Interpreter
from loma.ir.kernel import Kernel, Sum
from loma.ir.nodes import Const, Module
from loma.ir.types import Ref
from loma.ir.verify import verify


def run_threads(
    kernel: Kernel, module: Module, given: list[Any], threads: int, *, fresh: bool = False
) -> None:
    """Runs a kernel, the last thread first; `given` are the operands up to the number of threads.
    If `fresh`, the host fills with zeros what the kernel adds to, but not what its threads own."""
    whole = replace(module, functions={**module.functions, kernel.name: kernel.thread})
    verify(whole)
    run = Interpreter(whole)
    places = {p: given[i] for i, p in enumerate(kernel.thread.params[: len(given)])}
    if fresh:
        for v in kernel.added:
            start = threads if v in kernel.owned else 0
            fill(places[v], 0.0, start)
    told = [int(fresh), *(len(places[v]) for v in kernel.owned)] if kernel.owned else []
    sums: list[list[float]] = [[0.0] for _ in kernel.sums]
    for thread in reversed(range(threads)):
        run.run(kernel.name, [*given, *told, thread, threads, *sums])
    for s, (total,) in zip(kernel.sums, sums, strict=True):
        add(places[s.root], s, total)


def add(memory: Any, s: Sum, value: float) -> None:
    """Adds to a place."""
    assert isinstance(s.root.type, Ref)
    steps: list[Any] = [int(x.value) if isinstance(x, Const) else x for x in s.path] or [0]
    for step in steps[:-1]:
        memory = memory[step]
    memory[steps[-1]] += value


def fill(memory: Any, value: float, start: int = 0) -> None:
    """Puts a number everywhere, in an array from an element on."""
    for k in list(memory) if isinstance(memory, dict) else range(start, len(memory)):
        if isinstance(memory[k], dict | list):
            fill(memory[k], value)
        else:
            memory[k] = value
