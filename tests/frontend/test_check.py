"""What the typed tree says about programs that are right."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import fields, is_dataclass

import pytest

from loma.diagnostics import UserError
from loma.frontend import load, typed
from loma.frontend.convert import Weak
from loma.ir.nodes import Direction
from loma.ir.types import BOOL, F32, F64, I32, I64, ArrayType, StructType

SHALLOW = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="Python 3.12 parses sums of about 3 000 terms")
ARGS = "x : In[float], n : In[int]"


def body(lines: str, args: str = ARGS, result: str = "") -> list[typed.Stmt]:
    """The typed statements of one function."""
    inner = "\n".join("    " + line for line in lines.strip("\n").split("\n"))
    arrow = f" -> {result}" if result else ""
    return list(load(f"def f({args}){arrow}:\n{inner}\n").functions["f"].body)


def value(expression: str, args: str = ARGS, result: str = "float"):
    """The typed expression that a function returns."""
    (stmt,) = body(f"return {expression}", args, result)
    assert isinstance(stmt, typed.Return)
    return stmt.value


def shape(e: object) -> str:  # noqa: C901
    """An expression in short."""
    match e:
        case typed.Literal(v, t):
            return f"{v}:{t.value}"
        case typed.Name(symbol):
            return symbol.name
        case typed.Convert(inner, t):
            return f"{t.value}({shape(inner)})"
        case typed.Apply(prim, args):
            return f"{prim.name}({', '.join(map(shape, args))})"
        case typed.Logical(op, a, b):
            return f"({shape(a)} {op} {shape(b)})"
        case typed.Call(name, args):
            return f"{name}({', '.join(map(shape, args))})"
        case typed.Index(base, index):
            return f"{shape(base)}[{shape(index)}]"
        case typed.Member(base, name):
            return f"{shape(base)}.{name}"
        case typed.ThreadId():
            return "thread_id()"
        case _:
            raise AssertionError(e)


@pytest.mark.parametrize(("expression", "expected"), [
    ("n", "f32(n)"),
    ("x + n", "add(x, f32(n))"),
    ("n / 2 * x", "mul(f32(idiv(n, 2:i32)), x)"),
    ("2 * x", "mul(2.0:f32, x)"),
    ("x - 0.1", "sub(x, 0.10000000149011612:f32)"),
    ("-x", "neg(x)"),
    ("-0.0", "-0.0:f32"),
    ("- - 2", "2.0:f32"),
    ("(x < n) / 2", "div(f32(lt(x, f32(n))), 2.0:f32)"),
    ("(x < n) * 2.0", "mul(f32(lt(x, f32(n))), 2.0:f32)"),
    ("1.0 / 3 * x", "mul(0.3333333432674408:f32, x)"),
    ("1.0 / 0", "div(1.0:f32, 0.0:f32)"),
    ("sin(n)", "sin(f32(n))"),
    ("pow(x, 2)", "pow(x, 2.0:f32)"),
    ("select(n, x, 1)", "select(bool(n), x, 1.0:f32)"),
    ("int2float(n) + float2int(x)", "add(f32(n), f32(i32(x)))"),
    ("f32(f64(x) * 0.1)", "f32(mul(f64(x), 0.1:f64))"),
    ("True", "1.0:f32"),
    ("x + True", "add(x, 1.0:f32)"),
])
def test_conversions(expression: str, expected: str) -> None:
    """Every conversion is explicit; literals have the type of their neighbours."""
    assert shape(value(expression)) == expected


@pytest.mark.parametrize(("condition", "expected"), [
    ("x", "bool(x)"),
    ("not n", "not(bool(n))"),
    ("x > 0 and n and x != 1", "((gt(x, 0.0:f32) and bool(n)) and ne(x, 1.0:f32))"),
    ("n == 1 or x <= n", "(eq(n, 1:i32) or le(x, f32(n)))"),
    ("1.5", "True:bool"),
])
def test_conditions(condition: str, expected: str) -> None:
    """Conditions are truth values."""
    (stmt,) = body(f"if {condition}:\n    return")
    assert isinstance(stmt, typed.If)
    assert shape(stmt.cond) == expected
    assert stmt.cond.type is BOOL


def test_float_type() -> None:
    """`float` is what the caller says; f32 and f64 are not."""
    m = load("def f(x : In[float], y : In[f32]) -> float:\n    return x * 0.1 + y\n",
             float_type=F64)
    assert m.functions["f"].signature.arguments[0].type is F64
    (stmt,) = m.functions["f"].body
    assert shape(stmt.value) == "add(mul(x, 0.1:f64), f64(y))"


def test_mixed_widths() -> None:
    """Mixed widths meet in the wider one."""
    assert shape(value("x * y + 0.1", "x : In[f32], y : In[f64]", "f64")) == (
        "add(mul(f64(x), y), 0.1:f64)")
    assert shape(value("n + m", "n : In[i32], m : In[i64]", "i64")) == "add(i64(n), m)"
    assert shape(value("m + 5000000000", "m : In[i64]", "i64")) == "add(m, 5000000000:i64)"


def test_declarations() -> None:
    """Plain, sized by a computation, growing, and tapes."""
    plain, length, counted, growing, tape, push, pop = body(
        "a : Array[Array[float, 2], 3]\nb : Array[float, n * 2]\nc : Array[float, ...]\nt : Tape\n"
        "push(t, x, n, 1.5)\npop(t, x, n, b[0])")
    assert plain.symbol.type == ArrayType(ArrayType(F32, 2), 3)
    assert counted.symbol.type == ArrayType(F32)
    assert shape(length.value) == "mul(n, 2:i32)" and shape(counted.count) == "length"
    assert growing.growable and growing.symbol.type == ArrayType(F32)
    assert isinstance(tape, typed.Declare)
    assert isinstance(push, typed.Push) and [v.type for v in push.values] == [F32, I32, F32]
    assert isinstance(pop, typed.Pop) and len(pop.targets) == 3


def test_loops() -> None:
    """Ranges, bounds, and jumps."""
    loop, down, bounded, endless = body("""
