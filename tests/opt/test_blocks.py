"""What threads add to one place, summed up in blocks, is what they add one after the other."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest
from devices.door import KERNELS
from properties.generator import FEATURES, generate
from properties.inputs import Inputs, leaves, wrapped

from loma import driver
from loma.backends.base import Options
from loma.diagnostics import RunError, UserError
from loma.frontend import load
from loma.ir.interp import Interpreter
from loma.ir.nodes import For, Module
from loma.ir.text import function_text
from loma.ir.traverse import walk
from loma.ir.types import F32, F64
from loma.ir.verify import verify
from loma.opt import long

LINE = """
@simd
def line(a : In[float], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = a * x[i]
r_line = rev_diff(line)
"""
BLOCKED = """\
def _distinct_r_line(a : In[float], adj_a : Out[float], x : In[Array[float]],
        adj_x : Out[Array[float]], adj_y : In[Array[float]], _threads : In[int]):
    blocks : int = _threads / 512 + 1
    sum_adj_a : f64 = 0.0
    for block in range(blocks):
        first : int = block * 512
        stop : int = select(512 < _threads - first, first + 512, _threads)
        part_adj_a : float = 0.0
        for thread in range(first, stop):
            adj : float = adj_y[thread]
            adj_x[thread] = adj_x[thread] + a * adj
            part_adj_a = part_adj_a + x[thread] * adj
        sum_adj_a = sum_adj_a + f64(part_adj_a)
    sum_adj_a_1 : float = f32(sum_adj_a)
    if sum_adj_a_1 != 0.0:
        adj_a = adj_a + sum_adj_a_1
"""
SAME = """
@simd
def same(n : In[int], a : In[float], s : Out[Array[float]]):
    i : int = thread_id()
    k : int = i
    while k > 0:
        atomic_add(s[n], a)
        k = k / 2
    if i > 3:
        atomic_add(s[2], a * i)
"""


def twin(text: str, name: str, **how: Any) -> str:
    """The text of a kernel's second form."""
    module = driver.core_module(text, "test.py", **how)
    verify(module)
    return function_text(module.functions[f"_distinct_{name}"], module)


def test_the_sums_of_a_kernel() -> None:
    assert twin(LINE, "r_line") == BLOCKED


def test_sums_of_64_bits_stay_as_they_are() -> None:
    assert "block" not in twin(LINE, "r_line", float_type=F64)
    assert not driver.core_module(LINE, strict=True).functions["r_line"].fast


def test_arguments_that_cannot_be_the_same_memory() -> None:
    """What the threads add in loops of their own they sum up by themselves."""
    module = driver.core_module(SAME)
    verify(module)
    text = driver.BACKENDS["c"].text(module, Options())
    assert "    _distinct_same(n, a, s, _threads);\n}" in text
    for threads in (0, 1, 5, 511, 512, 513, 1024, 1500):
        got, wanted = [0.0] * 4, [0.0] * 4
        run = Interpreter(module).run
        run("same", [3, 0.5, wanted, threads])
        run("_distinct_same", [3, 0.5, got, threads])
        assert got == wanted, threads


def outcome(module: Module, name: str, given: list[Any]) -> list[Any]:
    """The operands after a call, or the error."""
    given = copy.deepcopy(given)
    try:
        Interpreter(module).run(name, given)
    except RunError as e:
        return [e.code]
    return given


@pytest.mark.parametrize("order", [1, 2])
def test_random_kernels(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of two threads."""
    monkeypatch.setattr(long, "BLOCK", 2)
    checked, seed = 0, 5_000_011
    while checked < 24:
        program, seed = generate(seed, order, 4, FEATURES | KERNELS), seed + 1
        try:
            typed = load(program.text, f"seed {seed}", F32)
            module = driver.core_module(program.text, f"seed {seed}", F32)
        except UserError:
            continue
        verify(module)
        inputs = Inputs(typed, Random(seed))
        for entry in program.entries:
            for name, modes in ((entry.name, ()), *entry.chains) if entry.simd else ():
                case, f = inputs.case(entry, name, modes), module.functions[name]
                given = [*wrapped(case, lambda x: [x]), case.threads]
                if not any(isinstance(x, For) and x.block
                           for x in walk(module.functions[f.fast or name].body)):
                    continue
                pairs = zip(leaves(outcome(module, f.fast, given)),
                            leaves(outcome(module, name, given)), strict=True)
                for (path, got), (_, wanted) in pairs:
                    near = pytest.approx(wanted, rel=1e-3, abs=1e-3, nan_ok=True)
                    assert got == near, (seed, name, path)
                checked += 1


LOOPS = """
@simd
def line(a : In[float], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = a * x[i]

def launched(a : In[float], n : In[int], x : In[Array[float]], y : Out[Array[float]]):
    line[n](a, x, y)

def looped(n : In[int], x : In[Array[float]], least : InOut[float]) -> float:
    s : float = least
    t : float
    for i in parallel(n):
        atomic_add(s, x[i])
        if x[i] > 0.5:
            atomic_add(t, x[i])
            atomic_add(least, 1.0)
    for k in range(2):
        for i in parallel(n):
            atomic_add(s, x[i])
    return s * t
r_launched = rev_diff(launched)
r_looped = rev_diff(looped)
"""


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513, 1024, 2000])
def test_long_loops(n: int) -> None:
    """Parallel loops, and launches of kernels, of 32 bits and of 64."""
    short, wide = (driver.core_module(LOOPS, "test.py", t) for t in (F32, F64))
    for module in (short, wide):
        verify(module)
    for name in ("looped", "_distinct_r_looped", "_distinct_r_launched"):
        inner = [op for op in walk(short.functions[name].body) if isinstance(op, For) and op.block]
        assert len(inner) == 1
    draw = Random(n)
    x, gy = ([draw.randrange(128) / 128 for _ in range(n)] for _ in range(2))
    calls = {"r_launched": [2.0, [0.0], n, [0], x, [0.5] * n, gy],
             "looped": [n, x, [0.25]],
             "r_looped": [n, [0], x, [0.0] * n, 0.25, [0.5], 1.5]}
    for name, given in calls.items():
        got, wanted = outcome(short, name, given), outcome(wide, name, given)
        for (path, a), (_, b) in zip(leaves(got), leaves(wanted), strict=True):
            assert a == pytest.approx(b, rel=1e-6, abs=1e-6), (name, path)
