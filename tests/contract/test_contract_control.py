"""The contract, part 4: derivatives of control flow, calls and kernels, and nesting (spec sections
3, 6, 7).
"""

from __future__ import annotations

from math import cos, sin

import pytest
from contract.items import Item, check, every
from subjects import differences, on

from loma.ir.types import F64, Scalar

TEXT = """
class Pair:
    a : float
    b : Array[float, 2]

def ifelse(x : In[float], y : In[float]) -> float:
    z : float
    if x < y:
        z = x * y
    else:
        z = x - y
    return z * z
def effects(x : In[float], y : In[float], u : Out[float]) -> float:
    z : float = x
    if z > 1:
        z = z * y
        u = z
        x = 0.5
    else:
        u = x
    if z > 2:
        z = z + u * x
    return z
def nested(x : In[float], y : In[float]) -> float:
    z : float = 1.5
    if x > 0:
        if y > 0:
            z = x * y
            if z > 1:
                z = z * z
        else:
            z = 2 * x
    else:
        if y > 0:
            z = y - x
    return z
def flips(x : In[float]) -> float:
    if x > 1:
        x = x * 0.1
    else:
        x = x * 3
    if x > 1:
        x = x * x
    return x
def square(x : In[float]) -> float:
    return x * x
def call(x : In[float]) -> float:
    return square(x) * square(2 * x)
def same(x : In[float], y : In[float]) -> float:
    z : float = x
    z = mul(z, y)
    z = mul(z, y)
    z = mul(z, z)
    return z
def mul(x : In[float], y : In[float]) -> float:
    return x * y
def deep(x : In[float]) -> float:
    return mul(square(sin(x)), square(square(x)))
def put(x : In[float], y : Out[float]):
    y = x * x + x
def put2(x : In[float], y : Out[float]):
    t : float
    put(x, t)
    y = t * t
def through(x : In[float], y : In[float]) -> float:
    h : float = 0.5 * y
    z : float = h * h * x
    put(x, h)
    return 2 * h + z
def twice(x : In[float], y : Out[float]):
    put(x, y)
    put(y, y)
def chained(x : In[float]) -> float:
    y : float
    put2(x, y)
    put2(y * x, y)
    return y
def first(a : In[Array[float]], n : In[int]) -> float:
    return a[0] * a[n]
def pass_in(a : In[Array[float]]) -> float:
    return first(a, 1) * first(a, 2)
def fill(x : In[float], a : Out[Array[float]], n : In[int]):
    i : int
    while (i < n, max_iter := 50):
        a[i] = x * i + x * x
        i = i + 1
def pass_out(x : In[float], a : Out[Array[float]]):
    fill(2 * x, a, 3)
    a[1] = x
def local_out(x : In[float]) -> float:
    a : Array[float, 4]
    p : Pair
    fill(x, a, 4)
    put(a[3], a[0])
    put(a[1], p.b[1])
    return a[0] * a[2] * p.b[1]
def loop(x : In[float], n : In[int]) -> float:
    z : float = x
    i : int
    while (i < n, max_iter := 10):
        z = sin(z)
        i = i + 1
    return z
def two(x : In[float], n : In[int]) -> float:
    z : float = x
    i : int
    while (i < n, max_iter := 5):
        j : int = 0
        while (j < i, max_iter := 5):
            z = z * x + i
            j = j + 1
        z = sin(z)
        i = i + 1
    return z
def three(x : In[float], n : In[int]) -> float:
    z : float = x
    i : int = 0
    j : int = 0
    k : int = 0
    while (i < n, max_iter := 10):
        j = 0
        while (j < n + i, max_iter := 10):
            k = 0
            while (k < j, max_iter := 10):
                z = z + x * x
                k = k + 1
            j = j + 1
        i = i + 1
    return z
def data_bound(a : In[Array[float]], n : In[int]) -> float:
    s : float
    i : int
    while a[i] > 0:
        j : int
        while j < float2int(a[i]) and s < 20:
            s = s + a[i] * a[j]
            j = j + 1
        i = i + 1
    return s + a[i] * n
def early(a : In[Array[float]], n : In[int]) -> float:
    s : float = 1.0
    for i in range(n):
        if a[i] < 0:
            continue
        for j in range(n - 1, -1, -1):
            s = s * a[j] + a[i]
            if s > 30:
                return s * a[i]
            if s < -5:
                break
    return s
def shadow(a : In[float]) -> float:
    s : float
    for i in range(3):
        v : float
        b : Array[float, 2]
        if i > 0:
            v = a * i
            b[1] = v * v
        s = s + v * a + b[1]
    return s
def gain(x : In[float], y : Out[Array[float]], n : In[int]) -> float:
    y[0] = x * x
    atomic_add(y[1], x * x)
    atomic_add(y[0], x)
    y[n] = y[0] * x
    return y[0] * x
def renew(x : InOut[Array[Array[float]]], w : In[float], n : In[int]):
    for i in range(n):
        atomic_add(x[i][0], w * w)
        atomic_add(x[i][i], w)
@simd
def copy(x : In[float], z : Out[Array[float]]):
    i : int = thread_id()
    z[i] = x
@simd
def add(x : In[Array[float]], y : In[Array[float]], z : Out[Array[float]]):
    i : int = thread_id()
    z[i] = x[i] + 2 * y[i]
@simd
def reduce(x : In[Array[float]], z : Out[float]):
    i : int = thread_id()
    atomic_add(z, x[i] * x[i])
@simd
def gather(x : In[Array[float]], k : In[Array[int]], z : Out[Array[float]], w : In[float]):
    i : int = thread_id()
    t : Array[float, 2]
    put(x[k[i]] * w, t[1])
    t[0] = t[1] * t[0]
    z[i] = t[1] + t[0]
    z[i] = z[i] * x[0]
def cubic(x : In[float], y : In[float]) -> float:
    return x * x * x * y + y * y
d_cubic = fwd_diff(cubic)
r_cubic = rev_diff(cubic)
def gradient(x : In[float], y : In[float], gx : Out[float], gy : Out[float]):
    u : Diff[float] = make__dfloat(x, 1.0)
    v : Diff[float] = make__dfloat(y, 0.0)
    gx = d_cubic(u, v).dval
    u.dval = 0.0
    v.dval = 1.0
    gy = d_cubic(u, v).dval
r_gradient = rev_diff(gradient)
def hessian(x : In[float], y : In[float], xx : InOut[float], xy : InOut[float], yy : InOut[float]):
    r_gradient(x, xx, y, xy, 1.0, 0.0)
    r_gradient(x, xy, y, yy, 0.0, 1.0)
rr_cubic = rev_diff(r_cubic)
rf_cubic = rev_diff(d_cubic)
fr_cubic = fwd_diff(r_cubic)
frr_cubic = fwd_diff(rr_cubic)
"""
NAMES = [line.split("(")[0][4:] for line in TEXT.splitlines() if line.startswith("def ")]
TEXT += "".join(
    f"d_{n} = fwd_diff({n})\nr_{n} = rev_diff({n})\n"
    for n in NAMES
    if n not in ("cubic", "gradient", "hessian")
)


