"""The contract, part 2: forward derivatives (spec section 7, second list)."""

from __future__ import annotations

from math import cos, exp, log, sin, sqrt

from contract.items import Item, check, every
from subjects import on

from loma.ir.types import F64, Scalar

TEXT = """
class Point:
    x : int
    y : float

class Box:
    p : Point
    q : Array[Point, 2]
    r : Array[float, 3]
    n : int

def identity(x : In[float]) -> float:
    return x
def constant(x : In[float]) -> float:
    return 2.0
def plus(x : In[float], y : In[float]) -> float:
    return x + y + 5
def minus(x : In[float], y : In[float]) -> float:
    return -(x - y) - 5
def times(x : In[float], y : In[float]) -> float:
    return x * y * 2
def over(x : In[float], y : In[float]) -> float:
    return x / y
def chain(x : In[float]) -> float:
    a : float = x * x
    b : float = a + x
    c : float
    return a * b + c
def reassign(x : In[float]) -> float:
    a : float = 2 * x
    a = a * a
    x = a + x
    a = 1.0
    return x * a
def effects(x : In[float], y : In[float]) -> float:
    z : float = x
    x = y * y
    y = x * z
    return x * y
def f_sin(x : In[float]) -> float:
    return sin(x * x)
def f_cos(x : In[float]) -> float:
    return cos(x * x)
def f_sqrt(x : In[float]) -> float:
    return sqrt(x * x * x)
def f_pow(x : In[float], y : In[float]) -> float:
    return pow(x * x, y)
def f_exp(x : In[float]) -> float:
    return exp(x * x)
def f_log(x : In[float]) -> float:
    return log(x * x * x)
def several(x : In[float], y : In[float]) -> float:
    return pow(sin(x), 2) * exp(-y) + log(x + sqrt(y)) / cos(y)
def callee(x : In[float], n : In[int]) -> float:
    return x * x * n
def caller(x : In[float]) -> float:
    return callee(sin(x), 3) + callee(callee(x, 1), 2)
def int_in(x : In[float], n : In[int]) -> float:
    return n * x * n / 2 + n / 2 * x
def int_out(x : In[float], n : In[int]) -> int:
    return x * x + n
def casts(x : In[float]) -> float:
    n : int = x
    return x * int2float(float2int(x)) + n
def array_out(x : In[float], y : Out[Array[float]]):
    y[0] = x * x
    y[1] = 2 * x
    y[2] = 5.0
def array_in(x : In[Array[float]]) -> float:
    return x[0] * x[1] + x[2]
def int_array(x : In[Array[float]], i : In[Array[int]]) -> float:
    return x[i[0]] * x[i[1]] * i[1]
def index_in(x : In[Array[float]], f : In[float], n : In[int]) -> float:
    return x[n] * x[float2int(f)] * x[n * 2 - 1] * f
def index_out(x : In[float], n : In[int], y : Out[Array[float]]):
    y[n] = x
    y[n - 1] = y[n] * x
    y[float2int(x)] = x * x * x
def outputs(x : In[float], y : In[float], u : Out[float], v : Out[int], w : Out[float]) -> float:
    u = x * y
    v = x + y
    w = u * u
    u = u + w
    return u * x
def struct_in(p : In[Point]) -> float:
    return p.x * p.y * p.y
def nested_in(b : In[Box]) -> float:
    return b.p.y * b.q[1].y + b.r[b.n] * b.q[0].x
def struct_out(x : In[float], n : In[int]) -> Point:
    p : Point
    p.x = n + 1
    p.y = x * x * p.x
    return p
def struct_declare(p : In[Point]) -> float:
    q : Point = p
    r : Point
    q.y = q.y * q.y
    return q.y * p.y + r.y
def struct_assign(p : In[Point], o : Out[Point]):
    q : Point
    q = p
    q.y = q.y * 3
    o = q
    o.y = o.y * p.y
def nested_out(x : In[float], b : In[Box]) -> Box:
    b.p.y = x
    b.q[1] = b.p
    b.q[0].y = b.q[1].y * x
    b.r[1] = b.q[0].y * b.r[0]
    b.n = 7
    return b
def boxes(b : In[Array[Box]], i : In[int], o : Out[Array[Point]]) -> float:
    o[i] = b[i].q[1]
    o[i].y = o[i].y * b[0].r[i]
    return o[1].y * b[1].p.y
def poly(x : In[float], y : In[float]) -> float:
    return x * x * x + 3 * x * y + y * y
def gradient(x : In[float], y : In[float], gx : Out[float], gy : Out[float]) -> float:
    u : Diff[float] = make__dfloat(x, 1.0)
    v : Diff[float]
    v.val = y
    r : Diff[float] = d_poly(u, v)
    gx = r.dval
    u.dval = 0.0
    v.dval = 1.0
    gy = d_poly(u, v).dval
    return r.val
def branches(x : In[float], y : In[float]) -> float:
    z : float
    if x < y:
        z = x * y
    elif x < 2 * y:
        return x
    else:
        z = y * y
    return z * z
def loops(x : In[float], n : In[int]) -> float:
    z : float = x
    i : int
    while (i < n, max_iter := 5):
        z = sin(z) * x
        i = i + 1
    return z
@simd
def sums(x : In[Array[float]], s : Out[float], w : In[float]):
    i : int = thread_id()
    atomic_add(s, x[i] * w)
"""
NAMES = [line.split("(")[0][4:] for line in TEXT.splitlines() if line.startswith("def ")]
TEXT += "".join(f"d_{n} = fwd_diff({n})\n" for n in NAMES if n != "gradient")