for i in range(n):
    if i == 3:
        continue
for j in range(n, 0, -2):
    x = x + j
while (x > 0, max_iter := 7):
    x = x - 1
while True:
    break
""")
    assert (shape(loop.start), shape(loop.stop), loop.step) == ("0:i32", "n", 1)
    assert down.step == -2
    assert bounded.max_iter == 7
    assert shape(endless.cond) == "True:bool"


def test_blocks_side_by_side() -> None:
    """A name may be used again once its block has ended."""
    first, second = body("if x > 0:\n    y : float = x\nif x < 0:\n    y : int = n\n    y = y")
    assert first.then[0].symbol is not second.then[0].symbol


def test_order_of_definitions_does_not_matter() -> None:
    """Derivatives of derivatives, structs and functions, each used before it is defined."""
    m = load("""
rf = rev_diff(ff)
ff = fwd_diff(f)

def f(s : In[S]) -> float:
    return g(s.p) * s.q[1].x

def g(p : In[P]) -> float:
    return p.x

class S:
    p : P
    q : Array[P, 2]
    k : int

class P:
    x : float
""")
    assert {d.name for d in m.derivatives} == {"rf", "ff"}
    assert m.structs["_dS"].member("q") == ArrayType(StructType("_dP"), 2)
    assert m.structs["_dS"].member("k") is I32
    assert "_d_dfloat" in m.structs and "_d_dS" in m.structs
    assert "make__dfloat" in m.functions


def test_calls_of_derivatives() -> None:
    """The signatures of derivatives, as callers see them."""
    m = load("""
def f(x : In[float], n : In[int], y : Out[float]) -> float:
    y = x
    return n * x

d_f = fwd_diff(f)
r_f = rev_diff(f)

def g(x : In[float], dx : Out[float]) -> float:
    dn : int
    y : Diff[float]
    d_f(make__dfloat(x, 1), 3, y)
    r_f(x, dx, 3, dn, 1, 2)
    r_f(x, dx, 3, dn, 1, 2)
    return y.dval
""")
    call = m.functions["g"].body[3]
    assert isinstance(call, typed.CallStmt)
    assert [a.type for a in call.call.args] == [F32, F32, I32, I32, F32, F32]
    assert m.functions["f"].signature.arguments[2].direction is Direction.OUT


def test_adjoint_outputs_may_be_one_place() -> None:
    """Two adjoints in one place add up."""
    load("""
def f(x : In[float], y : In[float]) -> float:
    return x * y

r_f = rev_diff(f)

def g(x : In[float], dx : Out[float]):
    r_f(x, dx, x, dx, 1.0)