def d(v: float, t: float) -> dict[str, float]:
    """A dual number."""
    return {"val": v, "dval": t}


def looped(x: float, n: int) -> float:
    """The derivative of `loop`."""
    t = 1.0
    for _ in range(n):
        x, t = sin(x), cos(x) * t
    return t


def two(x: float, n: int) -> tuple[float, float]:
    """The function `two` and its derivative."""
    z, t = x, 1.0
    for i in range(n):
        for _ in range(i):
            z, t = z * x + i, t * x + z
        z, t = sin(z), cos(z) * t
    return z, t


P = 1.5 * 1.5 + 1.5

ITEMS = [
    Item("ifelse forward", "d_ifelse", [d(1.5, 1.0), d(2.0, 0.0)], [d(9.0, 12.0)]),
    Item("ifelse reverse, then", "r_ifelse", [1.5, 0.0, 2.0, 0.0, 1.0], [12.0, 9.0]),
    Item("ifelse reverse, else", "r_ifelse", [2.5, 0.0, 2.0, 0.0, 1.0], [1.0, -1.0]),
    Item(
        "side effects, both taken",
        "r_effects",
        [1.5, 0.0, 2.0, 0.0, 10.0, 1.0],
        [(10 + 1.5) * 2, (10 + 1.5) * 1.5],
    ),
    Item("side effects, not taken", "r_effects", [0.5, 0.0, 2.0, 0.0, 10.0, 1.0], [11.0, 0.0]),
    *(
        Item(f"nested ifelse at {x}, {y}", "r_nested", [x, 0.0, y, 0.0, 1.0], [gx, gy])
        for x, y, gx, gy in (
            (1.5, 2.0, 12.0, 9.0),
            (0.25, 2.0, 2.0, 0.25),
            (0.5, -1.0, 2.0, 0.0),
            (-1.0, 2.0, -1.0, 1.0),
            (-1.0, -1.0, 0.0, 0.0),
        )
    ),
    *(
        Item(f"the branch overwrites its condition at {x}", "r_flips", [x, 0.0, 1.0], [g])
        for x, g in ((2.0, 0.1), (0.5, 9.0), (0.25, 3.0))
    ),
    Item("call forward", "d_call", [d(1.5, 2.0)], [d(4 * 1.5**4, 32 * 1.5**3)]),
    Item(
        "chained calls forward",
        "d_deep",
        [d(1.5, 1.0)],
        [d(sin(1.5) ** 2 * 1.5**4, 2 * sin(1.5) * cos(1.5) * 1.5**4 + sin(1.5) ** 2 * 4 * 1.5**3)],
    ),
    Item("call statement forward", "d_put2", [d(1.5, 1.0), d(0.0, 0.0)], [d(P * P, 8 * P)]),
    Item("call reverse", "r_call", [1.5, 0.0, 2.0], [32 * 1.5**3]),
    Item(
        "calls in call arguments",
        "r_deep",
        [1.5, 0.0, 1.0],
        [2 * sin(1.5) * cos(1.5) * 1.5**4 + sin(1.5) ** 2 * 4 * 1.5**3],
    ),
    Item(
        "z = foo(z, y) repeatedly",
        "r_same",
        [1.5, 0.0, 2.0, 0.0, 1.0],
        [2 * 1.5 * 16, 4 * 2.25 * 8],
    ),
    Item(
        "array passed through", "r_pass_in", [[1.5, 2.0, 3.0], [0.0] * 3, 1.0], [[18.0, 6.75, 4.5]]
    ),
    Item("Out through a callee", "r_put2", [1.5, 0.0, 2.0], [16 * P]),
    Item("Out over a value in use", "r_through", [1.5, 0.0, 2.0, 0.0, 1.0], [8 + 1.0, 1.5]),
    Item("the same Out twice", "r_twice", [1.5, 0.0, 2.0], [2 * (2 * P + 1) * 4]),
    Item(
        "chained call statements",
        "r_chained",
        [0.5, 0.0, 1.0],
        [
            (lambda q, dq: 2 * (q * q + q) * (2 * q + 1) * dq)(
                0.5 * 0.5625, 0.5625 + 0.5 * 2 * 0.75 * 2
            )
        ],
    ),
    Item(
        "Out array through a callee",
        "r_pass_out",
        [1.5, 0.0, [1.0, 10.0, 100.0]],
        [2 * 6 + 10 + 100 * (2 * 2 + 2 * 6.0)],
    ),
    Item(
        "local array through callees",
        "r_local_out",
        [0.5, 0.0, 1.0],
        [
            (
                lambda a1, a2, a3, b1, b2, b3: (
                    (2 * a3 + 1) * b3 * a2 * (a1 * a1 + a1)
                    + (a3 * a3 + a3) * (b2 * (a1 * a1 + a1) + a2 * (2 * a1 + 1) * b1)
                )
            )(0.75, 1.25, 1.75, 2.0, 3.0, 4.0)
        ],
    ),
    Item("while forward", "d_loop", [d(0.5, 1.0), 4], [d(sin(sin(sin(sin(0.5)))), looped(0.5, 4))]),
    *(
        Item(f"while reverse, {n} trips", "r_loop", [0.5, 0.0, n, 7, 2.0], [2 * looped(0.5, n), 7])
        for n in (0, 1, 10, 100)
    ),
    Item("two-level loops", "r_two", [0.7, 0.0, 6, 0, 1.0], [two(0.7, 6)[1], 0]),
    Item("three-level loops", "r_three", [0.5, 0.0, 4, 0, 1.0], [1 + (6 + 10 + 15 + 21) * 1.0, 0]),
    Item(
        "data-dependent bounds",
        "r_data_bound",
        [[1.5, 2.5, 1.25, -1.0], [0.0] * 4, 3, 0, 1.0],
        [[3.0 + 2.5 + 1.25, 1.5 + 5.0, 1.5, 3.0], 0],
    ),
    Item(
        "declared in a loop: zero each time", "r_shadow", [0.5, 0.0, 1.0], [6 * 0.5 + 2 * 0.5 * 5]
    ),
    Item(
        "additions to an Out element that is not written yet",
        "r_gain",
        [0.5, 0.0, [1.0, 2.0, 4.0], 2, 0, 1.0],
        [3.5 * 2 + 5 * 0.75 + 2 * 2 * 0.5, 0],
    ),
    Item(
        "rows that are only added to",
        "r_renew",
        [[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]], 0.5, 0.0, 2, 0],
        [[[1.0, 2.0], [3.0, 4.0]], (1.0 + 3.0) + 1.0 + 4.0, 0],
    ),
    Item("parallel copy", "r_copy", [1.5, 0.5, [1.0, 2.0, 3.0]], [6.5], 3),
    Item(
        "parallel copy forward", "d_copy", [d(1.5, 2.0), [d(0.0, 0.0)] * 2], [[d(1.5, 2.0)] * 2], 2
    ),
    Item(
        "parallel add",
        "r_add",
        [[1.0, 2.0], [0.5, 0.0], [3.0, 4.0], [0.0, 0.0], [1.0, 2.0]],
        [[1.5, 2.0], [2.0, 4.0]],
        2,
    ),
    Item("parallel reduce", "r_reduce", [[1.0, 2.0, 3.0], [0.0] * 3, 2.0], [[4.0, 8.0, 12.0]], 3),
    Item(
        "helpers in kernels add atomically",
        "r_gather",
        [[1.5, 2.0], [0.0] * 2, [0, 1, 1, 1], [7] * 4, [1.0] * 4, 1.0, 0.0],
        [[4 * 1.5 + P + 3 * 6, 3 * 5 * 1.5], [7] * 4, 4 * 1.5 * 1.5 + 3 * 5 * 2 * 1.5],
        4,
    ),
    Item("many threads add to one adjoint", "r_copy", [1.5, 0.0, [1.0] * 5000], [5000.0], 5000),
    Item(
        "Hessian by reverse over forward, accumulated",
        "hessian",
        [1.5, 2.0, 0.0, 0.0, 0.0],
        [6 * 1.5 * 2, 2 * 3 * 2.25, 2.0],
    ),
    Item("reverse of forward", "r_gradient", [1.5, 0.0, 2.0, 0.0, 1.0, 0.0], [18.0, 6.75]),
    Item(
        "forward of reverse",
        "fr_cubic",
        [d(1.5, 1.0), d(10.0, 20.0), d(2.0, 0.0), d(0.0, 0.0), d(1.0, 0.0)],
        [d(10 + 13.5, 20 + 18.0), d(3.375 + 4, 6.75)],
    ),
    Item(
        "reverse of reverse: its adjoints accumulate and pass on",
        "rr_cubic",
        [1.5, 0.0, 1.0, 2.0, 0.0, 0.0, 0.5, 0.0],
        [18 * 0.5, 6.75 * 0.5, 13.5],
    ),
    Item(
        "reverse of forward, duals",
        "rf_cubic",
        [d(1.5, 1.0), d(0.0, 0.0), d(2.0, 0.0), d(0.0, 0.0), d(0.0, 1.0)],
        [d(18.0, 13.5), d(6.75, 7.375)],
    ),
]


