"""Where a struct result comes from: `return x` and `return f(...)` in place of writes to the
result's memory."""

from __future__ import annotations

from collections.abc import Iterator

from loma.ir import imperative as T
from loma.ir.nodes import Const, Function, Module, Var
from loma.ir.types import ArrayType, Structs, StructType, Type

Steps = tuple[str | int, ...]


def returned(
    f: Function, block: T.Block, module: Module
) -> tuple[T.Block, T.Place | T.CallStmt | None]:
    """The statements without those that copy the result at the end, and what the result is copied
    from.

    None where the result's memory is used in another way: it is then a variable like others.
    """
    result = f.signature.result
    if not isinstance(result, StructType) or not block:
        return block, None
    slot = f.params[-1]
    last = block[-1]
    if isinstance(last, T.CallStmt) and _gives(last, slot, module):
        return (block[:-1], last) if not _mentions(block[:-1], slot) else (block, None)
    leaves = set(_leaves(result, module.structs))
    tail = block[len(block) - len(leaves) :]
    sources = {_copied(s, slot) for s in tail}
    roots = {root for root, _ in sources}
    if (
        len(roots) != 1
        or {steps for _, steps in sources} != leaves
        or _mentions(block[: -len(leaves)], slot)
    ):
        return block, None
    root = roots.pop()
    if root is None or root in f.params or root.content != result:
        return block, None
    return block[: -len(leaves)], T.Place(root, (), result)


def _gives(s: T.CallStmt, slot: Var, module: Module) -> bool:
    """Whether the result of a call goes to a root and nothing else."""
    if not isinstance(module.functions[s.function].signature.result, StructType):
        return False
    target = s.args[-1]
    return (
        isinstance(target, T.Place)
        and target.root is slot
        and not target.path
        and not any(_in(e, slot) for e in s.args[:-1])
    )


def _leaves(t: Type, structs: Structs) -> Iterator[Steps]:
    match t:
        case StructType(name):
            for member, inner in structs[name].members:
                yield from ((member, *rest) for rest in _leaves(inner, structs))
        case ArrayType(element, int(n)):
            for i in range(n):
                yield from ((i, *rest) for rest in _leaves(element, structs))
        case _:
            yield ()


def _copied(s: T.Stmt, slot: Var) -> tuple[Var | None, Steps]:
    """The root from which a statement copies to the same path in `slot`, and that path."""
    match s:
        case T.Assign(place, T.Place() as value) | T.Bind(place, value) if place.root is slot:
            steps = _steps(place)
            if steps is not None and steps == _steps(value) and not value.crossed:
                return value.root, steps
    return None, ()


def _steps(p: T.Place) -> Steps | None:
    found: list[str | int] = []
    for s in p.path:
        match s:
            case str():
                found.append(s)
            case Const(value):
                found.append(int(value))
            case _:
                return None
    return tuple(found)


def _mentions(block: T.Block, root: Var) -> bool:
    return any(
        any(_in(e, root) for e in T.expressions(s)) or any(_mentions(b, root) for b in T.blocks(s))
        for s in block
    )


def _in(e: T.Expr, root: Var) -> bool:
    if isinstance(e, T.Place) and e.root is root:
        return True
    return any(_in(inner, root) for inner in T.children(e))
