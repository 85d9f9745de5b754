"""What each pass achieves."""

from __future__ import annotations

import sys

import pytest
from opt.programs import HELPERS, PROGRAMS, STRUCTS, apply, core, kinds, result, source

from loma.ir.builder import Builder, const
from loma.ir.nodes import Argument, Call, Function, If, Module, Parallel, Region, Signature, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims import math as M
from loma.ir.traverse import walk
from loma.ir.types import F64, I32, ArrayType, Ref
from loma.opt import (
    cse,
    dce,
    fold,
    hoist,
    ifconvert,
    inline,
    pipeline,
    promote,
    raise_accum,
    reduce,
    sroa,
)


def test_local_structs_become_values() -> None:
    done = apply(dce.run, apply(promote.run, apply(inline.run, core(source("nested structs")))))
    assert kinds(done).count("Alloc") == 2  # the arrays with a computed index
    done = apply(
        pipeline.simplify, apply(promote.run, apply(inline.run, core(source("one place twice"))))
    )
    assert not {"Alloc", "Load", "Store", "Call"} & set(kinds(done))


def test_a_part_that_a_call_writes_is_a_root_of_its_own() -> None:
    done = apply(sroa.run, core(source("structs")))
    calls = [op for op in walk(done.functions["f"].body) if isinstance(op, Call)]
    assert [a.name for c in calls for a in c.args if isinstance(a, Var)][-1] == "p_x"


def test_parameters_are_stored_once() -> None:
    done = apply(
        promote.promote_params, apply(promote.run, apply(inline.run, core(source("structs"))))
    )
    last = [op for op in done.functions["f"].body.ops if "Store" in type(op).__name__]
    assert len(last) == 1 and last[0].root.name == "out"  # type: ignore[union-attr]


def test_threads_keep_shared_places_in_memory() -> None:
    done = apply(promote.promote_params, core(source("kernel")))
    assert "Accum" in kinds(done)


@pytest.mark.parametrize(
    ("body", "loads"),
    [
        ("s = xs[i] + xs[i]", 1),
        ("s = xs[i]\n    ys[i] = 1.0\n    s = s + xs[i]", 2),
        ("s = xs[i]\n    ns[i] = 1\n    s = s + xs[i]", 1),
        ("s = xs[0]\n    xs[1] = 2.0\n    s = s + xs[0]", 1),
        ("xs[i] = s\n    s = xs[i] + 1.0", 0),
        ("xs[i] = s\n    ys[i] = 2.0\n    s = xs[i] + 1.0", 1),
        ("s = xs[i]\n    if s > 0.0:\n        s = s + xs[i]", 1),
        ("s = xs[i]\n    if s > 0.0:\n        xs[i] = 1.0\n    s = s + xs[i]", 2),
        ("s = xs[i]\n    for k in range(9):\n        s = s * xs[i]", 1),
        ("s = xs[i]\n    for k in range(9):\n        s = s * xs[i]\n        ys[k] = s", 2),
    ],
)
def test_loads_are_shared_until_a_write_may_reach_them(body: str, loads: int) -> None:
    done = apply(
        cse.run,
        core(f"""
def f(xs : In[Array[float]], ys : Out[Array[float]], ns : Out[Array[int]], i : In[int]) -> float:
    s : float
    {body}
    return s
"""),
    )
    assert kinds(done).count("Load") == loads


def test_equal_expressions_are_computed_once() -> None:
    done = apply(
        cse.run,
        core("""
def f(x : In[float], y : In[float]) -> float:
    a : float = x * y
    if a > x:
        a = y * x + sin(x)
    return a + sin(x)
"""),
    )
    assert kinds(done).count("mul") == 1 and kinds(done).count("sin") == 2


def test_invariant_work_leaves_loops_and_divisions_stay() -> None:
    module = core("""
def f(xs : In[Array[float]], n : In[int], x : In[float]) -> float:
    s : float
    for i in range(n):
        for j in range(n):
            if n > 3:
                s = s + xs[j] * sin(x) / 3.0 + n / 2
    return s
""")
    done = apply(pipeline.simplify, apply(hoist.run, module))
    outer = [k for op in done.functions["f"].body.ops for k in [getattr(op, "prim", op)]]
    assert A.IDIV not in outer
    assert result(done, "f", [[1.0, 2.0, 3.0, 4.0], 4, 0.5]) == result(
        module, "f", [[1.0, 2.0, 3.0, 4.0], 4, 0.5]
    )


def test_known_conditions_are_not_tested_again() -> None:
    done = apply(
        fold.run,
        core("""
def f(a : In[int], b : In[int]) -> int:
    c : int = a / b
    if b != 0:
        c = c + a / b
    assert b != 0, "b"
    return c
"""),
    )
    tested = apply(fold.run, apply(cse.run, done))
    assert kinds(tested).count("Check") <= kinds(done).count("Check") // 2 + 1
    assert result(tested, "f", [7, 2])[0] == "6" and result(tested, "f", [7, 0])[0].startswith(
        "trap"
    )


def test_recursive_functions_stay_calls_and_others_are_inlined() -> None:
    done = inline.inline_all(core(HELPERS + PROGRAMS["recursion"][0]))
    assert kinds(done).count("Call") == 2
    done = inline.inline_all(core(STRUCTS + HELPERS + PROGRAMS["structs"][0]))
    assert "Call" not in kinds(done)


