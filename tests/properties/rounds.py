"""Random parallel loops: each round owns one element of some arrays, and adds to shared floats."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from properties.expressions import condition
from properties.scope import FLOAT, INT, LENGTH, Scope, Variable

from loma.ir.types import ArrayType

if TYPE_CHECKING:
    from properties.statements import Writer


def parallel_loop(w: Writer, s: Scope) -> bool:
    """for i in parallel(n): what others may see is written at i, or added to."""
    i, total, own = w.page.fresh("i"), w.page.fresh("v"), w.page.fresh("v")
    w.page.line(f"{total} : float = {w.tame(s)}")
    bounds = [v.name for v in s.variables if v.counter] + ["3", str(LENGTH), str(LENGTH)]
    w.page.line(f"for {i} in parallel({w.rng.choice(bounds)}):")
    inside = w.looped(s)
    inside.kernel = True
    arrays = [v for v in s.variables if _can_be_owned(v)]
    owned = w.rng.sample(arrays, min(len(arrays), w.rng.randint(0, 2)))
    inside.variables = [replace(v, writable=False) for v in s.variables if v not in owned]
    inside.variables.append(Variable(i, INT, writable=False, counter=True))
    w.page.level += 1
    if owned and owned[0].readable:
        w.page.line(f"{own} : float = 0.5 * {owned[0].name}[{i}]")
        inside.variables.append(Variable(own, FLOAT, tame=owned[0].tame))
    if "break" in w.features and w.rng.random() < 0.2:
        w.page.line(f"if {condition(inside)}:")
        w.page.line("    continue")
    w.page.level -= 1
    inside.variables += [replace(v, readable=False, tame=False, only_at=i) for v in owned]
    w.block(inside, w.rng.randint(1, 2))
    w.page.line(f"    atomic_add({total}, {w.tame(inside)})")
    s.variables.append(Variable(total, FLOAT, tame=False))
    return True


def _can_be_owned(v: Variable) -> bool:
    return (
        isinstance(v.type, ArrayType)
        and v.type.element == FLOAT
        and (v.type.size is None or v.type.size >= LENGTH)
        and v.writable
        and v.only_at is None
    )
