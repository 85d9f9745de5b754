"""`print`: the same text from every way to run a program, once, in order, whatever optimises it."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from loma import driver
from loma.backends.toolchain import find_compiler
from loma.frontend import load
from loma.frontend.oracle.program import Oracle
from loma.host.course import compile
from loma.ir.interp import Interpreter
from loma.ir.nodes import Module
from loma.ir.shown import shown
from loma.ir.text import module_text
from loma.ir.types import F32, F64, Scalar

PROGRAM = """
class Pair:
    first : float
    count : int

def inner(x : In[float], n : In[int]) -> float:
    print("inner", x, n, x < 1.0, sep="|")
    if n > 0:
        return inner(x * 2.0, n - 1) + x
    return x

def f(x : In[float], n : In[int]) -> float:
    p : Pair
    p.first = x
    a : Array[float, 3]
    a[1] = -x
    print(p, a, f"{x}!", end=".")
    print()
    unused : float = 0.0
    i : int = 0
    while i < n:
        print("i =", i, "first =", p.first)
        if p.first > 2.0:
            print("large", p.first)
        p.first = p.first * 1.5
        unused = unused + 1.0
        i = i + 1
    for k in range(2):
        print(k, 3 - k)
    print("nan", (x - x) / (x - x), 1.0 / (x - x), 1e20 * x, x / 3.0)
    return p.first * p.first + inner(x, 2)

slope = fwd_diff(f)
grad = rev_diff(f)
second = fwd_diff(grad)
"""

TEXT = """Pair(first=0.75, count=0) [0.0, -0.75, 0.0] 0.75!.
i = 0 first = 0.75
i = 1 first = 1.125
i = 2 first = 1.6875
i = 3 first = 2.53125
large 2.53125
0 3
1 2
nan nan inf 7.5e+19 0.25
inner|0.75|2|True
inner|1.5|1|False
inner|3.0|0|False
"""

DUAL = {"val": 0.75, "dval": 1.0}
CALLS = {
    "f": [0.75, 4],
    "slope": [DUAL, 4],
    "grad": [0.75, [0.0], 4, [0], 1.0],
}


def oracle_text(name: str) -> str:
    """What the oracle prints."""
    found: list[str] = []
    data = [x[0] if isinstance(x, list) else x for x in CALLS[name]]
    Oracle(load(PROGRAM, "p.py", F32), "exact", write=found.append).call(name, data)
    return "".join(found)


def core_text(module: Module, name: str) -> str:
    """What the core interpreter prints."""
    found: list[str] = []
    Interpreter(module, write=found.append).run(name, [
        dict(x) if isinstance(x, dict) else list(x) if isinstance(x, list) else x
        for x in CALLS[name]])
    return "".join(found)


@pytest.mark.parametrize("name", CALLS)
def test_interpreters(name: str) -> None:
    assert oracle_text(name) == TEXT
    for fast in (False, True):
        assert core_text(driver.core_module(PROGRAM, fast=fast), name) == TEXT


@pytest.mark.parametrize("target", ["llvm", "c"])
@pytest.mark.parametrize("strict", [False, True])
def test_compiled(target: str, strict: bool, capsys: pytest.CaptureFixture[str]) -> None:
    structs, lib = compile(PROGRAM, target=target, strict=strict)
    dual = structs["_dfloat"]
    zero, none = ctypes.c_float(0), ctypes.c_int(0)
    lib.f(0.75, 4)
    assert capsys.readouterr().out == TEXT
    lib.slope(dual(0.75, 1.0), 4)
    assert capsys.readouterr().out == TEXT
    lib.grad(0.75, zero, 4, none, 1.0)
    assert capsys.readouterr().out == TEXT
    lib.second(dual(0.75, 1.0), dual(0, 0), 4, none, dual(1.0, 0.0))
    assert capsys.readouterr().out == TEXT


def test_printed_text_prints_the_same() -> None:
    text = module_text(driver.core_module(PROGRAM, fast=False))
    again = driver.core_module(text, fast=False)
    assert core_text(again, "grad") == TEXT


@pytest.mark.parametrize("text", [
    'print("a", x, "b")', 'print(x, n)', 'print(x, "", n)', 'print("", x, "")', "print()",
    'print("a\\n")', 'print(x, sep=", ", end="")', 'print(" ", x, " ")', 'print("{", "é", "\\"")',
    'print(x, n, sep="")', 'print("a" , end="\\n\\n")', 'print(f"{x}{n}")',
])
def test_operands_survive(text: str) -> None:
    """What is printed as loma text shows the same again."""
    program = f"def f(x : In[float], n : In[int]):\n    {text}\n"
    first = driver.core_module(program, fast=False)
    second = driver.core_module(module_text(first), fast=False)
    found: list[list[str]] = []
    for module in (first, second):
        out: list[str] = []
        Interpreter(module, write=out.append).run("f", [0.5, 3])
        found.append(out)
    assert found[0] == found[1] and len(found[0]) == 1
    expected = eval(f"_shown({text[6:-1]})", {"_shown": _python, "x": 0.5, "n": 3})
    assert found[0][0] == expected


def _python(*args: object, sep: str = " ", end: str = "\n") -> str:
    return sep.join(map(str, args)) + end


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_numbers(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every float is shown with the fewest digits that read as the same float."""
    program = (
        "def one(x : In[f32]):\n    print(x)\n"
        "def two(x : In[f64]):\n    print(x)\n"
        "def three(n : In[i64]):\n    print(n)\n")
    _, lib = compile(program, target=target)
    rng = Random(1)
    values = [0.0, -0.0, 1.0, 1e15, 1e16, 123456789.0, 5e-324, 1e-45, 1.7976931348623157e308,
              float("inf"), float("-inf"), float("nan"), 0.1, 1 / 3]
    values += [rng.uniform(-1, 1) * 10.0 ** rng.randint(-40, 38) for _ in range(100)]
    for x in values:
        narrow = ctypes.c_float(x).value
        lib.one(x)
        assert capsys.readouterr().out == shown(narrow, F32) + "\n"
        lib.two(x)
        text = capsys.readouterr().out
        assert text == shown(x, F64) + "\n"
        assert x != x or (float(text) == x and len(text) <= len(repr(x)) + 3)
    for n in (0, -1, 2**63 - 1, -(2**63)):
        lib.three(n)
        assert capsys.readouterr().out == f"{n}\n"