""")


def test_diff_without_derivatives() -> None:
    """Diff types work by themselves."""
    m = load("def f(x : In[Diff[float]]) -> float:\n    return x.val\n")
    assert "_dfloat" in m.structs and "make__dfloat" in m.functions
    assert "_dfloat" not in load("def f():\n    pass\n").structs


def test_mentioned_differentials_are_complete() -> None:
    """Diff of Diff needs no request, and brings the types of its members."""
    m = load("class V:\n    x : float\n\n"
             "def f(v : In[Diff[Diff[V]]], w : In[Array[_dV]]):\n    pass\n")
    for name in ("_d_dV", "_d_dfloat", "_dV", "_dfloat"):
        assert name in m.structs
    m = load("""
class V:
    x : float

f3 = fwd_diff(f2)
f2 = fwd_diff(f1)
f1 = fwd_diff(f)

def f(v : In[V]) -> float:
    return v.x
""")
    assert {"_d_d_dV", "_d_d_dfloat"} <= set(m.structs)


def test_standard_differentials_may_be_written_out() -> None:
    """What a printed derivative looks like."""
    m = load("""
class _dfloat:
    val : float
    dval : float

class V:
    x : float

class _dV:
    x : _dfloat

def make__dfloat(val : In[float], dval : In[float]) -> _dfloat:
    r : _dfloat
    r.val = val
    r.dval = dval
    return r

def _d_fwd_f(v : In[_dV]) -> _dfloat:
    return v.x
""")
    assert set(m.functions) == {"make__dfloat", "_d_fwd_f"}


def test_user_functions_take_newer_builtins() -> None:
    """Names that the course leaves free are free."""
    m = load("""
class Tape:
    x : float

def select(a : In[float], b : In[float], half : In[float]) -> float:
    return a + b + half

def push(t : In[Tape], double : In[float]) -> float:
    register : float = select(t.x, double, 1)
    return register
""")
    assert shape(m.functions["push"].body[0].value) == "select(t.x, double, 1.0:f32)"


def test_members_and_elements_of_results() -> None:
    """Results of calls have members and elements."""
    m = load("""
class V:
    x : Array[float, 3]

def g(x : In[float]) -> V:
    v : V
    v.x[0] = x
    return v

def f(a : In[Array[V]], x : In[float]) -> float:
    return g(g(x).x[0]).x[float2int(a[2].x[1])]
""")
    (stmt,) = m.functions["f"].body
    assert shape(stmt.value) == "g(g(x).x[0:i32]).x[i32(a[2:i32].x[1:i32])]"


def test_kernel() -> None:
    """Kernels know their thread, and add atomically."""
    m = load("""
@simd
def k(a : In[Array[float]], s : Out[float]):
    i : int = thread_id()
    if i > 3:
        return
    atomic_add(s, a[i])
""")
    assert m.functions["k"].signature.simd
    assert isinstance(m.functions["k"].body[2], typed.AtomicAdd)


def test_docstrings_pass_and_text_forms() -> None:
    """Docstrings, pass, byte order mark, line ends, tabs, an empty file."""
    assert load("").functions == {}
    assert load("\ufeff").functions == {}
    m = load('\ufeff"""File."""\r\n\r\ndef f():\r\n\t"""Text."""\r\n\tpass\r\n')
    assert m.functions["f"].body == ()


def test_same_struct_out_and_in() -> None:
    """One place as In and Out is legal."""
    load("def g(x : In[float], y : Out[float]):\n    y = x\n\ndef f(x : In[float]):\n    g(x, x)\n")


def test_implicit_names_of_other_modes_are_free() -> None:
    """A printed forward derivative beside a request in reverse."""
    load("""
def g(x : In[float]) -> float:
    return x

def _d_fwd_g(x : In[float]) -> float:
    return x

def f(x : In[float]) -> float:
    return g(x) + _d_fwd_g(x)

