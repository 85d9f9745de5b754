"""Programs of several files: names, search, derivatives, errors, the cache."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import loma
from loma import driver
from loma.diagnostics import RunError, UserError
from loma.frontend import load
from loma.frontend.oracle.program import Oracle
from loma.host.course import compile
from loma.ir.text import module_text
from loma.ir.types import F64

GEOMETRY = """
from math import sqrt, pi
SCALE = 2.0
class Vec:
    x : float
    y : float
def dot(a : In[Vec], b : In[Vec]) -> float:
    return a.x * b.x + a.y * b.y
def norm(a : In[Vec]) -> float:
    return SCALE * sqrt(dot(a, a)) + _offset(pi)
def _offset(x : In[float]) -> float:
    return x
def unused(x : In[float]) -> float:
    return x
d_norm = fwd_diff(norm)
"""
MAIN = """
import geometry
import geometry as g
from geometry import Vec, dot as product
from loma import In, Out

def f(v : In[Vec], t : In[float]) -> float:
    w : geometry.Vec = v
    norm : float = g.SCALE
    d : Diff[Vec]
    d.x = make__dfloat(v.x, 1.0)
    d.y = make__dfloat(v.y, 0.0)
    return product(v, w) * norm + t * g.norm(v) * g.d_norm(d).dval

r_f = rev_diff(f)
d_r_f = fwd_diff(r_f)
r_dot = rev_diff(geometry.dot)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "geometry.loma").write_text(GEOMETRY)
    return tmp_path


def codes(text: str, file: str = "main.loma") -> list[str]:
    """The codes of what is wrong with a program."""
    with pytest.raises(UserError) as caught:
        load(text, file)
    return [d.code for d in caught.value.diagnostics]


def write(folder: Path, **texts: str) -> None:
    """Writes modules; `a__b` is `a/b`."""
    for name, text in texts.items():
        path = folder / (name.replace("__", "/", 1) + ".loma")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_value_and_derivatives(folder: Path, target: str) -> None:
    """A program of two files computes what one file would, forward, reverse and nested."""
    structs, lib = compile(MAIN, target, float_type="f64")
    Vec, value = structs["Vec"], lib.f(structs["Vec"](3.0, 4.0), 0.5)
    assert value == pytest.approx(50.0 + 0.5 * (10.0 + np.pi) * 1.2)
    adj, adj_t = Vec(0, 0), ctypes.c_double(0)
    lib.r_f(Vec(3.0, 4.0), adj, 0.5, adj_t, 1.0)
    eps = 1e-6
    slope = (lib.f(Vec(3.0 + eps, 4.0), 0.5) - lib.f(Vec(3.0 - eps, 4.0), 0.5)) / (2 * eps)
    assert adj.x == pytest.approx(slope, rel=1e-7)
    oracle = Oracle(load(MAIN, "main.loma", F64))
    assert oracle.call("f", [{"x": 3.0, "y": 4.0}, 0.5]) == pytest.approx(value)


def test_patterns_are_constants_of_modules(folder: Path) -> None:
    """A pattern names a constant of the file, of a module, or one that is imported."""
    write(folder, kinds="RED = 1\nGREEN = RED + 1\n\ndef is_red(n : In[int]) -> int:\n"
          "    match n:\n        case RED:\n            return 1\n    return 0\n")
    text = ("import kinds\nfrom kinds import RED\nBLUE = 3\n\ndef f(n : In[int]) -> int:\n"
            "    match n:\n        case RED | BLUE:\n            return 10 + kinds.is_red(n)\n"
            "        case kinds.GREEN:\n            return 20\n    return 30\n")
    _, lib = compile(text, "llvm")
    assert [lib.f(n) for n in range(5)] == [30, 11, 20, 10, 30]


def test_only_the_main_file_is_exported(folder: Path) -> None:
    """Imported functions are internal; what nobody needs is left out."""
    module = driver.core_module(MAIN, "main.loma")
    exported = {f.name for f in module.functions.values() if f.exported}
    assert {"f", "r_f", "d_r_f", "r_dot"} <= exported
    assert not any(name.startswith(("geometry_", "_d_fwd_geometry")) for name in exported)
    assert "geometry_unused" not in load(MAIN, "main.loma").functions


def test_printed_text_is_one_file(folder: Path) -> None:
    """The printed program needs no other file."""
    text = module_text(driver.core_module(MAIN.split("r_f =")[0], "main.loma", F64, fast=False))
    assert "def geometry_dot(" in text and "import" not in text
    (folder / "geometry.loma").unlink()
    structs, lib = compile(text, "llvm", float_type="f64")
    assert lib.f(structs["Vec"](3.0, 4.0), 0.0) == 50.0


