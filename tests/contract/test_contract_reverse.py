"""The contract, part 3: reverse derivatives without loops (spec section 7, third list; sections 3,
6).
"""

from __future__ import annotations

from math import cos, exp, log, sin, sqrt

import pytest
from contract.items import Item, check, every

from loma import compile
from loma.frontend.errors import UnhandledDifferentiation
from loma.ir.types import Scalar

TEXT = """
class Point:
    x : int
    y : float

class Box:
    p : Point
    q : Array[Point, 2]
    r : Array[float, 3]

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
def square(x : In[float]) -> float:
    return x * x
def chain(x : In[float]) -> float:
    a : float = x * x
    b : float = a + x
    c : float
    return a * b + c
def assign1(x : In[float], y : In[float]) -> float:
    z : float
    z = 2.5 * x - 3.0 * y
    return z
def assign2(x : In[float], y : In[float]) -> float:
    z : float = x
    z = 2.5 * z * y
    z = z * z
    return z
def assign3(x : In[float], y : In[float]) -> float:
    a : float = x * y
    b : float = a * a
    a = b * x
    b = a * y + b
    a = 7.0
    return a * b
def assign4(x : In[float], y : In[float]) -> float:
    x = x * y
    y = x * x
    x = x * y
    return x
def assign5(x : In[float], y : In[float]) -> float:
    z : float = x
    z = z * y + z
    w : float = z
    z = z * z * w
    w = 6.0
    return z + w
def arguments(w : In[float], x : In[float], y : In[float], z : In[float]) -> float:
    w = 5.0
    x = w + x + y + z
    y = 6.0
    z = x * x
    return z
def out(x : In[float], y : Out[float]):
    y = x * x
def outs(x : In[float], y : In[float], u : Out[float], v : Out[int], w : Out[float]) -> float:
    u = x * y
    v = x + y
    w = u * u
    u = u * w
    return u * x
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
def int_in(x : In[float], n : In[int]) -> float:
    return n * x * n / 2 + n / 2 * x
def int_out(x : In[float], n : In[int]) -> int:
    return x * x + n
def int_assign(x : In[float], n : In[int]) -> float:
    k : int = n
    w : float = k * x
    k = 6
    n = n + k
    return w * k * x + n - 1
def array_out(x : In[float], y : Out[Array[float]]):
    y[0] = x * x
    y[1] = 2 * x * y[0]
    y[2] = 5.0
def array_in(x : In[Array[float]]) -> float:
    return x[0] * x[1] + x[2] * x[0]
def int_array(x : In[Array[float]], i : In[Array[int]]) -> float:
    return x[i[0]] * x[i[1]] * i[1]
def index_in(x : In[Array[float]], f : In[float], n : In[int]) -> float:
    return x[n] * x[float2int(f)] * x[n * 2 - 1] * f
def index_out(x : In[float], n : In[int], y : Out[Array[float]]):
    y[n] = x
    y[n - 1] = y[n] * x
    y[float2int(x)] = x * x * x
    n = 1
def ragged(x : In[Array[Array[float]]]) -> float:
    s : float = 0
    s = s + x[0][0] * x[0][0]
    s = s + x[0][1] * x[1][0]
    return s * x[2][1]
def struct_in(p : In[Point]) -> float:
    return p.x * p.y * p.y
def struct_out(x : In[float], n : In[int]) -> Point:
    p : Point
    p.x = n + 1
    p.y = x * x * p.x
    return p
def struct_declare(p : In[Point]) -> float:
    q : Point = p
    r : Point
    q.y = q.y * q.y
    p.y = 9.0
    return q.y * p.y + r.y
def struct_assign(p : In[Point], o : Out[Point]):
    q : Point
    q = p
    q.y = q.y * 3
    o = q
    o.y = o.y * p.y
def boxes(b : In[Array[Box]], i : In[int], o : Out[Array[Point]]) -> float:
    o[i] = b[i].q[1]
    o[i].y = o[i].y * b[0].r[i]
    return o[i].y * b[1].p.y
def whole(x : In[float], b : In[Box]) -> Box:
    b.p.y = x
    b.q[1] = b.p
    b.q[0].y = b.q[1].y * x
    b.r[1] = b.q[0].y * b.r[0]
    return b
def many(x : In[Array[float]], y : In[float], n : In[int]) -> float:
    a : float = sin(x[n]) * y
    b : float = a / x[n + 1]
    return a * b - exp(b * y)
def renew(x : InOut[float], y : In[float]) -> float:
    x = x * y
    x = x * x
    return x + y
def local(x : In[float]) -> float:
    a : Array[float, 4]
    t : Array[Array[float, 2], 2]
    a[0] = x
    a[float2int(x)] = a[0] * x
    a[0] = a[1] * a[0]
    t[1][0] = a[0] * a[1]
    t[0][0] = t[1][0]
    t[1][0] = 3.0
    return t[0][0] * t[1][0]
def twice(x : In[float], i : In[int], y : Out[Array[float]]):
    y[i] = x * x
    y[i] = x
    y[i + 1] = y[i] * y[i]
def maybe(x : In[float], y : Out[float]):
    if x > 0:
        y = x * x
def calls_maybe(x : In[float]) -> float:
    y : float = 3 * x
    maybe(x - 1, y)
    return y
def index_itself(x : In[Array[float]]) -> float:
    k : Array[int, 4]
    k[0] = 3
    k[k[0]] = 2
    k[k[k[0]]] = 1
    a : float = x[k[3]] * x[k[2]]
    k[k[0]] = 0
    k[0] = 0
    return a * x[k[3]]
"""
NAMES = [line.split("(")[0][4:] for line in TEXT.splitlines() if line.startswith("def ")]
TEXT += "".join(f"r_{n} = rev_diff({n})\n" for n in NAMES)


