"""How far apart two places are, in iterations of the loops around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from loma.ir.analysis.polynomial import ZERO, Monomial, Polynomial
from loma.ir.nodes import Var

Shift: TypeAlias = tuple[int, ...]
Vector: TypeAlias = list[Polynomial]


def shift(a: Vector, b: Vector, loops: Sequence[tuple[Var, int]]) -> Shift | None:
    """Numbers of iterations d such that the place `a`, d iterations later, is the place `b`; None
    if there are none.

    `loops` are indices and their steps. The places must move alike with every index, and by a fixed
    number of elements, not 0, with the last one.
    """
    strides = [stride(a, v, step) for v, step in loops]
    if any(
        s is None or s != stride(b, v, step) for s, (v, step) in zip(strides, loops, strict=True)
    ):
        return None
    known = [s for s in strides if s is not None]
    indices = {v for v, _ in loops}
    if any(p.variables() & indices for s in known for p in s) or not _fixed(known[-1]):
        return None
    left = [q.plus(p, -1) for p, q in zip(a, b, strict=True)]
    found = [0] * len(loops)
    for k in sorted(range(len(loops)), key=lambda k: _size(known[k]), reverse=True):
        found[k] = _times(left, known[k])
        left = [p.plus(q, -found[k]) for p, q in zip(left, known[k], strict=True)]
    return None if any(p.terms for p in left) else tuple(found)


def stride(place: Vector, v: Var, step: int) -> Vector | None:
    """What one iteration adds to each index of a place."""
    found: Vector = []
    for p in place:
        c = p.coefficient(v)
        if c is None:
            return None
        found.append(ZERO.plus(c, step))
    return found


def _fixed(s: Vector) -> bool:
    """Whether a stride is a number other than 0 in one index, and nothing in the others."""
    moving = [p for p in s if p.terms]
    return len(moving) == 1 and set(moving[0].terms) == {()}


def _leading(s: Vector) -> tuple[int, Monomial, int] | None:
    """The index, monomial and coefficient of the largest term of a stride."""
    terms = [(i, m, c) for i, p in enumerate(s) for m, c in p.terms.items()]
    return max(terms, key=lambda t: (len(t[1]), abs(t[2])), default=None)


def _size(s: Vector) -> tuple[int, int]:
    leading = _leading(s)
    return (0, 0) if leading is None else (len(leading[1]), abs(leading[2]))


def _times(left: Vector, s: Vector) -> int:
    """How many strides come nearest to what is left."""
    leading = _leading(s)
    if leading is None:
        return 0
    i, m, c = leading
    return round(left[i].terms.get(m, 0) / c)