def test_derivatives_inside_of_imported_functions(folder: Path) -> None:
    """`fwd_diff` in a function of a module: of its argument, of what the module defines."""
    (folder / "solvers.loma").write_text("""
def cube(x : In[float]) -> float:
    return x * x * x
def newton(g : Callable[[float], float], start : In[float]) -> float:
    cube = fwd_diff(g)
    x = start
    for i in range(30):
        at = cube(make__dfloat(x, 1.0))
        x -= at.val / at.dval
    return x
def slope(x : In[float]) -> float:
    return fwd_diff(cube)(make__dfloat(x, 1.0)).dval
""")
    text = """
import solvers
def root(a : In[float]) -> float:
    d = fwd_diff(solvers.cube)
    x = solvers.newton(lambda t: solvers.cube(t) - a, a)
    return x + solvers.slope(a) + d(make__dfloat(a, 1.0)).dval
r_root = rev_diff(root)
"""
    _, lib = compile(text, "llvm", float_type="f64")
    adj = ctypes.c_double(0)
    lib.r_root(8.0, adj, 1.0)
    assert lib.root(8.0) == pytest.approx(2.0 + 2 * 192.0)
    assert adj.value == pytest.approx(1 / 12 + 2 * 48.0)


def test_packages_and_relative_imports(folder: Path) -> None:
    """A package hands on what its `__init__` imports; modules in it find each other by dots."""
    write(folder, pack____init__="from .one import f\nfrom . import two\n",
          pack__one="from . import two as t\ndef f(x : In[float]) -> float:\n    return t.f(x)\n",
          pack__two="from ..geometry import SCALE\n"
                    "def f(x : In[float]) -> float:\n    return SCALE * x\n")
    text = ("import pack\nimport pack.two\nfrom pack import two as other\n"
            "def g(x : In[float]) -> float:\n"
            "    return pack.f(x) + pack.two.f(x) + other.f(x)\n")
    _, lib = compile(text, "llvm")
    assert lib.g(1.0) == 6.0


def test_same_names_in_two_modules(folder: Path) -> None:
    """Functions, classes and constants of one name in several modules stay apart."""
    one = "N = 1\nclass S:\n    x : float\ndef f(s : In[S]) -> float:\n    return s.x + N\n"
    two = "N = 2\nclass S:\n    y : int\ndef f(s : In[S]) -> float:\n    return s.y * 10 + N\n"
    write(folder, one=one, two=two, sub__one=one.replace("1", "5"))
    text = ("import one\nimport two\nimport sub.one as three\nN = 3\n"
            "def f(x : In[float]) -> float:\n"
            "    a : one.S\n    b : two.S\n    c : three.S\n    a.x = x\n    b.y = 4\n    c.x = x\n"
            "    return one.f(a) + two.f(b) + three.f(c) + N\n")
    _, lib = compile(text, "llvm")
    assert lib.f(1.0) == 2.0 + 42.0 + 6.0 + 3.0


def test_search_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's own folder comes first, then the given ones, then LOMA_PATH."""
    for name, value in (("own", 1), ("given", 2), ("named", 3)):
        write(folder / name if (folder / name).mkdir() is None else folder,
              **{f"only_{name}": f"N = {value}\n", "everywhere": f"N = {value}\n"})
    monkeypatch.setenv("LOMA_PATH", str(folder / "named"))
    text = ("import only_own\nimport only_given\nimport only_named\nimport everywhere\n"
            "def f() -> int:\n    return only_own.N + 10 * only_given.N + 100 * only_named.N"
            " + 1000 * everywhere.N\n")
    _, lib = compile(text, "llvm", file="own/main.loma", path=[folder / "given"])
    assert lib.f() == 1321
    (folder / "own" / "main.loma").write_text(text)
    assert loma.load(folder / "own" / "main.loma", path=["given"]).f() == 1321
    done = subprocess.run(
        [sys.executable, "-m", "loma", "run", "own/main.loma", "--call", "f()", "--path", "given"],
        capture_output=True, text=True, cwd=folder)
    assert done.stdout.strip() == "1321", done.stderr


def test_circle_shows_its_chain(folder: Path) -> None:
    """Modules that import each other are reported where the circle closes."""
    write(folder, a="import b\n", b="from c import f\n", c="import a\n")
    with pytest.raises(UserError) as caught:
        load("import a\n", "main.loma")
    shown = str(caught.value)
    assert "error[E1502]" in shown and "a -> b -> c -> a" in shown and "c.loma:1:8" in shown


def test_errors_show_their_file(folder: Path) -> None:
    """A finding in a module has that file's name and line; names are shown as written."""
    write(folder, wrong="# a comment\ndef f(x : In[float]) -> float:\n    return x + nothing\n")
    with pytest.raises(UserError) as caught:
        load("import wrong\nimport geometry as g\ndef f(x : In[float]) -> float:\n"
             "    return wrong.f(x) + g.dot(x)\n", "main.loma")
    shown = str(caught.value)
    assert "wrong.loma:3:16\n  |\n3 |     return x + nothing\n  |                ^^^^^^^" in shown
    assert "`geometry.dot` takes 2 operands" in shown
    assert shown.index("wrong.loma") < shown.index("main.loma")


def test_refused_derivative_shows_its_file(folder: Path) -> None:
    """A function that cannot be differentiated is named with its file."""
    write(folder, late="def late(x : In[float], y : Out[float]):\n    y = y * x\n")
    with pytest.raises(UserError) as caught:
        driver.core_module("from late import late\nr = rev_diff(late)\n", "main.loma")
    assert "late.loma:1:25" in str(caught.value) and "1 | def late(" in str(caught.value)


