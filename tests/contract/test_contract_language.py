"""The contract, part 1: the language without derivatives (spec section 7, first list; section
6).
"""

from __future__ import annotations

from math import cos, exp, log, sin, sqrt

import pytest
from contract.items import Item, check, every
from subjects import on

from loma.diagnostics import RunError
from loma.ir.types import F32, F64, Scalar

TEXT = """
class Pair:
    n : int
    v : float

class Deep:                       # uses what is defined later
    a : Array[Late, 3]
    b : Late
    n : int

class Late:
    w : float
    k : int

class Lists:
    a : Array[int, 10]
    b : float
    m : Array[Array[float, 2], 3]

class Holder:
    a : Array[float]
    n : int

def declare() -> int:
    x : int = 5
    y : float = x
    z : int = 3.75
    w : int = -3.75
    u : float = 7 / 2
    return x * 1000 + z * 100 + w * 10 + u + y

def chain(x : In[float], y : In[float]) -> float:
    a : float = x + y
    b : float = a - x * y
    c : float = b / y - (a - b) / (x + 1)
    return a + b * c - -c

def builtins(x : In[float], y : In[float]) -> float:
    return sin(x) + cos(x) * sqrt(y) - exp(-x) / log(y) + pow(x, y)

def arguments(x : In[float], n : In[int], xs : In[Array[float]]) -> float:
    x = x + n
    n = n * 2
    return x * n + xs[n - 3]

def mutate() -> float:
    a : float = 5.0
    a = 6.0
    b : float = a
    a = a * b + 1
    return a - b

def read(xs : In[Array[float]], i : In[int]) -> float:
    return xs[i] * xs[i + 1] - xs[i * i]

def write(xs : In[Array[float]], i : In[int], ys : Out[Array[float]]):
    ys[0] = xs[i]
    ys[i] = ys[0] * 2
    ys[i + 1] = 7

def compare(x : In[int], y : In[int], out : Out[Array[int]]):
    out[0] = x < y
    out[1] = x <= y
    out[2] = x > y
    out[3] = x >= y
    out[4] = x == y
    out[5] = x < y and y < 10
    out[6] = x > y or x == 5 or y < x
    out[7] = x + 1 and y - y

def half(x : In[float], y : In[float]) -> float:
    return (x < y) / 2

def branch(x : In[float]) -> float:
    z : float
    if x > 2:
        z = 1.0
    elif x > 1:
        z = 2.0
        if x > 1.5:
            z = z + 10
    else:
        z = 3.0
        if x < 0:
            return -1
    return z

def count(n : In[int]) -> int:
    i : int
    j : int
    s : int
    while (i < n, max_iter := 3):
        j = i
        while j > 0:
            s = s + j
            j = j - 2
        i = i + 1
    return s

def ranges(n : In[int], limit : In[int]) -> int:
    s : int
    for i in range(n):
        if i == 3:
            continue
        for j in range(i, -1, -2):
            s = s + 10 * i + j
            if s > limit:
                return s
        if i == 6:
            break
    return s

def static(i : In[int]) -> int:
    a : Array[int, 10]
    a[4] = 5
    a[i] = a[i] + a[4] + 1
    return a[4] * 100 + a[i] + a[9]

def nested(x : In[float]) -> float:
    a : Array[Array[float, 3], 2]
    i : int
    j : int
    while i < 2:
        j = 0
        while j < 3:
            a[i][j] = a[i][j] + x * i + j
            j = j + 1
        i = i + 1
    return total2(a) + a[1][2] * 100

def total2(a : In[Array[Array[float, 3], 2]]) -> float:
    return a[0][0] + a[0][1] + a[0][2] + a[1][0] + a[1][1] + a[1][2]

def ragged(x : In[Array[Array[float]]], size : In[Array[int]], n : In[int]) -> float:
    s : float = 0
    for i in range(n):
        for j in range(size[i]):
            s = s + x[i][j] * (i + 1)
    return s

def fill(x : Out[Array[Array[int]]], size : In[Array[int]], n : In[int]):
    k : int = 1
    i : int
    while (i < n, max_iter := 10):
        j : int
        while (j < size[i], max_iter := 10):
            x[i][j] = k
            k = k + 1
            j = j + 1
        i = i + 1

def square(x : In[float]) -> float:
    return x * x

def calls(x : In[float], xs : In[Array[float]]) -> float:
    y : float
    if square(x) > 2 and pair(3, x).n == 3:
        y = xs[float2int(square(pair(2, 1.0).n - 1))]
    return square(square(x) + y) - pair(int2float(3), x).v

def pair(n : In[int], x : In[float]) -> Pair:
    p : Pair
    p.n = n
    p.v = x * p.n
    return p

def access(p : In[Pair]) -> float:
    p.v = p.v + 1
    return p.n * p.v

def inner(p : In[Pair]) -> Deep:
    d : Deep
    d.b.k = p.n
    d.a[p.n].w = p.v
    d.a[0] = d.a[p.n]
    d.a[p.n].w = 100
    d.n = d.a[0].w + d.b.k
    return d

def lists(x : In[Lists], n : In[int]) -> Lists:
    y : Lists = x
    y.a[n] = x.a[0] + y.a[1]
    x.a[0] = 77
    y.b = x.m[2][1] + x.a[0]
    y.m[0][1] = y.m[2][1]
    return y

def tables(x : In[Array[Lists]], i : In[int]) -> float:
    return x[i].a[3] * x[1 - i].b + x[i].m[i][1 - i]

def zeroes() -> float:
    d : Deep
    l : Array[Lists, 2]
    f : float
    n : int
    return d.a[0].w + d.a[2].k + d.b.w + d.n + l[0].a[9] + l[1].m[2][1] + l[1].b + f + n

def fresh(n : In[int]) -> int:
    s : int
    i : int
    while i < n:
        k : int
        a : Array[int, 2]
        k = k + 1
        a[1] = a[1] + 1
        s = s + k + a[1]
        i = i + 1
    return s

def holder(h : In[Holder]) -> float:
    s : float
    for i in range(h.n):
        s = s + h.a[i]
    g : Holder = h
    return s + g.a[0]

def scalar_out(x : In[int], y : Out[int]):
    y = x * x + 5

def struct_out(p : Out[Pair]):
    p.n = 5

def array_out(a : In[Array[float]], b : Out[Array[float]], n : In[int]):
    for i in range(n):
        b[i] = 2 * a[i]

def swap(a : InOut[float], b : InOut[float]):
    t : float = a
    a = b
    b = t

def statement(x : In[float]) -> float:
    y : float
    p : Pair
    a : Array[float, 3]
    double(x * 2, y)
    double(y, a[1])
    struct_out(p)
    double(a[1] + p.n, p.v)
    swap(a[2], a[1])
    return p.v + a[2] - a[1]

def double(x : In[float], y : Out[float]):
    y = 2 * x

def overlap(x : In[float]) -> float:
    y : float = x
    twice(y, y)
    return y

def twice(x : In[float], y : Out[float]):
    y = x + 1
    y = y * x

def short(n : In[int], a : In[Array[int]]) -> int:
    if n != 0 and 10 / n > 2:
        return a[n]
    if not (n == 0 or 10 / n > 1):
        return -1
    return 0

def index_itself() -> int:
    idx : Array[int, 6]
    idx[0] = 3
    idx[idx[0]] = 5
    idx[idx[3]] = 2
    idx[0] = idx[idx[0]]
    return idx[0] * 100 + idx[3] * 10 + idx[5]

def maybe(x : In[float], y : Out[float]):
    if x > 0:
        y = x

def numbers(x : In[float]) -> int:
    return float2int(x * 2) + float2int(-0.9) * 100 + -7 / 2 + 2147483647 + 2

def divide(a : In[int], b : In[int]) -> int:
    return a / b

def fast_inputs(a : In[float], b : In[f64], c : In[i64], d : In[bool]) -> f64:
    return a * b + c * 2 + d

@simd
def add(x : In[Array[int]], y : In[Array[int]], z : Out[Array[int]]):
    i : int = thread_id()
    z[i] = x[i] + y[i]

@simd
def helper(x : In[Array[float]], y : Out[Array[float]]):
    a : Array[float, 2]
    i : int = thread_id()
    a[1] = a[0] + square(x[i])
    a[0] = 5
    double(a[1], y[i])

@simd
def total(x : In[Array[int]], s : Out[int], f : Out[float], p : Out[Pair], w : In[float]):
    i : int = thread_id()
    w = w + i
    atomic_add(s, x[i])
    atomic_add(f, w - i)
    atomic_add(p.v, 0.5)

@simd
def maths(x : In[Array[float]], y : Out[Array[float]]):
    a : float = sin(x[thread_id()])
    b : float = sqrt(cos(a) + 1.0)
    y[thread_id()] = log(pow(b, a) + exp(b))
"""

