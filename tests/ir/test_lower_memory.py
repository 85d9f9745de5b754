"""Structs, arrays and arguments: what is copied, what is shared, what is fresh."""

from __future__ import annotations

import pytest

from loma.diagnostics import RunError
from loma.ir import nodes as core
from loma.ir.traverse import walk

STRUCTS = """
class Inner:
    w : Array[float, 3]
    n : int

class Outer:
    a : float
    inner : Inner
    many : Array[Inner, 12]
    p : Array[float]
"""


def inner(*w, n=0):
    return {"w": list(w), "n": n}


def outer(a=0.0, p=None):
    return {
        "a": a,
        "inner": inner(1.0, 2.0, 3.0, n=4),
        "many": [inner(k, k, k, n=k) for k in range(12)],
        "p": p if p is not None else [0.0],
    }


def test_struct_assignment_copies_arrays_and_shares_pointers(value):
    source = (
        STRUCTS
        + """
def f(o : In[Outer]) -> float:
    q : Outer = o
    r : Outer
    r = q
    q.inner.w[1] = 100.0
    q.many[11].w[2] = 200.0
    q.p[0] = 300.0
    return r.inner.w[1] + r.many[11].w[2] + r.p[0]
"""
    )
    o = outer(p=[5.0])
    assert value(source, "f", o) == 2.0 + 11.0 + 300.0
    assert o["inner"]["w"] == [1.0, 2.0, 3.0] and o["p"] == [300.0]


def test_an_in_struct_that_is_written_is_a_private_copy(lowered, value):
    source = (
        STRUCTS
        + """
def f(o : In[Outer], i : In[int]) -> float:
    o.inner.w[i] = o.inner.w[i] + 1.0
    return o.inner.w[i]
def g(o : In[Outer]) -> float:
    return o.a
"""
    )
    o = outer()
    assert value(source, "f", o, 2) == 4.0
    assert o["inner"]["w"] == [1.0, 2.0, 3.0]
    assert not [op for op in lowered(source).functions["g"].body.ops if isinstance(op, core.Alloc)]


def test_the_same_struct_as_in_and_out_operand(value):
    source = """
    class P:
        x : float
        y : float
    def swap(a : In[P], b : Out[P]):
        b.x = a.y
        b.y = a.x
    def f(x : In[float], y : In[float]) -> float:
        p : P
        p.x = x
        p.y = y
        swap(p, p)
        return p.x * 10.0 + p.y
    def g(ps : Out[Array[P]], i : In[int], j : In[int]):
        swap(ps[i], ps[j])
    """
    assert value(source, "f", 1.0, 2.0) == 21.0
    ps = [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]
    value(source, "g", ps, 0, 0)
    value(source, "g", ps, 0, 1)
    assert ps == [{"x": 2.0, "y": 1.0}, {"x": 1.0, "y": 2.0}]


def test_an_in_struct_element_is_copied_where_the_callee_writes_its_array(value):
    source = """
    class P:
        x : float
    def g(p : In[P], ps : Out[Array[P]]) -> float:
        ps[0].x = 50.0
        return p.x
    def f(ps : Out[Array[P]], r : Out[float]):
        t : P
        t = ps[0]
        h(ps, r)
    def h(ps : Out[Array[P]], r : Out[float]):
        k(ps[0], ps, r)
    def k(p : In[P], ps : Out[Array[P]], r : Out[float]):
        ps[0].x = 50.0
        r = p.x
    """
    ps, r = [{"x": 3.0}], [0.0]
    value(source, "f", ps, r)
    assert r == [3.0] and ps == [{"x": 50.0}]


def test_a_result_assigned_to_its_own_operand(value):
    source = """
    class P:
        x : float
        y : float
    def turn(p : In[P]) -> P:
        r : P
        r.x = -p.y
        r.y = p.x
        return r
    def f(n : In[int]) -> float:
        p : P
        p.x = 1.0
        p.y = 2.0
        for i in range(n):
            p = turn(p)
        return p.x * 10.0 + p.y + turn(turn(p)).x
    """
    assert value(source, "f", 0) == 12.0 - 1.0
    assert value(source, "f", 1) == -20.0 + 1.0 + 2.0


def test_out_scalars_in_locals_arrays_and_members(value):
    source = """
    class S:
        v : Array[int, 2]
    def g(a : Out[int], b : InOut[int], c : In[int]):
        a = c + 1
        b = b + a
    def f(x : In[int], z : Out[Array[int]]) -> int:
        s : S
        y : int = 5
        g(x, y, x)
        g(s.v[1], z[x], y)
        g(z[0], s.v[0], s.v[1])
        return x * 1000 + y * 100 + s.v[0] * 10 + s.v[1]
    """
    z = [0, 10, 20, 30]
    assert value(source, "f", 2, z) == 3 * 1000 + 8 * 100 + 10 * 10 + 9
    assert z == [10, 10, 20, 39]


def test_the_index_of_an_out_operand_is_evaluated_once(value):
    source = """
    def g(a : InOut[int], at : Out[Array[int]]):
        at[0] = 1
        a = a + 100
    def f(z : Out[Array[int]], at : Out[Array[int]]):
        g(z[at[0]], at)
    """
    z, at = [2, 0, 5], [2]
    value(source, "f", z, at)
    assert z == [2, 0, 105] and at == [1]