r = rev_diff(f)
""")


def walk(node: object):
    """Every part of a typed tree."""
    todo = [node]
    while todo:
        part = todo.pop()
        yield part
        if isinstance(part, tuple):
            todo += part
        elif is_dataclass(part) and not isinstance(part, type):
            todo += [getattr(part, f.name) for f in fields(part)]


def test_no_weak_literal_is_left() -> None:
    """A finished tree holds plain literals only."""
    parts = body(
        "a : Array[float, 4]\na[2] = 1\nx = -1 + 2 * x - 3.5 / 2\nn = 2 / 3\nif 1:\n    return\n"
        "for i in range(1, 4):\n    a[i] = pow(2, 0.5)\nassert 1 < 2\natomic_add(a[0], 1)\n"
        "while 1 and x:\n    break\nn = float2int(1.5) + i32(2.5)\nx = select(1, 2, 3)")
    assert not [p for s in parts for p in walk(s) if isinstance(p, Weak)]


@pytest.mark.parametrize("terms", [10, 2_900, pytest.param(8_900, marks=SHALLOW)])
def test_long_sums(terms: int) -> None:
    """A sum of thousands of terms needs no recursion."""
    source = "def f(x : In[float]) -> float:\n    return " + " + ".join(["x"] * terms) + "\n"
    assert load(source).functions["f"].body


def test_loads_in_a_thread() -> None:
    """A thread's smaller stack is enough for the deepest programs."""
    sums = "def f(x : In[float]) -> float:\n    return " + "+".join(["x"] * 2_900) + "\n"
    calls = "def f(x : In[float]) -> float:\n    return " + "sin(" * 90 + "x" + ")" * 90 + "\n"
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.extend(len(load(s).functions) for s in (sums, calls)))
    thread.start()
    thread.join()
    assert results == [1, 1]


def test_many_findings_are_collected() -> None:
    """Thousands of findings are counted, a hundred are shown."""
    with pytest.raises(UserError) as caught:
        load("def f(x : In[float]):\n" + "    x[0] = 1\n" * 2_000)
    assert len(caught.value.diagnostics) == 2_000
    assert caught.value.to_string().endswith("... and 1900 more")


def test_many_statements() -> None:
    """A long function is no trouble."""
    m = load("def f(x : In[float]):\n" + "    x = x * 0.5 + 1\n" * 4_000)
    assert len(m.functions["f"].body) == 4_000


def test_i64_ranges() -> None:
    """A range over i64 counts in i64."""
    (loop,) = body("for i in range(m):\n    m = i", "m : In[i64]")
    assert loop.symbol.type is I64


@pytest.mark.parametrize("program", [
    "".join(f"class S{k + 1}:\n    x : S{k}\n    y : S{k}\n" for k in range(300))
    + "class S0:\n    x : float\n",
    "".join(f"class S{k + 1}:\n    x : S{k}\n" for k in range(3_000))
    + "class S0:\n    x : float\n",
    "".join(f"class S{k}:\n    x : S{(k + 1) % 3_000}\n" for k in range(3_000)),
    f"def f(x : In[{'_d' * 3_000}float]):\n    pass\n",
])
def test_enormous_structs_are_refused(program: str) -> None:
    """Structs that double at each level, long chains and long circles take no time."""
    start = time.process_time()
    with pytest.raises(UserError):
        load(program)
    assert time.process_time() - start < 5


def test_thousands_of_misspellings_take_no_time() -> None:
    """Near names are sought for the first findings only."""
    lines = [f"    name_{k} : float = 1\n" for k in range(3_000)]
    lines += [f"    nome_{k} = name_{k}\n" for k in range(3_000)]
    start = time.process_time()
    with pytest.raises(UserError) as caught:
        load("def f():\n" + "".join(lines))
    assert len(caught.value.diagnostics) == 3_000
    assert time.process_time() - start < 8


def remarks(text: str) -> list[tuple[int, str]]:
    """The lines of a program that get warnings, and what they say."""
    return [(d.span.line, d.label) for d in load(text).remarks]


def test_divisions_that_lose_a_fraction_are_remarked() -> None:
    """Of two literals, or of integers where a float is wanted; not where an integer is meant."""
    found = remarks("""
HALF = 5
def f(x : In[float], n : In[int], a : In[Array[float]]) -> float:
    y : float = n / 2
    k = n / 2
    z = x * (1 / 2) + x ** (4 / 2)
    z += a[n / 2] + sqrt(n / 3) + HALF / 2
    z += n // 2 + int(n / 2) + n / 2.0
    return x + y + z + k
""")
    lost = "a division of integers, it becomes a `float` afterwards"
    zero, two = (f"a division of integers, it gives {k}" for k in (0, 2))
    assert sorted(found) == sorted([(4, lost), (6, zero), (7, two), (7, lost)])
