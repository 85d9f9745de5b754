"""Array indices that move evenly with a counted loop, in 64 bits.

LLVM vectorises loads that are a fixed distance apart only if it knows that their 32-bit index does
not wrap on the way. An index whose access is sure to follow in every iteration does not: each
iteration moves it by less than 2**31, so where it wraps first it is negative, which is out of
bounds, and nothing checks that at the course's door. Its first value may be a wrapped one, and is
computed as the language says.

    x[n * j + 2 * i + 1]  ==>  x + (i64) (n * j) + 2 * (i64) i + 1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from loma.backends.llvm.code import Code
from loma.backends.llvm.memory import is_growable
from loma.ir.analysis.affine import Affine, combined
from loma.ir.nodes import Accum, Apply, Const, Load, Op, Operand, Region, Store, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound
from loma.ir.types import I32

FAR: Final = 2**31
NEAR: Final = 2**16
"""The literal part of an index, at most: it is added in 64 bits, which differs from the language
only where a wrapped sum would be the index of one of the last elements of an array of 2**31.
"""
LARGEST: Final = 6
"""Terms of an index that does not move, beyond which it is computed as it is written."""
Terms: TypeAlias = frozenset[tuple[Var, int]]


@dataclass(slots=True)
class Moving:
    """A loop whose body is being emitted: `counter` is the name of its number of iterations so
    far, which is its index where `start` is 0 and `step` 1.
    """

    code: Code
    index: Var
    start: Operand
    step: int
    counter: str
    forms: Mapping[Var, Affine | None]
    rests: dict[Terms, str] = field(default_factory=dict)
    moved: dict[int, str] = field(default_factory=dict)

    def enter(self, op: Op) -> None:
        """Says that an operation of the body's top level comes next: any access that it makes is
        made in every iteration.
        """
        sure = isinstance(op, Load | Store | Accum) and not is_growable(op.root)
        self.code.moving = self.spelled if sure else None

    def spelled(self, x: Operand) -> str | None:
        """A moving index as LLVM spells it, with its type in front; None for any other."""
        if not isinstance(x, Var) or x.type is not I32 or self.index.type is not I32:
            return None
        form = self.forms.get(x)
        if form is None or not form.scale or not -FAR < form.scale * self.step < FAR:
            return None
        terms, offset = dict(form.terms), form.offset
        if isinstance(self.start, Const):
            offset += form.scale * int(self.start.value)
        else:
            base, apart = self.code.near.get(self.start, (self.start, 0))
            terms[base] = terms.get(base, 0) + form.scale
            offset += form.scale * apart
            terms = {v: c for v, c in terms.items() if c}
        if abs(offset) > NEAR or any(not -FAR <= c < FAR for c in terms.values()):
            return None
        return f"i64 {self.sum(terms, offset, form.scale * self.step)}"

    def sum(self, terms: Mapping[Var, int], offset: int, by: int) -> str:
        """A first value, and so much for each iteration."""
        total = self.times(by)
        if terms:
            total = self.code.value(f"add nsw i64 {self.rest(terms)}, {total}")
        return self.code.value(f"add nsw i64 {total}, {offset}") if offset else total

    def times(self, by: int) -> str:
        """The number of iterations so far, times a number."""
        if 1 not in self.moved:
            self.moved[1] = self.code.value(f"zext i32 {self.counter} to i64")
        if by not in self.moved:
            flags = "nuw nsw" if by > 0 else "nsw"
            self.moved[by] = self.code.value(f"mul {flags} i64 {self.moved[1]}, {by}")
        return self.moved[by]

    def rest(self, terms: Mapping[Var, int]) -> str:
        """What does not move."""
        key = frozenset(terms.items())
        if key not in self.rests:
            total = ""
            for v, c in terms.items():
                here = self.code.read(v)
                if c != 1:
                    here = self.code.value(f"mul i32 {here}, {c}")
                total = self.code.value(f"add i32 {total}, {here}") if total else here
            self.rests[key] = self.code.value(f"sext i32 {total} to i64")
        return self.rests[key]


def of_loop(code: Code, body: Region, steps: tuple[Operand, Operand], counter: str) -> Moving:
    """The loop with this body, whose counter is called so."""
    start, step = steps
    assert isinstance(step, Const), "loops step by a number"
    return Moving(code, body.args[0], start, int(step.value), counter, _forms(code, body))


def note(code: Code, op: Apply) -> None:
    """Remembers what an integer is so far from, so that indices that lie near each other are seen
    to.
    """
    if op.out.type is not I32 or op.prim not in (A.ADD, A.SUB):
        return
    x, y = op.args
    if isinstance(x, Const) and op.prim is A.ADD:
        x, y = y, x
    if isinstance(x, Var) and isinstance(y, Const):
        base, apart = code.near.get(x, (x, 0))
        apart += int(y.value) if op.prim is A.ADD else -int(y.value)
        if abs(apart) <= NEAR:
            code.near[op.out] = base, apart


def _forms(code: Code, body: Region) -> dict[Var, Affine | None]:
    """How the integers of a body's top level move with its index; None for what is not known."""
    forms: dict[Var, Affine | None] = dict.fromkeys(bound(body))
    forms[body.args[0]] = Affine(1, {}, 0)

    def form(x: Operand) -> Affine | None:
        if isinstance(x, Const):
            return Affine(0, {}, int(x.value) if x.type.is_int else 0)
        if x in forms:
            return forms[x]
        base, apart = code.near.get(x, (x, 0))
        return Affine(0, {base: 1}, apart)

    for op in body.ops:
        if isinstance(op, Apply) and op.out.type is I32:
            found = combined(op, [form(x) for x in op.args])
            if found and len(found.terms) > LARGEST:
                found = None if found.scale else Affine(0, {op.out: 1}, 0)
            forms[op.out] = found
    return forms
