"""Debug mode of the Python door: arrays without a size bring their lengths along.

Where the types can say it, a length is a named size, which calls hand on. The others, of rows, of
arrays in structs, and of what the caller writes, are looked up by where an array is in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from loma.diagnostics import UserError
from loma.frontend import surface
from loma.ir.nodes import Direction

PREFIX = "length_of_"
Argument = tuple[str, str]
"""A function, and the name of the size of one of its arguments."""


def with_lengths(
    parts: Sequence[surface.Definition], entry: str, untold: Collection[Argument]
) -> Iterator[surface.Definition]:
    """The definitions, in which each array argument that has no size gets a named one.

    Not so what Python must allocate for the `entry`, what calls leave `untold`, and functions with
    rules, whose arguments must stay alike.
    """
    ruled = {r.primal for d in parts if isinstance(d, surface.Function) for r in d.rules}
    for d in parts:
        if isinstance(d, surface.Function) and d.name not in ruled and not d.rules:
            yield replace(d, args=tuple([_sized(d, a, entry, untold) for a in d.args]))
        else:
            yield d


def _sized(
    f: surface.Function, a: surface.Arg, entry: str, untold: Collection[Argument]
) -> surface.Arg:
    t, name = a.type, f"{PREFIX}{a.name}"
    if a.direction is Direction.OUT and f.name == entry or (f.name, name) in untold:
        return a
    if not isinstance(t, surface.ArrayTypeExpr) or t.size is not None or t.growable:
        return a
    if isinstance(t.element, surface.ArrayTypeExpr):
        return a
    size = surface.SizeName(name, span=t.span)
    return replace(a, type=surface.ShapedTypeExpr(t.element, (size,), span=t.span))


def left_untold(parts: Sequence[surface.Definition], e: UserError) -> Argument | None:
    """The argument whose size a call does not tell, if that is what an error is about."""
    found = getattr(e, "untold", None)
    if found is None:
        return None
    function, size = found
    primals = {d.name: d.primal for d in parts if isinstance(d, surface.Derivative)}
    while function in primals:
        function = primals[function]
    return function, size
