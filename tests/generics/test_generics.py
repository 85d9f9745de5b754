"""Generic functions and structs, functions as operands, closures: values, derivatives, texts."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable

import pytest
from ad.constructs_functions import FUNCTIONS

from loma import driver
from loma.diagnostics import UserError
from loma.frontend import load
from loma.frontend.check.unused import unused
from loma.frontend.oracle.program import Cell, Oracle
from loma.host.course import compile
from loma.ir.interp import Interpreter
from loma.ir.text import module_text
from loma.ir.types import F64

HEAD = """
T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R", f32, f64)
"""
CASES = {
    "scalar": """
def sq(x : In[R]) -> R:
    return x * x
def f(x : In[float], y : In[float]) -> float:
    return sq(x) * sin(y) + sq[f32](f32(y))
""",
    "array": """
def total(a : In[Array[T]], n : In[int]) -> T:
    s : T
    for i in range(n):
        s = s + a[i] * a[i]
    return s
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3]
    a[0] = x
    a[1] = y * x
    a[2] = y
    return total(a, 3)
""",
    "struct": """
class Pair(Generic[T]):
    a : T
    b : T
    def __mul__(self, other : In[Pair]) -> Pair:
        return Pair(self.a * other.a, self.b * other.b)
    def total(self) -> T:
        return self.a + self.b
class Box(Generic[T, U]):
    left : T
    right : Pair[U]
def both(p : In[Pair[T]]) -> T:
    return p.a * p.b
def swapped(p : In[Box[T, U]]) -> Box[Pair[U], T]:
    q : Box[Pair[U], T]
    q.left = p.right
    q.right.a = p.left
    return q
def f(x : In[float], y : In[float]) -> float:
    p : Pair[float] = Pair(x, y)
    b : Box[float, float]
    b.left = x
    b.right = p * p
    c : Box[Pair[float], float] = swapped(b)
    return both(p) + (p * p).total() * both(c.left) + c.right.a
""",
    "nested": """
def g(x : In[T]) -> T:
    return h(x) * x
def h(x : In[T]) -> T:
    if x > 2:
        return g(x - 1)
    return sin(x)
def f(x : In[float], y : In[float]) -> float:
    return g(x) + g(3.0 * y)
""",
    "dual": """
def value(d : In[Diff[R]]) -> R:
    return d.val * d.dval
def f(x : In[float], y : In[float]) -> float:
    return value(make__dfloat(x * x, y))
""",
    "function": """
def integrate(f : Callable[[T], T], a : In[T], b : In[T], n : In[int]) -> T:
    h : T = (b - a) / n
    s : T
    for i in range(n):
        s = s + f(a + (i + 0.5) * h) * h
    return s
def cube(x : In[float]) -> float:
    return x * x * x
d_cube = fwd_diff(cube)
def slope(x : In[float]) -> float:
    return d_cube(make__dfloat(x, 1.0)).dval
def f(x : In[float], y : In[float]) -> float:
    return integrate(cube, 0.0, x, 5) + integrate(slope, x, y, 4) * integrate(sin, 0.0, y, 3)
""",
    "lambda": """
def apply(f : Callable[[float], float], x : In[float]) -> float:
    return f(x) + f(2.0 * x)
def twice(f : Callable[[float], float], x : In[float]) -> float:
    return apply(f, x) * apply(lambda t: f(t) * x, 1.0)
def f(x : In[float], y : In[float]) -> float:
    k : float = x * y
    a : Array[float, 2]
    a[1] = x
    return twice(lambda t: t * k + a[1] * y, y)
""",
    "inner": """
def apply(f : Callable[[float, Out[float]], None], x : In[float]) -> float:
    y : float
    f(x, y)
    f(y, y)
    return y
def f(x : In[float], y : In[float]) -> float:
    scale : float = x
    def power(t : In[float], n : In[int]) -> float:
        if n == 0:
            return scale
        return t * power(t, n - 1)
    def step(t : In[float], out : Out[float]):
        def more(u : In[float]) -> float:
            return u * scale + power(u, 2)
        out = more(t) - y
    first : float = power(y, 3)
    scale = scale + 1.0
    return first + power(x, 2) + apply(step, x)
""",
    "generic inner": """
def weigh(f : Callable[[T], T], x : In[T]) -> T:
    def half(t : In[T]) -> T:
        return f(t) * x / 2
    def both(g : Callable[[T], T], t : In[T]) -> T:
        return g(t) + g(x)
    return both(half, x) + both(f, x)
def square(x : In[T]) -> T:
    return x * x
def f(x : In[float], y : In[float]) -> float:
    return weigh(square, x) + weigh(square[float], y) + weigh(lambda t: t * y, x)
""",
}
CASES["arrays"] = """
def total(a : In[Array[T, "n", "m"]]) -> T:
    s : T
    for i in range(n):
        for j in range(m):
            s = s + a[i, j]
    return s
def both(x : In[T], y : In[T]) -> tuple[T, T]:
    return x * y, x + y
def apply(f : Callable[[int], float], n : In[int]) -> float:
    return sum(f(i) for i in range(n))
