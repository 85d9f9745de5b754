"""The kernels that every target runs, up to second order: one list.

They are those of the language's tests, of the parallel tests and of the Python door, and one for
each thing that a kernel can hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from devices.programs import LOOP, SHARED, STENCIL, TRAPS
from parallel.judging import ORDERS, Operands
from parallel.test_launches import KERNELS as LAUNCHED
from parallel.test_loops import KERNEL as PARALLEL
from subjects import on

from loma.frontend import load
from loma.ir.types import Scalar

POINTERS: Final = frozenset({"opencl", "slang", "wgsl", "ispc"})
LOCAL: Final = frozenset({"slang", "wgsl", "ispc"})
FUNCTIONS: Final = frozenset({"wgsl", "ispc"})
WIDE: Final = frozenset({"wgsl"})


@dataclass(frozen=True)
class KernelCase:
    """A kernel of a program, and how it is called: floats are drawn, an int has the value that
    `ints` has for its name, else 0. Some targets `lack` what it needs, and refuse it by name."""

    name: str
    text: str
    function: str
    threads: int = 5
    ints: Mapping[str, int] = field(default_factory=dict)
    lack: frozenset[str] = frozenset()

    @property
    def program(self) -> str:
        """The text, with the kernel's derivatives up to second order: `judging.NAMES`."""
        return "\n".join([self.text, ORDERS.format(self.function)])

    def calls(
        self, float_type: Scalar, names: Sequence[str]
    ) -> Iterator[tuple[str, list[Any]]]:
        """Operands for the kernel and its derivatives."""
        oracle = on("oracle", self.program, float_type)
        structs = load(self.program, "test.py", float_type).structs
        for name in names:
            yield name, Operands(structs, self.ints).of(oracle.signature(name))


def kernel(function: str, text: str, lack: frozenset[str] = frozenset(), **ints: int) -> KernelCase:
    """A kernel whose case is called as it is."""
    threads = ints.pop("threads", 5)
    return KernelCase(function, text, function, threads, ints, lack)


def body(name: str, parameters: str, lines: str, lack: frozenset[str] = frozenset(),
         before: str = "", **ints: int) -> KernelCase:
    """A kernel by its parameters and the lines after `i : int = thread_id()`."""
    inner = "".join(f"    {line}\n" for line in lines.strip("\n").split("\n"))
    text = f"{before}\n@simd\ndef {name}({parameters}):\n    i : int = thread_id()\n{inner}"
    return kernel(name, text, lack, **ints)


STRUCTS: Final = """
class Vec:
    x : float
    y : float

class Body:
    at : Vec
    weights : Array[float, 3]
    kind : int

def dot(a : In[Vec], b : In[Vec]) -> float:
    return a.x * b.x + a.y * b.y

def scaled(a : In[Vec], k : In[float]) -> Vec:
    v : Vec
    v.x = a.x * k
    v.y = a.y * k
    return v
"""
METHODS: Final = """
class Vec:
    x : float
    y : float

    def __add__(self, other : In[Vec]) -> Vec:
        return Vec(self.x + other.x, self.y + other.y)

    def __mul__(self, k : In[float]) -> Vec:
        return Vec(self.x * k, self.y * k)

    def norm(self) -> float:
        return sqrt(self.x * self.x + self.y * self.y)
"""
GENERIC: Final = """
T = TypeVar("T")

def twice(f : In[Callable[[float], float]], x : In[float]) -> float:
    return f(f(x))

def larger(a : In[T], b : In[T]) -> T:
    return a if a > b else b

def minmax(a : In[float], b : In[float]) -> tuple[float, float]:
    if a < b:
        return a, b
    return b, a
"""
HELPERS: Final = """
def helper(x : In[float], i : In[int], y : Out[float]):
    if i > 2:
        y = x * x
    else:
        y = y + x

def square(x : In[float]) -> float:
    return x * x

def double(x : In[float], y : Out[float]):
    y = 2.0 * x
"""
XY: Final = "x : In[Array[float]], y : Out[Array[float]]"

