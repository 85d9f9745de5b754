"""Programs with every statement and expression that printers know, and calls of their functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Case:
    """A program, and calls: a function with the arguments of the core interpreter."""

    name: str
    source: str
    calls: tuple[tuple[str, tuple[object, ...]], ...]


SCALARS: Final = Case(
    "scalars",
    """
def mixed(x : In[float], n : In[int]) -> float:
    a : float = x * 2.0 - (x - (1.0 - x))
    b : float = -(a + x) / (a * a + 0.1)
    c : float = select(a < b and x > 0.0 or n == 3, sin(a) * cos(b), pow(x, 2.5))
    d : int = n * 3 - (7 - n) * -2
    return c + d + sqrt(exp(log(x)))

def whole(x : In[int], y : In[int]) -> int:
    return x / y - x / (y + 1) * 2

def limits(x : In[float]) -> float:
    return x * 1.0e-7 + 3.4e38 - 3.4e38

def convert(x : In[float]) -> int:
    return float2int(x * 10.0) + i32(x > 0.5)

def wide(x : In[f64], n : In[i64]) -> f64:
    y : f64 = x * 0.1 + f64(n) * 1.0e100
    return y / 1.0e99
""",
    (
        ("mixed", (0.3, 2)),
        ("mixed", (0.9, 3)),
        ("whole", (17, -3)),
        ("limits", (2.5,)),
        ("convert", (0.77,)),
        ("wide", (0.3, 4)),
    ),
)

CONTROL: Final = Case(
    "control",
    """
def chain(x : In[float], n : In[int]) -> float:
    z : float = x
    for i in range(n):
        z = sin(z) + 0.1 * i
        if z > 0.5:
            z = z * z
        elif z > 0.25:
            z = z + 0.3
        else:
            z = -z
    return z

def swaps(n : In[int]) -> int:
    a : int = 1
    b : int = 2
    c : int = 3
    for i in range(n, 0, -2):
        t : int = a
        a = b
        b = c
        c = t + i
    return a * 100 + b * 10 + c

def collatz(n : In[int]) -> int:
    k : int = n
    steps : int = 0
    while k != 1 and steps < 1000:
        if k / 2 * 2 == k:
            k = k / 2
        else:
            k = 3 * k + 1
        steps = steps + 1
    return steps

def early(n : In[int]) -> int:
    s : int = 0
    for i in range(2, n, 3):
        if i == 11:
            continue
        if i > 20:
            break
        for j in range(i):
            if j * j > 50:
                return s + j
            s = s + j
    return s

def fib(n : In[int]) -> int:
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)
""",
    (
        ("chain", (0.3, 7)),
        ("swaps", (9,)),
        ("collatz", (27,)),
        ("early", (40,)),
        ("early", (9,)),
        ("fib", (12,)),
    ),
)

MEMORY: Final = Case(
    "memory",
    """
class Point:
    x : float
    y : float

class Body:
    at : Point
    trail : Array[float, 3]
    kind : int

def rotate(p : In[Point]) -> Point:
    q : Point
    q.x = -p.y
    q.y = p.x
    return q

def twice(p : In[Point]) -> Point:
    return rotate(rotate(p))

def bodies(n : In[int]) -> float:
    all : Array[Body, 4]
    one : Body
    for i in range(n):
        one.at.x = i
        one.trail[i] = one.trail[i] + 2.0
        one.kind = i * i
        all[i] = one
        all[i].at = rotate(all[i].at)
    return all[2].at.y + all[1].trail[0] + all[2].kind

def shift(x : InOut[Array[float]], n : In[int]):
    for i in range(1, n):
        x[i - 1] = x[i] + x[i - 1]

def outs(x : In[float], y : Out[float], z : InOut[float]):
    y = x * x
    z = z + y
    y = y + z

def calls(x : In[float]) -> float:
    y : float
    z : float = 3.0
    outs(x, y, z)
    outs(y, y, z)
    return y * 10.0 + z

def stack(n : In[int]) -> float:
    t : Tape
    local : Array[float, n * 2]
    grown : Array[float, ...]
    for i in range(n):
        local[2 * i] = i
        push(t, i, 0.5 * i)
        grown[i + 3] = local[i] + 1.0
    s : float
    for i in range(n):
        k : int
        x : float
        pop(t, k, x)
        s = s * 0.9 + x + k + grown[k + 2]
    return s
""",
    (
        ("twice", ({"x": 1.5, "y": 2.0},)),
        ("bodies", (3,)),
        ("shift", ([1.0, 2.0, 4.0, 8.0], 4)),
        ("outs", (1.5, [0.0], [0.25])),
        ("calls", (0.5,)),
        ("stack", (6,)),
    ),
)

POINTERS: Final = Case(
    "pointers",
    """
class Row:
    data : Array[float]
    n : int

def swap(rows : InOut[Array[Row]], k : In[int]) -> float:
    for i in range(k):
        t : Row = rows[i]
        rows[i] = rows[i + 1]
        rows[i + 1] = t
        rows[i].data[0] = rows[i].data[0] + rows[i + 1].data[0]
    return 100.0 * rows[0].data[0] + 10.0 * rows[1].data[0] + rows[2].data[0] + rows[2].n
