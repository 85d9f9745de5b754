"""Free variables under lexical scoping, for code in which one variable may be bound in several
disjoint scopes: reverse code, before it is given variables of its own.

`traverse.free` is simpler and faster, and right where each variable is bound once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from loma.ir.nodes import Op, Operand, Region, Var
from loma.ir.traverse import operands, outs, regions


def free_of(
    ops: Sequence[Op], yields: Iterable[Operand] = (), bound: Iterable[Var] = ()
) -> dict[Var, None]:
    """The variables that a list of operations reads before binding them, in order of first use."""
    found: dict[Var, None] = {}
    here = set(bound)
    for op in ops:
        for x in operands(op):
            if isinstance(x, Var) and x not in here:
                found[x] = None
        for region in regions(op):
            found.update((v, None) for v in free_in(region) if v not in here)
        here.update(outs(op))
    for y in yields:
        if isinstance(y, Var) and y not in here:
            found[y] = None
    return found


def free_in(region: Region) -> dict[Var, None]:
    """The variables that a region reads from outside itself."""
    return free_of(region.ops, region.yields, region.args)
