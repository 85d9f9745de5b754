"""Index expressions as affine forms in a loop's index."""

from __future__ import annotations

from loma.ir.analysis.affine import Affine, affine
from loma.ir.nodes import Apply, Const, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim
from loma.ir.types import I32

AT, N, M = (Var(name, I32) for name in "inm")


def form(prim: Prim, *args: Operand) -> Affine | None:
    """The form of one operation inside of the loop over AT."""
    out = Var("out", I32)
    found = affine(out, AT, {AT: None, out: Apply(prim, args, out)})
    if found is not None and out in found.terms:
        assert found == Affine(0, {out: 1}, 0)
        return Affine(0, {}, -1)  # stands for an unknown value that does not change
    return found


def test_products() -> None:
    """A factor that is not known is no number: it makes the product neither affine nor zero."""
    three = Const(3, I32)
    assert form(A.MUL, AT, three) == form(A.MUL, three, AT) == Affine(3, {}, 0)
    assert form(A.MUL, N, three) == Affine(0, {N: 3}, 0)
    assert form(A.MUL, AT, N) is None
    assert form(A.MUL, N, AT) is None
    assert form(A.MUL, N, M) == Affine(0, {}, -1)


def test_sums() -> None:
    assert form(A.ADD, AT, N) == Affine(1, {N: 1}, 0)
    assert form(A.SUB, N, AT) == Affine(-1, {N: 1}, 0)
    assert form(A.SUB, AT, AT) == Affine(0, {}, 0)
