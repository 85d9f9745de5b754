"""Endless local arrays of which a program touches only elements a fixed distance apart, whose place
is known where the array is made, become one root for each of them.

    new : Array[float, ...]                 new_0 : float
    new[i] = x                      ->      new_0 = x
    y = new[i] + new[i + 1]                 y = new_0 + new_1

The derivative of a kernel whose threads read and write their own elements has such arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from loma.ir.analysis.affine import affine
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Function,
    Load,
    Module,
    Op,
    Operand,
    Region,
    Store,
    Var,
)
from loma.ir.traverse import bound, operands, outs, regions, walk
from loma.ir.types import I64, ArrayType, Ref
from loma.opt.rewrite import Rewriter

Access: TypeAlias = Load | Store | Accum
Terms: TypeAlias = frozenset[tuple[Var, int]]

NO_INDEX: Final = Var("none", I64)
"""A loop index that no expression holds."""


def run(function: Function, module: Module) -> Function:
    """The function without such arrays."""
    made = {op.out for op in walk(function.body) if isinstance(op, Alloc) and _endless(op.out)}
    if not made:
        return function
    found = _Scan(made).done(function)
    return _Elements(found).function(function) if found else function


def _endless(root: Var) -> bool:
    return isinstance(root.type, Ref) and root.type.growable


@dataclass(slots=True)
class _Scan:
    """Where arrays are accessed: by which terms, and at which distance from them.

    `defined` is the scalar operation of each variable, if it has one, `inside` those of the
    variables that are bound after an array is made; `refused` arrays cannot be taken apart.
    """

    made: set[Var]
    defined: dict[Var, Apply | None] = field(default_factory=dict)
    inside: dict[Var, dict[Var, Apply | None]] = field(default_factory=dict)
    terms: dict[Var, set[Terms]] = field(default_factory=dict)
    offsets: dict[Access, int] = field(default_factory=dict)
    refused: set[Var] = field(default_factory=set)

    def done(self, f: Function) -> dict[Var, dict[Access, int]]:
        """The distance of each access, of the arrays that can be taken apart."""
        self.defined = dict.fromkeys(bound(f.body))
        self.defined |= {op.out: op for op in walk(f.body) if isinstance(op, Apply)}
        self.region(f.body, f.params)
        found: dict[Var, dict[Access, int]] = {
            v: {} for v, terms in self.terms.items() if len(terms) == 1 and v not in self.refused}
        for op, offset in self.offsets.items():
            if op.root in found:
                found[op.root][op] = offset
        return found

    def region(self, region: Region, seen: Sequence[Var]) -> None:
        """Walks a region; what is `seen` was bound before it."""
        known = [*seen, *region.args]
        for op in region.ops:
            match op:
                case Alloc(out) if out in self.made:
                    before = frozenset(known)
                    self.inside[out] = {
                        v: made for v, made in self.defined.items() if v not in before}
                case Load(root, path) | Store(root, path) | Accum(root, path) if root in self.made:
                    self.access(op, root, path[0])
                case _:
                    self.refused |= {x for x in operands(op) if isinstance(x, Var)} & self.made
            known += outs(op)
            for inner in regions(op):
                self.region(inner, known)

    def access(self, op: Access, root: Var, index: Operand | str) -> None:
        """Notes one access."""
        assert not isinstance(index, str), "an array has indices"
        form = affine(index, NO_INDEX, self.inside[root])
        if form is None:
            self.refused.add(root)
            return
        self.terms.setdefault(root, set()).add(frozenset(form.terms.items()))
        self.offsets[op] = form.offset


class _Elements(Rewriter):
    """Redirects each access to the root of its element."""

    def __init__(self, found: Mapping[Var, Mapping[Access, int]]) -> None:
        super().__init__()
        self.found = found
        self.roots: dict[tuple[Var, int], Var] = {}

    def op(self, op: Op) -> None:
        match op:
            case Alloc(out) if out in self.found:
                for n, offset in enumerate(sorted(set(self.found[out].values()))):
                    self.roots[out, offset] = self.element(out, n, op)
            case Load() | Store() | Accum() if op.root in self.found:
                offset = self.found[op.root][op]
                self.emit(replace(op, root=self.roots[op.root, offset], path=op.path[1:]))
            case _:
                self.emit(self.nested(op))

    def element(self, array: Var, n: int, op: Alloc) -> Var:
        """A root for one element."""
        assert isinstance(array.content, ArrayType), "an array is endless"
        root = Var(f"{array.name}_{n}", Ref(array.content.element))
        self.emit(Alloc(root, span=op.span))
        return root
