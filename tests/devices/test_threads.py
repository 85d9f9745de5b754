"""What devices run as one thread does, over all threads, what the kernel does."""

from __future__ import annotations

import copy
import math
import os
from random import Random
from typing import Any

import pytest
from devices.door import KERNELS
from devices.programs import PROGRAMS
from devices.threads import fill, run_threads
from properties.generator import FEATURES, generate
from properties.inputs import Inputs, leaves, wrapped

from loma import driver
from loma.diagnostics import RunError, UserError
from loma.frontend import load
from loma.ir.interp import Interpreter
from loma.ir.kernel import Kernel
from loma.ir.nodes import Accum, For, Module
from loma.ir.traverse import walk
from loma.ir.types import F64

COUNT = int(os.environ.get("LOMA_PROGRAMS", "24"))
FIRST = int(os.environ.get("LOMA_SEED", "1")) * 100_003


def kernels(module: Module, *, flat: bool = False) -> dict[str, Kernel]:
    """As CUDA gets them, or a language without pointers."""
    return {k.name: k for k in driver.kernels(module, owning=not flat, segmented=not flat)}


def outcome(run: Any, given: list[Any]) -> list[Any]:
    """The operands after a run, or the error."""
    try:
        run(given)
    except RunError as e:
        return [e.code]
    return given


def compare(module: Module, kernel: Kernel, given: list[Any], threads: int) -> None:
    """Both ways to run a kernel, on what is there."""
    wanted = outcome(
        lambda x: Interpreter(module).run(kernel.name, [*x, threads]), copy.deepcopy(given)
    )
    got = outcome(lambda x: run_threads(kernel, module, x, threads), copy.deepcopy(given))
    same(got, wanted, kernel.name)


def same(got: Any, wanted: Any, name: str) -> None:
    """Whether data is the same, to rounding."""
    for (path, a), (_, b) in zip(leaves(got), leaves(wanted), strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9, nan_ok=True), (name, path)


@pytest.mark.parametrize(("order", "flat"), [(1, False), (2, False), (1, True), (2, True)])
def test_random_kernels(order: int, flat: bool) -> None:
    checked, seed = 0, FIRST
    while checked < COUNT:
        program = generate(seed, order, 4, FEATURES | KERNELS)
        seed += 1
        try:
            typed = load(program.text, f"seed {seed}", F64)
            module = driver.core_module(program.text, f"seed {seed}", F64)
        except UserError:
            continue
        made, inputs = kernels(module, flat=flat), Inputs(typed, Random(seed))
        for entry in program.entries:
            if not entry.simd:
                continue
            for name, modes in ((entry.name, ()), *entry.chains):
                case = inputs.case(entry, name, modes)
                given = wrapped(case, lambda x: [x])
                compare(module, made[name], given, case.threads)
                checked += 1


def fresh_and_added(text: str, name: str, given: list[Any], threads: int) -> None:
    """A kernel whose gradients hold nothing yet gives what it adds to zeros."""
    module = driver.core_module(text, float_type=F64)
    kernel = kernels(module)[name]
    positions = {i for i, p in enumerate(kernel.thread.params) if p in kernel.added}
    zeroed, filled = copy.deepcopy(given), copy.deepcopy(given)
    for i in positions:
        fill(zeroed[i], 0.0)
        fill(filled[i], math.nan)
    Interpreter(module).run(name, [*zeroed, threads])
    run_threads(kernel, module, filled, threads, fresh=True)
    same(filled, zeroed, name)
    compare(module, kernel, given, threads)


@pytest.mark.parametrize("threads", [0, 1, 5, 9])
def test_what_a_thread_owns_is_stored(threads: int) -> None:
    draw = Random(1)
    x, gx, gy = ([draw.uniform(-1, 1) for _ in range(9)] for _ in range(3))
    given = [2.0, [0.5], 1.0, [0.25], x, gx, gy]
    fresh_and_added(PROGRAMS["shared"], "r_line", given, threads)


GUARDED = """
@simd
def some(n : In[int], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    if i < n:
        if x[i] > 0.0:
            y[i] = x[i] * x[i]
        else:
            y[i] = 3.0
r_some = rev_diff(some)
"""


@pytest.mark.parametrize("n", [0, 1, 6, 7])
def test_threads_without_an_element_store_nothing(n: int) -> None:
    draw = Random(2)
    x, gx, gy = ([draw.uniform(-1, 1) for _ in range(n)] for _ in range(3))
    fresh_and_added(GUARDED, "r_some", [n, [0], x, gx, gy], 8)


