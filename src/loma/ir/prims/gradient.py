"""What says something about derivatives, and nothing about values."""

from __future__ import annotations

from typing import Final

from loma.ir.prims.record import Operands, Prim, Result

STOP_GRADIENT: Final[Prim] = Prim(  # stays until the last differentiation is done
    "stop_gradient",
    1,
    Operands.NUMBER,
    Result.SAME,
    lambda x: x.real if isinstance(x, complex) else x,
    partials=lambda b, out, x: (None,),
    flat=True,
    surface=True,
    expand=lambda b, x: x,
)

GRADIENT: Final[tuple[Prim, ...]] = (STOP_GRADIENT,)