def g(a : In[Array[float, "n", "m"]], x : In[float]) -> float:
    t : Array[float, n, m]
    for i in range(n):
        for j in range(m):
            t[i, j] = a[i, j] * x
    u, v = both(x, 2.0)
    r = t[1]
    def row(i : In[int]) -> float:
        p, q = both(x, t[i, 0])
        own = t[i]
        return p + q * own[1] * r[0]
    return total(t) + u * v + apply(lambda i: t[i, 1] * r[1], n) + apply(row, n)
def f(x : In[float], y : In[float]) -> float:
    b : Array[float, 2, 3]
    b[0, 0] = x
    b[0, 1] = x * y
    b[1, 0] = y
    b[1, 1] = sin(x)
    return g(b, y)
"""
CASES |= {name: text.replace('T = TypeVar("T")\n', "") for name, text in FUNCTIONS.items()}
REQUESTS = """
d_f = fwd_diff(f)
r_f = rev_diff(f)
d_r_f = fwd_diff(r_f)
r_d_f = rev_diff(d_f)
"""
POINT = (0.7, 1.3)


def slopes(f: Callable[..., float]) -> list[float]:
    """Both partial derivatives, by central differences."""
    x, y, e = *POINT, 1e-5
    return [(f(x + e, y) - f(x - e, y)) / (2 * e), (f(x, y + e) - f(x, y - e)) / (2 * e)]


@pytest.mark.parametrize("target", ["llvm", "c"])
@pytest.mark.parametrize("name", CASES)
def test_value_and_derivatives(name: str, target: str) -> None:
    """Forward, reverse and forward over reverse agree with differences and with the oracle."""
    text = HEAD + CASES[name] + REQUESTS
    structs, lib = compile(text, target, float_type="f64")
    oracle = Oracle(load(text, "main.loma", F64))
    assert lib.f(*POINT) == pytest.approx(oracle.call("f", [*POINT]))
    wanted = slopes(lib.f)
    dual = structs["_dfloat"]
    found = [lib.d_f(dual(POINT[0], 1.0), dual(POINT[1], 0.0)).dval,
             lib.d_f(dual(POINT[0], 0.0), dual(POINT[1], 1.0)).dval]
    gx, gy = ctypes.c_double(0), ctypes.c_double(0)
    lib.r_f(POINT[0], gx, POINT[1], gy, 1.0)
    tolerance = {"rel": 2e-2 if "f32" in CASES[name] else 1e-6, "abs": 1e-6}
    assert found == pytest.approx(wanted, **tolerance)
    assert [gx.value, gy.value] == pytest.approx(found)
    cells = Cell(0.0), Cell(0.0)
    oracle.call("r_f", [POINT[0], cells[0], POINT[1], cells[1], 1.0])
    assert [c.value for c in cells] == pytest.approx(found)
    hx, hy = dual(0, 0), dual(0, 0)
    lib.d_r_f(dual(POINT[0], 1.0), hx, dual(POINT[1], 0.0), hy, dual(1.0, 0.0))
    wide = {"d_r_f": [{"val": 0.0, "dval": 0.0} for _ in range(2)]}
    oracle.call("d_r_f", [{"val": POINT[0], "dval": 1.0}, wide["d_r_f"][0],
                          {"val": POINT[1], "dval": 0.0}, wide["d_r_f"][1],
                          {"val": 1.0, "dval": 0.0}])
    assert [hx.dval, hy.dval] == pytest.approx([d["dval"] for d in wide["d_r_f"]], rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_printed_text_has_no_generics(name: str) -> None:
    """The printed program is plain, parses again, and computes the same values."""
    module = driver.core_module(HEAD + CASES[name] + "d_f = fwd_diff(f)\n", "f", F64, fast=False)
    text = module_text(module)
    assert "TypeVar" not in text and "lambda" not in text.replace("_lambda", "")
    again = driver.core_module(text, "again", F64, fast=False)
    assert Interpreter(again).run("f", [*POINT]) == Interpreter(module).run("f", [*POINT])


def test_named_instances() -> None:
    """An instance with a name is exported under it; so is another name for a function."""
    text = HEAD + CASES["scalar"] + """
wide = sq[f64]
narrow = sq[f32]
other = f
d_wide = fwd_diff(sq[f64])
r_other = rev_diff(other)
"""
    structs, lib = compile(text, "llvm")
    assert lib.wide(1.1) == 1.1 * 1.1
    assert lib.narrow(1.1) == pytest.approx(1.21, rel=1e-6)
    assert lib.other(1.0, 2.0) == lib.f(1.0, 2.0)
    assert lib.d_wide(structs["_df64"](3.0, 1.0)).dval == 6.0
    exported = {f.name for f in driver.core_module(text).functions.values() if f.exported}
    assert {"wide", "narrow", "other"} <= exported and not {"sq", "sq_f64"} & exported


def test_instances_are_shared() -> None:
    """Calls with the same types and functions share one instance."""
    text = HEAD + CASES["function"].replace(
        "def f(x", "def e(x : In[float]) -> float:\n    return integrate(cube, 0.0, x, 5)\ndef f(x")
    names = [n for n in load(text).functions if n.startswith("integrate")]
    assert sorted(names) == ["integrate_float_cube", "integrate_float_sin",
                             "integrate_float_slope"]


def test_literals_take_the_type_of_the_others() -> None:
    """Literals decide only where nothing else does; a float literal before an integer."""
    text = HEAD + """
