"""Catches an index out of bounds before machine code, which checks only arrays of known length,
runs into it.
"""

from __future__ import annotations

from typing import Final

from loma.diagnostics import RunError
from loma.frontend import typed
from loma.frontend.oracle.derivatives import Unjudged
from loma.frontend.oracle.memory import NullPointer
from loma.frontend.oracle.program import OutOfSteps
from loma.host.calls import Operands
from loma.host.judges import Judge
from loma.host.plain import leaves
from loma.host.requests import signature_of
from loma.ir.nodes import Trap

STEPS: Final = 20_000
MOST_NUMBERS: Final = 2_000


def guard(program: typed.Module, function: str, operands: Operands) -> None:
    """Runs a small call on the interpreter first; raises RunError where an index is out of bounds.

    A call on much data, or one that takes long, is not followed to its end.
    """
    signature = signature_of(program, function)
    pairs = zip(operands.data, signature.arguments, strict=True)
    count = sum(1 for x, a in pairs for _ in leaves(x, a.type, program.structs))
    if count > MOST_NUMBERS:
        return
    judge = Judge(program, max_steps=STEPS)
    try:
        judge.values(function, signature, operands)
    except (OutOfSteps, Unjudged, NullPointer):
        return
    except RunError as e:
        if e.code == Trap.INDEX.name:
            raise
