"""Calls of functions with rules on arrays of the caller whose length nobody knows."""

from __future__ import annotations

import ctypes

import pytest
from subjects import differences, on

from loma import compile
from loma.diagnostics import RunError, UserError

RULED = """class P:
    v : float
    k : int
    w : float

def q(a : In[Array[float]], s : In[float], b : Out[Array[float]]):
    for i in range(2):
        b[i] = sin(a[i]) * s

@custom_rev(q)
def q_rev(a : In[Array[float]], da : Out[Array[float]], s : In[float], ds : Out[float],
          db : In[Array[float]]):
    for i in range(2):
        da[i] += cos(a[i]) * s * db[i]
        ds += sin(a[i]) * db[i]

def part(a : In[Array[float]], b : Out[Array[float]], z : InOut[Array[float, 2]], o : Out[float]):
    if a[0] > 0.0:
        b[1] = a[1] * z[0]
    z[1] = z[1] * a[0] * z[1]
    o = a[0] * z[0]

@custom_rev(part)
def part_rev(a : In[Array[float]], da : Out[Array[float]], db : In[Array[float]],
             z : In[Array[float, 2]], dz : InOut[Array[float, 2]], dr : In[float]):
    da[0] += dr * z[0] + dz[1] * z[1] * z[1]
    dz[0] += dr * a[0]
    if a[0] > 0.0:
        da[1] += z[0] * db[1]
        dz[0] += a[1] * db[1]
    dz[1] = 2.0 * z[1] * a[0] * dz[1]

def half(a : InOut[Array[float]]):
    a[0] = 0.5 * a[0]

@custom_rev(half)
def half_rev(a : In[Array[float]], da : InOut[Array[float]]):
    da[0] = 0.5 * da[0]

def swap(p : In[Array[P]], o : Out[Array[P]]):
    o[0].w = p[1].v * p[0].w
    o[p[0].k].v = 2.0 * p[0].v

@custom_rev(swap)
def swap_rev(p : In[Array[P]], dp : Out[Array[P]], do : In[Array[P]]):
    dp[1].v += p[0].w * do[0].w
    dp[0].w += p[1].v * do[0].w
    dp[0].v += 2.0 * do[p[0].k].v

def both(a : In[Array[float]], b : Out[Array[float]]):
    q(a, 2.0, b)
    b[0] = 2.0 * b[0]

@custom_rev(both)
def both_rev(a : In[Array[float]], da : Out[Array[float]], db : In[Array[float]]):
    da[0] += 4.0 * cos(a[0]) * db[0]
    da[1] += 2.0 * cos(a[1]) * db[1]

def down(x : In[Array[float]], n : In[int], y : {direction}[Array[float]], s : Out[float]):
    s = 0.0
    if n > 0:
        q(x, n * x[0], y)
        down(x, n - 1, y[1:], s)
        s = s + y[0] * y[1]

def structs(x : In[Array[float]], k : In[float], o : Out[Array[P]]) -> float:
    p : Array[P, 2]
    p[0].v = x[0]
    p[0].w = x[1] * k
    p[0].k = 1
    p[1].v = k
    swap(p, o)
    o[1].w = o[1].v * o[0].w
    swap(p, o[1:])
    return o[1].w * o[2].v + o[0].w

def rows(x : In[Array[float]], k : In[float], o : {direction}[Array[Array[float]]]) -> float:
    q(x, k, o[0])
    q(x, o[0][1], o[1][1:])
    o[1][0] = o[0][1] * o[1][2]
    return o[1][0] * o[1][1]

def f(x : In[Array[float]], y : {direction}[Array[float]], k : In[float]) -> float:
{body}
r = rev_diff(f)
rr = fwd_diff(r)
r_structs = rev_diff(structs)
r_rows = rev_diff(rows)
"""
BODIES = {
    "read": ["q(x, k, y)", "return y[0] * y[1] * k"],
    "overwritten": ["q(x, k, y)", "y[1] = y[0] * y[1] * k", "return y[1]"],
    "twice": ["q(x, k, y)", "q(x, k * y[0], y)", "return y[0]"],
    "input": ["y[0] = x[0] * k", "y[1] = x[1]", "z : Array[float, 3]", "q(y, k, z)",
              "return z[0] + z[1] * z[1]"],
    "slices": ["y[0] = x[0] * k", "y[1] = x[1]", "q(x, y[0], y[1:3])", "q(y[1:3], k, y[3:5])",
               "return y[4] * y[2]"],
    "loop": ["s : float = k", "for i in range(3):", "    q(x, s, y)",
             "    s = s + y[i % 2] * y[0]", "return s"],
    "branch": ["if k > 0.25:", "    q(x, k, y)", "else:", "    y[0] = x[0]", "    y[1] = k",
               "return y[0] * y[1]"],
    "part": ["z : Array[float, 2]", "s : float", "t : float", "z[0] = k", "z[1] = k * x[1]",
             "part(x, y, z, s)", "part(x, y, z, t)", "s += t * z[1] * y[1]", "z[0] = y[1]",
             "part(x, y[1:3], z, t)", "return s * t * y[1] * y[2] + z[1]"],
    "part of input": ["z : Array[float, 2]", "z[0] = k", "z[1] = k * x[1]", "y[0] = x[1] * k",
                      "y[1] = z[0] * x[0]", "s : float", "w : Array[float, 3]",
                      "part(y, w, z, s)", "return s * z[1] * z[0]"],
    "changed": ["q(x, k, y)", "half(y)", "y[1] = y[0] * y[1]", "half(y[1:2])",
                "return y[0] * y[1]"],
    "rule in rule": ["both(x, y)", "y[1] = y[0] * y[1]", "both(x, y[1:])",
                     "return y[0] * y[1] * k"],
    "recursion": ["s : float", "down(x, 3, y, s)", "return s * k * y[1]"],
}
NUMBERS = [0.5, 0.75, 0.125, 0.25, 0.625]
DUALS = [{"val": v, "dval": d} for v, d in zip(NUMBERS, [1.25, -1.5, 0.25, 0.5, 0.75], strict=True)]
SEEDS = [0.5, -1.25, 0.375, 0.25, 0.125]


