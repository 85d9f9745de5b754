"""Small programs that each exercise some rules; what they compute is the oracle's, which shares no
code with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import Any

from ad import loop_programs, pointer_programs
from properties.inputs import Case, Inputs
from subjects import differences, fresh, on

from loma import driver
from loma.diagnostics import UserError
from loma.frontend import load
from loma.ir.derived import Mode
from loma.ir.interp import run
from loma.ir.prims import TABLE
from loma.ir.prims.record import Prim
from loma.ir.types import F64, Scalar

MODES = {"f": Mode.FORWARD, "r": Mode.REVERSE}


@dataclass(frozen=True)
class Law:
    """Functions with inputs; `orders` are the derivatives to take, as strings of f and r."""

    text: str
    inputs: tuple[tuple[str, list[Any], int], ...]
    orders: tuple[str, ...] = ("f", "r")
    refused: bool = False
    tolerance: float = 1e-8
    slopes: tuple[float, float] = (0.5, 1.5)

    def full_text(self) -> str:
        """The program with its derivatives."""
        names = dict.fromkeys(name for name, _, _ in self.inputs)
        lines = []
        for n in names:
            for o in self.orders:
                of = "_".join(filter(None, (n, o[:-1])))
                lines.append(f"{n}_{o} = {'fwd' if o[-1] == 'f' else 'rev'}_diff({of})\n")
        return self.text + "".join(lines)


@cache
def judged(law: Law) -> tuple[tuple[Case, list[Any], Any], ...]:
    """Every call of a law with what the oracle says."""
    text = law.full_text()
    module = load(text, "law.py", F64)
    oracle = on("oracle", text, F64)
    draw = Inputs(module, Random(5))
    draw.slope = lambda t: draw.rng.uniform(*law.slopes)  # type: ignore[method-assign]
    found = []
    for name, args, threads in law.inputs:
        for order in law.orders:
            case = Case(name, oracle.signature(name), fresh(args), threads)
            for m in order:
                case = draw.derived(case, MODES[m], f"{name}_{order}")
            case.function = f"{name}_{order}"
            after, result = oracle.call(case.function, case.data, threads)
            found.append((case, after, result))
    return tuple(found)


def broken(law: Law, fast: bool) -> str:
    """What the compiler gets wrong on a law; empty if nothing."""
    try:
        module = driver.core_module(law.full_text(), "law.py", F64, fast=fast)
    except UserError as e:
        return "" if law.refused else f"refused: {e}"
    except Exception as e:
        return f"{type(e).__name__} while compiling"
    if law.refused:
        return "not refused"
    for case, after, result in judged(law):
        data = [
            [x] if isinstance(a.type, Scalar) and a.direction.value != "In" else fresh(x)
            for x, a in zip(case.data, case.signature.arguments, strict=True)
        ]
        boxed = [
            isinstance(a.type, Scalar) and a.direction.value != "In"
            for a in case.signature.arguments
        ]
        try:
            got = run(module, case.function, [*data, case.threads] if case.signature.simd else data)
        except Exception as e:
            return f"{case.function}: {type(e).__name__}"
        plain = [x[0] if b else x for x, b in zip(data, boxed, strict=True)]
        wrong = differences([plain, got], [after, result], law.tolerance)
        if wrong:
            return f"{case.function}{wrong[0]}"
    return ""


def law(
    text: str,
    *inputs: tuple[str, list[Any]],
    threads: int = 0,
    orders: str = "f r",
    refused: bool = False,
    tolerance: float = 1e-8,
    slopes: tuple[float, float] = (0.5, 1.5),
) -> Law:
    """A law from its text and calls."""
    return Hashed(
        text,
        tuple((n, a, threads) for n, a in inputs),
        tuple(orders.split()),
        refused,
        tolerance,
        slopes,
    )


def own_law(prim: Prim, points: list[list[float]], weight: str = "", orders: str = "f r") -> Law:
    """A function of the surface, by itself or multiplied by 0, at some points."""
    names = [f"x{k}" for k in range(prim.arity)]
    formals = ", ".join(f"{n} : In[float]" for n in names)
    text = (
        f"def f({formals}, w : In[float]) -> float:\n"
        f"    return {prim.name}({', '.join(names)}){weight}\n"
    )
    return law(text, *(("f", [*p, 0.0]) for p in points), orders=orders)


def own_laws() -> dict[str, Law]:
    """A law for every differentiable function of the surface, and for every singular one at its
    poles.
    """
    found = {}
    for prim in TABLE.values():
        if prim.partials is None or not prim.surface:
            continue
        draw = Random(prim.name)
        inside = [[draw.uniform(*prim.domain) for _ in range(prim.arity)] for _ in range(8)]
        found[f"{prim.name} itself"] = own_law(prim, inside)
        if prim.singular:
            poles = [list(p) for p in product((0.0, 1.0, -1.0, 1e-310, 1e4), repeat=prim.arity)]
            found[f"{prim.name} at its poles"] = own_law(prim, poles, " * w", "r")
    return found


class Hashed(Law):
    """A law compared by identity, so that what the oracle says is kept."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


