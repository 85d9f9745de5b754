"""What went wrong in other systems, by repository#number: each is a program of ours that gets it
right.

The judge is central finite differences of the value, which knows nothing of derivatives.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from subjects import COMPILED, differences, fresh, module_of, on

from loma import compile, driver
from loma.backends.base import Options
from loma.frontend.errors import UnhandledDifferentiation
from loma.ir.nodes import Apply, Call, Op, Pop, Push
from loma.ir.traverse import walk
from loma.ir.types import F64

HOWS = ("core", "plain", *COMPILED)


def with_derivatives(text: str, name: str) -> str:
    """The program with the derivatives of one function, of second order too."""
    return text + (
        f"d = fwd_diff({name})\nr = rev_diff({name})\n"
        f"rr = rev_diff(r)\nfr = fwd_diff(r)\nrf = rev_diff(d)\n"
    )


def places(x: Any) -> Iterator[tuple[Any, Any]]:
    """Every float inside data, as its holder and its key there."""
    for k, v in list(x.items() if isinstance(x, dict) else enumerate(x)):
        if isinstance(v, float):
            yield x, k
        elif isinstance(v, list | dict):
            yield from places(v)


def slopes(text: str, name: str, args: list[Any]) -> list[float]:
    """The derivatives of a function's result by finite differences, one for each float inside."""
    run = on("core", text, F64)
    found = []
    for n in range(len(list(places(fresh(args))))):
        values = []
        for step in (1e-5, -1e-5):
            moved = fresh(args)
            holder, key = list(places(moved))[n]
            holder[key] += step
            values.append(run.call(name, moved)[1])
        found.append((values[0] - values[1]) / 2e-5)
    return found


def zeroed(x: Any) -> Any:
    """The same shape, all zero."""
    if isinstance(x, dict):
        return {k: zeroed(v) for k, v in x.items()}
    return [zeroed(i) for i in x] if isinstance(x, list) else type(x)(0)


def gradient(how: str, text: str, args: list[Any]) -> list[float]:
    """What the reverse derivative `r` gives, every float in order."""
    call = [a for x in args for a in (x, zeroed(x))]
    outputs = on(how, text, F64).outputs("r", [*call, 1.0])
    return [holder[key] for holder, key in places(outputs)]


def right(text: str, name: str, *inputs: list[Any]) -> None:
    """Every way of running the reverse derivative agrees with finite differences."""
    text += f"r = rev_diff({name})\n"
    for args in inputs:
        wanted = slopes(text, name, args)
        assert any(wanted), "a gradient that is all zero shows nothing"
        for how in HOWS:
            assert differences(gradient(how, text, args), wanted, 1e-6) == [], (how, args)


def ops(text: str, name: str) -> list[Op]:
    """The operations of a function in the optimised core."""
    return list(walk(module_of(text, F64, True).functions[name].body))


# Loops and mutation.

SAME_LOOP = {
    "for": "    for i in range(n):\n        s = s * a[i] + a[i]\n",
    "while": "    i : int\n    while i < n:\n        s = s * a[i] + a[i]\n        i = i + 1\n",
    "while at the top": "    i : int = -1\n    while i < n - 1:\n        i = i + 1\n"
    "        s = s * a[i] + a[i]\n",
    "break": "    i : int\n    while True:\n        if i >= n:\n            break\n"
    "        s = s * a[i] + a[i]\n        i = i + 1\n",
    "continue": "    for i in range(2 * n):\n        if i / 2 * 2 != i:\n            continue\n"
    "        s = s * a[i / 2] + a[i / 2]\n",
    "split": "    for i in range(n / 2):\n        s = s * a[i] + a[i]\n"
    "    for i in range(n / 2, n):\n        s = s * a[i] + a[i]\n",
    "unrolled": "".join(f"    s = s * a[{i}] + a[{i}]\n" for i in range(4)),
}


