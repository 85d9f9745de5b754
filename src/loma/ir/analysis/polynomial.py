"""Integer expressions as polynomials with literal coefficients, exact modulo the type's range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from loma.ir.builder import const
from loma.ir.nodes import Apply, Const, Function, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import outs, regions, walk
from loma.ir.types import Scalar

Monomial: TypeAlias = tuple[Var, ...]

LARGEST: Final = 12
"""Terms of a polynomial, beyond which an expression counts as an unknown of its own."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of products of variables: monomials (variables in order of identity) to coefficients,
    none 0.
    """

    terms: Mapping[Monomial, int]

    def plus(self, other: Polynomial, times: int = 1) -> Polynomial:
        """This and a multiple of another."""
        terms = dict(self.terms)
        for m, c in other.terms.items():
            terms[m] = terms.get(m, 0) + times * c
        return Polynomial({m: c for m, c in terms.items() if c})

    def times(self, other: Polynomial) -> Polynomial:
        """The product of two."""
        terms: dict[Monomial, int] = {}
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                both = tuple(sorted((*m, *n), key=id))
                terms[both] = terms.get(both, 0) + c * d
        return Polynomial({m: c for m, c in terms.items() if c})

    def coefficient(self, v: Var) -> Polynomial | None:
        """The factor of a variable; None where it occurs in a higher power."""
        terms: dict[Monomial, int] = {}
        for m, c in self.terms.items():
            if v in m:
                if m.count(v) > 1:
                    return None
                terms[tuple(x for x in m if x is not v)] = c
        return Polynomial(terms)

    def substitute(self, of: Mapping[Var, Polynomial]) -> Polynomial:
        """The polynomial with polynomials put in for variables."""
        total = ZERO
        for m, c in self.terms.items():
            product = Polynomial({(): c})
            for v in m:
                product = product.times(of.get(v) or Polynomial({(v,): 1}))
            total = total.plus(product)
        return total

    def variables(self) -> set[Var]:
        """Every variable that occurs."""
        return {v for m in self.terms for v in m}


ZERO: Final = Polynomial({})


class Emitter(Protocol):
    """What emits integer operations."""

    def add(self, x: Operand, y: Operand) -> Operand:
        """A sum."""
        ...

    def sub(self, x: Operand, y: Operand) -> Operand:
        """A difference."""
        ...

    def mul(self, x: Operand, y: Operand) -> Operand:
        """A product."""
        ...


def polynomial(value: int) -> Polynomial:
    """The polynomial that is a number."""
    return Polynomial({(): value} if value else {})


@dataclass(slots=True)
class Polynomials:
    """The integer expressions of one function: `defs` holds its integer operations by result,
    `rank` the order of all its variables (products are emitted in it).
    """

    defs: Mapping[Var, Apply]
    rank: Mapping[Var, int]
    _known: dict[Var, Polynomial] = field(default_factory=dict)

    @staticmethod
    def of_function(f: Function) -> Polynomials:
        """Those of a function."""
        defs: dict[Var, Apply] = {}
        order = list(f.params)
        for op in walk(f.body):
            order += [*(v for inner in regions(op) for v in inner.args), *outs(op)]
            if isinstance(op, Apply) and op.out.scalar.is_int:
                defs[op.out] = op
        return Polynomials(defs, {v: k for k, v in enumerate(order)})

    def of(self, x: Operand) -> Polynomial:
        """The polynomial of an expression; a variable alone where nothing better is known."""
        if isinstance(x, Const):
            return polynomial(int(x.value))
        if x not in self._known:
            self._known[x] = self._made(x)
        return self._known[x]

    def _made(self, x: Var) -> Polynomial:
        op = self.defs.get(x)
        found: Polynomial | None = None
        match op:
            case Apply(A.ADD, (a, b)):
                found = self.of(a).plus(self.of(b))
            case Apply(A.SUB, (a, b)):
                found = self.of(a).plus(self.of(b), -1)
            case Apply(A.NEG, (a,)):
                found = ZERO.plus(self.of(a), -1)
            case Apply(A.MUL, (a, b)):
                found = self.of(a).times(self.of(b))
            case _:
                pass
        return found if found is not None and len(found.terms) <= LARGEST else Polynomial({(x,): 1})

    def emit(self, p: Polynomial, type: Scalar, e: Emitter) -> Operand:
        """The value of a polynomial: its literal part is added last."""
        total: Operand = const(0, type)
        for m, c in sorted(p.terms.items(), key=lambda term: (-len(term[0]), term[1] < 0)):
            if not m:
                continue
            first, *rest = sorted(m, key=lambda v: self.rank.get(v, len(self.rank)))
            product: Operand = first
            for v in rest:
                product = e.mul(product, v)
            product = e.mul(product, const(abs(c), type))
            total = e.sub(total, product) if c < 0 else e.add(total, product)
        return e.add(total, const(p.terms.get((), 0), type))