@pytest.mark.parametrize("steps", [0, 1, 31, 32, 33, 64, 100])
def test_segments_of_loops(steps: int) -> None:
    draw = Random(3)
    drag, gdrag, gy = ([draw.uniform(0, 0.01) for _ in range(4)] for _ in range(3))
    ball, back = {"height": 50.0, "speed": 0.0}, {"height": 0.5, "speed": 0.25}
    given = [ball, back, drag, gdrag, steps, [0], gy]
    fresh_and_added(PROGRAMS["loop"], "r_drop", given, 4)


PULLED = {
    "smooth": (
        PROGRAMS["stencil"],
        "r_smooth",
        lambda r, n: [n, [0], r(n), r(n), r(n)],
    ),
    "halo": (
        """
@simd
def halo(x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = x[i] * x[i + 1] + 3.0 * x[i + 2]
r_halo = rev_diff(halo)
""",
        "r_halo",
        lambda r, n: [r(n + 2), r(n + 2), r(n)],
    ),
    "row": (
        """
@simd
def row(n : In[int], w : In[float], x : In[Array[float]], y : Out[Array[float]]):
    t : int = thread_id()
    i : int = t / n
    j : int = t - i * n
    if i > 0 and j > 0 and j < n - 1:
        y[t] = x[t] * (x[t - 1] * w - x[t + 1]) + x[t - n] * x[t - n + 1] + x[(i - 1) * n + j - 1]
    else:
        y[t] = x[t] * x[t]
r_row = rev_diff(row)
""",
        "r_row",
        lambda r, n: [max(n // 3, 1), [0], 0.5, [0.25], r(2 * n), r(2 * n), r(n)],
    ),
    "pairs": (
        """
@simd
def pairs(n : In[int], m : In[int], x : In[Array[float]], y : In[Array[float]],
          e : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for j in range(1, n):
        if j != i:
            s = s + y[j - 1] / (1.0 + (x[i] - x[j]) * (x[i] - x[j]))
    for j in range(m):
        s = s + sin(x[m - 1 - j]) * x[i]
    e[i] = s
r_pairs = rev_diff(pairs)
""",
        "r_pairs",
        lambda r, n: [n, [0], max(n - 1, 0), [0], r(n + 1), r(n + 1), r(n + 1), r(n + 1), r(n)],
    ),
    "few": (
        """
@simd
def few(n : In[int], c : In[Array[float]], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for k in range(n):
        s = s + c[k] * sin(k * x[i])
    y[i] = s
r_few = rev_diff(few)
""",
        "r_few",
        lambda r, n: [2, [0], r(3), r(3), r(n), r(n), r(n)],
    ),
}
"""Kernels whose threads fetch what others would bring them."""


@pytest.mark.parametrize("name", PULLED)
def test_fetched_is_brought(name: str) -> None:
    text, kernel, make = PULLED[name]
    draw = Random(4)

    def random(n: int) -> list[float]:
        return [draw.uniform(-1, 1) for _ in range(n)]

    for n in [0, 1, 2, 3, 4, 7, 9, 12, 20, 40]:
        fresh_and_added(text, kernel, make(random, n), n)


@pytest.mark.parametrize("name", PULLED)
def test_no_addition_is_left_where_there_is_an_owner(name: str) -> None:
    text, kernel, _ = PULLED[name]
    made = kernels(driver.core_module(text, float_type=F64))[kernel]
    fetched = made.owned or any(
        isinstance(op, For) and op.body.args[0].name == "other" for op in walk(made.thread.body)
    )
    assert fetched


LOOPED = """
@simd
def looped(n : In[int], c : In[Array[float]], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for k in range(n):
        if k != i:
            s = s + sin(x[i] * x[k]) * c[1]
    y[i] = s
r_looped = rev_diff(looped)
"""


@pytest.mark.parametrize("n", [0, 1, 6])
def test_a_loop_adds_to_a_place_once(n: int) -> None:
    module = driver.core_module(LOOPED, float_type=F64)
    made = kernels(module, flat=True)["r_looped"]
    inner = [op for loop in walk(made.thread.body) if isinstance(loop, For)
             for op in walk(loop.body) if isinstance(op, Accum)]
    assert len(inner) == 1, "to the elements of the others"
    draw = Random(5)
    c, gc, x, gx, gy = ([draw.uniform(-1, 1) for _ in range(6)] for _ in range(5))
    compare(module, made, [n, [0], c, gc, x, gx, gy], 6)