@pytest.mark.parametrize("form", SAME_LOOP)
def test_one_loop_written_in_many_ways(form: str) -> None:
    """taichi#8356: a loop rewritten without a change of meaning changed its gradient."""
    right(
        f"def f(a : In[Array[float]], n : In[int]) -> float:\n    s : float = 1.0\n"
        f"{SAME_LOOP[form]}    return s\n",
        "f",
        [[0.4, 0.9, -1.1, 0.3], 4],
    )


def test_mixed_nested_loops() -> None:
    """taichi#3003: statements beside a nested loop got a wrong gradient without a word."""
    right(
        """
def f(a : In[Array[float]], n : In[int]) -> float:
    s : float
    t : float = 1.0
    for i in range(n):
        t = t * a[i]
        j : int
        while j < i + 1:
            s = s + t * a[j]
            t = t + s * 0.1
            for k in range(j, 0, -1):
                t = t * a[k] + 0.5
            j = j + 1
        s = s * t
    return s * t
""",
        "f",
        [[0.4, 0.9, -1.1, 0.3], 4],
        [[0.4], 1],
    )


@pytest.mark.parametrize("how", ("core", *COMPILED))
def test_no_limit_on_trips(how: str) -> None:
    """taichi#8027, #4226: an autodiff stack of fixed size overflowed in an inner loop."""
    text = with_derivatives(
        """
def f(x : In[float], n : In[int], m : In[int]) -> float:
    s : float = x
    for i in range(n):
        for j in range(m):
            s = s + sin(s) * 0.00001
    return s
""",
        "f",
    )
    m = 2000 if how == "core" else 100_000
    out = on(how, text, F64).outputs("r", [0.5, 0.0, 3, 0, m, 0, 1.0])
    step = 1e-6
    low, high = (on(how, text, F64).call("f", [0.5 + h, 3, m])[1] for h in (-step, step))
    assert abs(out[0] - (high - low) / (2 * step)) < 1e-5


def test_a_bound_never_truncates() -> None:
    """mitsuba3#1334, slang#6048: beyond the stated limit iterations were dropped, values lost."""
    right(
        """
def f(x : In[float]) -> float:
    s : float = x
    i : int
    while (i < 12, max_iter := 5):
        s = s * x + 0.3
        i = i + 1
    return s
""",
        "f",
        [0.9],
    )


def test_while_with_continue_and_break() -> None:
    """taichi#7771: `continue` and `break` under reverse mode."""
    right(
        """
def f(a : In[Array[float]], n : In[int]) -> float:
    s : float = 0.5
    i : int = -1
    while True:
        i = i + 1
        if i == n:
            break
        if a[i] < 0:
            s = s * a[i]
            continue
        s = s + a[i] * a[i]
        if s > 2:
            s = s * 0.5
            break
    return s * s
""",
        "f",
        [[0.4, -0.9, 1.1, 0.3], 4],
        [[0.4, 1.9, 1.1, 0.3], 4],
    )


def test_the_gradient_of_a_maximum_goes_to_its_element() -> None:
    """warp#1552: the gradient of an argmax went to the wrong iteration."""
    right(
        """
def f(a : In[Array[float]], n : In[int]) -> float:
    best : int
    for i in range(1, n):
        if a[i] > a[best]:
            best = i
    m : float = a[0]
    for i in range(1, n):
        if a[i] > m:
            m = a[i]
    return a[best] * 3 + m
""",
        "f",
        [[0.4, 1.9, 1.1, 0.3], 4],
        [[0.4, 0.9, 1.1, 2.3], 4],
        [[5.4, 0.9, 1.1, 2.3], 4],
    )


def test_a_value_from_before_a_dynamic_loop() -> None:
    """warp#729, #1740: a value used after a dynamic loop lost its adjoint; loops were not
    replayed.
    """
    right(
        """
def f(x : In[float], n : In[int]) -> float:
    u : float = x * x
    s : float = 1.0
    for i in range(n):
        s = s * u + sin(s)
    t : float = s
    s = 0.1
    for i in range(n):
        s = s + u * t * s
    return u * s + t
""",
        "f",
        [0.7, 3],
        [0.7, 0],
    )


