"""Which loads may be repeated in the reverse sweep: those whose memory nothing overwrites later.

A load qualifies if no write to its base root can execute after it, on any path, loops included,
or if all that do are to other places (`apart.py`).
The reverse sweep itself writes adjoint memory only. (The to-be-recorded analysis of Tapenade, in
our terms.)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache

from loma.ir.analysis.apart import Accesses
from loma.ir.analysis.roots import Written, bases, region_writes, written_roots
from loma.ir.nodes import Call, For, Load, LoadRef, Op, Region, Var, While
from loma.ir.traverse import regions
from loma.ir.types import Ref


@dataclass(slots=True)
class Reloads:
    """What stays current until the reverse sweep: results of loads, and for each call the
    operands that do.
    """

    loads: set[Var] = field(default_factory=set)
    operands: dict[Call, frozenset[int]] = field(default_factory=dict)


def reloads(
    body: Region, written: Written, unstable: Collection[Var], merged: bool = False
) -> Reloads:
    """The loads and pointer loads that would give the same again after the forward sweep.

    `unstable` are parameters that the caller may overwrite before the reverse sweep; with
    `merged`, any two parameters may be the same memory.
    """
    base = bases(body)
    local = {v for v, b in base.items() if v is b}

    def key(v: Var) -> Var | None:
        b = base.get(v, v)
        return None if merged and b not in local else b

    kept = {key(v) for v in unstable}
    accesses = cache(lambda: Accesses(body, base))
    walk = _Walk(base, written, key, accesses, frozenset(kept), Reloads())
    walk.visit(body, kept)
    return walk.found


@dataclass(frozen=True, slots=True)
class _Walk:
    base: Mapping[Var, Var]
    written: Written
    key: Callable[[Var], Var | None]
    accesses: Callable[[], Accesses]
    unstable: frozenset[Var | None]
    found: Reloads

    def visit(self, region: Region, later: set[Var | None]) -> None:
        """Looks at a region from its end; `later` is extended by what it writes."""
        for op in reversed(region.ops):
            if isinstance(op, Load | LoadRef) and self.stays(op, later):
                self.found.loads.add(op.out)
            if isinstance(op, Call):
                self.found.operands[op] = frozenset(
                    i
                    for i, x in enumerate(op.args)
                    if isinstance(x, Var) and isinstance(x.type, Ref) and self.key(x) not in later
                )
            self.visit_regions(op, later)
            later |= {self.key(v) for v in written_roots(op, self.base, self.written)}

    def stays(self, op: Load | LoadRef, later: set[Var | None]) -> bool:
        """Whether nothing later writes what a load reads."""
        base = self.key(op.root)
        if base not in later:
            return True
        alone = base is not None and base not in self.unstable
        return alone and isinstance(op, Load) and self.accesses().stays(op)

    def visit_regions(self, op: Op, later: set[Var | None]) -> None:
        """The regions of an operation; what a loop writes comes after everything in it."""
        inner = regions(op)
        touched = {self.key(v) for r in inner for v in region_writes(r, self.base, self.written)}
        for r in inner:
            self.visit(r, later | touched if isinstance(op, For | While) else set(later))
        later |= touched
