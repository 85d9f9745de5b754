"""Loops whose condition hands memory of the caller to a function: the condition is evaluated before
the loop and at the end of its body.

The function is then called where calls are reversed. A condition itself is only run forward, and
what the derivative has in place of such memory cannot be passed on there.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.analysis.roots import bases
from loma.ir.nodes import Call, Function, Op, Operand, Region, Var, While
from loma.ir.traverse import clone_region, map_regions, walk
from loma.ir.types import BOOL, Ref


def rotated(f: Function) -> Function:
    """The function with such loops rotated."""
    base = bases(f.body)
    mine = set(f.params)

    def is_passed(x: Operand) -> bool:
        return isinstance(x, Var) and isinstance(x.type, Ref) and base.get(x, x) in mine

    def passes(cond: Region) -> bool:
        calls = [op for op in walk(cond) if isinstance(op, Call)]
        return any(is_passed(x) for op in calls for x in op.args)

    def inside(r: Region) -> Region:
        return Region(r.args, tuple(y for x in r.ops for y in each(x)), r.yields)

    def each(x: Op) -> list[Op]:
        inner = map_regions(x, inside)
        return rotate(inner) if isinstance(inner, While) and passes(inner.cond) else [inner]

    if not any(isinstance(op, While) and passes(op.cond) for op in walk(f.body)):
        return f
    return replace(f, body=inside(f.body))


def rotate(op: While) -> list[Op]:
    """The loop that carries whether it goes on, after what tells that for its first iteration."""
    test = replace(op.cond, args=())
    first = clone_region(test, dict(zip(op.cond.args, op.inits, strict=True)))
    later = clone_region(test, dict(zip(op.cond.args, op.body.yields, strict=True)))
    goes, comes, left = (Var("goes_on", BOOL) for _ in range(3))
    body = Region(
        (*op.body.args, comes), (*op.body.ops, *later.ops), (*op.body.yields, *later.yields)
    )
    cond = Region((*(Var(v.name, v.type) for v in op.cond.args), goes), (), (goes,))
    inits = (*op.inits, *first.yields)
    return [*first.ops, replace(op, inits=inits, cond=cond, body=body, outs=(*op.outs, left))]