@pytest.mark.parametrize("how", ("core", *COMPILED))
def test_a_kernel_reads_and_writes_one_array(how: str) -> None:
    """warp#1294: an array read and written by the same kernel got a wrong gradient."""
    text = """
@simd
def k(x : InOut[Array[float]], w : In[float]):
    i : int = thread_id()
    x[i] = x[i] * x[i] * w
    x[i] = sin(x[i]) * x[i]
r = rev_diff(k)
"""
    args = [[0.4, 0.9], [1.0, 2.0], 0.7, 0.0]
    wanted = on("oracle", text, F64).outputs("r", args, 2)
    assert differences(on(how, text, F64).outputs("r", args, 2), wanted) == []


def test_an_array_overwritten_after_it_was_used() -> None:
    """warp#1350, Enzyme#255: data changed after the forward sweep read it; store, not recompute."""
    right(
        """
def f(x : In[float], n : In[int]) -> float:
    a : Array[float, 8]
    s : float = 0.3
    for i in range(n):
        a[i] = x * i + x
    for i in range(n):
        s = s * a[i] + a[n - 1 - i]
        a[i] = s * x
        a[n - 1 - i] = a[i] * a[n - 1 - i]
    for i in range(n):
        s = s + a[i]
        a[i] = 99.0
    return s
""",
        "f",
        [0.7, 5],
    )


def test_a_loop_carries_structs_and_vectors() -> None:
    """quadrants#797: loop-carried vectors and structs."""
    right(
        """
class Body:
    p : Array[float, 2]
    v : Array[float, 2]
def step(b : In[Body], h : In[float]) -> Body:
    n : Body = b
    for i in range(2):
        n.p[i] = b.p[i] + h * b.v[i]
        n.v[i] = b.v[i] - h * sin(n.p[i]) * b.p[1 - i]
    return n
def f(b : In[Body], h : In[float], n : In[int]) -> float:
    for i in range(n):
        b = step(b, h)
    return b.p[0] * b.v[1]
""",
        "f",
        [{"p": [0.4, 0.9], "v": [-0.3, 0.7]}, 0.1, 5],
    )


def test_the_body_runs_before_its_condition() -> None:
    """slang#2914: do/while and for had different gradients."""
    right(
        """
def f(x : In[float]) -> float:
    y : float = x
    while True:
        y = y * y + x
        if y > 3:
            break
    return y
""",
        "f",
        [1.2],
        [0.8],
        [5.0],
    )


def test_a_sum_keeps_nothing() -> None:
    """Enzyme#3129: every loop-carried value was saved; a sum of squares needs no tape at all."""
    text = with_derivatives(
        """
def f(a : In[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + a[i] * a[i]
    return s
""",
        "f",
    )
    assert not [op for op in ops(text, "r") if isinstance(op, Push | Pop)]
    loaded = driver.BACKENDS["llvm"].build(module_of(text, F64, True), Options())
    assert loaded.peak_tape_bytes() == 0


def test_tape_bytes_follow_real_trips() -> None:
    """Enzyme#3129, taichi#4226: one value an iteration, whatever bound is stated."""
    text = with_derivatives(
        """
def f(x : In[float], n : In[int]) -> float:
    i : int
    while (i < n, max_iter := 100000000):
        x = sin(x) * 0.9
        i = i + 1
    return x
""",
        "f",
    )
    frames = [op for op in ops(text, "r") if isinstance(op, Push)]
    assert [len(op.values) for op in frames] == [1]


def test_reverse_through_an_unbounded_while() -> None:
    """mujoco#1182, jax#4106: no reverse mode through `while` at all."""
    right(
        """
def f(x : In[float], a : In[float]) -> float:
    y : float = x
    while y * y - a > 0.0001 or a - y * y > 0.0001:
        y = 0.5 * (y + a / y)
    return y * x
""",
        "f",
        [1.7, 2.3],
        [1.7, 2.89],
    )


