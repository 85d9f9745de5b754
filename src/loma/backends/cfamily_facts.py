"""What a printer for a language like C must know of a module before it prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from loma.ir.nodes import Alloc, Call, Check, Function, Module, Pop, Push, Var
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Ref, Scalar, Structs, StructType, TapeType, Type

STACK_ARRAY: Final = 16 * 1024
STACK_FRAME: Final = 64 * 1024
RECURSIVE_FRAME: Final = 4 * 1024


@dataclass(frozen=True, slots=True)
class Facts:
    """`context`: functions that can trap or allocate. `recursive`: those on a cycle of calls.

    `deep`: the recursive ones, and all that call them. `heap`: locals that are too
    large for the stack, or of a computed size.
    """

    context: frozenset[str]
    recursive: frozenset[str]
    deep: frozenset[str]
    heap: frozenset[Var]


def facts(module: Module) -> Facts:
    """The facts about a module."""
    calls = {
        f.name: {op.function for op in walk(f.body) if isinstance(op, Call)}
        for f in module.functions.values()
    }
    recursive = frozenset(cyclic(calls))
    heap: set[Var] = set()
    context = set(recursive)
    for f in module.functions.values():
        mine = _heap_locals(
            f, module.structs, RECURSIVE_FRAME if f.name in recursive else STACK_FRAME
        )
        heap |= mine
        if (
            mine
            or any(isinstance(p.type, Ref) and p.type.growable for p in f.params)
            or any(isinstance(op, Check | Push | Pop) or _needs_context(op) for op in walk(f.body))
        ):
            context.add(f.name)
    return Facts(_callers(context, calls), recursive, _callers(recursive, calls), frozenset(heap))


def _callers(seeds: Iterable[str], calls: Mapping[str, set[str]]) -> frozenset[str]:
    """The seeds and all that call them, directly or not."""
    found = frozenset(seeds)
    while more := {name for name, called in calls.items() if name not in found and called & found}:
        found |= more
    return found


def _needs_context(op: object) -> bool:
    if not isinstance(op, Alloc) or not isinstance(op.out.type, Ref):
        return False
    return op.out.type.growable or isinstance(op.out.content, TapeType)


def _heap_locals(f: Function, structs: Structs, budget: int) -> set[Var]:
    found: set[Var] = set()
    for op in walk(f.body):
        if not isinstance(op, Alloc):
            continue
        size = size_bound(op.out.content, structs)
        if op.count is not None or size > min(STACK_ARRAY, budget):
            found.add(op.out)
        else:
            budget -= size
    return found


def size_bound(t: Type, structs: Structs) -> int:
    """No fewer bytes than memory that holds a `t` takes."""
    match t:
        case Scalar():
            return t.bytes
        case ArrayType(_, None):
            return 8
        case ArrayType(element, size):
            return (size or 0) * size_bound(element, structs)
        case StructType(name):
            return sum((size_bound(m, structs) + 7) // 8 * 8 for _, m in structs[name].members)
        case TapeType():
            return 24
        case _:
            assert_never(t)


def cyclic(calls: dict[str, set[str]]) -> set[str]:
    """The names that can reach themselves."""
    order = _finished_last(calls, calls)
    backwards: dict[str, set[str]] = {name: set() for name in calls}
    for name, called in calls.items():
        for other in called:
            backwards[other].add(name)
    seen: set[str] = set()
    found: set[str] = set()
    for name in reversed(order):
        group = [n for n in _finished_last(backwards, [name], seen)]
        if len(group) > 1 or name in calls[name]:
            found.update(group)
    return found


def _finished_last(
    edges: dict[str, set[str]], starts: Iterable[str], seen: set[str] | None = None
) -> list[str]:
    """What is reached from `starts` and not in `seen`, in order of completion of a depth-first
    walk."""
    seen = set() if seen is None else seen
    order: list[str] = []
    for start in starts:
        stack: list[tuple[str, list[str]]] = []
        if start not in seen:
            seen.add(start)
            stack.append((start, sorted(edges[start])))
        while stack:
            name, todo = stack[-1]
            while todo and todo[-1] in seen:
                todo.pop()
            if todo:
                following = todo.pop()
                seen.add(following)
                stack.append((following, sorted(edges[following])))
            else:
                order.append(name)
                stack.pop()
    return order
