"""What the test suites of other systems exercise, as programs of ours: ends of loops, swaps of
elements, rotations.
"""

from __future__ import annotations

from typing import Any

import pytest
from properties.inputs import leaves
from subjects import COMPILED, differences, fresh, on

from loma.ir.types import F64

HOWS = ("core", *COMPILED)

NESTED_DO_WHILE = """
def f(x : In[float], y : In[float]) -> float:
    a = 0.0
    outer = 3
    while True:
        inner = 3
        while True:
            a += x * x + y
            inner -= 1
            while True:
                a += y
                if True:
                    break
            if inner == 0:
                break
        outer -= 1
        if outer == 0:
            break
    return a
"""
RUNGS = """
def f(x : In[float], y : In[float]) -> float:
    total = 0.0
    for i in range(5):
        j = i
        if i < 2:
            continue
        while j > 0:
            j -= 1
            if j < 3:
                total += x * y
                break
            else:
                continue
    return total
"""
SWAPS = """
def f(x : In[float], y : In[float]) -> float:
    t : Array[float, 2]
    t[0] = x
    t[1] = y
    for i in range(3):
        t[0], t[1] = t[1], t[0] * t[1]
    return t[0] + 2 * t[1]
"""
ROTATED = """
def cross(a : In[Array[float, 3]], b : In[Array[float, 3]], c : Out[Array[float, 3]]):
    c[0] = a[1] * b[2] - a[2] * b[1]
    c[1] = a[2] * b[0] - a[0] * b[2]
    c[2] = a[0] * b[1] - a[1] * b[0]

def f(r : In[Array[float, 3]], p : In[Array[float, 3]]) -> float:
    square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
    c : Array[float, 3]
    q : Array[float, 3]
    if square != 0:
        angle = sqrt(square)
        w : Array[float, 3]
        for i in range(3):
            w[i] = r[i] / angle
        cross(w, p, c)
        along = (w[0] * p[0] + w[1] * p[1] + w[2] * p[2]) * (1.0 - cos(angle))
        for i in range(3):
            q[i] = p[i] * cos(angle) + c[i] * sin(angle) + w[i] * along
    else:
        cross(r, p, c)
        for i in range(3):
            q[i] = p[i] + c[i]
    return q[0] + 2.0 * q[1] * q[2]
"""
PROGRAMS: dict[str, tuple[str, list[Any]]] = {
    "loops that test at their end, three deep": (NESTED_DO_WHILE, [3.0, 5.0]),
    "continue and break in a while in a for": (RUNGS, [3.0, 5.0]),
    "a swap of elements in a loop": (SWAPS, [1.3, 0.4]),
    "a rotation, away from zero": (ROTATED, [[0.3, -0.2, 0.5], [1.0, 2.0, 3.0]]),
}


def moved(args: list[Any], n: int, step: float) -> list[Any]:
    """The operands with one of their floats moved."""
    args, at = fresh(args), 0
    for holder in (args, *(a for a in args if isinstance(a, list))):
        for k, v in enumerate(holder):
            if isinstance(v, float):
                holder[k], at = v + step * (at == n), at + 1
    return args


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_gradient(name: str, how: str) -> None:
    """The reverse derivative is that of finite differences."""
    text, args = PROGRAMS[name]
    run = on(how, text + "r = rev_diff(f)\n", F64)
    zero = [[0.0] * len(a) if isinstance(a, list) else 0.0 for a in args]
    given = [x for pair in zip(args, zero, strict=True) for x in pair]
    got = [v for _, v in leaves(run.outputs("r", [*given, 1.0]))]
    wanted = [
        (run.call("f", moved(args, n, 1e-5))[1] - run.call("f", moved(args, n, -1e-5))[1]) / 2e-5
        for n in range(len(got))
    ]
    assert differences(got, wanted, 1e-6) == []


def test_a_rotation_by_nothing_has_a_gradient() -> None:
    """The branch at zero gives what the other one tends to."""
    run = on("llvm", ROTATED + "r = rev_diff(f)\n", F64)
    p = [1.0, 2.0, 3.0]
    zero = [0.0] * 3
    at = run.outputs("r", [zero, zero, p, zero, 1.0])
    near = run.outputs("r", [[1e-7, 0.0, 0.0], zero, p, zero, 1.0])
    assert differences(at, near, 1e-5) == []