def d(v: float, t: float) -> dict[str, float]:
    """A dual number."""
    return {"val": v, "dval": t}


def point(x: int, y: float, t: float) -> dict[str, object]:
    """A dual point."""
    return {"x": x, "y": d(y, t)}


O = d(0.0, 0.0)  # noqa: E741
BOX = {
    "p": point(2, 3.0, 0.5),
    "q": [point(4, 5.0, 0.25), point(6, 7.0, 2.0)],
    "r": [d(1.5, 1.0), d(2.0, -1.0), d(3.0, 4.0)],
    "n": 2,
}
X, Y = d(1.5, 0.5), d(2.0, 0.25)
S = 0.5 * cos(0.5)


def looped(x: float, t: float, n: int) -> dict[str, float]:
    """The dual of `loops`."""
    z, dz = x, t
    for _ in range(n):
        z, dz = sin(z) * x, cos(z) * dz * x + sin(z) * t
    return d(z, dz)


ITEMS = [
    Item("identity", "d_identity", [X], [X]),
    Item("constant", "d_constant", [X], [d(2.0, 0.0)]),
    Item("plus", "d_plus", [X, Y], [d(8.5, 0.75)]),
    Item("subtract", "d_minus", [X, Y], [d(-4.5, -0.25)]),
    Item("multiply", "d_times", [X, Y], [d(6.0, 2 * (0.5 * 2 + 1.5 * 0.25))]),
    Item("divide", "d_over", [X, Y], [d(0.75, (0.5 * 2 - 1.5 * 0.25) / 4)]),
    Item("declare", "d_chain", [X], [d(2.25 * 3.75, 1.5 * 3.75 + 2.25 * 2)]),
    Item("assign", "d_reassign", [X], [d(10.5, (8 * 1.5 + 1) * 0.5)]),
    Item("side effects", "d_effects", [X, Y], [d(24.0, 0.5 * 16 + 1.5 * 4 * 8 * 0.25)]),
    Item("sin", "d_f_sin", [X], [d(sin(2.25), 1.5 * cos(2.25))]),
    Item("cos", "d_f_cos", [X], [d(cos(2.25), -1.5 * sin(2.25))]),
    Item("sqrt", "d_f_sqrt", [X], [d(1.5**1.5, 0.75 * sqrt(1.5))]),
    Item("pow", "d_f_pow", [X, Y], [d(1.5**4, 4 * 1.5**3 * 0.5 + 1.5**4 * log(2.25) * 0.25)]),
    Item("exp", "d_f_exp", [X], [d(exp(2.25), 1.5 * exp(2.25))]),
    Item("log", "d_f_log", [X], [d(3 * log(1.5), 1.0)]),
    Item(
        "all built-ins",
        "d_several",
        [X, d(0.5, 0.0)],
        [
            d(
                sin(1.5) ** 2 * exp(-0.5) + log(1.5 + sqrt(0.5)) / cos(0.5),
                sin(1.5) * cos(1.5) * exp(-0.5) + 0.5 / (1.5 + sqrt(0.5)) / cos(0.5),
            )
        ],
    ),
    Item(
        "call",
        "d_caller",
        [d(0.5, 1.0)],
        [d(3 * sin(0.5) ** 2 + 2 * 0.5**4, 6 * sin(0.5) * cos(0.5) + 1.0)],
    ),
    Item("callee under its implicit or declared name", "d_callee", [X, 3], [d(6.75, 4.5)]),
    Item("int input, int division inside", "d_int_in", [X, 3], [d(6.75 + 1.5, 0.5 * 5.5)]),
    Item("int output", "d_int_out", [d(1.75, 1.0), 3], [6]),
    Item("float2int has derivative 0", "d_casts", [d(2.75, 1.0)], [d(7.5, 2.0)]),
    Item(
        "array output",
        "d_array_out",
        [X, [O, O, d(1.0, 2.0)]],
        [[d(2.25, 1.5), d(3.0, 1.0), d(5.0, 0.0)]],
    ),
    Item("array input", "d_array_in", [[X, Y, d(3.0, 7.0)]], [d(6.0, 1.375 + 7)]),
    Item("int array input", "d_int_array", [[X, Y, d(3.0, 7.0)], [2, 1]], [d(6.0, 14.75)]),
    Item(
        "array input indexing",
        "d_index_in",
        [[X, Y, d(3.0, 7.0), d(1.0, 1.0)], d(1.5, 1.0), 2],
        [d(3.0 * 2 * 1 * 1.5, 7 * 2 * 1.5 + 3 * 0.25 * 1.5 + 6 * 1.5 + 6.0)],
    ),
    Item(
        "array output indexing",
        "d_index_out",
        [d(3.5, 1.0), 2, [O, O, O, d(9.0, 9.0), O]],
        [[O, d(12.25, 7.0), d(3.5, 1.0), d(42.875, 36.75), O]],
    ),
    Item(
        "multiple outputs",
        "d_outputs",
        [X, Y, O, 0, O],
        [d(12.0, 1.375 * 7), 3, d(9.0, 6 * 1.375), d(18.0, 1.5 * 1.375 * 7 + 12 * 0.5)],
    ),
    Item("struct input", "d_struct_in", [point(3, 1.5, 0.5)], [d(6.75, 4.5)]),
    Item("nested struct input", "d_nested_in", [BOX], [d(21 + 12.0, 0.5 * 7 + 3 * 2 + 4 * 4.0)]),
    Item("struct output", "d_struct_out", [X, 2], [point(3, 6.75, 4.5)]),
    Item("struct declare", "d_struct_declare", [point(3, 1.5, 0.5)], [d(3.375, 3 * 2.25 * 0.5)]),
    Item(
        "struct assign",
        "d_struct_assign",
        [point(3, 1.5, 0.5), point(0, 0.0, 0.0)],
        [point(3, 6.75, 4.5)],
    ),
    Item(
        "nested struct output",
        "d_nested_out",
        [X, BOX],
        [
            {
                "p": point(2, 1.5, 0.5),
                "q": [point(4, 2.25, 1.5), point(2, 1.5, 0.5)],
                "r": [d(1.5, 1.0), d(3.375, 1.5 * 1.5 + 2.25), d(3.0, 4.0)],
                "n": 7,
            }
        ],
    ),
    Item(
        "arrays in structs in arrays",
        "d_boxes",
        [[BOX, BOX], 1, [point(0, 0.0, 0.0)] * 2],
        [[point(0, 0.0, 0.0), point(6, 14.0, 2 * 2 - 7.0)], d(42.0, -9 + 14 * 0.5)],
    ),
    Item(
        "a polynomial that seeds itself",
        "gradient",
        [1.5, 2.0, 0.0, 0.0],
        [3 * 2.25 + 6, 4.5 + 4, 3.375 + 9 + 4],
    ),
    Item("branches, first", "d_branches", [X, Y], [d(9.0, 6 * 1.375)]),
    Item("branches, early return", "d_branches", [d(3.0, 0.5), Y], [d(3.0, 0.5)]),
    Item("branches, last", "d_branches", [d(5.0, 0.5), Y], [d(16.0, 4 * 8 * 0.25)]),
    Item("while loop", "d_loops", [X, 4], [looped(1.5, 0.5, 4)]),
    Item("a loop that does not run", "d_loops", [X, 0], [X]),
    Item(
        "atomic_add adds value and derivative",
        "d_sums",
        [[X, Y, X], d(1.0, 1.0), d(3.0, 2.0)],
        [d(1 + 15.0, 1 + 3 * 1.25 + 2 * 5)],
        3,
    ),
]


@every(ITEMS)
def test_forward(item: Item, how: str, float_type: Scalar) -> None:
    check(TEXT, item, how, float_type)


def test_structs_and_constructor_are_exported() -> None:
    """`_dfloat`, `_dX` and make__dfloat exist once the file requests any derivative."""
    for target in ("llvm", "c"):
        assert on(target, TEXT, F64).call("make__dfloat", [1.5, 2.5])[1] == d(1.5, 2.5)
    assert {"_dfloat", "_dPoint", "_dBox"} <= set(module_structs())


def module_structs() -> list[str]:
    """The structs that a host gets."""
    from loma import compile

    return list(compile(TEXT, target="llvm")[0])