def point(x: int, y: float) -> dict[str, object]:
    """A point."""
    return {"x": x, "y": y}


Z = point(-1, 0.0)
BOX = {"p": point(2, 3.0), "q": [point(4, 5.0), point(6, 7.0)], "r": [1.5, 2.0, 3.0]}
ZERO = {"p": Z, "q": [Z, Z], "r": [0.0] * 3}
E = exp(-0.5)

ITEMS = [
    Item("identity, accumulated", "r_identity", [1.5, 10.0, 2.0], [12.0]),
    Item("constant", "r_constant", [1.5, 10.0, 2.0], [10.0]),
    Item("plus", "r_plus", [1.5, 0.0, 2.0, 0.0, 3.0], [3.0, 3.0]),
    Item("subtract", "r_minus", [1.5, 0.0, 2.0, 0.0, 3.0], [-3.0, 3.0]),
    Item("multiply", "r_times", [1.5, 0.0, 2.0, 1.0, 3.0], [12.0, 10.0]),
    Item("divide", "r_over", [1.5, 0.0, 2.0, 0.0, 3.0], [1.5, -1.125]),
    Item("square", "r_square", [1.5, 0.0, 3.0], [9.0]),
    Item("declare", "r_chain", [1.5, 0.0, 2.0], [2 * (4 * 1.5**3 + 3 * 2.25)]),
    Item("assign 1", "r_assign1", [1.5, 0.0, 2.0, 0.0, 2.0], [5.0, -6.0]),
    Item("assign 2", "r_assign2", [1.5, 0.0, 2.0, 0.0, 1.0], [12.5 * 1.5 * 4, 12.5 * 2.25 * 2]),
    Item(
        "assign 3",
        "r_assign3",
        [1.5, 0.0, 2.0, 0.0, 1.0],
        [7 * (3 * 2.25 * 8 + 2 * 1.5 * 4), 7 * (3 * 1.5**3 * 4 + 2 * 2.25 * 2)],
    ),
    Item(
        "assign 4, arguments", "r_assign4", [1.5, 0.0, 2.0, 0.0, 1.0], [3 * 9.0 * 2, 3 * 9.0 * 1.5]
    ),
    Item(
        "assign 5, self-referential",
        "r_assign5",
        [1.5, 0.0, 2.0, 0.0, 1.0],
        [3 * 4.5**2 * 3, 3 * 4.5**2 * 1.5],
    ),
    Item(
        "overwritten arguments get nothing",
        "r_arguments",
        [1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 4.0, 0.0, 0.5],
        [0.0, 14.0, 14.0, 14.0],
    ),
    Item("Out argument", "r_out", [1.5, 0.5, 3.0], [9.5]),
    Item(
        "several Out arguments",
        "r_outs",
        [1.5, 0.0, 2.0, 0.0, 1.0, 5, 2.0, 3.0],
        [3 * 9 * 2 + 2 * 6 * 2 + 3 * (27 + 1.5 * 27 * 2), 27 * 1.5 + 12 * 1.5 + 3 * 1.5 * 27 * 1.5],
    ),
    Item("sin", "r_f_sin", [1.5, 0.0, 2.0], [6 * cos(2.25)]),
    Item("cos", "r_f_cos", [1.5, 0.0, 2.0], [-6 * sin(2.25)]),
    Item("sqrt", "r_f_sqrt", [1.5, 0.0, 2.0], [3 * sqrt(1.5)]),
    Item("pow", "r_f_pow", [1.5, 0.0, 2.0, 0.0, 1.0], [4 * 1.5**3, 1.5**4 * log(2.25)]),
    Item("exp", "r_f_exp", [1.5, 0.0, 2.0], [6 * exp(2.25)]),
    Item("log", "r_f_log", [1.5, 0.0, 2.0], [4.0]),
    Item(
        "all built-ins",
        "r_several",
        [1.5, 0.0, 0.5, 0.0, 1.0],
        [
            2 * sin(1.5) * cos(1.5) * E + 1 / (1.5 + sqrt(0.5)) / cos(0.5),
            -(sin(1.5) ** 2) * E
            + 0.5 / sqrt(0.5) / (1.5 + sqrt(0.5)) / cos(0.5)
            + log(1.5 + sqrt(0.5)) * sin(0.5) / cos(0.5) ** 2,
        ],
    ),
    Item("int input", "r_int_in", [1.5, 0.0, 3, -7, 2.0], [11.0, -7]),
    Item("int output", "r_int_out", [1.5, 0.5, 3, -7, 2], [0.5, -7]),
    Item("int variables overwritten after use", "r_int_assign", [1.5, 0.0, 3, -7, 1.0], [54.0, -7]),
    Item("array output", "r_array_out", [1.5, 0.0, [1.0, 2.0, 4.0]], [3.0 + 2 * 6 * 2.25]),
    Item("array input", "r_array_in", [[1.5, 2.0, 3.0], [1.0, 0.0, 0.0], 2.0], [[11.0, 3.0, 3.0]]),
    Item(
        "int array input",
        "r_int_array",
        [[1.5, 2.0, 3.0], [0.0] * 3, [1, 1], [-7, -7], 2.0],
        [[0.0, 8.0, 0.0], [-7, -7]],
    ),
    Item(
        "array input indexing",
        "r_index_in",
        [[1.5, 2.0, 3.0, 4.0], [0.0] * 4, 1.5, 0.0, 2, -7, 2.0],
        [[0.0, 36.0, 24.0, 18.0], 48.0, -7],
    ),
    Item(
        "array output indexing",
        "r_index_out",
        [3.5, 0.0, 2, -7, [0.0, 1.0, 2.0, 3.0]],
        [7 + 2 + 3 * 3 * 12.25, -7],
    ),
    Item(
        "ragged sums",
        "r_ragged",
        [[[1.5, 2.0], [3.0], [4.0, 5.0]], [[0.0] * 2, [0.0], [0.0, 1.0]], 2.0],
        [[[30.0, 30.0], [20.0], [0.0, 1 + 2 * 8.25]]],
    ),
    Item("struct input", "r_struct_in", [point(3, 1.5), point(-7, 1.0), 2.0], [point(-7, 19.0)]),
    Item("struct output and seed", "r_struct_out", [1.5, 0.0, 2, -7, point(9, 2.0)], [18.0, -7]),
    Item("struct declare", "r_struct_declare", [point(3, 1.5), Z, 2.0], [point(-1, 54.0)]),
    Item("struct assign", "r_struct_assign", [point(3, 1.5), Z, point(9, 2.0)], [point(-1, 18.0)]),
    Item(
        "arrays in structs in arrays",
        "r_boxes",
        [[BOX, BOX], [ZERO, ZERO], 1, 0, [Z, point(0, 0.5)], 2.0],
        [
            [
                ZERO | {"r": [0.0, 7 * 6.5, 0.0]},
                {"p": point(-1, 28.0), "q": [Z, point(-1, 13.0)], "r": [0.0] * 3},
            ],
            0,
        ],
    ),
    Item(
        "struct seeds, nested",
        "r_whole",
        [
            1.5,
            0.0,
            BOX,
            ZERO,
            {"p": point(0, 1.0), "q": [point(0, 2.0), point(0, 3.0)], "r": [4.0, 5.0, 6.0]},
        ],
        [1 + 3 + 2 * 3 + 5 * 3 * 1.5, ZERO | {"r": [4 + 5 * 2.25, 0.0, 6.0]}],
    ),
    Item(
        "multivariate",
        "r_many",
        [[0.0, 0.5, 2.0], [0.0] * 3, 1.5, 0.0, 1, 0, 1.0],
        [
            [
                0.0,
                *(lambda a, u: [(a - u) * 1.5 * cos(0.5), -a * a / 4 + u * a / 2])(
                    sin(0.5) * 1.5, 0.75 * exp(sin(0.5) * 1.125)
                ),
            ],
            sin(0.5) * sin(0.5) * 1.5 - exp(sin(0.5) * 1.125) * sin(0.5) * 1.5,
            0,
        ],
    ),
    Item("InOut", "r_renew", [1.5, 2.0, 2.0, 0.0, 1.0], [3 * 2 * 1.5 * 4, 3 * 2 * 2.25 * 2 + 1]),
    Item("local arrays", "r_local", [1.5, 0.0, 1.0], [3 * 5 * 1.5**4]),
    Item("the last write wins", "r_twice", [1.5, 0.0, 1, 0, [7.0, 2.0, 4.0]], [2 + 4 * 3.0, 0]),
    Item("Out written", "r_maybe", [1.5, 0.0, 2.0], [6.0]),
    Item("Out not written", "r_maybe", [-1.5, 0.0, 2.0], [0.0]),
    Item("a callee writes its Out", "r_calls_maybe", [1.5, 0.0, 2.0], [2.0]),
    Item("a callee does not write its Out", "r_calls_maybe", [0.5, 0.0, 2.0], [6.0]),
    Item(
        "indices of the forward run",
        "r_index_itself",
        [[2.0, 3.0, 5.0, 7.0], [0.0] * 4, 1.0],
        [[15.0, 10.0, 6.0, 0.0]],
    ),
]


@every(ITEMS)
def test_reverse(item: Item, how: str, float_type: Scalar) -> None:
    check(TEXT, item, how, float_type)


@every([Item("inputs", i.function, i.args, []) for i in ITEMS[:16]])
def test_what_is_passed_in_is_not_modified(item: Item, how: str, float_type: Scalar) -> None:
    """Adjoint inputs and primal values are as before; only outputs change."""
    from subjects import on

    from loma.ir.nodes import Direction

    subject = on(how, TEXT, float_type)
    after, _ = subject.call(item.function, item.args)
    for x, y, a in zip(item.args, after, subject.signature(item.function).arguments, strict=True):
        assert a.direction is not Direction.IN or x == y


def test_in_array_that_is_written() -> None:
    """It runs forward; its reverse derivative is an error that names the way out."""
    text = "def f(x : In[Array[float]]):\n    x[0] = x[0] * x[1]\n"
    compile(text + "g = fwd_diff(f)\n", target="llvm")
    with pytest.raises(UnhandledDifferentiation) as caught:
        compile(text + "g = rev_diff(f)\n", target="llvm", print_error=False)
    assert "InOut" in caught.value.to_string()