SHARED = {**loop_programs.PROGRAMS, **pointer_programs.PROGRAMS}
"""Programs of arrays that structs share, and of loops whose conditions call functions."""

LAWS: dict[str, Law] = {
    "primitives": law(
        """
def binary(x : In[float], y : In[float]) -> float:
    return (x + y * y) * (x - 2.0 * y) / (x * x + y) - exp(-x)
def unary(x : In[float]) -> float:
    return sin(x) + cos(3.0 * x) * sqrt(x) + exp(x) * log(x)
def power(x : In[float], y : In[float]) -> float:
    return pow(x, y) + pow(x * y, 2.5)
""",
        ("binary", [0.7, 1.3]),
        ("unary", [0.6]),
        ("power", [0.7, 1.3]),
    ),
    "second order": law(
        """
def f(x : In[float], y : In[float]) -> float:
    return sqrt(x * y) + log(x) / y + pow(x, y) * y
""",
        ("f", [0.7, 1.3]),
        orders="f r ff rf fr rr",
    ),
    "singular": law(
        """
def root(x : In[float], w : In[float]) -> float:
    return sqrt(x) * w
def logarithm(x : In[float], w : In[float]) -> float:
    return log(x) * w
def quotient(x : In[float], w : In[float]) -> float:
    y : float = 2.0 / x
    if x > 0:
        w = w + y
    return w
def reciprocal(x : In[float], w : In[float]) -> float:
    return (w / x) * 0.0
def power(x : In[float], w : In[float]) -> float:
    return pow(x, 0.5) * w
def nested(x : In[float], w : In[float]) -> float:
    return sqrt(x) * w * w
nested_r = rev_diff(nested)
def second(x : In[float], w : In[float]) -> float:
    a : float
    b : float
    nested_r(x, a, w, b, 1.0)
    return b * w
""",
        *(
            (f, [0.0, 0.0])
            for f in ("root", "logarithm", "quotient", "reciprocal", "power", "second")
        ),
        orders="r",
    ),
    "what did not run": law(
        """
def chosen(x : In[float], y : In[float], n : In[int]) -> float:
    return sqrt(x) * y if x > 0.0 else y * y
def counted(x : In[float], y : In[float], n : In[int]) -> float:
    s = y
    for i in range(n):
        s += sin(log(x) * y)
    return s
def searched(x : In[float], y : In[float], n : In[int]) -> float:
    s = y
    while s < x * log(x):
        s = s + log(x) * y + 1.0
    return s
def distance(x : In[float], y : In[float], n : In[int]) -> float:
    return hypot(x, n) * y
""",
        *((f, [-0.5, 0.3, 0]) for f in ("chosen", "counted", "searched")),
        ("searched", [1.5, 0.3, 0]),
        ("counted", [0.5, 0.3, 2]),
        ("distance", [0.0, 0.5, 0]),
        orders="r rr",
    ),
    "singular, at rest": law(
        """
def f(x : In[float]) -> float:
    a : float = sqrt(x)
    return a + pow(x, 0.5) + a * a
def g(x : In[float], y : In[float]) -> float:
    return y / x + log(x) + pow(x, y)
""",
        ("f", [0.0]),
        ("g", [0.0, 0.5]),
        orders="f",
        slopes=(0.0, 0.0),
    ),
    "casts": law(
        """
def f(x : In[f64], y : In[f32]) -> f64:
    a : f32 = x * 2.0
    b : f64 = y
    return a * b + f32(x) * a
""",
        ("f", [0.75, 1.25]),
        tolerance=1e-6,
    ),
    "branches": law(
        """
def f(x : In[float], y : In[float]) -> float:
    z : float = x * y
    w : float = z
    a : Array[float, 2]
    if x < y:
        t : float = sin(z)
        w = t * z + x
        z = t * t
        a[1] = t * y
    else:
        w = z * y
        a[0] = z * x
    if w > 0.5:
        return w * z * x + a[0] + a[1]
    return w + y * z * a[0]
def g(x : In[Array[float]], y : Out[Array[float]]):
    if x[0] < x[1]:
        u : float = x[0] * x[1]
        y[0] = u * u * x[0]
    else:
        v : float = x[0] - x[1] * x[1]
        y[1] = sin(v) * v
def h(x : In[float], y : In[float]) -> float:
    z : float = y
    if x > 1.0:
        z = y * y
    return z * z * x
""",
        ("f", [0.4, 0.9]),
        ("f", [1.4, 0.9]),
        ("g", [[0.4, 0.9], [0.0, 0.0]]),
        ("g", [[1.4, 0.9], [0.0, 0.0]]),
        ("h", [0.4, 0.9]),
        ("h", [1.4, 0.9]),
    ),
    "printed": law(
        """
def f(x : In[float], y : In[float]) -> float:
    return select(x < y, x * x, sin(y)) * y
""",
        ("f", [0.4, 0.9]),
        ("f", [1.4, 0.9]),
    ),
    "memory": law(
        """
def f(x : In[float], n : In[int], m : In[int], y : Out[float]) -> float:
    a : Array[float, 4]
    a[0] = x
    a[n] = a[0] * x + a[n + 1]
    a[0] = a[n] * a[n] * a[0]
    a[n + 1] = a[0] * a[n]
    a[0] = a[0] + a[n + 1]
    y = a[0] * x
    a[n] = 2.0
    return a[0] * a[m] + a[m + 1]
def g(x : In[Array[float]], n : In[int]) -> float:
    return x[n] * x[0] + x[n] * x[n]
""",
        ("f", [0.7, 1, 1, 0.0]),
        ("f", [0.7, 2, 1, 0.0]),
        ("g", [[0.4, 0.9], 1]),
        ("g", [[0.4, 0.9], 0]),
    ),
    "additions": law(
        """
def f(x : In[Array[float]], n : In[int], y : Out[Array[float]]) -> float:
    s : Array[float, 2]
    for i in range(n):
        s[i / 2] = s[i / 2] + x[i] * x[i]
        atomic_add(y[i / 2], x[i] * x[i] * x[i])
    return s[0] * s[1]
def g(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    y[0] = x[0]
    for i in range(n):
        y[i] = x[i]
        y[i] = y[i] + x[i] * x[i]
        y[i] = y[i] + x[i]
        y[i + 1] = y[i] * x[0]
def h(x : In[Array[float]], n : In[int], y : InOut[Array[float]]) -> float:
    s : float
    for i in range(n):
        atomic_add(y[i / 2], x[i] * x[i])
        s = s + y[i / 2] * y[i / 2]
    return s
""",
        ("f", [[0.4, 0.9, 1.1, 0.3], 4, [0.0] * 4]),
        ("g", [[0.4, 0.9, 1.1, 0.3], 3, [0.0] * 4]),
        ("h", [[0.4, 0.9, 1.1, 0.3], 4, [0.5] * 4]),
    ),
    "locals in loops": law(
        """
def f(x : In[float], n : In[int], k : In[int]) -> float:
    s : float
    for i in range(n):
        a : Array[float, 3]
        if i < 2:
            a[k] = x * x + s
        a[0] = a[0] + x
        s = s + sin(a[k]) * x + a[0] * a[1]
    return s
""",
        ("f", [0.7, 3, 1]),
        ("f", [0.7, 3, 2]),
    ),
    "tapes": law(
        """
def f(x : In[float], n : In[int]) -> float:
    y : float = x
    z : float = 0.5
    for i in range(n):
        u : float = sin(y) * z
        z = z * x + y
        y = u * u + z * y
    return y * z
def g(x : In[float], y : In[float]) -> float:
    t : Tape
    a : float
    b : float
    push(t, x * x, y)
    push(t, x * y, 3.0 * x)
    pop(t, a, b)
    x = a * a * b
    pop(t, a, b)
    return x * a * b * b
""",
        ("f", [0.7, 4]),
        ("g", [0.7, 1.3]),
        orders="f r rf rr",
    ),
    "nested scratch": law(
        """
def f(x : In[Array[float]], y : Out[Array[Array[float, 3]]]):
    for i in range(2):
        for j in range(3):
            y[i][j] = x[i] * x[j]
            y[i][j] = y[i][j] * x[i + j]
            y[0][0] = y[i][j] * x[j]
""",
        ("f", [[0.4, 0.9, 1.1, 0.3], [[0.0] * 3, [0.0] * 3]]),
    ),
    "out arrays": law(
        """
def twice(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        y[i] = x[i] * x[i]
        y[i + 1] = x[i]
def again(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        y[i / 2] = x[i] * x[i]
def rows(x : In[Array[float]], n : In[int], m : In[int], y : Out[Array[float]]):
    for i in range(n):
        for j in range(n):
            y[i * m + j] = x[i] * x[j] * x[i]
def spread(x : In[Array[float]], n : In[int], m : In[int], y : Out[Array[float]]):
    for i in range(n):
        y[i * m] = x[i] * x[i]
def apart(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        for j in range(0, 4, 2):
            y[i * 2 + j] = x[i] * x[j]
def shifted(x : In[Array[float]], n : In[int], k : In[int], y : Out[Array[float]]):
    for i in range(n):
        y[i + k] = x[i] * x[i]
        k = -i
def back(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    y[0] = x[0]
    for i in range(1, n):
        y[i] = y[i - 1] * x[i] + y[i - 1]
        y[i - 1] = y[i] * y[i - 1] * y[i]
        y[i] = x[i]
def once(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        if x[i] > 0.5:
            y[i] = x[i] * x[i]
        else:
            y[i] = sin(x[i])
def either(x : In[float], n : In[int], y : Out[Array[float]]):
    y[n] = x
    y[0] = x * x
    if x > 0:
        y[n + 1] = sin(x)
def pair(x : In[float], y : Out[Array[float]]):
    y[0] = x
    y[0] = x * x
def guards(x : In[float], y : Out[Array[float]]):
    if x > 0:
        y[0] = x * x * x
    if x < 2:
        y[0] = x * x
def added(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
    for i in range(n):
        y[i] = y[i] + x[i] * x[i]
        y[i] = x[i]
        y[i] = y[i] + sin(x[i])
def look(x : In[Array[float]], n : In[int], y : Out[Array[float]]) -> float:
    s : float
    for i in range(n):
        y[i] = x[i] * x[i]
        s = s + y[i / 2] * x[i]
    return s
""",
        ("twice", [[0.4, 0.9, 1.1], 3, [0.0] * 4]),
        ("again", [[0.4, 0.9, 1.1], 3, [0.0] * 4]),
        ("rows", [[0.4, 0.9, 1.1], 3, 2, [0.0] * 9]),
        ("rows", [[0.4, 0.9, 1.1], 3, 3, [0.0] * 9]),
        ("spread", [[0.4, 0.9, 1.1], 3, 0, [0.0] * 3]),
        ("spread", [[0.4, 0.9, 1.1], 3, 1, [0.0] * 3]),
        ("apart", [[0.4, 0.9, 1.1], 2, [0.0] * 6]),
        ("shifted", [[0.4, 0.9, 1.1], 3, 0, [0.0] * 3]),
        ("back", [[0.4, 0.9, 1.1], 3, [0.0] * 4]),
        ("once", [[0.4, 0.9, 1.1], 3, [0.0] * 4]),
        ("either", [0.7, 0, [0.0] * 3]),
        ("either", [0.7, 1, [0.0] * 3]),
        ("pair", [0.7, [0.0]]),
        ("guards", [0.7, [0.0]]),
        ("guards", [2.7, [0.0]]),
        ("added", [[0.4, 0.9, 1.1], 3, [0.0] * 3]),
        ("look", [[0.4, 0.9, 1.1], 3, [0.0] * 3]),
    ),
    "inout": law(
        """
class S:
    v : float
    a : Array[float, 3]
def scalar(x : InOut[float], y : In[float]):
    x = x * x * y
    x = sin(x) * y
def struct(s : InOut[S], y : In[float]) -> float:
    s.v = s.v * s.a[1] * y
    s.a[1] = s.a[1] * s.a[2] * s.v
    return s.v * s.a[0]
def array(x : InOut[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + x[i] * x[i + 1] * s + x[i]
        x[i + 1] = x[i] * x[i + 1]
        x[0] = x[0] * s
    return s
def until(x : InOut[Array[float]]) -> float:
    s : float
    while x[0] < 3.0:
        x[0] = x[0] * 2.0 + x[1]
        s = s + x[0] * x[0]
    return s
""",
        ("scalar", [0.7, 1.3]),
        ("struct", [{"v": 0.7, "a": [0.4, 0.9, 1.1]}, 1.3]),
        ("array", [[0.4, 0.9, 1.1, 0.6], 3]),
        ("until", [[0.4, 0.2]]),
    ),
    "structs": law(
        """
class S:
    n : int
    v : float
    a : Array[float, 3]
def make(x : In[float], n : In[int]) -> S:
    s : S
    s.v = x
    s.a[n] = s.v * s.v
    s.v = s.a[n] * x
    s.a[2] = s.v
    return s
def out(x : In[float], s : Out[S], n : In[int]):
    s.v = x
    s.v = x * x
    s.a[n] = s.v * x
    s.a[n] = s.a[n] * s.v
    s.a[2] = x * s.v
""",
        ("make", [0.7, 1]),
        ("out", [0.7, {"n": 1, "v": 0.0, "a": [0.0] * 3}, 1]),
    ),
    "refused": law(
        """
def f(x : In[float], y : Out[float]):
    y = y * y * x
""",
        ("f", [0.7, 1.3]),
        orders="r",
        refused=True,
    ),
    "kernels": law(
        """
def put(x : In[float], z : Out[Array[float]], i : In[int]):
    atomic_add(z[i], x * x)
    atomic_add(z[0], x)
@simd
def k(x : In[Array[float]], w : In[float], y : Out[Array[float]], z : Out[Array[float]],
      s : Out[float]):
    i : int = thread_id()
    t : float = x[i] * x[0] * w
    y[i] = sin(t)
    put(t, z, i / 2)
    atomic_add(s, t * w)
    atomic_add(s, w)
""",
        ("k", [[0.4, 0.9, 1.1], 0.7, [0.0] * 3, [0.5] * 3, 0.2]),
        threads=3,
    ),
    "loops": law(
        """
def counted(x : In[float], y : In[float], n : In[int]) -> float:
    s : float = x
    for i in range(2, n + 2):
        s = sin(s) * y + x * i
    return s * y
def down(a : In[Array[float]], n : In[int], w : In[float]) -> float:
    s : float = w
    for i in range(n - 1, -1, -2):
        s = s * a[i] + s * s * i * w
        for j in range(i):
            s = s + a[j] * s
    return s * w
def until(x : In[float], w : In[float]) -> float:
    y : float = x
    z : float
    while y < 4.0:
        z = z * w + y * y
        y = y * x + w
    return z * y
def outer(x : In[float], n : In[int]) -> float:
    u : float = x * x
    s : float = 1.0
    for i in range(n):
        s = s * u
    return s + u
""",
        ("counted", [0.7, 1.3, 3]),
        ("down", [[0.4, 0.9, 1.1, 0.6], 4, 0.7]),
        ("until", [1.2, 0.3]),
        ("outer", [0.7, 3]),
    ),
    "memory versions": law(
        """
def overwrite(a : InOut[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + a[i] * a[i] * s + a[i]
        a[i] = a[i] * 0.5
    return s
def local(x : In[float], n : In[int]) -> float:
    a : Array[float, 4]
    s : float = x
    for i in range(n):
        s = s * a[i / 2] * x + s * s
        a[(i + 1) / 2] = sin(s)
    a[0] = 7.0
    a[1] = 8.0
    return s
def after(x : In[float], n : In[int], m : In[int]) -> float:
    a : Array[float, 4]
    s : float = x
    for i in range(n):
        a[i / 2] = sin(s) * x
        s = s + s * a[m]
    return s
def blank(a : Out[Array[float, 4]], x : In[float], n : In[int]):
    for i in range(4):
        a[i] = x * i
    if n > 0:
        blank(a, x * x, n - 1)
def callee(x : In[float], n : In[int]) -> float:
    a : Array[float, 4]
    s : float = x
    a[1] = x * x
    for i in range(n):
        s = s * sin(s) * a[i] + s
    blank(a, x, n - 1)
    return s * a[1]
""",
        ("overwrite", [[0.4, 0.9, 1.1], 3]),
        ("local", [0.7, 4]),
        ("after", [0.7, 4, 0]),
        ("callee", [0.7, 3]),
    ),
    "elements": law(
        """
def filled(x : In[float], a : Out[Array[float, 6]]):
    for i in range(6):
        a[i] = x * (i + 1) + 0.125 * i
def last(a : In[Array[float, 6]]) -> float:
    s : float
    for i in range(6):
        s = s + a[i] * (i + 1)
    return s
def lagged(x : In[float], n : In[int]) -> float:
    a : Array[float, 6]
    filled(x, a)
    p : int = n - 1
    for i in range(1, n):
        a[p] = a[p] * a[i - 1]
        p = i
    return last(a)
def wave(x : In[float], m : In[int], n : In[int]) -> float:
    a : Array[float, 6]
    filled(x, a)
    for t in range(m):
        for i in range(n - 1, 0, -1):
            a[i - 1] = a[i] * a[i - 1]
    return last(a)
def until(x : In[float], n : In[int]) -> float:
    a : Array[float, 6]
    filled(x, a)
    for i in range(n - 1, 0, -1):
        for j in range(1, i + 1):
            a[j] = a[j] * a[i] + a[j - 1]
    return last(a)
def squares(x : In[float], n : In[int]) -> float:
    a : Array[float, 6]
    filled(x, a)
    for i in range(n):
        a[i] = a[i] * a[i]
    return last(a)
def rows(x : In[float], n : In[int]) -> float:
    a : Array[float, 6]
    filled(x, a)
    for i in range(n - 1, -1, -1):
        for j in range(n + 1):
            a[i * n + j] = a[i * n + j] * a[i * n + n] + 0.25
    return last(a)
""",
        ("lagged", [0.7, 4]),
        ("wave", [0.7, 2, 4]),
        ("until", [0.7, 4]),
        ("squares", [0.7, 4]),
        ("rows", [0.7, 2]),
    ),
    "calls": law(
        """
def power(x : In[float], y : In[float], n : In[int]) -> float:
    if n <= 0:
        return y * x
    a : Array[float, 3]
    for i in range(3):
        a[i] = x * y + i * x
    t : float = power(a[n] * 0.9, y, n - 1)
    return t * x * a[n] + sin(x * y)
def f(x : In[float], y : In[float]) -> float:
    z : float = power(x * y, y, 2)
    return power(z, x, 1) * z * x
def change(a : InOut[Array[float, 3]], x : In[float], n : In[int]):
    if n > 0:
        a[n] = a[n] * a[0] * x
        change(a, x * a[n], n - 1)
        a[0] = a[0] * a[n] + sin(a[n])
def g(x : In[float]) -> float:
    a : Array[float, 3]
    a[0] = x
    a[1] = 0.5 + x
    a[2] = 0.8
    change(a, x, 2)
    a[2] = a[2] * a[1]
    change(a, a[1], 1)
    a[1] = 3.0
    return a[0] * a[2]
def look(a : In[Array[float, 3]], n : In[int]) -> float:
    if n <= 0:
        return a[0] * a[1]
    return look(a, n - 1) * a[n] * a[n]
def h(x : In[float]) -> float:
    a : Array[float, 3]
    a[0] = x
    a[1] = x * x
    s : float = look(a, 1)
    a[1] = s * x
    s = s + look(a, 2)
    a[0] = 9.0
    a[1] = 9.0
    return s
""",
        ("f", [0.7, 1.3]),
        ("g", [0.7]),
        ("h", [0.7]),
    ),
    "recursive arrays": law(
        """
def fill(y : Out[Array[float]], x : In[float], n : In[int]):
    if n > 0:
        y[n] = x * x
        fill(y, x * 1.5, n - 1)
        y[n - 1] = y[n] * x
        y[0] = x
def halve(y : InOut[Array[float]], x : In[float], n : In[int]):
    if n > 0:
        y[n - 1] = y[n - 1] * x + y[n] * y[n]
        halve(y, x * y[n], n - 1)
        y[n] = y[n] * y[n - 1]
""",
        ("fill", [[0.4, 0.9, 1.1, 0.3], 0.7, 3]),
        ("halve", [[0.4, 0.9, 1.1, 0.3], 0.7, 3]),
    ),
    "aliasing": law(
        """
def mix(a : In[Array[float, 3]], b : InOut[Array[float, 3]], n : In[int], r : Out[float]):
    s : float = a[n] * a[0]
    if n > 0:
        b[n] = a[n] * a[0] * s
        t : float
        mix(a, b, n - 1, t)
        s = s + a[n] * t
    r = s * a[n]
def f(x : In[float]) -> float:
    a : Array[float, 3]
    a[0] = x
    a[1] = x * x
    a[2] = sin(x)
    s : float
    mix(a, a, 2, s)
    return s * a[1]
""",
        ("f", [0.7]),
    ),
}
LAWS |= own_laws()
LAWS |= {name: law(text, ("f", operands)) for name, (text, operands) in SHARED.items()}