def test_a_block_declaration_is_zeroed_at_each_execution(value):
    source = """
    def f(n : In[int]) -> float:
        s : float = 0.0
        for i in range(n):
            a : Array[float, 2]
            t : float
            if i == 1:
                u : float = 7.0
                t = u
            a[1] = a[1] + 1.0 + t
            s = s + a[1]
        return s
    """
    assert value(source, "f", 4) == 4.0 + 7.0


def test_siblings_may_reuse_a_name(value):
    source = """
    def f(x : In[float]) -> float:
        r : float
        if x > 0.0:
            t : float = x * 2.0
            r = t
        else:
            t : int = 3
            r = t
        return r
    """
    assert value(source, "f", 2.0) == 4.0
    assert value(source, "f", -2.0) == 3.0


def test_ragged_arrays(value):
    source = """
    def row_sum(row : In[Array[float]], n : In[int]) -> float:
        s : float
        for j in range(n):
            s = s + row[j]
        return s
    def f(a : In[Array[Array[float]]], size : In[Array[int]], n : In[int],
          b : Out[Array[Array[float]]]) -> float:
        s : float
        for i in range(n):
            s = s + row_sum(a[i], size[i])
            b[i][size[i] - 1] = a[i][0]
        return s
    """
    a, b = [[1.0], [2.0, 3.0], [4.0, 5.0, 6.0]], [[0.0], [0.0] * 2, [0.0] * 3]
    assert value(source, "f", a, [1, 2, 3], 3, b) == 21.0
    assert b == [[1.0], [0.0, 2.0], [0.0, 0.0, 4.0]]


def test_local_arrays_of_two_dimensions_pass_to_functions(value):
    source = """
    def fill(a : Out[Array[Array[int, 3], 2]], k : In[int]):
        for i in range(2):
            for j in range(3):
                a[i][j] = k * i + j
    def row(a : In[Array[int, 3]]) -> int:
        return a[0] * 100 + a[1] * 10 + a[2]
    def f() -> int:
        a : Array[Array[int, 3], 2]
        b : Array[Array[int, 3], 2]
        fill(a, 4)
        fill(b, 5)
        a[1][0] = 9
        b[0][1] = a[1][0]
        return row(a[1]) * 1000 + row(b[0])
    """
    assert value(source, "f") == 956092


def test_accumulation_is_one_operation(lowered, value):
    source = """
    def f(x : In[Array[float]], i : In[Array[int]], n : In[int], y : Out[Array[float]]):
        for k in range(n):
            y[i[k]] = y[i[k]] + x[k] * 2.0
            y[i[k]] = x[k] + y[i[k]]
            y[i[k]] = y[i[k]] - x[k]
            y[k] = y[k] + y[i[k]]
            y[k] = y[k] * 2.0 + x[k]
    """
    ops = [type(op) for op in walk(lowered(source).functions["f"].body)]
    assert ops.count(core.Accum) == 3 and ops.count(core.Store) == 2
    y = [0.0, 0.0]
    value(source, "f", [1.0, 2.0], [1, 0], 2, y)
    assert y == [9.0, 24.0]


def test_tapes(value):
    source = """
    def f(x : In[Array[float]], n : In[int]) -> float:
        tape : Tape
        s : float
        for i in range(n):
            push(tape, x[i], i, x[i] > 1.0)
        for i in range(n):
            v : float
            k : int
            c : bool
            pop(tape, v, k, c)
            if c:
                s = s * 10.0 + v + k
        return s
    """
    assert value(source, "f", [1.0, 2.0, 3.0], 3) == 53.0
    with pytest.raises(RunError):
        value(
            source.replace(
                "for i in range(n):\n            v", "for i in range(n + 1):\n            v"
            ),
            "f",
            [1.0],
            1,
        )


def test_arrays_of_computed_length_and_growing_ones(value):
    source = """
    def f(n : In[int]) -> float:
        a : Array[float, n * 2]
        g : Array[float, ...]
        for i in range(n * 2):
            a[i] = i
            g[i * 3] = a[i] + g[i * 3]
        return a[n] + g[3] + g[1000] + g[1]
    """
    assert value(source, "f", 3) == 4.0


def test_short_circuits_and_calls_in_conditions(value):
    source = """
    def bump(x : In[int], n : In[Array[int]]) -> int:
        n[0] = n[0] + 1
        return x
    def f(x : In[int], n : Out[Array[int]]) -> int:
        r : int
        if x > 0 and bump(x, n) > 1:
            r = 1
        while r < 3 or bump(r, n) < x:
            r = r + 1
        return r
    """
    n = [0]
    assert value(source, "f", 5, n) == 5
    assert n == [4]
    assert value(source, "f", 0, n) == 3
    assert n == [5]


def test_atomic_add_from_many_threads(value):
    source = """
    def part(x : In[Array[float]], i : In[int], z : Out[float]):
        atomic_add(z, x[i])
    @simd
    def k(x : In[Array[float]], z : Out[float], scale : In[float]):
        scale = scale * 2.0
        part(x, thread_id(), z)
        atomic_add(z, scale)
    """
    z = [1.0]
    value(source, "k", [1.0, 2.0, 3.0], z, 0.5, 3)
    assert z == [10.0]