@every(ITEMS)
def test_control(item: Item, how: str, float_type: Scalar) -> None:
    check(TEXT, item, how, float_type)


@pytest.mark.parametrize("how", ["core", "llvm", "c"])
@pytest.mark.parametrize(
    "args",
    [
        [[1.5, -2.0, 0.5, 2.5], 4],
        [[1.1, 0.9, 0.8, -0.2], 4],
        [[5.0, 7.0, 0.1, 0.2], 4],
        [[1.0, 2.0, 3.0, 4.0], 0],
    ],
)
def test_early_exits(args: list[object], how: str) -> None:
    """Break, continue and return inside nested loops: as executed."""
    x, n = args
    assert isinstance(x, list)
    call = [x, [0.5] * 4, n, 0, 2.0]
    wanted = on("oracle", TEXT, F64).outputs("r_early", call)
    assert differences(on(how, TEXT, F64).outputs("r_early", call), wanted) == []


@pytest.mark.parametrize("how", ["core", "llvm", "c"])
def test_third_order(how: str) -> None:
    """Forward over reverse over reverse of x³y + y², against the third derivatives."""
    x, y, w = 1.5, 2.0, 0.5
    args = [
        d(x, 1.0),
        d(0.0, 0.0),
        d(0.0, 0.0),
        d(y, 0.0),
        d(0.0, 0.0),
        d(0.0, 0.0),
        d(w, 0.0),
        d(0.0, 0.0),
    ]
    args[2] = d(1.0, 0.0)
    out = on(how, TEXT, F64).outputs("frr_cubic", args)
    assert differences(out[:2], [d(6 * x * y * w, 6 * y * w), d(3 * x * x * w, 6 * x * w)]) == []