# Zero and missing gradients.


def test_intermediates_need_no_flag() -> None:
    """taichi#1966, warp#1718: an intermediate without a flag, or a switch left off, gave zeros."""
    right(
        """
def g(x : In[float], y : Out[Array[float, 3]]):
    t : Array[float, 3]
    for i in range(3):
        t[i] = x * (i + 1)
    for i in range(3):
        y[i] = t[2 - i] * t[i]
def f(x : In[float], y : In[float], z : In[float]) -> float:
    a : Array[float, 3]
    g(x * y, a)
    return a[0] * y + a[1] * z + a[2]
""",
        "f",
        [0.7, 1.3, 0.4],
    )


def test_constants_and_captured_parameters() -> None:
    """Enzyme.jl#185: what a function captured had gradient 0."""
    right(
        """
class Settings:
    scale : float
    offset : Array[float, 2]
def model(s : In[Settings], x : In[float]) -> float:
    return sin(x * s.scale) + s.offset[1] * x + 2.5
def f(s : In[Settings], x : In[float]) -> float:
    return model(s, x) * model(s, model(s, x + 1.0))
""",
        "f",
        [{"scale": 0.7, "offset": [0.2, 0.3]}, 0.4],
    )


def test_unused_values() -> None:
    """drjit#536: a value that nothing uses broke the backward sweep."""
    right(
        """
def f(x : In[float], unused : In[float], n : In[int]) -> float:
    a : float = sin(x)
    b : float = a * unused
    c : Array[float, 3]
    c[1] = b
    for i in range(n):
        b = b * x
    return x * x
""",
        "f",
        [0.7, 1.3, 3],
    )


def test_integer_casts() -> None:
    """quadrants: a zero through an int cast; here it is the rule, and what is beside it counts."""
    right(
        """
def f(x : In[float]) -> float:
    n : int = x * 10
    return n * x + float2int(x * 3) * x * x
""",
        "f",
        [0.77],
    )


# Order and nesting.

SECOND = """
def f(x : In[float], y : In[float]) -> float:
    s : float = x * x * y
    for i in range(3):
        if s > 1:
            s = s * y - x
        else:
            s = s + sin(x * y)
    return s
"""


@pytest.mark.parametrize("how", HOWS)
def test_second_derivatives(how: str) -> None:
    """taichi#385, drjit#149, warp#1813, #1767, slang#10745, #6755, Enzyme#1101: every mix of order
    2.
    """
    text = with_derivatives(SECOND, "f")
    run = on(how, text, F64)
    x, y, h = 0.7, 1.3, 1e-5

    def first(x: float, y: float) -> Any:
        return gradient("core", text, [x, y])

    wanted = [
        [
            (p - m) / (2 * h)
            for p, m in zip(first(x + h * u, y + h * v), first(x - h * u, y - h * v), strict=True)
        ]
        for u, v in ((1, 0), (0, 1))
    ]
    zero = {"val": 0.0, "dval": 0.0}
    for k in range(2):
        u, v = float(k == 0), float(k == 1)
        dx, dy = {"val": x, "dval": u}, {"val": y, "dval": v}
        got = run.outputs("fr", [dx, zero, dy, zero, {"val": 1.0, "dval": 0.0}])
        assert differences([g["dval"] for g in got], wanted[k], 1e-6) == []
        got = run.outputs("rf", [dx, zero, dy, zero, {"val": 0.0, "dval": 1.0}])
        assert differences([g["val"] for g in got], wanted[k], 1e-6) == []
        got = run.outputs("rr", [x, 0.0, u, y, 0.0, v, 1.0, 0.0])
        assert differences(got[:2], wanted[k], 1e-6) == []


def test_both_modes_of_one_function() -> None:
    """jax#3996: a function could not have both a forward and a reverse rule."""
    right(
        """
def g(x : In[float]) -> float:
    return sin(x) * x
dg = fwd_diff(g)
rg = rev_diff(g)
def f(x : In[float]) -> float:
    a : float
    rg(x, a, x)
    return dg(make__dfloat(x, a)).dval * a + g(x)
""",
        "f",
        [0.7],
    )


