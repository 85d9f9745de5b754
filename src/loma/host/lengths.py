"""Debug mode of the Python door: arrays without a size bring their lengths along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from loma.frontend import surface
from loma.ir.nodes import Direction

PREFIX = "length_of_"


def with_lengths(parts: Iterable[surface.Definition]) -> Iterator[surface.Definition]:
    """The definitions, in which each array argument that has no size gets a named one.

    Outputs are left alone: it is the other arguments that tell their sizes.
    """
    for d in parts:
        if isinstance(d, surface.Function):
            yield replace(d, args=tuple(map(_sized, d.args)))
        else:
            yield d


def _sized(a: surface.Arg) -> surface.Arg:
    t = a.type
    if a.direction is Direction.OUT or not isinstance(t, surface.ArrayTypeExpr):
        return a
    if t.size is not None or t.growable or isinstance(t.element, surface.ArrayTypeExpr):
        return a
    size = surface.SizeName(f"{PREFIX}{a.name}", span=t.span)
    return replace(a, type=surface.ShapedTypeExpr(t.element, (size,), span=t.span))
