"""The part of a core module that one function needs."""

from __future__ import annotations

from dataclasses import replace

from loma.ir import nodes
from loma.ir.analysis.roots import written_params
from loma.ir.nodes import Direction, Module
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Scalar, StructDef, StructType, Type


def pruned(module: Module, name: str) -> Module:
    """The module with only the function and what it reaches; nothing else is exported."""
    todo, kept = [name], dict[str, nodes.Function]()
    while todo:
        here = todo.pop()
        if here in kept:
            continue
        f = module.functions[here]
        kept[here] = replace(f, exported=here == name)
        todo += [op.function for op in walk(f.body) if isinstance(op, nodes.Call)]
        if f.fast and here == name:
            todo.append(f.fast)
    return replace(module, functions={n: f for n, f in kept.items()})


def named_structs(module: Module) -> dict[str, StructDef]:
    """The structs that the functions of a module name, and those inside of them."""
    todo: list[Type] = []
    for f in module.functions.values():
        roots = [*f.params, *(op.out for op in walk(f.body) if isinstance(op, nodes.Alloc))]
        todo += [r.content for r in roots if not isinstance(r.type, Scalar)]
    kept: set[str] = set()
    while todo:
        match todo.pop():
            case ArrayType(element):
                todo.append(element)
            case StructType(name) if name not in kept:
                kept.add(name)
                todo += [t for _, t in module.structs[name].members]
            case _:
                pass
    return {name: s for name, s in module.structs.items() if name in kept}


def writes(module: Module, name: str) -> list[int]:
    """The In arguments whose memory the function may write."""
    touched = written_params(module.functions)[name]
    arguments = module.functions[name].signature.arguments
    return [i for i, a in enumerate(arguments) if i in touched and a.direction is Direction.IN]