D = {"a": [{"w": 0.0, "k": 0}] * 3, "b": {"w": 0.0, "k": 0}, "n": 0}
L = {"a": list(range(10)), "b": 1.5, "m": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}
M = {"a": [7] * 10, "b": -2.0, "m": [[0.5, 0.25], [0.125, 8.0], [9.0, 10.0]]}
N = 10_000


def maths(x: float) -> float:
    """What the kernel of that name computes."""
    b = sqrt(cos(sin(x)) + 1)
    return log(b ** sin(x) + exp(b))


def chain(x: float, y: float) -> float:
    """What the function of that name computes."""
    a, b = x + y, x + y - x * y
    c = b / y - (a - b) / (x + 1)
    return a + b * c + c


ITEMS = [
    Item("declarations and conversions", "declare", [], [5278]),
    Item("binary operations", "chain", [1.5, 0.25], [chain(1.5, 0.25)]),
    Item(
        "built-ins",
        "builtins",
        [0.5, 3.0],
        [sin(0.5) + cos(0.5) * sqrt(3) - exp(-0.5) / log(3) + 0.5**3],
    ),
    Item("arguments are copies", "arguments", [0.5, 3, [1.0, 2.0, 3.0, 4.0]], [3.5 * 6 + 4]),
    Item("mutation", "mutate", [], [31.0]),
    Item("array read", "read", [[1.0, 2.0, 3.0, 4.0, 5.0], 2], [3 * 4 - 5.0]),
    Item(
        "array write", "write", [[1.5, 2.5, 3.5], 1, [0.0, 0.0, 0.0, 9.0]], [[2.5, 5.0, 7.0, 9.0]]
    ),
    Item("comparisons, less", "compare", [1, 2, [9] * 8], [[1, 1, 0, 0, 0, 1, 0, 0]]),
    Item("comparisons, equal", "compare", [5, 5, [9] * 8], [[0, 1, 0, 1, 1, 0, 1, 0]]),
    Item("comparisons, greater", "compare", [7, 3, [9] * 8], [[0, 0, 1, 1, 0, 0, 1, 0]]),
    Item("a bool in float arithmetic", "half", [1.0, 2.0], [0.5]),
    *(
        Item(f"if and else at {x}", "branch", [x], [z])
        for x, z in ((3.0, 1.0), (1.25, 2.0), (1.75, 12.0), (0.5, 3.0), (-1.0, -1.0))
    ),
    Item("while loops, max_iter a hint", "count", [6], [0 + 1 + 2 + 4 + 6 + 9]),
    Item("a loop that does not run", "count", [0], [0]),
    Item(
        "for, continue, break",
        "ranges",
        [9, 1000],
        [11 + (22 + 20) + (44 + 42 + 40) + (55 + 53 + 51) + (66 + 64 + 62 + 60)],
    ),
    Item("early return from nested loops", "ranges", [9, 400], [338 + 66]),
    Item("local static array", "static", [4], [11 * 100 + 11]),
    Item("local array is zero", "static", [3], [506]),
    Item("local nested array, passed on", "nested", [2.0], [3 + 9 + 400.0]),
    Item("ragged array", "ragged", [[[1.0, 2.0], [], [3.0]], [2, 0, 1], 3], [12.0]),
    Item(
        "nested array output",
        "fill",
        [[[0], [0, 0, 0], [0]], [1, 3, 0], 3],
        [[[1], [2, 3, 4], [0]]],
    ),
    Item(
        "calls in conditions, indices, arguments",
        "calls",
        [1.5, [5.0, 7.0]],
        [(2.25 + 7) ** 2 - 4.5],
    ),
    Item("a member of a result", "calls", [1.0, [5.0, 7.0]], [1 - 3.0]),
    Item("struct access", "access", [{"n": 3, "v": 1.5}], [7.5]),
    Item("struct return", "pair", [4, 0.5], [{"n": 4, "v": 2.0}]),
    Item(
        "struct in struct, arrays of structs",
        "inner",
        [{"n": 2, "v": 3.0}],
        [
            {
                "a": [{"w": 3.0, "k": 0}, {"w": 0.0, "k": 0}, {"w": 100.0, "k": 0}],
                "b": {"w": 0.0, "k": 2},
                "n": 5,
            }
        ],
    ),
    Item(
        "array in struct, copied by value",
        "lists",
        [L, 5],
        [
            {
                "a": [0, 1, 2, 3, 4, 1, 6, 7, 8, 9],
                "b": 83.0,
                "m": [[1.0, 6.0], [3.0, 4.0], [5.0, 6.0]],
            }
        ],
    ),
    Item("structs with arrays in an array", "tables", [[L, M], 1], [7 * 1.5 + 0.125]),
    Item("zero initialisation", "zeroes", [], [0.0]),
    Item("inner declarations start at zero", "fresh", [5], [10]),
    Item("a pointer member is shared", "holder", [{"a": [1.0, 2.0, 3.0], "n": 3}], [7.0]),
    Item("Out scalar", "scalar_out", [3, 99], [14]),
    Item(
        "Out struct keeps what is not written",
        "struct_out",
        [{"n": 1, "v": 2.5}],
        [{"n": 5, "v": 2.5}],
    ),
    Item("Out array", "array_out", [[1.0, 2.0], [0.0, 0.0, 3.0], 2], [[2.0, 4.0, 3.0]]),
    Item("InOut scalars", "swap", [1.0, 2.0], [2.0, 1.0]),
    Item("call statements", "statement", [0.5], [2 * (4 + 5) + 4.0]),
    Item("In and Out the same place", "overlap", [3.0], [12.0]),
    Item("Out not written", "maybe", [-1.0, 4.5], [4.5]),
    Item("and, or are lazy", "short", [0, [1, 2]], [0]),
    Item("lazy and, taken", "short", [1, [1, 2]], [2]),
    Item("self-referential indices", "index_itself", [], [552]),
    Item("integers truncate and wrap", "numbers", [1.75], [3 - 3 - 2147483647]),
    Item("int division", "divide", [-7, 2], [-3]),
    Item("explicit widths", "fast_inputs", [0.5, 3.0, 2**40, True], [1.5 + 2**41 + 1]),
    Item("parallel add", "add", [[1, 2, 3], [10, 20, 30], [0, 0, 5]], [[11, 22, 5]], 2),
    Item("kernels call helpers", "helper", [[1.0, 2.0, 3.0], [0.0] * 3], [[2.0, 8.0, 18.0]], 3),
    Item(
        "atomic sums",
        "total",
        [[1] * N, 5, 1.5, {"n": 7, "v": 1.0}, 2.0],
        [N + 5, 2.0 * N + 1.5, {"n": 7, "v": 0.5 * N + 1}],
        N,
    ),
    Item("no threads", "add", [[1], [2], [9]], [[9]], 0),
    Item("fewer than no threads", "add", [[1], [2], [9]], [[9]], -3),
    Item("built-ins in kernels", "maths", [[0.5, 1.5], [0.0, 0.0]], [[maths(0.5), maths(1.5)]], 2),
]


@every(ITEMS)
def test_language(item: Item, how: str, float_type: Scalar) -> None:
    check(TEXT, item, how, float_type)


@pytest.mark.parametrize("float_type", [F32, F64], ids=lambda t: t.value)
@pytest.mark.parametrize("how", ["llvm", "c"])
@pytest.mark.parametrize("a,b,code", [(1, 0, "DIVISION"), (-(2**31), -1, "OVERFLOW")])
def test_integer_division_raises(how: str, float_type: Scalar, a: int, b: int, code: str) -> None:
    """Where C has undefined behaviour, the host gets an exception with the line."""
    with pytest.raises(RunError) as caught:
        on(how, TEXT, float_type).call("divide", [a, b])
    line = next(k for k, s in enumerate(TEXT.splitlines(), 1) if "return a / b" in s)
    assert (caught.value.code, caught.value.line) == (code, line)