KERNELS: Final = (
    # What the golden texts, the launches and the loops of other tests hold.
    kernel("line", SHARED),
    kernel("smooth", STENCIL, n=5),
    kernel("drop", LOOP, steps=7),
    kernel("divide", TRAPS, a=7, b=2),
    kernel("histogram", TRAPS, x=3),
    kernel("total", TRAPS),
    kernel("scratch", TRAPS, LOCAL, n=4),
    kernel("push_all", LAUNCHED),
    kernel("energy", LAUNCHED),
    kernel("f", PARALLEL, n=4),
    # The contract.
    body("copy", "x : In[float], z : Out[Array[float]]", "z[i] = x"),
    body("add", "x : In[Array[float]], y : In[Array[float]], z : Out[Array[float]]",
         "z[i] = x[i] + 2 * y[i]"),
    body("reduce", "x : In[Array[float]], z : Out[float]", "atomic_add(z, x[i] * x[i])"),
    body("gather", "x : In[Array[float]], k : In[Array[int]], z : Out[Array[float]], w : In[float]",
         """
t : Array[float, 2]
double(x[k[i]] * w, t[1])
t[0] = t[1] * t[0]
z[i] = t[1] + t[0]
z[i] = z[i] * x[0]
""", before=HELPERS, k=2),
    body("sums", "x : In[Array[float]], s : Out[float], w : In[float]",
         "atomic_add(s, x[i] * w)"),
    body("whole", "x : In[Array[int]], y : In[Array[int]], z : Out[Array[int]]",
         "z[i] = x[i] + y[i]", x=3, y=4),
    body("local", XY, """
a : Array[float, 2]
a[1] = a[0] + square(x[i])
a[0] = 5
double(a[1], y[i])
""", before=HELPERS),
    body("mixed", "x : In[Array[int]], s : Out[int], f : Out[float], p : Out[Vec], w : In[float]",
         """
w = w + i
atomic_add(s, x[i])
atomic_add(f, w * w - i)
atomic_add(p.y, 0.5 * w)
""", before=STRUCTS, x=3),
    body("maths", XY, """
a : float = sin(x[i])
b : float = sqrt(cos(a) + 1.0)
y[i] = log(pow(b, a) + exp(b))
"""),
    # Memory: what is read and written, shared, copied.
    body("renewed", "x : InOut[Array[float]], w : In[float]", """
x[i] = x[i] * x[i] * w
x[i] = sin(x[i]) * x[i]
"""),
    body("neighbours", "x : In[Array[float]], w : In[float], s : Out[float]",
         "atomic_add(s, sin(x[i] * w) * x[i / 3])"),
    body("halo", XY, "y[i] = x[i] * x[i + 1] + 3.0 * x[i]"),
    body("scattered", XY + ", at : In[Array[int]]", "atomic_add(y[at[i]], exp(x[i]))", at=1),
    body("coefficients", "c : In[Array[float]], " + XY, """
s : float = 0.0
for k in range(4):
    s = s * x[i] + c[k]
y[i] = s
"""),
    body("bodies", "n : In[int], " + XY, """
s : float = 0.0
for j in range(n):
    if j != i:
        s = s + 1.0 / (1.0 + (x[i] - x[j]) * (x[i] - x[j]))
y[i] = s
""", n=5),
    body("counted", "x : In[Array[float]], s : InOut[float], n : InOut[int]", """
if x[i] > 0.8:
    atomic_add(s, x[i] * x[i])
    atomic_add(n, 1)
""", n=2),
    body("grid", 'a : In[Array[float, "h", "w"]], b : Out[Array[float, "h", "w"]]', """
r = i // w
c = i % w
b[r, c] = a[r, c] * a[0, c] + a[r, 0]
""", h=2, w=3, threads=6),
    body("columns", "p : In[Array[Array[float, 3]]], y : Out[Array[float]]",
         "y[i] = p[i][0] * p[i][1] + exp(p[i][2])"),
    body("ragged", "a : In[Array[Array[float]]], n : In[int], y : Out[Array[float]]", """
s : float = 0.0
for j in range(n):
    s = s + a[i][j] * a[i][j]
y[i] = s
""", POINTERS, n=4),
    # Structs, methods, generic functions, closures, tuples, reductions.
    body("structs", "v : In[Array[Body]], by : In[Vec], w : Out[Array[Body]]", """
b : Body = v[i]
b.at = scaled(b.at, dot(b.at, by))
b.weights[1] = b.weights[0] * b.at.x
w[i] = b
w[i].weights[2] = w[i].weights[1] * by.y
w[i].kind = b.kind + i
""", before=STRUCTS, kind=2),
    body("methods", "v : In[Array[Vec]], k : In[float], y : Out[Array[float]]",
         "y[i] = (v[i] * k + v[0]).norm()", before=METHODS),
    body("generic", "x : In[Array[float]], k : In[float], y : Out[Array[float]]", """
low, high = minmax(x[i], k)
y[i] = twice(lambda t: k * sin(t), x[i]) * low + larger(high, 1.0) * larger(i, 3)
""", before=GENERIC),
    body("reduced", "n : In[int], " + XY,
         "y[i] = sum(x[j] * x[i] for j in range(n)) + max(x[j] * x[i] for j in range(3))", n=4),
    body("helped", XY + ", s : Out[float]", """
t : float
helper(x[i], i, t)
y[i] = t + y[i]
atomic_add(s, t)
""", before=HELPERS),
    # Control: loops, exits, branches.
    body("early", XY, """
if x[i] > 1.2:
    y[i] = x[i]
    return
s : float = 1.0
for k in range(40):
    if k == 3:
        continue
    s = s * (1.0 + 0.01 * x[i])
    if s > 1.2:
        break
y[i] = s
"""),
    body("nested", "n : In[int], " + XY, """
s : float = x[i]
j : int = 0
while j < n:
    k : int = 0
    while k < j + i and s < 50.0:
        s = s + 0.1 * s * x[k % 5]
        k = k + 1
    j = j + 1
y[i] = s
""", n=4),
    body("down", "n : In[int], " + XY, """
s : float = x[i]
for j in range(n - 1, -1, -1):
    s = s * x[j % 5] + sin(s)
y[i] = s
""", n=40),
    body("branches", XY, """
z : float = 1.5
if x[i] > 0.5:
    z = x[i] * x[i] if i % 2 == 0 else exp(x[i])
    if z > 1.0 or (i > 1 and not x[i] < 0.7):
        z = z * z
elif i == 3:
    z = 2.0 * x[i]
y[i] = z
"""),
    body("written", "n : In[int], " + XY, """
s = 0.0
for k, w in enumerate(WEIGHTS, 1):
    s += w * x[i] * k
match (n + i) % 4:
    case 0 | 3:
        p = q = s
    case _ if s > 1.0:
        p = s
        q = [s, s * s][i % 2]
    case _:
        p = q = s * s
v = [p, q, WEIGHTS[i % 3]]
y[i] = sum(u * u for u in v) * v[-1] + max(v) * sum(a * b for a, b in zip(v, WEIGHTS))
for u in reversed(v):
    if u in (0.0, 3.0) or i > 2 and u > 0.4:
        break
else:
    y[i] = y[i] * 2.0
""", n=2, before="WEIGHTS = [0.25, 0.5, 0.125]\n"),
    body("empty", "x : In[float]", "t : float = x"),
    # Numbers.
    body("integers", "a : In[Array[int]], b : In[Array[int]], y : Out[Array[int]], "
         "z : Out[Array[float]]", """
y[i] = (a[i] - 3 * i) // b[i] + (a[i] - 3 * i) % b[i] - (a[i] - 4 * i) / b[i] + (a[i] << 2)
y[i] = (y[i] ^ 5) + (y[i] & 3) - (y[i] | 8) + (y[i] >> 1) + ~i
z[i] = int2float(y[i]) + float2int(1.7 * i)
""", a=7, b=3),
    body("bools", "on : In[Array[bool]], " + XY, """
b : bool = on[i] or i == 2
if b and not (i == 3):
    y[i] = x[i] * x[i]
else:
    y[i] = -x[i]
""", on=0),
    body("long", "x : In[Array[f64]], n : In[Array[i64]], y : Out[Array[f64]], m : Out[Array[i64]]",
         """
y[i] = sin(x[i]) * n[i]
m[i] = n[i] * 4000000000 + i
""", WIDE, n=3),
    body("choices", XY + ", z : Out[Array[float]]", """
y[i] = max(x[i], 0.7) * min(x[i], 1.0) + abs(x[i] - 1.0)
z[i] = floor(3.0 * x[i]) + ceil(x[i]) * x[i] + round(2.0 * x[i]) + trunc(x[i])
"""),
    body("roots", XY, "y[i] = 1.0 / sqrt(x[i]) + pow(x[i], 2.5) + x[i] ** 3 + atan2(x[i], 0.5)",
         frozenset({"ispc"})),
    body("angles", XY,
         "y[i] = tan(x[i]) + atan(x[i]) + asin(0.5 * x[i]) * acos(0.3 * x[i]) * cos(x[i])"),
    body("hyperbolic", XY, "y[i] = sinh(x[i]) + cosh(x[i]) * tanh(x[i])", frozenset({"ispc"})),
    body("rare", XY, "y[i] = erf(x[i]) + erfc(x[i]) + expm1(x[i]) + log1p(x[i]) + hypot(x[i], 2.0)",
         FUNCTIONS),
    body("sure", "n : In[int], " + XY, """
assert x[i] > 0.0, "a root"
y[i] = sqrt(x[i]) * (i / n)
""", n=2),
)
