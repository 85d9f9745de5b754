"""Loads that LLVM must leave where the program has them.

LLVM moves a load into the branch that alone uses what it gives. In a loop that becomes vectors the
load is then done under a mask, one element at a time, where one load of neighbours would do: a
loop that reads a pixel of three colours and uses it in one branch took 1.4 times as long. What may
have an effect, such as the call that this module asks for, keeps loads before it from moving past.
"""

from __future__ import annotations

from collections.abc import Iterable

from loma.backends.llvm.code import Code
from loma.ir.nodes import Apply, If, Load, Op, Operand, Region, Var
from loma.ir.traverse import free, op_reads, operands


def hold(code: Code) -> None:
    """Keeps the loads that were emitted so far from moving past here."""
    code.declare("declare void @llvm.sideeffect()")
    code.line("call void @llvm.sideeffect()")


def branches(body: Region) -> frozenset[Op]:
    """The branches in a loop's body before which a load is done that only they use."""
    found: set[Op] = set()
    users: dict[Var, set[Op | None]] = {}  # None: something that runs in any case

    def used(xs: Iterable[Operand], by: Iterable[Op | None]) -> None:
        for x in xs:
            if isinstance(x, Var):
                users.setdefault(x, set()).update(by)

    used(body.yields, {None})
    for op in reversed(body.ops):
        match op:
            case Apply(out=out) | Load(out=out):
                by = users.get(out, set[Op | None]())
                if isinstance(op, Load) and len(by) == 1:
                    found.update(x for x in by if x is not None)
                used(operands(op), by)
            case If():
                used((op.cond,), {None})
                used((*free(op.then), *free(op.orelse)), {op})
            case _:
                used(op_reads(op), {None})
    return frozenset(found)