def test_run_time_error_shows_its_file(folder: Path) -> None:
    """A trap in an imported function has that file and line."""
    write(folder, divide="\ndef divide(n : In[int]) -> int:\n    return 6 / n\n")
    _, lib = compile("import divide\ndef f(n : In[int]) -> int:\n    return divide.divide(n)\n",
                     "llvm")
    with pytest.raises(RunError) as caught:
        lib.f(0)
    assert (caught.value.file, caught.value.line) == ("divide.loma", 3)


@pytest.mark.parametrize("text, code", [
    ("import missing\n", "E1501"),
    ("from geometry import nothing\n", "E1503"),
    ("from geometry import *\n", "E1504"),
    ("from geometry import dot\ndef dot(x : In[float]) -> float:\n    return x\n", "E1505"),
    ("from geometry import dot\nfrom geometry import norm as dot\n", "E1505"),
    ("import geometry\ndef geometry(x : In[float]) -> float:\n    return x\n", "E1505"),
    ("import geometry\nx = fwd_diff(geometry)\n", "E1506"),
    ("def f():\n    import geometry\n", "E0105"),
    ("import main\n", "E1501"),
    ("import geometry.dot\n", "E1501"),
])
def test_refused(folder: Path, text: str, code: str) -> None:
    assert codes(text) == [code]


def test_a_module_may_import_the_main_file_only_as_itself(folder: Path) -> None:
    """A file that imports itself by way of another one is a circle as well."""
    text = "import back\ndef f(x : In[float]) -> float:\n    return x\n"
    write(folder, main=text, back="import main\n")
    assert codes(text) == ["E1502"]


def test_cache_follows_imported_files(folder: Path) -> None:
    """An imported file that changes, or one that comes to stand before it, is compiled anew."""
    (folder / "lib").mkdir()
    write(folder / "lib", value="def v() -> float:\n    return 1.0\n")
    text = "import value\ndef f() -> float:\n    return value.v()\n"

    def now() -> float:
        return float(compile(text, "llvm", path=["lib"])[1].f())

    assert now() == now() == 1.0
    write(folder / "lib", value="def v() -> float:\n    return 2.0\n")
    assert now() == now() == 2.0
    write(folder, value="def v() -> float:\n    return 3.0\n")
    assert now() == now() == 3.0
    os.unlink(folder / "value.loma")
    assert now() == 2.0


def test_python_door(folder: Path) -> None:
    """Decorated functions call functions of loaded files that import others; kernels too."""
    (folder / "main.loma").write_text(
        MAIN + "\n@simd\ndef k(x : In[Array[float]], y : Out[Array[float]]):\n"
        "    i : int = thread_id()\n    y[i] = geometry.SCALE * x[i]\n")
    lib = loma.load("main.loma", float_type="f64")
    assert "geometry_dot" not in list(lib)
    assert lib.k(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    other = loma.load("import geometry\ndef h(x : In[float]) -> float:\n"
                      "    v : geometry.Vec\n    v.x = x\n    return geometry.dot(v, v)\n",
                      float_type="f64")
    assert loma.grad(other.h)(3.0).x == 6.0


def test_imported_names_do_not_hide_variables(folder: Path) -> None:
    """Variables, members and arguments by name keep theirs; functions are found beside them."""
    text = ("from geometry import dot, norm, Vec\n"
            "class P:\n    dot : float\n"
            "def f(norm : In[float]) -> float:\n"
            "    dot : float = norm\n    p : P = P(dot=dot)\n    v : Vec = Vec(p.dot, 0.0)\n"
            "    for norm_2 in range(2):\n        dot = dot + 1.0\n"
            "    return dot(v, v) + dot\n")
    _, lib = compile(text, "llvm")
    assert lib.f(3.0) == 14.0


def test_methods_of_imported_structs(folder: Path) -> None:
    """Methods and operators come with their struct; they are internal, too."""
    write(folder, pair="class Pair:\n    a : float\n    b : float\n"
                       "    def __add__(self, other : In[Pair]) -> Pair:\n"
                       "        return Pair(self.a + other.a, self.b + other.b)\n"
                       "    def prod(self) -> float:\n        return self.a * self.b\n")
    text = ("import pair\ndef f(x : In[float]) -> float:\n"
            "    p : pair.Pair = pair.Pair(x, 2.0)\n    return (p + p).prod()\n"
            "r_f = rev_diff(f)\nr_prod = rev_diff(pair.Pair.prod)\n")
    _, lib = compile(text, "llvm")
    adj = ctypes.c_float(0)
    lib.r_f(3.0, adj, 1.0)
    assert (lib.f(3.0), adj.value) == (24.0, 8.0)
    module = driver.core_module(text, "main.loma")
    exported = {f.name for f in module.functions.values() if f.exported}
    assert "r_prod" in exported and not any(name.startswith("Pair_") for name in exported)
