"""Large and deep programs lower without exhausting the stack, in linear time."""

from __future__ import annotations

from loma.frontend import typed
from loma.frontend.lower.program import lower
from loma.ir.interp import run
from loma.ir.nodes import Argument, Direction, Module, Signature
from loma.ir.prims import arithmetic as A
from loma.ir.types import BOOL, F32
from loma.ir.verify import verify


def function(body, symbols, result=F32):
    arguments = tuple(Argument(s.name, s.type, Direction.IN) for s in symbols)
    f = typed.Function("f", symbols, Signature(arguments, result), body)
    module = lower(typed.Module({}, {"f": f}, (), F32))
    verify(module)
    return module


def test_sums_of_thousands_of_terms() -> None:
    x = typed.Symbol("x", F32)
    e: typed.Expr = typed.Name(x)
    for _ in range(20_000):
        e = typed.Apply(A.ADD, (e, typed.Literal(1.0, F32)), F32)
    assert run(function((typed.Return(e),), (x,)), "f", [2.0]) == 20_002.0


def test_a_chain_of_thousands_of_conditions() -> None:
    x = typed.Symbol("x", F32)
    test = typed.Apply(A.LT, (typed.Name(x), typed.Literal(3.0, F32)), BOOL)
    e: typed.Expr = test
    for _ in range(5_000):
        e = typed.Logical("and", e, test)
    assert run(function((typed.Return(e),), (x,), BOOL), "f", [2.0]) is True


def test_a_function_of_64_000_statements() -> None:
    x, y = typed.Symbol("x", F32), typed.Symbol("y", F32)
    step = typed.Assign(typed.Name(y), typed.Apply(A.ADD, (typed.Name(y), typed.Name(x)), F32))
    body = (typed.Declare(y), *[step] * 64_000, typed.Return(typed.Name(y)))
    module: Module = function(body, (x,))
    assert len(module.functions["f"].body.ops) == 64_000
    assert run(module, "f", [1.0]) == 64_000.0


MANY = 400


def test_hundreds_of_early_returns(value):
    body = "".join(f"    if x == {k}:\n        return {2 * k}\n" for k in range(MANY))
    source = f"def f(x : In[int]) -> int:\n{body}    return -1\n"
    assert [value(source, "f", x) for x in (0, 30, MANY - 1, MANY)] == [0, 60, 2 * MANY - 2, -1]


def test_hundreds_of_exits_between_declarations(value):
    body = "".join(
        f"        v{k} : int = x + {k}\n        a{k} : Array[int, 2]\n        a{k}[i] = v{k}\n"
        f"        if a{k}[i] == 70:\n            s = s + a{k}[0]\n            continue\n"
        for k in range(MANY // 4)
    )
    source = f"""
def f(x : In[int]) -> int:
    s : int
    for i in range(2):
{body}        s = s + v5 + v90 + a3[i]
    return s
"""

    def wanted(x):
        s = 0
        for i in range(2):
            if 70 - MANY // 4 < x <= 70:
                s += 70 if i == 0 else 0
            else:
                s += (x + 5) + (x + 90) + (x + 3)
        return s

    assert [value(source, "f", x) for x in (70, 40, 10, -29, -40, 80)] == [
        wanted(x) for x in (70, 40, 10, -29, -40, 80)
    ]