KERNEL = """
@simd
def k(x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    print("thread", i, "has", x[i])
    y[i] = x[i] * x[i]

r = rev_diff(k)
"""


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_kernel(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each thread's line is whole, and appears once in the gradient."""
    _, lib = compile(KERNEL, target=target)
    many = ctypes.c_float * 50
    x, y, gx, seed = many(*range(50)), many(), many(), many(*[1.0] * 50)
    expected = sorted(f"thread {i} has {float(i)}" for i in range(50))
    lib.k(x, y, 50)
    assert sorted(capsys.readouterr().out.splitlines()) == expected
    lib.r(x, gx, seed, 50)
    assert sorted(capsys.readouterr().out.splitlines()) == expected


def test_assertion_shows_values() -> None:
    program = """
def f(x : In[float], n : In[int], a : In[Array[float]]) -> float:
    assert n < 3, f"n is {n}, x is {x}: {{braces}}"
    assert n < 0 or a[n] > 0.0, f"a[{n}] is {a[n]}"
    return x
"""
    from loma.diagnostics import RunError

    for target in ("llvm", "c"):
        _, lib = compile(program, target=target, file="p.py")
        lib.f(0.5, 1, (ctypes.c_float * 3)(1, 1, 1))
        with pytest.raises(RunError, match=r"p\.py:3: n is 4, x is 0\.5: \{braces\}"):
            lib.f(0.5, 4, (ctypes.c_float * 3)(1, 1, 1))
        with pytest.raises(RunError, match=r"p\.py:4: a\[1\] is -0\.25"):
            lib.f(0.5, 1, (ctypes.c_float * 3)(1, -0.25, 1))


def test_own_function_of_that_name() -> None:
    program = "def print(x : In[float], y : Out[float]):\n    y = x\n" \
              "def f(x : In[float], y : Out[float]):\n    print(x, y)\n"
    _, lib = compile(program)
    y = ctypes.c_float(0)
    lib.f(2.0, y)
    assert y.value == 2.0


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler")
@pytest.mark.parametrize("target", ["llvm", "c"])
def test_library_writes_to_standard_output(target: str, tmp_path: Path) -> None:
    """A library that another program loads writes to C's standard output."""
    compile("def f(x : In[float]):\n    print('x =', x)\n", target=target,
            output_filename=str(tmp_path / "lib"))
    (library,) = tmp_path.glob("lib.*")
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).f(ctypes.c_float(0.5))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "x = 0.5\n", done.stderr


def test_rule_of_floats() -> None:
    assert [shown(x, F64) for x in (0.1, 1e20, 1e-7, 100.0)] == ["0.1", "1e+20", "1e-07", "100.0"]
    assert shown(0.1, F32) == "0.10000000149011612"[:3]
    assert shown(1, Scalar.BOOL) == "True"
