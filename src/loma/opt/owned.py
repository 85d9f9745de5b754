"""What a thread adds to elements of its own is summed first, and reaches memory in one step.

Where all that the threads of a kernel do with an array of floats is that thread i adds to its
element i, the thread adds to a local sum. At the end the sum is added to the element; or, where the
host says that the array holds nothing yet (`fresh`), it is stored there, so that nobody needs to
fill the array with zeros, and nobody reads it. The host says how many elements there are: a thread
may have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loma.diagnostics import Span
from loma.ir.analysis.affine import Affine, affine
from loma.ir.builder import NOTHING, Builder, const
from loma.ir.kernel import element
from loma.ir.nodes import Accum, Alloc, Apply, If, Op, Operand, Region, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import bound, operands, walk
from loma.ir.types import I32, ArrayType, Ref, Scalar
from loma.opt.rewrite import Rewriter


@dataclass(frozen=True, slots=True)
class Owned:
    """An array whose element i is thread i's: the thread's sum, and how many elements there are."""

    root: Var
    total: Var
    count: Var

    @staticmethod
    def of(root: Var) -> Owned:
        """The same with fresh variables."""
        name = root.name
        return Owned(root, Var(f"own_{name}", Ref(element(root))), Var(f"count_{name}", I32))


def ownable(root: Var) -> bool:
    """Whether a root is an array of floats."""
    if not isinstance(root.type, Ref) or not isinstance(root.content, ArrayType):
        return False
    return isinstance(t := root.content.element, Scalar) and t.is_float


def owned(body: Region, candidates: frozenset[Var]) -> list[Owned]:
    """Those of the candidates that the threads of a kernel only add to, each at its own index."""
    (thread,) = body.args
    inside: dict[Var, Apply | None] = dict.fromkeys(bound(body))
    inside.update((op.out, op) for op in walk(body) if isinstance(op, Apply))
    found: dict[Operand, bool] = {v: True for v in candidates if ownable(v)}
    for op in walk(body):
        match op:
            case Accum(root, (index,)) if root in found and not isinstance(index, str):
                found[root] &= affine(index, thread, inside) == Affine(1, {}, 0)
            case _:
                found |= {v: False for v in operands(op) if v in found}
    return [Owned.of(v) for v, fine in found.items() if fine and isinstance(v, Var)]


def totalled(body: Region, arrays: list[Owned]) -> Region:
    """The body with additions to these arrays as additions to the sums."""
    return _Totals({o.root: o.total for o in arrays}).region(body)


class _Totals(Rewriter):
    def __init__(self, totals: Mapping[Var, Var]) -> None:
        super().__init__()
        self.totals = totals

    def op(self, op: Op) -> None:
        if isinstance(op, Accum) and op.root in self.totals:
            self.emit(Accum(self.totals[op.root], (), op.value, span=op.span))
        else:
            self.emit(self.nested(op))


def settled(body: Region, arrays: list[Owned], fresh: Var, span: Span) -> Region:
    """The body of a thread with its sums made before it, and taken to memory after it; what is
    there is read before, so that nothing waits for it."""
    (thread,) = body.args
    b = Builder({}, span)
    adds = b.apply(A.EQ, fresh, const(0, I32))
    made = [_begun(b, o, thread, adds) for o in arrays]
    b.ops += body.ops
    stores = b.apply(A.NOT, adds)
    for o, (there, old) in zip(arrays, made, strict=True):
        total = b.load(o.total, (), o.total.name)
        some = b.apply(A.NE, total, const(0.0, element(o.root)))
        writes = b.apply(A.AND, there, b.apply(A.OR, stores, some))
        with b.nested() as ops:
            b.store(o.root, (thread,), b.add(old, total))
        b.emit(If(writes, b.region(ops), NOTHING, (), span=span))
    return Region(body.args, tuple(b.ops), ())


def _begun(b: Builder, o: Owned, thread: Var, adds: Operand) -> tuple[Operand, Var]:
    """Makes a sum; whether the element is there, and what it holds (0 if it is fresh)."""
    b.emit(Alloc(o.total, span=b.span))
    there = b.apply(A.LT, thread, o.count)
    old, zero = Var("old", element(o.root)), const(0.0, element(o.root))
    with b.nested() as ops:
        held = b.load(o.root, (thread,), "old")
    reads = b.apply(A.AND, there, adds)
    b.emit(If(reads, b.region(ops, (held,)), b.region([], (zero,)), (old,), span=b.span))
    return there, old
