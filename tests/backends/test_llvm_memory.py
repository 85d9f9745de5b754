"""Memory on LLVM: zeroed locals, large and counted arrays, growable arrays, tapes, kernels."""

from __future__ import annotations

import ctypes
import threading

import pytest
from llvm_programs import compiled

from loma.diagnostics import RunError
from loma.ir.types import F64

MEGABYTE = 1 << 20


def test_locals_are_zeroed_at_each_execution() -> None:
    f = compiled("""
def f(n: In[int]) -> int:
    s: int = 0
    for i in range(n):
        a: Array[int, 4]
        a[i - i / 4 * 4] = a[i - i / 4 * 4] + 1
        s = s + a[0] + a[1] + a[2] + a[3]
    return s
""").lib.f
    assert f(100) == 100


@pytest.mark.parametrize("size", [3, 5000, 300_000])
def test_static_arrays_of_any_size(size: int) -> None:
    p = compiled(f"""
def f(x: In[float]) -> float:
    a: Array[float, {size}]
    for i in range({size}):
        a[i] = x + i
    s: float = 0.0
    for i in range({size}):
        s = s + a[{size} - 1 - i] - i
    return s
""", F64)
    assert p.lib.f(2.0) == pytest.approx(2.0 * size)
    assert p.loaded.may_trap("f") == (size * 8 > 16384)


def test_counted_arrays_are_freed() -> None:
    p = compiled("""
def f(n: In[int], repeat: In[int]) -> float:
    s: float = 0.0
    for k in range(repeat):
        a: Array[float, n]
        a[n - 1] = a[n - 1] + 1.0
        s = s + a[n - 1]
    return s
""")
    assert p.lib.f(MEGABYTE, 200) == 200.0
    assert p.loaded.peak_tape_bytes() == 4 * MEGABYTE


def test_a_negative_count_is_an_empty_array() -> None:
    p = compiled("def f(n: In[int]) -> int:\n    a: Array[int, n]\n    return n\n")
    assert p.lib.f(-5) == -5


GROWABLE = """
class P:
    x: float
    n: int
def f(order: In[Array[int]], n: In[int], probe: In[int]) -> float:
    a: Array[float, ...]
    for i in range(n):
        a[order[i]] = a[order[i]] + order[i]
    return a[probe]
def g(n: In[int], out: Out[Array[int]]) -> float:
    a: Array[P, ...]
    for i in range(n):
        a[i].n = i
        a[i].x = a[i].x + 0.5
    s: float = 0.0
    for i in range(-3, n + 3):
        out[i + 3] = a[i].n
        s = s + a[i].x
    return s
"""


@pytest.mark.parametrize("order", [
    list(range(1000)), list(range(999, -1, -1)), [-5, 900, -700, 3, 3], [100000, 0]])
def test_growable_arrays_grow_both_ways(order: list[int]) -> None:
    f = compiled(GROWABLE).lib.f
    data = (ctypes.c_int * len(order))(*order)
    for probe in (order[0], order[-1], min(order) - 50, max(order) + 50, 10**9):
        assert f(data, len(order), probe) == order.count(probe) * probe


def test_growable_arrays_of_structs() -> None:
    out = (ctypes.c_int * 106)(*[9] * 106)
    assert compiled(GROWABLE).lib.g(100, out) == 50.0
    assert list(out) == [0] * 3 + list(range(100)) + [0] * 3


TAPE = """
def f(n: In[int], m: In[int]) -> f64:
    t: Tape
    s: f64 = 0.0
    for i in range(n):
        push(t, i, f64(i) * 0.5, i / 2 * 2 == i)
    for i in range(m):
        k: int
        x: f64
        even: bool
        pop(t, k, x, even)
        if even:
            s = s + x + k
    return s
def swing(n: In[int]) -> int:
    t: Tape
    s: int = 0
    for i in range(n):
        push(t, i)
        push(t, i, i)
        a: int
        b: int
        pop(t, a, b)
        s = s + a - b
    for i in range(n):
        c: int
        pop(t, c)
        s = s + c
    return s
"""


@pytest.mark.parametrize("n", [0, 1, 7, 1000, 200_000])
def test_tapes_give_back_what_they_took(n: int) -> None:
    p = compiled(TAPE)
    assert p.lib.f(n, n) == sum(1.5 * i for i in range(0, n, 2))
    assert p.loaded.peak_tape_bytes() <= 4 * 13 * n + 4096


def test_pushes_and_pops_around_the_end_of_a_chunk() -> None:
    assert compiled(TAPE).lib.swing(2000) == 2000 * 1999 // 2


def test_popping_too_much_raises() -> None:
    with pytest.raises(RunError, match="empty tape") as caught:
        compiled(TAPE).lib.f(3, 4)
    assert (caught.value.code, caught.value.file, caught.value.line) == ("INDEX", "test.py", 11)


def test_a_limit_raises_and_leaves_nothing_behind() -> None:
    p = compiled(TAPE)
    p.loaded.set_limit(MEGABYTE)
    for _ in range(3):
        with pytest.raises(RunError) as caught:
            p.lib.f(10_000_000, 0)
        assert (caught.value.code, caught.value.line) == ("LIMIT", 6)
    assert p.lib.f(100, 100) == sum(1.5 * i for i in range(0, 100, 2))


def test_an_impossible_array_raises() -> None:
    p = compiled("""
def f(n: In[i64], i: In[i64]) -> f64:
    a: Array[f64, n]
    a[n - 1] = 1.0
    return a[i]
""")
    for n in (2**62, 2**63 - 1, 2**50):
        with pytest.raises(RunError) as caught:
            p.lib.f(n, 0)
        assert caught.value.code == "LIMIT"


KERNEL = """
@simd
def add(x: In[Array[float]], y: In[Array[float]], z: Out[Array[float]], total: Out[float]):
    i: int = thread_id()
    z[i] = x[i] + y[i]
    atomic_add(total, z[i])
"""


@pytest.mark.parametrize("n", [0, -3, 1, 1000])
def test_kernels_run_every_thread(n: int) -> None:
    add = compiled(KERNEL).lib.add
    size = max(n, 1)
    x = (ctypes.c_float * size)(*range(size))
    z = (ctypes.c_float * size)()
    total = ctypes.c_float(1)
    add(x, x, z, total, n)
    assert list(z)[:max(n, 0)] == [2.0 * i for i in range(max(n, 0))]
    assert total.value == 1 + sum(2 * i for i in range(max(n, 0)))


def test_eight_threads_have_their_own_records() -> None:
    p = compiled(TAPE)
    failures: list[str] = []

    def work(k: int) -> None:
        for i in range(60):
            n = 50 * k + i
            try:
                if p.lib.f(n, n + k % 2) != sum(1.5 * j for j in range(0, n, 2)) or k % 2:
                    failures.append(f"{k}: value")
            except RunError as e:
                if not k % 2 or e.code != "INDEX":
                    failures.append(f"{k}: {e}")

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
