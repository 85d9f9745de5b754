"""Pointers to memory without tangents, in memory whose pointers lead to memory with tangents."""

from __future__ import annotations

from loma.ad.errors import NotDifferentiable
from loma.ir.analysis.activity import unvaried
from loma.ir.analysis.roots import bases
from loma.ir.nodes import Function, StoreRef
from loma.ir.traverse import walk


def refuse_mixed(f: Function) -> None:
    """Raises where a pointer is assigned that would need tangents, or must have none."""
    plain = unvaried(f)
    base = bases(f.body) if plain else {}
    for op in walk(f.body) if plain else ():
        if isinstance(op, StoreRef):
            held, given = (base.get(v, v) in plain for v in (op.root, op.value))
            if held != given:
                raise NotDifferentiable(
                    f.name,
                    op.span,
                    "an array that is NoDiff is assigned to a struct that the caller or a "
                    "function that is not inlined sees",
                    "pass the array as an argument of its own",
                )
