"""Small programs with arguments, and what running them leaves behind, bit for bit."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from loma.diagnostics import RunError
from loma.frontend import load
from loma.frontend.lower.program import lower
from loma.ir.interp import Interpreter
from loma.ir.nodes import Function, Module, Op
from loma.ir.traverse import walk
from loma.ir.types import F32, Scalar
from loma.ir.verify import verify

Pass = Callable[[Function, Module], Function]


def core(source: str, float_type: Scalar = F32) -> Module:
    """The core of a program as lowered."""
    module = lower(load(source, float_type=float_type))
    verify(module)
    return module


def apply(p: Pass, module: Module, name: str = "f") -> Module:
    """The module with one function put through a pass, verified."""
    done = replace(module, functions={**module.functions, name: p(module.functions[name], module)})
    verify(done)
    return done


def result(module: Module, name: str, args: list[Any]) -> list[str]:
    """Everything that a call leaves behind as text, nan as nan and the sign of zero kept."""
    return left_by(Interpreter(module), name, args)


def left_by(interpreter: Interpreter, name: str, args: list[Any]) -> list[str]:
    """The same by an interpreter that exists."""
    data = copy.deepcopy(args)
    try:
        value = interpreter.run(name, data)
    except RunError as e:
        return [f"trap {e.code}"]
    return [_text(x) for x in leaves([value, *data])]


def _text(x: object) -> str:
    return "nan" if isinstance(x, float) and math.isnan(x) else repr(x)


def leaves(x: object) -> Iterator[object]:
    """Every scalar in lists and dicts."""
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, list):
        for y in x:
            yield from leaves(y)
    else:
        yield x


def kinds(module: Module, name: str = "f") -> list[str]:
    """The kinds of a function's operations, primitives by their names."""
    return [kind(op) for op in walk(module.functions[name].body)]


def kind(op: Op) -> str:
    """The kind of an operation, or the name of its primitive."""
    prim = getattr(op, "prim", None)
    return type(op).__name__ if prim is None else str(prim.name)


STRUCTS = """
class P:
    x : float
    y : float
    a : Array[float, 4]
    n : int

class Q:
    p : P
    r : Array[P, 2]
"""

HELPERS = """
def helper(x : In[float], i : In[int], y : Out[float]):
    if i > 2:
        y = x * x
    else:
        y = y + x

def both(x : In[float], y : Out[float], z : Out[float]):
    y = x * 2.0
    z = z + y

def down(n : In[int], x : In[float]) -> float:
    if n <= 0:
        return x
    return down(n - 1, x * 0.5) + x
"""

PROGRAMS: dict[str, tuple[str, list[list[Any]]]] = {
    "structs": (
        """
def f(xs : In[Array[float]], n : In[int], out : Out[float]) -> float:
    i : int = 0
    s : float
    p : P
    p.n = 3
    while (i < n, max_iter := 100):
        p.a[i] = xs[i] * 2.0
        helper(xs[i], i, p.x)
        s = s + p.x
        out = out + s
        i = i + 1
    return s + p.a[1] + i
""",
        [[[1.5, -2.0, 0.25, 8.0], 4, [1.0]], [[1.5], 1, [-0.0]], [[], 0, [-0.0]]],
    ),
    "nested structs": (
        """
def f(x : In[float], k : In[int]) -> float:
    q : Q
    q.p.x = x
    q.r[0] = q.p
    q.r[1].x = q.r[0].x + 1.0
    q.r[1].a[k] = x
    q.p.a[2] = q.r[1].a[1]
    if k > 1:
        q.p = q.r[1]
    return q.p.x * q.p.a[2] + q.p.a[k] + q.r[1].x + q.p.n
""",
        [[1.5, 0], [2.5, 1], [-3.0, 3]],
    ),
    "fresh locals in a loop": (
        """
def f(xs : In[Array[float]], n : In[int]) -> float:
    total : float
    for i in range(n):
        t : float
        a : Array[float, 3]
        if i > 1:
            t = t + xs[i]
            a[1] = t
        total = total + a[1] + t
    return total
""",
        [[[1.0, 2.0, 3.0, 4.0], 4], [[], 0]],
    ),
    "one place twice": (
        """
def f(x : In[float]) -> float:
    a : float = x
    b : float = 1.0
    helper(a, 3, a)
    helper(a, 1, a)
    both(b, a, b)
    return a * 10.0 + b
""",
        [[1.5], [-0.0]],
    ),
    "out read back": (
        """
def f(x : In[float], y : Out[float], z : Out[Array[float]]):
    y = x
    z[0] = y * 2.0
    y = z[0] + y
    z[1] = z[0]
    if z[1] > 3.0:
        y = y + z[1]
""",
        [[1.0, [0.5], [0.0, 0.0]], [2.0, [0.5], [7.0, 0.0]]],
    ),
    "recursion": (
        """
def f(n : In[int], x : In[float]) -> float:
    return down(n, x) + down(2, x)
""",
        [[3, 1.5], [0, 2.0]],
    ),
    "exits": (
        """
def f(xs : In[Array[float]], n : In[int]) -> float:
    s : float
    i : int
    while i < n:
        if xs[i] < 0.0:
            return s
        if xs[i] > 10.0:
            break
        j : int
        while j < i:
            j = j + 1
            if j == 2:
                continue
            s = s + xs[j]
        i = i + 1
    return s + i
""",
        [[[1.0, 2.0, 3.0, 4.0], 4], [[1.0, 2.0, -3.0, 4.0], 4], [[1.0, 20.0], 2]],
    ),
    "division": (
        """
def f(a : In[int], b : In[int]) -> int:
    c : int = 0
    if b > 0:
        c = a / b
    d : int = a / (b + 1)
    return c + d + a / (b + 1)
""",
        [[7, 2], [7, -1], [-7, 3], [-(2**31), -2]],
    ),
    "kernel": (
        """
@simd
def f(xs : In[Array[float]], ys : Out[Array[float]], s : Out[float]):
    i : int = thread_id()
    t : float
    helper(xs[i], i, t)
    ys[i] = t + ys[i]
    atomic_add(s, t)
""",
        [[[1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0], [0.5], 4], [[], [], [0.5], 0]],
    ),
    "stores before loads": (
        """
def f(xs : In[Array[float]], ys : Out[Array[float]], i : In[int]) -> float:
    ys[i] = xs[0]
    a : float = xs[0]
    ys[0] = a + 1.0
    b : float = ys[i]
    ys[1] = b
    return a + b + ys[0] + xs[0] + ys[i]
""",
        [[[1.0, 2.0], [3.0, 4.0, 5.0], 0], [[1.0, 2.0], [3.0, 4.0, 5.0], 2]],
    ),
}


def source(name: str) -> str:
    """The text of a program."""
    return STRUCTS + HELPERS + PROGRAMS[name][0]