def program(body: str, direction: str) -> str:
    lines = "".join(f"    {line}\n" for line in BODIES[body])
    return RULED.format(body=lines, direction=direction)


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("direction", ["Out", "InOut"])
@pytest.mark.parametrize("body", BODIES)
def test_read_later(how: str, direction: str, body: str) -> None:
    text = program(body, direction)
    primal, duals = ([SEEDS[::-1]], [DUALS[::-1]]) if direction == "InOut" else ([], [])
    scalar = {"val": 0.5, "dval": 2.0}
    for name, data in (
        ("r", [NUMBERS, [0.0, 1.0, 0.0, 0.0, 0.0], *primal, SEEDS, 0.5, 0.0, 1.5]),
        ("rr", [DUALS, DUALS, *duals, DUALS, scalar, scalar, scalar]),
    ):
        wanted = on("oracle", text).call(name, data)
        assert not differences(on(how, text).call(name, data)[0], wanted[0])


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("direction", ["Out", "InOut"])
def test_structs_and_rows(how: str, direction: str) -> None:
    text = program("read", direction)
    points = [{"v": 0.5, "k": 0, "w": -1.5}, {"v": 2.0, "k": 0, "w": 1.25}] * 2
    table = [NUMBERS, SEEDS]
    primal = [table] if direction == "InOut" else []
    for name, data in (
        ("r_structs", [NUMBERS[:2], [0.0, 1.0], 0.5, 0.0, points, 1.5]),
        ("r_rows", [NUMBERS[:2], [0.0, 1.0], 0.5, 0.0, *primal, table, 1.5]),
    ):
        wanted = on("oracle", text).call(name, data)
        assert not differences(on(how, text).call(name, data)[0], wanted[0])


@pytest.mark.parametrize("call", ["q(y, k, y)", "q(y, k, y[1:3])", "q(y[1:3], k, y[1:4])"])
def test_an_input_that_the_call_overwrites_is_refused(call: str) -> None:
    text = RULED.format(body=f"    y[0] = x[0]\n    {call}\n    return y[1]\n", direction="Out")
    with pytest.raises(UserError, match="writes to what it is also given as `a`"):
        on("core", text)


def test_an_input_that_is_overwritten_later_is_refused() -> None:
    lines = ["y[0] = x[0]", "z : Array[float, 2]", "q(y, k, z)", "y[0] = k", "return z[0]"]
    text = RULED.format(body="".join(f"    {x}\n" for x in lines), direction="Out")
    with pytest.raises(UserError, match="`y` may be overwritten after this call of `q`"):
        on("core", text)


PRINTING = """
def shown(x : In[float]) -> float:
    print("shown", x)
    return x * x
@custom_rev(shown)
def shown_rev(x : In[float], dx : Out[float], d : In[float]):
    dx += 2.0 * x * d

def filled(a : In[Array[float]], n : In[int], b : Out[Array[float]]):
    print("filled", n)
    assert n < 4, "too many"
    for i in range(n):
        b[i] = a[i]
@custom_rev(filled)
def filled_rev(a : In[Array[float]], da : Out[Array[float]], n : In[int], dn : Out[int],
               db : In[Array[float]]):
    for i in range(n):
        da[i] += db[i]

def some(a : In[float], b : Out[Array[float, 2]]):
    print("some", a)
    if a > 0.0:
        b[0] = a
@custom_rev(some)
def some_rev(a : In[float], da : Out[float], db : In[Array[float, 2]]):
    if a > 0.0:
        da += db[0]

def changed(a : InOut[Array[float]], b : Out[Array[float]]):
    print("changed")
    b[0] = a[0]
@custom_rev(changed)
def changed_rev(a : In[Array[float]], da : InOut[Array[float]], db : In[Array[float]]):
    da[0] += db[0]

def f(x : In[Array[float]], n : In[int], y : Out[Array[float]]) -> float:
    filled(x, n, y)
    return shown(x[0])
def g(x : In[Array[float]], n : In[int], y : Out[Array[float]]) -> float:
    filled(x, n, y)
    z : Array[float, 2]
    some(y[0], z)
    t : Array[float, 2]
    t[0] = 2.0
    changed(t, y)
    return shown(y[0]) + z[0] + y[0]
f_rev = rev_diff(f)
g_rev = rev_diff(g)
"""


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_what_a_ruled_function_prints_and_asserts_happens_once(
    target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    _, lib = compile(PRINTING, target=target)
    floats = ctypes.c_float * 4
    x, seeds = floats(0.5, 1.0, 2.0, 4.0), floats(1.0, 1.0, 1.0, 1.0)
    for function, wanted in (
        (lib.f_rev, ["filled 3", "shown 0.5"]),
        (lib.g_rev, ["filled 3", "some 0.5", "changed", "shown 2.0"]),
    ):
        function(x, floats(), 3, ctypes.c_int(), seeds, 1.0)
        assert capfd.readouterr().out.splitlines() == wanted
        with pytest.raises(RunError, match="too many"):
            function(x, floats(), 4, ctypes.c_int(), seeds, 1.0)
        capfd.readouterr()
