"""Early exits become structured ones, and leave what they should leave."""

from __future__ import annotations

import pytest

from loma.diagnostics import RunError
from loma.ir import nodes as core
from loma.ir.traverse import walk

SEARCH = """
def find(x : In[Array[float]], n : In[int], least : In[float]) -> int:
    for i in range(n):
        if x[i] < 0.0:
            continue
        if x[i] > least:
            return i
        if x[i] == 99.0:
            break
    return -1
"""


def reference_find(x, n, least):
    for i in range(n):
        if x[i] < 0.0:
            continue
        if x[i] > least:
            return i
        if x[i] == 99.0:
            break
    return -1


@pytest.mark.parametrize("least", [0.5, 2.5, 98.0, 99.0, 100.0])
def test_return_continue_break_in_for(value, least):
    x = [1.0, -5.0, 2.0, 3.0, 99.0, 100.0]
    for n in (0, 1, 4, 6):
        assert value(SEARCH, "find", list(x), n, least) == reference_find(x, n, least)


NEST = """
def nest(n : In[int], m : In[int]) -> int:
    s : int = 0
    for i in range(n):
        if i == 5:
            break
        for j in range(m):
            if j == i:
                continue
            if i * j > 20:
                return -s
            if j > 7:
                break
            k : int = 0
            while k < j:
                k = k + 1
                if k == 3:
                    break
                s = s + k
            s = s + 10 * j
        s = s + 100
    s = s + 1000
    return s
"""


def reference_nest(n, m):  # noqa: C901
    s = 0
    for i in range(n):
        if i == 5:
            break
        for j in range(m):
            if j == i:
                continue
            if i * j > 20:
                return -s
            if j > 7:
                break
            k = 0
            while k < j:
                k = k + 1
                if k == 3:
                    break
                s = s + k
            s = s + 10 * j
        s = s + 100
    s = s + 1000
    return s


def test_nested_loops_with_every_exit(value):
    for n in range(8):
        for m in (0, 1, 3, 6, 7, 10):
            assert value(NEST, "nest", n, m) == reference_nest(n, m), (n, m)


def test_return_inside_a_while_inside_a_branch(value):
    source = """
    def f(x : In[float]) -> float:
        y : float = x
        if x > 0.0:
            while y < 100.0:
                y = y * 2.0
                if y == 8.0:
                    return -1.0
            y = y + 1.0
        else:
            if x < -5.0:
                return -2.0
        return y
    """
    assert value(source, "f", 1.0) == -1.0
    assert value(source, "f", 3.0) == 193.0
    assert value(source, "f", -1.0) == -1.0
    assert value(source, "f", -6.0) == -2.0


def test_a_chain_of_early_returns_needs_no_flags(lowered):
    module = lowered("""
    def f(x : In[int]) -> int:
        if x == 1:
            return 10
        if x == 2:
            return 20
        return 30
    """)
    ops = list(walk(module.functions["f"].body))
    assert [type(op) for op in ops] == [core.Apply, core.If, core.Apply, core.If]
    assert [len(op.outs) for op in ops if isinstance(op, core.If)] == [1, 1]


def test_while_true_with_a_leading_break_is_a_plain_while(lowered, value):
    source = """
    def f(x : In[Array[float]]) -> int:
        i : int = 0
        while True:
            t : float = x[i]
            if not t < 3.0:
                break
            i = i + 1
        return i
    """
    ops = lowered(source).functions["f"].body.ops
    assert [type(op) for op in ops] == [core.While]
    assert len(ops[0].outs) == 1
    assert [type(op) for op in ops[0].cond.ops] == [core.Load, core.Apply]
    assert value(source, "f", [1.0, 2.0, 2.5, 3.0]) == 3


def test_a_break_after_statements_carries_one_flag(lowered, value):
    source = """
    def f(x : In[int]) -> int:
        n : int = x
        steps : int = 0
        while True:
            steps = steps + 1
            if n == 1:
                break
            if n - n / 2 * 2 == 0:
                n = n / 2
            else:
                n = 3 * n + 1
        return steps
    """
    (loop,) = [op for op in lowered(source).functions["f"].body.ops if isinstance(op, core.While)]
    assert sorted(v.name for v in loop.outs) == ["go", "n", "steps"]
    assert value(source, "f", 6) == 9


def test_return_in_a_kernel_ends_one_thread(value):
    source = """
    @simd
    def k(x : In[Array[float]], y : Out[Array[float]]):
        i : int = thread_id()
        if x[i] < 0.0:
            return
        y[i] = sqrt(x[i])
    """
    y = [7.0] * 4
    value(source, "k", [4.0, -1.0, 9.0, 0.0], y, 4)
    assert y == [2.0, 7.0, 3.0, 0.0]
    value(source, "k", [4.0], y, -3)


@pytest.mark.parametrize(
    "start, stop, step",
    [
        (0, 10, 3),
        (0, 9, 3),
        (5, 5, 2),
        (7, 3, 2),
        (10, 0, -3),
        (9, 0, -3),
        (0, 10, -1),
        (-5, 5, 4),
        (-2147483648, -2147483640, 3),
        (2147483640, 2147483647, 5),
    ],
)
def test_ranges_are_those_of_python(value, start, stop, step):
    source = f"""
    def f(a : In[int], b : In[int], x : Out[Array[int]]) -> int:
        n : int = 0
        for i in range(a, b, {step}):
            x[n] = i
            n = n + 1
        return n
    """
    found = [0] * 16
    wanted = list(range(start, stop, step))
    assert value(source, "f", start, stop, found) == len(wanted)
    assert found[: len(wanted)] == wanted
    literal = source.replace("range(a, b", f"range({start}, {stop}")
    assert value(literal, "f", 0, 0, found) == len(wanted)


def test_an_interrupted_range_counts_in_steps(value):
    source = """
    def f(a : In[int], b : In[int], last : In[int]) -> int:
        s : int = 0
        for i in range(a, b, -2):
            if i < last:
                break
            s = s * 10 + i
        return s
    """
    assert value(source, "f", 9, 0, 4) == 975
    assert value(source, "f", 9, 0, -4) == 97531


def test_the_bounds_of_a_range_are_evaluated_once(value):
    source = """
    def f(n : In[int]) -> int:
        m : int = n
        for i in range(m):
            m = m + 1
        return m
    """
    assert value(source, "f", 4) == 8


def test_traps_name_file_and_line(value):
    source = """
    def f(x : In[int], y : In[int]) -> int:
        return x / y
    def g(x : In[float]):
        assert x > 0.0, "x must be positive"
    """
    assert value(source, "f", -7, 2) == -3
    for x, y, code in ((1, 0, "DIVISION"), (-2147483648, -1, "OVERFLOW")):
        with pytest.raises(RunError) as caught:
            value(source, "f", x, y)
        assert (caught.value.code, caught.value.file, caught.value.line) == (code, "test.loma", 3)
    with pytest.raises(RunError, match="x must be positive"):
        value(source, "g", 0.0)


def test_an_unneeded_division_does_not_trap(value):
    source = """
    def f(x : In[int], y : In[int]) -> int:
        if y != 0 and x / y > 1:
            return 1
        if y == 0 or x / y < 0:
            return 2
        return 3
    """
    assert [value(source, "f", x, y) for x, y in ((4, 2), (4, 0), (-4, 2), (1, 2))] == [1, 2, 2, 3]