def test_inlining_stops_at_the_budget() -> None:
    levels = "\n".join(
        f"def g{k}(x : In[float]) -> float:\n    return g{k - 1}(x) * g{k - 1}(x + 1.0)"
        for k in range(1, 16)
    )
    module = core(
        f"def g0(x : In[float]) -> float:\n    return x + 1.0\n{levels}\n"
        "def f(x : In[float]) -> float:\n    return g15(x)\n"
    )
    done = inline.inline_all(module, 500)
    assert all(inline.size(f.body) <= 600 for f in done.functions.values())


def test_additions_in_place_are_raised() -> None:
    done = apply(
        raise_accum.run,
        core("""
def f(xs : Out[Array[float]], i : In[int], x : In[float]):
    xs[i] = xs[i] + x * x
    xs[i + 1] = x + xs[i + 1]
    xs[i] = xs[i] - x
"""),
    )
    done = apply(raise_accum.run, apply(pipeline.simplify, done))
    assert kinds(done).count("Accum") == 3 and not {"Load", "Store"} & set(kinds(done))


@pytest.mark.parametrize(
    "body",
    [
        "t : float = xs[i]\n    xs[i] = t + x\n    y[0] = t",
        "t : float = xs[i]\n    y[0] = x\n    xs[i] = t + x",
        "xs[i] = xs[i] * x",
        "xs[i] = xs[i + 1] + x",
    ],
)
def test_other_updates_are_not_raised(body: str) -> None:
    done = apply(
        raise_accum.run,
        core(f"""
def f(xs : Out[Array[float]], i : In[int], x : In[float], y : Out[Array[float]]):
    {body}
"""),
    )
    assert "Accum" not in kinds(done)


def test_sums_leave_loops() -> None:
    module = core("""
def f(xs : In[Array[float]], n : In[int], out : Out[Array[float]]):
    for i in range(n):
        out[2] = out[2] + xs[i]
""")
    raised = apply(raise_accum.run, module)
    done = apply(reduce.run, raised)
    assert kinds(raised).count("Accum") == 1
    assert not any("Accum" in type(op).__name__ for op in done.functions["f"].body.ops)
    args = [[1.0, 2.0, 4.0], 3, [0.0, 0.0, 1.0]]
    # xs and out may be one buffer, so nothing moves
    assert result(done, "f", args) == result(module, "f", args)
    alone = apply(
        reduce.run,
        apply(
            raise_accum.run,
            core("""
def f(x : In[float], n : In[int], out : Out[Array[float]]):
    for i in range(n):
        out[2] = out[2] + x * i
"""),
        ),
    )
    assert any(isinstance(op, If) for op in alone.functions["f"].body.ops)
    assert result(alone, "f", [0.5, 0, []]) == ["None", "0.5", "0"]
    assert result(alone, "f", [0.5, 3, [0.0, 0.0, 1.0]])[-1] == "2.5"


def test_a_kernel_stays_one_parallel() -> None:
    done = apply(
        lambda f, m: pipeline.run((*pipeline.FINAL, reduce.run_parallel), f, m),
        core(source("kernel")),
    )
    (op,) = done.functions["f"].body.ops
    assert isinstance(op, Parallel)


def test_a_kernel_without_effects_stays_a_kernel() -> None:
    done = apply(pipeline.simplify, core("@simd\ndef f(x : In[float]):\n    y : float = x\n"))
    assert kinds(done) == ["Parallel"]


def test_cheap_branches_become_selects() -> None:
    done = apply(
        ifconvert.run,
        core("""
def f(x : In[float]) -> float:
    y : float = x
    if x > 0.0:
        y = x * 2.0
    if x > 1.0:
        y = sin(y)
    return y
"""),
    )
    assert kinds(done).count("If") == 1 and kinds(done).count("select") == 1


def long_function(n: int) -> Module:
    """A straight function of about 4 n operations with loads, stores and branches."""
    b = Builder({})
    x, k = Var("x", F64), Var("k", I32)
    xs = Var("xs", Ref(ArrayType(F64)))
    t = b.alloc(F64, "t")
    v = b.add(x, x)
    for i in range(n):
        v = b.mul(b.add(v, b.load(xs, (const(i, I32),))), x)
        b.store(t, (), v)
        b.store(xs, (k,), b.load(t, ()))
        with b.nested() as ops:
            b.store(t, (), b.apply(M.SIN, v))
        b.emit(
            If(b.apply(A.LT, v, const(i, F64)), Region((), tuple(ops), ()), Region((), (), ()), ())
        )
        v = b.add(v, b.load(t, ()))
    arguments = (Argument("x", F64), Argument("k", I32), Argument("xs", ArrayType(F64)))
    f = Function("f", (x, k, xs), Region((), tuple(b.ops), (v,)), Signature(arguments, F64))
    return Module({}, {"f": f}, F64)


def test_work_grows_with_length_only() -> None:
    def calls(n: int) -> int:
        """The calls of Python functions that the passes make."""
        module, count = long_function(n), 0

        def counted(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(counted)
        try:
            pipeline.run(pipeline.FINAL, module.functions["f"], module)
        finally:
            sys.setprofile(None)
        return count

    assert calls(800) < 6 * calls(200)
