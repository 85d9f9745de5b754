"""Index expressions as  scale * i + (invariant terms) + offset,  for one loop index i."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loma.ir.analysis.grid import joined
from loma.ir.nodes import Apply, Const, Operand, Var
from loma.ir.prims import arithmetic as A


@dataclass(frozen=True, slots=True)
class Affine:
    """scale * i + sum of coefficient * term + offset; terms are loop-invariant variables."""

    scale: int
    terms: Mapping[Var, int]
    offset: int

    @property
    def is_literal(self) -> bool:
        """Whether it is a number."""
        return not self.scale and not self.terms

    def plus(self, other: Affine, sign: int = 1) -> Affine:
        """The sum (or difference) of two."""
        terms = dict(self.terms)
        for v, c in other.terms.items():
            terms[v] = terms.get(v, 0) + sign * c
        return Affine(
            self.scale + sign * other.scale,
            {v: c for v, c in terms.items() if c},
            self.offset + sign * other.offset,
        )

    def times(self, k: int) -> Affine:
        """A multiple."""
        return Affine(
            k * self.scale, {v: k * c for v, c in self.terms.items() if k}, k * self.offset
        )


def affine(
    x: Operand, index: Var, inside: Mapping[Var, Apply | None]
) -> Affine | None:
    """The form of an index expression; `inside` maps what the loop defines to scalar operations
    (or None).

    None if it is not affine in the index.
    """
    x = joined(x, inside)
    if isinstance(x, Const):
        return Affine(0, {}, int(x.value))
    if x is index:
        return Affine(1, {}, 0)
    if x not in inside:
        return Affine(0, {x: 1}, 0)
    op = inside[x]
    if op is None or not x.scalar.is_int:
        return None
    return combined(op, [affine(y, index, inside) for y in op.args])


def combined(op: Apply, forms: Sequence[Affine | None]) -> Affine | None:
    """The form of an operation's result, given those of its arguments."""
    match op.prim, forms:
        case A.ADD, [Affine() as f, Affine() as g]:
            return f.plus(g)
        case A.SUB, [Affine() as f, Affine() as g]:
            return f.plus(g, -1)
        case A.NEG, [Affine() as f]:
            return f.times(-1)
        case A.MUL, [Affine() as f, Affine() as g] if g.is_literal:
            return f.times(g.offset)
        case A.MUL, [Affine() as f, Affine() as g] if f.is_literal:
            return g.times(f.offset)
    fixed = all(f is not None and f.scale == 0 for f in forms)
    return Affine(0, {op.out: 1}, 0) if fixed else None
