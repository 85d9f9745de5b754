"""Whether an index expression tells the iterations of a loop nest apart.

An index is brought into the form  c1*i1 + c2*i2 + ... + invariant  with a product of literals and
invariant variables for each coefficient. It is injective if the coefficients form a mixed radix:
the first is not 0, and each is the one before times a width that the indices of the loop of the one
before span at most (rows of a matrix, planes of a volume).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from loma.ir.nodes import Apply, Const, For, Op, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import outs, walk

WRAP: Final = 1 << 32
"""Multiples of this are 0 where integers have 32 bits."""


@dataclass(frozen=True, slots=True)
class Product:
    """A literal times invariant variables (in order of identity, with repetition)."""

    factor: int
    variables: tuple[Var, ...] = ()

    def times(self, other: Product) -> Product:
        """The product of two."""
        both = sorted((*self.variables, *other.variables), key=id)
        return Product(self.factor * other.factor, tuple(both))

    def over(self, other: Product) -> Product | None:
        """What times `other` gives this; None if there is no such product."""
        rest = list(self.variables)
        for v in other.variables:
            if v not in rest:
                return None
            rest.remove(v)
        if other.factor == 0 or self.factor % other.factor:
            return None
        return Product(self.factor // other.factor, tuple(rest))


Form = Mapping[Var, Product]


@dataclass(frozen=True, slots=True)
class Strides:
    """The index forms of one loop nest: its loops by index variable, the scalar operations of
    the body, and the sizes of the array, none of which is 0 where it has elements.
    """

    loops: Mapping[Var, For]
    defs: Mapping[Var, Op]
    sizes: Set[Var]

    def form(self, x: Operand) -> Form | None:
        """The coefficients of the loop indices in an expression; None if it is not of that form."""
        if isinstance(x, Const):
            return {}
        if x in self.loops:
            return {x: Product(1)}
        op = self.defs.get(x)
        if not isinstance(op, Apply):
            return {} if self.invariant(x) else None
        forms = [self.form(y) for y in op.args]
        match op.prim, forms:
            case ((A.ADD | A.SUB), [dict() as f, dict() as g]) if not f.keys() & g.keys():
                sign = Product(-1 if op.prim is A.SUB else 1)
                return {**f, **{v: c.times(sign) for v, c in g.items()}}
            case A.MUL, [dict() as f, dict() as g] if not (f and g):
                form, factor = (f, op.args[1]) if f else (g, op.args[0])
                width = self.product(factor)
                return {v: c.times(width) for v, c in form.items()}
        return {} if all(f == {} for f in forms) else None

    def invariant(self, x: Var) -> bool:
        """Whether a value that is no scalar operation is defined outside the nest, and none that
        its loops carry.
        """
        if any(x in loop.body.args for loop in self.loops.values()):
            return False
        return x not in self.defs or not any(
            x in outs(o) for loop in self.loops.values() for o in walk(loop.body)
        )

    def product(self, x: Operand) -> Product:
        """An invariant factor, taken apart where it is itself a product."""
        if isinstance(x, Const):
            return Product(int(x.value))
        op = self.defs.get(x)
        if isinstance(op, Apply) and op.prim is A.MUL:
            return self.product(op.args[0]).times(self.product(op.args[1]))
        return Product(1, (x,))

    def injective(self, form: Form) -> bool:
        """Whether different values of the loop indices in a form give different indices."""
        return any(self.is_radix([(v, form[v]) for v in order]) for order in permutations(form))

    def is_radix(self, digits: list[tuple[Var, Product]]) -> bool:
        """Whether the coefficients, smallest first, are a mixed radix for their loops."""
        if not self.nonzero(digits[0][1]):
            return False
        for (v, small), (_, large) in zip(digits, digits[1:], strict=False):
            loop = self.loops[v]
            width = large.over(small.times(Product(abs(int(loop.step.value)))))
            if width is None or not self.at_most(loop.count, width):
                return False
        return True

    def nonzero(self, c: Product) -> bool:
        """Whether a coefficient is not 0 where the loops run: of its variables each is a size, or
        as large as the count of a loop.
        """
        counts = [loop.count for loop in self.loops.values()]
        return c.factor % WRAP != 0 and all(
            v in self.sizes or any(self.at_most(n, Product(1, (v,))) for n in counts)
            for v in c.variables
        )

    def at_most(self, count: Operand, width: Product) -> bool:
        """Whether a loop that runs has at most `width` iterations."""
        if isinstance(count, Const):
            return not width.variables and int(count.value) <= width.factor
        if width == Product(1, (count,)) or self.product(count) == width:
            return True
        op = self.defs.get(count)
        if not isinstance(op, Apply):
            return False
        match op.prim, op.args:
            case A.ADD, (x, Const(value=k)) | (Const(value=k), x):
                return k <= 0 and self.at_most(x, width)
            case A.SUB, (x, Const(value=k)):
                return k >= 0 and self.at_most(x, width)
            case A.SELECT, (_, x, Const(value=0)) | (_, Const(value=0), x):
                return self.at_most(x, width)
        return False