# Numbers.


@pytest.mark.parametrize("how", HOWS)
def test_a_guarded_norm_at_zero(how: str) -> None:
    """taichi#4332: NaN from a norm at 0, although the branch not taken or a zero seed hides it."""
    text = with_derivatives(
        """
def norm(x : In[float], y : In[float]) -> float:
    return sqrt(x * x + y * y)
def f(x : In[float], y : In[float]) -> float:
    n : float = x * x + y * y
    r : float
    if n > 0:
        r = norm(x, y) * x
    return r + select(n > 0, norm(x, y) / n, 2.0) + norm(x, y) * 0.0
""",
        "f",
    )
    assert gradient(how, text, [0.0, 0.0]) == [0.0, 0.0]


def test_maxima_on_every_backend() -> None:
    """slang#9267: the gradient of `max` was wrong on one backend."""
    right(
        """
def largest(x : In[float], y : In[float]) -> float:
    if x > y:
        return x
    return y
def f(x : In[float], y : In[float]) -> float:
    return largest(x, y) * select(x < y, x, y) + largest(x * x, largest(y, 0.5))
""",
        "f",
        [0.7, 1.3],
        [1.3, 0.7],
        [0.1, 0.2],
    )


@pytest.mark.parametrize("target", COMPILED)
def test_the_same_gradient_every_time(target: str) -> None:
    """Enzyme#2199: gradients differed from run to run."""
    text = """
@simd
def k(x : In[Array[float]], w : In[float], s : Out[float]):
    i : int = thread_id()
    atomic_add(s, sin(x[i] * w) * x[i / 3])
r = rev_diff(k)
"""
    xs = [0.1 + 0.37 * (i % 11) for i in range(300)]
    run = on(target, text, F64)
    results = [run.outputs("r", [xs, [0.0] * 300, 0.7, 0.0, 1.0], 300) for _ in range(5)]
    assert all(r == results[0] for r in results)


# Speed and memory, as counts.


def test_compile_time() -> None:
    """warp#944, Enzyme.jl#1156, jax#4924: minutes to compile."""
    body = "".join(
        f"    for i in range(n):\n        a = sin(a * x) + b * {k}.5\n        b = b * a + x\n"
        for k in range(40)
    )
    text = (
        "def f(x : In[float], n : In[int]) -> float:\n    a : float = x\n    b : float = 1\n"
        f"{body}    return a * b\nr = rev_diff(f)\nd = fwd_diff(f)\n"
    )
    start = time.process_time()
    compile(text, target="llvm")
    assert time.process_time() - start < 20


def test_derivatives_grow_linearly() -> None:
    """jax#2777: code exponential in the length of the unrolled program."""

    def size(n: int, name: str) -> int:
        body = "".join("    y = g(y * x, y)\n" for _ in range(n))
        text = (
            "def g(x : In[float], y : In[float]) -> float:\n"
            "    return sin(x) * y + h(x, y) * h(y, x)\n"
            "def h(x : In[float], y : In[float]) -> float:\n    return x * x * y\n"
            f"def f(x : In[float]) -> float:\n    y : float = x\n{body}    return y\n"
        )
        return sum(isinstance(op, Apply) for op in ops(with_derivatives(text, "f"), name))

    for name in ("d", "r", "fr", "rf"):
        assert size(16, name) < 2.6 * size(8, name), name


def test_no_call_is_evaluated_twice() -> None:
    """Forward mode of nested calls: each primal call becomes one call of the derivative."""
    module = driver.core_module(
        "def g(x : In[float]) -> float:\n    return sin(x) * x\n"
        "def f(x : In[float]) -> float:\n    return g(g(g(x))) * g(x * 2)\n"
        "d = fwd_diff(f)\ndd = fwd_diff(d)\n",
        "test.py",
        F64,
        fast=False,
    )
    for name in ("d", "dd"):
        assert sum(isinstance(op, Call) for op in walk(module.functions[name].body)) == 4


