"""Replaces calls by the bodies of the functions called.

Parameters become the operands of the call, so that an array or a scalar passed twice is one root in
the result. Recursive functions stay calls, and so does what would make a function larger than the
budget; kernels are never called. Paths through views are composed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from loma.ir.nodes import Call, Function, Module, Op, Region
from loma.ir.traverse import Subst, clone_region, walk
from loma.opt import views
from loma.opt.rewrite import Rewriter

BUDGET: Final = 4000
"""Operations in a function after inlining, beyond which only tiny callees are inlined."""
TINY: Final = 12


def inline_all(module: Module, budget: int = BUDGET) -> Module:
    """The module with every function inlined into its callers, callees first."""
    graph = {f.name: callees(f) for f in module.functions.values()}
    order, recursive = _bottom_up(graph)
    done: dict[str, Function] = dict(module.functions)
    inlined = replace(module, functions=done)
    for name in order:
        if graph[name]:
            done[name] = _inlined(done[name], inlined, budget, recursive)
    return replace(module, functions=done)


def inline_calls(function: Function, module: Module, budget: int = BUDGET) -> Function:
    """One function with the calls that it makes inlined, those of its callees too."""
    if not callees(function):
        return function
    graph = {f.name: callees(f) for f in (*module.functions.values(), function)}
    needed = _reachable(function.name, graph)
    order, recursive = _bottom_up({name: graph[name] for name in graph if name in needed})
    done: dict[str, Function] = {**module.functions, function.name: function}
    inlined = replace(module, functions=done)
    for name in order:
        if graph[name]:
            done[name] = _inlined(done[name], inlined, budget, recursive)
    return done[function.name]


def run(function: Function, module: Module) -> Function:
    """The function with its calls inlined, as a pass."""
    return inline_calls(function, module)


def inline_only(module: Module, names: Collection[str], kept: Collection[str]) -> Module:
    """The module with calls of the given functions inlined, however large these are; those that
    nothing calls any more are left out, but for what is `kept`.
    """
    if not names:
        return module
    graph = {f.name: callees(f) for f in module.functions.values()}
    order, recursive = _bottom_up(graph)
    fixed = recursive | (graph.keys() - set(names))
    done = dict(module.functions)
    inlined = replace(module, functions=done)
    for name in order:
        if any(callee in graph and callee not in fixed for callee in graph[name]):
            inliner = _Inline(inlined, TINY, fixed, Counter())
            inliner.fitting = dict.fromkeys(names, True)
            done[name] = views.run(inliner.function(done[name]), inlined)
    needed = {callee for f in done.values() for callee in callees(f)} | set(kept)
    left = {n: f for n, f in done.items() if n not in names or n in needed}
    return replace(module, functions=left)


def callees(function: Function) -> dict[str, None]:
    """The functions that a function calls, in order."""
    return {op.function: None for op in walk(function.body) if isinstance(op, Call)}


def size(region: Region) -> int:
    """The number of operations in a region, nested ones included."""
    return sum(1 for _ in walk(region))


def _reachable(name: str, graph: dict[str, dict[str, None]]) -> set[str]:
    found, todo = {name}, [name]
    while todo:
        for callee in graph.get(todo.pop(), {}):
            if callee not in found:
                found.add(callee)
                todo.append(callee)
    return found


def _bottom_up(graph: dict[str, dict[str, None]]) -> tuple[list[str], set[str]]:
    """The functions, callees first, and those that can call themselves."""
    order: list[str] = []
    seen: set[str] = set()
    for start in graph:
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(graph[start]))]
        while stack:
            name, rest = stack[-1]
            callee = next((c for c in rest if c in graph and c not in seen), None)
            if callee is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(callee)
                stack.append((callee, iter(graph[callee])))
    recursive = {n for n in graph if any(n in _reachable(c, graph) for c in graph[n])}
    return order, recursive


def _inlined(function: Function, module: Module, budget: int, recursive: set[str]) -> Function:
    calls = Counter(op.function for op in walk(function.body) if isinstance(op, Call))
    inliner = _Inline(module, budget, recursive, calls)
    inliner.size = size(function.body)
    return views.run(inliner.function(function), module)


class _Inline(Rewriter):
    def __init__(
        self, module: Module, budget: int, recursive: set[str], calls: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.module = module
        self.budget = budget
        self.recursive = recursive
        self.calls = calls
        self.size = 0
        self.sizes: dict[str, int] = {}
        self.fitting: dict[str, bool] = {}

    def op(self, op: Op) -> None:
        if not isinstance(op, Call) or not self.wanted(op):
            self.emit(self.nested(op))
            return
        callee = self.module.functions[op.function]
        params: Subst = dict(zip(callee.params, op.args, strict=True))
        body = clone_region(callee.body, params)
        self.size += self.sizes[op.function]
        self.ops.extend(body.ops)
        for v, y in zip(op.outs, body.yields, strict=True):
            self.subst[v] = y

    def wanted(self, op: Call) -> bool:
        callee = self.module.functions.get(op.function)
        if callee is None or callee.signature.simd or op.function in self.recursive:
            return False
        if op.function not in self.sizes:
            self.sizes[op.function] = size(callee.body)
        grown = self.sizes[op.function]
        if op.function not in self.fitting:
            # All calls of a function or none: else each of a chain of functions fills its budget.
            whole = self.size + grown * self.calls[op.function]
            self.fitting[op.function] = grown <= TINY or whole <= self.budget
        return self.fitting[op.function]
