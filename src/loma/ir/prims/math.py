"""Elementary functions."""

from __future__ import annotations

import cmath
from typing import Final

from loma.ir.prims.record import Operands, Prim, Result

SIN: Final[Prim] = Prim(
    "sin",
    1,
    Operands.FLOAT,
    Result.SAME,
    cmath.sin,
    partials=lambda b, out, x: (b.apply(COS, x),),
    cost=20,
    surface=True,
)
COS: Final[Prim] = Prim(
    "cos",
    1,
    Operands.FLOAT,
    Result.SAME,
    cmath.cos,
    partials=lambda b, out, x: (b.neg(b.apply(SIN, x)),),
    cost=20,
    surface=True,
)
SQRT: Final[Prim] = Prim(
    "sqrt",
    1,
    Operands.FLOAT,
    Result.SAME,
    cmath.sqrt,
    partials=lambda b, out, x: (b.div(b.number(0.5, out), out),),
    domain=(0.1, 4.0),
    singular=True,
    cost=4,
    surface=True,
)
EXP: Final[Prim] = Prim(
    "exp",
    1,
    Operands.FLOAT,
    Result.SAME,
    cmath.exp,
    partials=lambda b, out, x: (out,),
    singular=True,
    cost=20,
    surface=True,
)
LOG: Final[Prim] = Prim(
    "log",
    1,
    Operands.FLOAT,
    Result.SAME,
    cmath.log,
    partials=lambda b, out, x: (b.div(b.one(out), x),),
    domain=(0.1, 4.0),
    singular=True,
    cost=20,
    surface=True,
)
POW: Final[Prim] = Prim(
    # y x^(y-1) is 0 where y is 0, also at x = 0; out log x has the limit 0 where out is 0.
    "pow",
    2,
    Operands.FLOAT,
    Result.SAME,
    lambda x, y: x**y,
    partials=lambda b, out, x, y: (
        b.strong_mul(b.apply(POW, x, b.sub(y, b.one(out))), y),
        b.apply(POW_LOG, x, y),
    ),
    domain=(0.2, 2.0),
    singular=True,
    cost=20,
    surface=True,
)
POW_LOG: Final[Prim] = Prim(
    # x^y log x, and 0 where x^y is; one primitive, for of the product's own derivative by x, which
    # is x^(y-1) (1 + y log x), the parts are infinite at x = 0 where their sum has the limit 0.
    "pow_log",
    2,
    Operands.FLOAT,
    Result.SAME,
    lambda x, y: cmath.log(x) * x**y,
    partials=lambda b, out, x, y: (
        b.strong_mul(
            b.add(b.strong_mul(b.apply(LOG, x), y), b.one(out)),
            b.apply(POW, x, b.sub(y, b.one(out))),
        ),
        b.strong_mul(b.apply(LOG, x), out),
    ),
    domain=(0.2, 2.0),
    singular=True,
    cost=41,
    surface=True,
    expand=lambda b, x, y: b.strong_mul(b.apply(LOG, x), b.apply(POW, x, y)),
)

MATH: Final[tuple[Prim, ...]] = (SIN, COS, SQRT, EXP, LOG, POW, POW_LOG)
