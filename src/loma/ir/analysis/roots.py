"""Which root a view or a pointer stems from, and which roots an operation or a function may
write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from loma.ir.nodes import (
    Accum,
    Alloc,
    Call,
    Function,
    LoadRef,
    Op,
    Pop,
    Push,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.traverse import walk
from loma.ir.types import Ref

Written: TypeAlias = Mapping[str, frozenset[int]]


def bases(body: Region) -> dict[Var, Var]:
    """The root that each root in a body stems from: parameters and allocations stem from
    themselves.
    """
    base: dict[Var, Var] = {}
    for op in walk(body):
        match op:
            case View(root, _, out) | Window(root, _, out) | LoadRef(root, _, out):
                base[out] = base.get(root, root)
            case Alloc(out):
                base[out] = out
            case _:
                pass
    return base


def written_roots(op: Op, base: Mapping[Var, Var], written: Written) -> set[Var]:
    """The base roots that one operation may write (its regions not included)."""
    match op:
        case Store(root) | Accum(root) | StoreRef(root) | Push(root) | Pop(root):
            return {base.get(root, root)}
        case Call(name, args):
            touched = written.get(name)
            return {
                base.get(x, x)
                for i, x in enumerate(args)
                if isinstance(x, Var)
                and isinstance(x.type, Ref)
                and (touched is None or i in touched)
            }
        case _:
            return set()


def region_writes(region: Region, base: Mapping[Var, Var], written: Written) -> set[Var]:
    """The base roots that anything in a region may write."""
    out: set[Var] = set()
    for op in walk(region):
        out |= written_roots(op, base, written)
    return out


def written_params(functions: Mapping[str, Function]) -> dict[str, frozenset[int]]:
    """For each function the indices of the parameters whose memory it may write, calls included."""
    table = {name: _direct_writes(f, {}) for name, f in functions.items()}
    changed = True
    while changed:
        changed = False
        for name, f in functions.items():
            new = _direct_writes(f, table)
            if new != table[name]:
                table[name], changed = new, True
    return table


def _direct_writes(f: Function, table: Written) -> frozenset[int]:
    base = bases(f.body)
    known = {**{op.function: frozenset() for op in walk(f.body) if isinstance(op, Call)}, **table}
    touched = region_writes(f.body, base, known)
    return frozenset(i for i, p in enumerate(f.params) if p in touched)
