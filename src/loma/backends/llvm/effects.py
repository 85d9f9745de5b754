"""What the emitter must know of a module first: placement of local memory, traps, recursion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from loma.backends.llvm.interrupt import long_loops
from loma.backends.llvm.layout import Layout
from loma.ir.nodes import (
    Accum,
    Alloc,
    Call,
    Check,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Pop,
    Push,
    Store,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Ref, TapeType

STACK_ARRAY: Final = 16 * 1024       # one local, in bytes; larger ones live on the heap
STACK_FRAME: Final = 64 * 1024       # all locals of a function
RECURSIVE_FRAME: Final = 4 * 1024    # the same, where frames pile up


class Place(Enum):
    """Where a local root lives."""

    STACK = "stack"
    HEAP = "heap"
    GROWABLE = "growable"
    TAPE = "tape"


@dataclass(frozen=True, slots=True)
class Effects:
    """Facts about a module.

    `context`: functions that can trap or allocate; they take a pointer to the call's context.
    `recursive`: functions on a cycle of calls. `deep`: those, and all that call them. `places`:
    where each local root lives. `polls`: loops that look whether they are to stop; `watched`: the
    functions that come to such loops, or recurse, if they are `interruptible`.
    """

    context: frozenset[str]
    recursive: frozenset[str]
    deep: frozenset[str]
    places: Mapping[Var, Place]
    polls: Mapping[Op, str]
    watched: frozenset[str]


def analyse(module: Module, layout: Layout, interruptible: bool = False) -> Effects:
    """The facts about a module."""
    ops = {f.name: list(walk(f.body)) for f in module.functions.values()}
    calls = {
        name: {op.function: None for op in body if isinstance(op, Call)}
        for name, body in ops.items()}
    recursive = cyclic(calls)
    places: dict[Var, Place] = {}
    context: set[str] = set(recursive)
    for name, body in ops.items():
        mine = _place_locals(body, layout, RECURSIVE_FRAME if name in recursive else STACK_FRAME)
        places.update(mine)
        if any(p is not Place.STACK for p in mine.values()) or any(_may_trap(op) for op in body):
            context.add(name)
    polls = long_loops(module) if interruptible else {}
    twins = [{f.name, f.fast} for f in module.functions.values() if f.fast]
    watched = _with_twins({*polls.values(), *(recursive if interruptible else ())}, calls, twins)
    context = _callers(context | watched, calls)
    if interruptible:
        context = _with_twins(context, calls, twins)
    return Effects(
        frozenset(context), recursive, frozenset(_callers(recursive, calls)), places, polls,
        frozenset(watched))


def _with_twins(
    seeds: Iterable[str], calls: Mapping[str, Iterable[str]], twins: list[set[str]],
) -> set[str]:
    """The seeds and all that call them, twins together, so that one can stand for the other."""
    found = _callers(seeds, calls)
    while more := {name for pair in twins if pair & found for name in pair} - found:
        found = _callers(found | more, calls)
    return found


def _place_locals(ops: Iterable[Op], layout: Layout, budget: int) -> dict[Var, Place]:
    places: dict[Var, Place] = {}
    for op in ops:
        if isinstance(op, Alloc):
            places[op.out], used = _place(op, layout, budget)
            budget -= used
    return places


def _place(op: Alloc, layout: Layout, budget: int) -> tuple[Place, int]:
    match op.out.type:
        case Ref(TapeType()):
            return Place.TAPE, 0
        case Ref(_, True):
            return Place.GROWABLE, 0
        case Ref(ArrayType(_, None)):
            return Place.HEAP, 0
    size = layout.size(op.out.content)
    if size > min(STACK_ARRAY, budget):
        return Place.HEAP, 0
    return Place.STACK, size


def _may_trap(op: Op) -> bool:
    match op:
        case Check() | Push() | Pop():
            return True
        case Load() | Store() | Accum() | View() | Window() | LoadRef() | StoreRef():
            return isinstance(op.root.type, Ref) and op.root.type.growable
        case _:
            return False


def _callers(seeds: Iterable[str], calls: Mapping[str, Iterable[str]]) -> set[str]:
    """The seeds and all that call them, directly or not."""
    callers: dict[str, list[str]] = {}
    for caller, callees in calls.items():
        for callee in callees:
            callers.setdefault(callee, []).append(caller)
    found = set(seeds)
    todo = list(found)
    while todo:
        for caller in callers.get(todo.pop(), ()):
            if caller not in found:
                found.add(caller)
                todo.append(caller)
    return found


def cyclic(calls: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The functions that can reach themselves through calls (Kosaraju's sweeps, not recursive)."""
    backward: dict[str, list[str]] = {name: [] for name in calls}
    for caller, callees in calls.items():
        for callee in callees:
            backward[callee].append(caller)
    seen: set[str] = set()
    finished: list[str] = []
    for name in calls:
        finished += _postorder(name, calls, seen)
    found: set[str] = set()
    seen = set()
    for name in reversed(finished):
        component = _postorder(name, backward, seen)
        if len(component) > 1 or name in calls[name]:
            found.update(component)
    return frozenset(found)


def _postorder(start: str, edges: Mapping[str, Iterable[str]], seen: set[str]) -> list[str]:
    if start in seen:
        return []
    seen.add(start)
    order: list[str] = []
    stack = [(start, iter(edges[start]))]
    while stack:
        node, rest = stack[-1]
        following = next((n for n in rest if n not in seen), None)
        if following is None:
            order.append(node)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(edges[following])))
    return order


def exported(module: Module) -> list[Function]:
    """The functions that hosts can call (a tape cannot be handed over by a host)."""
    return [
        f for f in module.functions.values()
        if f.exported and not any(isinstance(a.type, TapeType) for a in f.signature.arguments)]