def test_a_value_that_all_threads_read() -> None:
    """slangpy PR#910, taichi#576: its adjoint was one atomic an element; threads that take turns
    just add.
    """
    text = """
@simd
def k(x : In[Array[float]], w : In[float], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = sin(x[i] * w)
r = rev_diff(k)
"""
    code = driver.BACKENDS["llvm"].text(module_of(text, F64, True), Options())
    assert "atomicrmw" not in code and "cmpxchg" not in code


@pytest.mark.parametrize("target", COMPILED)
def test_tapes_are_freed(target: str) -> None:
    """Enzyme#3219, mitsuba3#433: tapes leaked, memory ran out after hundreds of iterations."""
    text = with_derivatives(
        """
def f(x : In[float], n : In[int]) -> float:
    i : int
    while i < n:
        x = sin(x) * 0.9 + x
        i = i + 1
    return x
""",
        "f",
    )
    run = on(target, text, F64)
    args = [0.5, 0.0, 100_000, 0, 1.0]
    run.outputs("r", args)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        run.outputs("r", args)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


# Glue and messages.


@pytest.mark.parametrize("target", COMPILED)
def test_doubles_and_struct_members(target: str) -> None:
    """slangpy#874, #144: gradients lost through a struct member; doubles not supported."""
    structs, lib = compile(
        "class S:\n    v : float\n    n : int\ndef f(s : In[S]) -> float:\n"
        "    return s.v * s.v * s.n\nr = rev_diff(f)\n",
        target=target,
        float_type="f64",
    )
    adjoint = structs["S"](0.0, 7)
    lib.r(structs["S"](1.0 + 2**-40, 3), adjoint, 1.0)
    assert (adjoint.v, adjoint.n) == (6 * (1.0 + 2**-40), 7)


@pytest.mark.parametrize("target", COMPILED)
def test_launch_size(target: str) -> None:
    """warp#1380: a wrong launch size was inferred; here it is the last argument, and nothing
    beyond it runs.
    """
    text = "@simd\ndef k(y : Out[Array[float]]):\n    y[thread_id()] = thread_id() + 1\n"
    assert on(target, text, F64).outputs("k", [[0.0] * 5], 3) == [[1.0, 2.0, 3.0, 0.0, 0.0]]


def test_messages_speak_of_the_program() -> None:
    """Enzyme, taichi#4226: errors that print the compiler's IR or an internal assertion."""
    text = "def f(x : In[float], y : Out[float]):\n    y = y * x\nr = rev_diff(f)\n"
    with pytest.raises(UnhandledDifferentiation) as caught:
        compile(text, target="llvm", print_error=False)
    message = caught.value.to_string()
    assert "`y`" in message and "^" in message and "InOut" in message
    for word in ("Apply(", "Load(", "Region", "assert", "Traceback", "SSA", "%"):
        assert word not in message


def test_import_finds_its_libraries(tmp_path: Path) -> None:
    """drjit#196: libraries not found at import; ours needs no compiler and no path."""
    code = (
        "import loma\n"
        "text = 'def f(x : In[float]) -> float:\\n    return x * 2\\n'\n"
        "_, lib = loma.compile(text, target='llvm')\n"
        "assert lib.f(1.5) == 3.0"
    )
    source = Path(__file__).parents[2] / "src"
    environment = {
        "PATH": "",
        "PYTHONPATH": os.pathsep.join([str(source), *sys.path]),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_no_retracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """drjit#181: each call traced the program again; here a call is a call of machine code."""
    _, lib = compile(
        "def f(x : In[float], n : In[int]) -> float:\n    return x * n\nr = rev_diff(f)\n",
        target="llvm",
    )

    def never(*args: object, **named: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(driver, "core_module", never)
    monkeypatch.setattr(driver, "differentiated", never)
    assert [lib.f(0.5, n) for n in range(4)] == [0.0, 0.5, 1.0, 1.5]