def add(x : In[T], y : In[T]) -> T:
    return x + y
def f(x : In[f64]) -> f64:
    return add(x, 1) + add(0.5, x) + add(1, 2.5) + add(1, 2) / 2
"""
    assert compile(text, "llvm")[1].f(1.0) == 2.0 + 1.5 + 3.5 + 1.0


def test_captured_values_are_those_of_the_call() -> None:
    """A function inside a function sees its variables as they are when it is called."""
    text = """
def apply(f : Callable[[float], float]) -> float:
    return f(1.0)
def f(x : In[float]) -> float:
    a : float = x
    def g(t : In[float]) -> float:
        return t * a
    first : float = g(1.0)
    for i in range(3):
        a = a * 2.0
        first = first * 100.0 + apply(g)
    return first
"""
    assert compile(text, "llvm", float_type="f64")[1].f(1.0) == 1020408.0


def test_generics_in_modules(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generic functions and structs are imported like others; errors name the instance's file."""
    monkeypatch.chdir(str(tmp_path))
    with open("lib.loma", "w", encoding="utf-8") as file:
        file.write(HEAD + CASES["struct"].split("def f(")[0]
                   + CASES["function"].split("def cube")[0]
                   + "def wrong(x : In[T]) -> T:\n    return x.missing\n")
    text = """
import lib
from lib import Pair, integrate
def f(x : In[float]) -> float:
    p : Pair[float] = lib.Pair(x, 2.0)
    q : lib.Pair[f64]
    return integrate(lambda t: t * p.total(), 0.0, x, 10) + lib.both[f64](q)
r_f = rev_diff(f)
"""
    _, lib = compile(text, "llvm", float_type="f64")
    adj = ctypes.c_double(0)
    lib.r_f(2.0, adj, 1.0)
    assert (lib.f(2.0), adj.value) == (pytest.approx(8.0), pytest.approx(10.0))
    with pytest.raises(UserError) as caught:
        load("import lib\ndef f(x : In[float]) -> float:\n    return lib.wrong(x)\n", "main.loma")
    shown = str(caught.value)
    assert "lib.loma" in shown and "in the instance of `lib.wrong` with `T = float`" in shown
    assert "main.loma:3:12" in shown


@pytest.mark.parametrize("text, code", [
    ("def f(x : In[float]) -> float:\n    return g(x)\n"
     "def g(x : In[T]) -> T:\n    y : T = x\n    return y.nothing\n", "E0303"),
    ("def g(x : In[T]) -> T:\n    return x\nr = rev_diff(g)\n", "E1601"),
    ("def g(x : In[R]) -> R:\n    return x\nh = g[int]\n", "E1603"),
    ("def g(k : Callable[[float], float], x : In[float]) -> float:\n    return k(x)\n"
     "def f(x : In[float]) -> float:\n    return g(lambda t: t + y, x)\n", "E0201"),
    ("def g(k : Callable[[float], float], x : In[float]) -> float:\n    h = k\n    return k(x)\n"
     "def f(x : In[float]) -> float:\n    return g(sin, x)\n", "E1607"),
    ("def f(x : In[float]) -> float:\n    def g(t : In[float]) -> float:\n        return t\n"
     "    return g(x, x)\n", "E0401"),
    ("def f(x : In[float]) -> float:\n    g : float = x\n"
     "    def g(t : In[float]) -> float:\n        return t\n    return g\n", "E0202"),
])
def test_refused(text: str, code: str) -> None:
    with pytest.raises(UserError) as caught:
        load(HEAD + text)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_another_name_keeps_the_derivative() -> None:
    """A derivative that the program writes itself is that of the function's other names, too."""
    text = """
def g(x : In[float], y : Out[float]):
    y = x
def h(x : In[float]) -> float:
    return x
@custom_fwd(h)
def dh(x : In[Diff[float]]) -> Diff[float]:
    return make__dfloat(x.val, 5.0 * x.dval)
other = h
writes = g
d = fwd_diff(other)
e = fwd_diff(writes)
"""
    structs, lib = compile(text, "llvm")
    dual = structs["_dfloat"]
    out = dual(0, 0)
    lib.e(dual(2.0, 3.0), out)
    assert lib.d(dual(2.0, 1.0)).dval == 5.0 and (out.val, out.dval) == (2.0, 3.0)


@pytest.mark.parametrize("name", CASES)
def test_unused_functions_are_checked_without_types(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is right in an instance is right without one: even if all count as unused."""
    program = importlib.import_module("loma.frontend.check.program")
    monkeypatch.setattr(program, "unused", lambda f, s, _known: unused(f, s, set()))
    assert load(HEAD + CASES[name]).functions
