"""Folding is exact on every special value: both zeros, infinities, nan, denormals, ends of int."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

import pytest
from opt.programs import apply, left_by

from loma.ir.builder import Builder, const
from loma.ir.interp import Interpreter
from loma.ir.nodes import Argument, Const, Function, Module, Operand, Region, Signature, Var
from loma.ir.prims import TABLE
from loma.ir.prims.record import Operands, Prim, Result
from loma.ir.types import BOOL, F32, F64, I32, I64, Scalar
from loma.opt import fold

INF, NAN = float("inf"), float("nan")
FLOATS = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 1e-42, 1e30, INF, -INF, NAN)
INTS = (0, 1, -1, 2, 3, -7, 2**31 - 1, -(2**31))
VALUES = {
    F32: FLOATS,
    F64: FLOATS,
    I32: INTS,
    I64: (*INTS, 2**63 - 1, -(2**63)),
    BOOL: (False, True),
}
LITERALS = {
    F32: (0.0, -0.0, 1.0, -1.0, 2.0, 0.25, 3.0, 1e30),
    F64: (0.0, -0.0, 1.0, -1.0, 2.0, 0.25, 3.0),
    I32: (0, 1, -1, 5, 2**31 - 1, -(2**31)),
    I64: (0, 1, -1, 2**63 - 1, 2**60 + 1),
    BOOL: (False, True),
}
ACCEPTS = {
    Operands.FLOAT: (F32, F64),
    Operands.INT: (I32, I64),
    Operands.NUMBER: (F32, F64, I32, I64),
    Operands.BOOL: (BOOL,),
    Operands.ANY: (F32, F64, I32, I64, BOOL),
    Operands.CHOICE: (F32, F64, I32, I64, BOOL),
}
LOOSE = ("sin", "cos", "exp", "log", "idiv", "strong_mul")  # a strong zero has no sign to keep
EXACT = [p for p in TABLE.values() if p.name not in LOOSE]


def operands(p: Prim, t: Scalar, rng: Random, pool: list[Operand]) -> tuple[Operand, ...] | None:
    """Operands of the primitive on type `t`, from literals and what there is."""

    def one(s: Scalar) -> Operand:
        fitting = [x for x in pool if (x.type if isinstance(x, Const) else x.scalar) is s]
        if fitting and rng.random() < 0.7:
            return rng.choice(fitting)
        return const(rng.choice(LITERALS[s]), s)

    if p.operands is Operands.CHOICE:
        return one(BOOL), one(t), one(t)
    return tuple(one(t) for _ in range(p.arity))


def trees(t: Scalar, seed: int) -> Iterator[tuple[Module, Scalar]]:
    """Random straight-line functions of x and y."""
    rng = Random(seed)
    for _ in range(20):
        x, y = Var("x", t), Var("y", t)
        b = Builder({})
        pool: list[Operand] = [x, y]
        last: Operand = x
        for _ in range(rng.randint(1, 5)):
            s = t if rng.random() < 0.7 else BOOL
            p = rng.choice([p for p in EXACT if s in ACCEPTS[p.operands]])
            if p.name == "pow":
                args: tuple[Operand, ...] | None = (x, const(rng.choice((1.0, 2.0, 0.0)), t))
            else:
                args = operands(p, s, rng, pool)
            to = rng.choice(ACCEPTS[Operands.ANY]) if p.result is Result.GIVEN else None
            last = b.apply(p, *args or (), type=to)
            pool.append(last)
        scalar = last.type if isinstance(last, Const) else last.scalar
        arguments = (Argument("x", t), Argument("y", t))
        f = Function("f", (x, y), Region((), tuple(b.ops), (last,)), Signature(arguments, scalar))
        yield Module({}, {"f": f}, F32), t


@pytest.mark.parametrize("t", [F32, F64, I32, I64, BOOL], ids=lambda t: t.value)
@pytest.mark.parametrize("seed", range(4))
def test_folding_is_exact(t: Scalar, seed: int) -> None:
    for module, _ in trees(t, seed):
        done = apply(fold.run, module)
        folded, plain = Interpreter(done), Interpreter(module)
        for x, y in product(VALUES[t], repeat=2):
            assert left_by(folded, "f", [x, y]) == left_by(plain, "f", [x, y]), [
                str(op) for op in module.functions["f"].body.ops
            ]