""",
    (("swap", ([{"data": [1.0], "n": 5}, {"data": [2.0], "n": 6}, {"data": [4.0], "n": 7}], 2)),),
)

KERNELS: Final = Case(
    "kernels",
    """
def weigh(x : In[float], total : Out[float]):
    atomic_add(total, x)

@simd
def scale(x : In[Array[float]], y : Out[Array[float]], total : Out[float]):
    i : int = thread_id()
    y[i] = x[i] * x[i]
    weigh(y[i], total)
    if i > 1:
        atomic_add(y[0], 1.0)
""",
    (("scale", ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [10.0], 3)),),
)

DERIVED: Final = Case(
    "derived",
    """
class Pair:
    a : float
    b : float

def g(x : In[float], y : Out[float]):
    if x > 0.0:
        y = x * sin(x)

def f(x : In[Array[float]], n : In[int], p : In[Pair]) -> float:
    s : float = p.a
    t : float
    i : int = 0
    while s < 50.0 and i < n:
        g(x[i] + s, t)
        s = s * s + t * p.b
        i = i + 1
    return s

d_f = fwd_diff(f)
r_f = rev_diff(f)

def hess(x : In[float]) -> float:
    return pow(x, 3.0) * x

r_hess = rev_diff(hess)
fr_hess = fwd_diff(r_hess)
""",
    (
        (
            "r_f",
            (
                [0.4, 1.2, 0.3],
                [0.0, 0.0, 0.0],
                3,
                [0],
                {"a": 0.7, "b": 1.1},
                {"a": 0.0, "b": 0.0},
                1.0,
            ),
        ),
        ("r_hess", (1.3, [0.5], 2.0)),
        (
            "fr_hess",
            ({"val": 1.3, "dval": 1.0}, {"val": 0.0, "dval": 0.0}, {"val": 1.0, "dval": 0.0}),
        ),
    ),
)

CONSTRUCTS: Final = Case(
    "constructs",
    """
N = 3

class V:
    x : float
    at : Array[float, N]
    k : int = N * 2

def bits(a : In[int], b : In[int]) -> int:
    return (a & b | a ^ ~b) + (a << b % 3) - (-a >> 1) * (a & 3 == b)

def wide(a : In[i64], b : In[i64]) -> i64:
    return a << b ^ 3000000000 >> b | ~a & 5

def floors(a : In[int], b : In[int]) -> int:
    a //= b
    a **= 2
    return a % b + -a // 7

def chosen(x : In[float], n : In[int]) -> float:
    if x < n <= 5:
        y = x ** 3
    else:
        y = x % 0.7 if n % 2 == 0 else chosen(x, 4) ** -2
    v = V(y, V().at, k=n) if x > 0 else V()
    v.at[n % N] += y
    return v.x + v.at[1] * v.k + (v.x // 0.1 if x > 0.5 and n > 1 and y > 0.0 else 0)
""",
    (
        ("bits", (13, 5)),
        ("bits", (-13, 7)),
        ("wide", (1 << 40, 3)),
        ("floors", (-17, 5)),
        ("chosen", (0.8, 4)),
        ("chosen", (0.8, 7)),
        ("chosen", (-0.3, 0)),
    ),
)

SHARED: Final = Case(
    "shared",
    """
def dot(x : In[Array[float]], y : In[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + x[i] * y[i]
    return s

def f(a : In[Array[float]], n : In[int]) -> float:
    return sin(dot(a, a, n))

r_f = rev_diff(f)
""",
    (
        ("f", ([0.5, 0.25], 2)),
        ("r_f", ([0.5, 0.25], [0.0, 1.0], 2, [0], 1.0)),
    ),
)

WRITTEN: Final = Case(
    "written",
    """
TABLE = [[0.25, 1.0], [0.5, 2.0]]

def short(x : In[float], n : In[int]) -> float:
    best = worst = float("inf")
    a = [x, x * x, TABLE[1][0]]
    rows = [[x * k for k in range(n)] for _ in range(2)]
    for i, (u, row) in enumerate(zip(a[:2], TABLE)):
        match i + n:
            case 0 | 2 if u > 0.5:
                best = min(best, u * row[i])
            case -1 | 3:
                continue
            case _:
                a[-1] += sum(row) * rows[i][n - 1]
        if i in (1, n):
            break
    else:
        worst = max(v * v for v in a) if n > 5 else 2.0
    return best + a[2] + min(worst, 3.0) + sum(v for v in a if v < 1.0)

r_short = rev_diff(short)
""",
    (("short", (0.75, 2)), ("short", (0.25, 1)), ("r_short", (0.75, [0.0], 2, [0], 1.0))),
)

CASES: Final = (
    SCALARS, CONTROL, MEMORY, KERNELS, POINTERS, CONSTRUCTS, WRITTEN, DERIVED, SHARED)
