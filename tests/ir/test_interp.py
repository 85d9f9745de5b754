"""The core interpreter computes as the machine does."""

from __future__ import annotations

import math

import pytest

from loma.diagnostics import RunError
from loma.ir.builder import Builder, const
from loma.ir.interp import Interpreter
from loma.ir.interp_values import arithmetic
from loma.ir.nodes import Argument, Direction, Function, Module, Parallel, Signature, Var
from loma.ir.prims import TABLE
from loma.ir.prims import arithmetic as A
from loma.ir.prims import math as M
from loma.ir.prims.record import Operands
from loma.ir.types import BOOL, F32, F64, I32, I64, ArrayType, Ref

INF, NAN = math.inf, math.nan
LOWEST = -(2**31)


def same(a, b):
    return repr(a) == repr(b)


@pytest.mark.parametrize(
    "prim, type, args, wanted",
    [
        (A.ADD, I32, (2**31 - 1, 1), LOWEST),
        (A.MUL, I64, (2**62, 2), -(2**63)),
        (A.NEG, I32, (LOWEST,), LOWEST),
        (A.ADD, F32, (1.0, 1e-9), 1.0),
        (A.ADD, F64, (1.0, 1e-9), 1.000000001),
        (A.MUL, F32, (1e30, 1e30), INF),
        (A.DIV, F32, (1.0, 3.0), 0.3333333432674408),
        (A.DIV, F32, (-1.0, 0.0), -INF),
        (A.DIV, F64, (1.0, -0.0), -INF),
        (A.DIV, F32, (0.0, 0.0), NAN),
        (A.IDIV, I32, (-7, 2), -3),
        (A.CAST, I32, (-2.9,), -2),
        (A.CAST, I32, (1e20,), 2**31 - 1),
        (A.CAST, I32, (-INF,), LOWEST),
        (A.CAST, I32, (NAN,), 0),
        (A.CAST, I32, (2**32 + 5,), 5),
        (A.CAST, BOOL, (-0.5,), True),
        (A.CAST, F32, (True,), 1.0),
        (A.CAST, F32, (16777217,), 16777216.0),
        (M.SQRT, F32, (-1.0,), NAN),
        (M.LOG, F64, (0.0,), -INF),
        (M.LOG, F64, (-1.0,), NAN),
        (M.EXP, F32, (100.0,), INF),
        (M.EXP, F64, (1000.0,), INF),
        (M.POW, F64, (-2.0, 0.5), NAN),
        (M.POW, F64, (-2.0, 3.0), -8.0),
        (M.POW, F64, (0.0, -1.0), INF),
        (M.POW, F64, (-0.0, -1.0), -INF),
        (M.POW, F64, (0.0, 0.0), 1.0),
        (M.SIN, F64, (INF,), NAN),
    ],
)
def test_arithmetic(prim, type, args, wanted):
    assert same(arithmetic(prim, type)(*args), wanted)


def test_every_primitive_has_a_meaning_for_real_operands():
    for prim in TABLE.values():
        whole = prim.operands is Operands.INT
        args = {3: (True, 2, 3)}.get(prim.arity, ((1, 2) if whole else (1.0, 2.0))[: prim.arity])
        found = arithmetic(prim, I32 if whole else F64)(*args)
        assert isinstance(found, float | int | bool), prim


def test_a_parallel_sums_what_its_body_yields():
    n, k, total = Var("n", I32), Var("k", I32), Var("total", F32)
    b = Builder({})
    with b.nested() as ops:
        x = b.cast(k, F32)
    b.emit(Parallel(n, b.region(ops, (x,), (k,)), (total,)))
    f = Function("f", (n,), b.region(b.ops, (total,)), Signature((Argument("n", I32),), F32))
    program = Interpreter(Module({}, {"f": f}, F32))
    assert [program.run("f", [count]) for count in (5, 0, -2)] == [10.0, 0.0, 0.0]


def test_costs_are_counted():
    x = Var("x", F32)
    b = Builder({})
    y = b.add(b.apply(M.SIN, b.div(x, const(3.0, F32))), x)
    f = Function("f", (x,), b.region(b.ops, (y,)), Signature((Argument("x", F32),), F32))
    program = Interpreter(Module({}, {"f": f}, F32), counting=True)
    program.run("f", [1.0])
    assert program.cost == 20 + 4 + 1


def test_indices_out_of_bounds_and_null_pointers_raise():
    xs, i = Var("xs", Ref(ArrayType(ArrayType(F32)))), Var("i", I32)
    b = Builder({})
    y = b.load(b.load_ref(xs, (i,)), (i,))
    s = Signature((Argument("xs", ArrayType(ArrayType(F32))), Argument("i", I32)), F32)
    program = Interpreter(Module({}, {"f": Function("f", (xs, i), b.region(b.ops, (y,)), s)}, F32))
    assert program.run("f", [[[3.0]], 0]) == 3.0
    for i in (-1, 1, 2, 3):
        with pytest.raises(RunError) as caught:
            program.run("f", [[[3.0], [4.0], None], i])
        assert caught.value.code == "INDEX"


def test_endless_recursion_raises(value):
    with pytest.raises(RunError) as caught:
        value("def f(x : In[int]) -> int:\n    return f(x + 1)\n", "f", 0)
    assert caught.value.code == "DEPTH"


def test_one_list_passed_twice_is_one_memory(value):
    source = """
    def f(a : In[Array[float]], b : Out[Array[float]]) -> float:
        b[0] = 5.0
        return a[0]
    """
    x = [1.0]
    assert value(source, "f", x, x) == 5.0


def test_views_of_scalars_write_through():
    out = Var("out", Ref(F32))
    xs = Var("xs", Ref(ArrayType(F32)))
    b = Builder({})
    spot = b.view(xs, (const(1, I32),))
    b.store(spot, (), const(2.0, F32))
    b.accum(spot, (), const(0.5, F32))
    b.store(out, (), b.load(spot, ()))
    s = Signature(
        (Argument("xs", ArrayType(F32), Direction.OUT), Argument("out", F32, Direction.OUT))
    )
    program = Interpreter(Module({}, {"f": Function("f", (xs, out), b.region(b.ops), s)}, F32))
    memory, box = [0.0, 0.0], [0.0]
    program.run("f", [memory, box])
    assert (memory, box) == ([0.0, 2.5], [2.5])
