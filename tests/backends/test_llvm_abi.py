"""Structs cross the border to C by the platform's convention: ctypes and a C compiler agree."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from llvm_programs import compiled

SHAPES = {
    "F": "a: f32", "FF": "a: f32; b: f32", "FFF": "a: f32; b: f32; c: f32",
    "FFFF": "a: f32; b: f32; c: f32; d: f32", "FFFFF": "a: f32; b: f32; c: f32; d: f32; e: f32",
    "I": "a: i32", "IF": "a: i32; b: f32", "FI": "a: f32; b: i32", "III": "a: i32; b: i32; c: i32",
    "D": "a: f64", "DD": "a: f64; b: f64", "DF": "a: f64; b: f32", "FD": "a: f32; b: f64",
    "ID": "a: i32; b: f64", "DI": "a: f64; b: i32", "FFD": "a: f32; b: f32; c: f64", "L": "a: i64",
    "LF": "a: i64; b: f32", "FFL": "a: f32; b: f32; c: i64", "DDD": "a: f64; b: f64; c: f64",
    "B": "a: bool", "BF": "a: bool; b: f32",
    "A2": "a: Array[f32, 2]", "A3": "a: Array[f32, 3]", "A4": "a: Array[f32, 4]",
    "A5": "a: Array[f32, 5]", "AI": "a: Array[i32, 3]; b: f32", "AD": "a: Array[f64, 2]",
    "N": "a: FF; b: f32", "ND": "a: D; b: FI",
    "NA": "a: Array[FF, 2]", "NN": "a: Array[IF, 3]",
}
C_TYPES = {"f32": "float", "f64": "double", "i32": "int", "i64": "long long", "bool": "int"}


def members(shape: str) -> list[tuple[str, str]]:
    """Names and types of a shape's members."""
    return [(n.strip(), t.strip()) for n, t in (m.split(":") for m in SHAPES[shape].split(";"))]


def leaves(shape: str, prefix: str) -> list[tuple[str, str]]:
    """The scalars of a shape: how to reach each in loma and in C, and its type."""
    out = []
    for name, type in members(shape):
        size = 1
        paths = [f"{prefix}.{name}"]
        if type.startswith("Array"):
            type, size = type[6:-1].split(", ")[0], int(type[6:-1].split(", ")[1])
            paths = [f"{prefix}.{name}[{i}]" for i in range(size)]
        for path in paths:
            out += leaves(type, path) if type in SHAPES else [(path, type)]
    return out


def loma_structs() -> str:
    """Every shape as a loma struct."""
    return "".join(
        f"class {s}:\n" + "".join(f"    {n}: {t}\n" for n, t in members(s)) for s in SHAPES)


def program(shape: str) -> str:
    """Functions that take and give the shape: alone, after others, and with registers used up.

    `late` is called from C only: libffi 3.4 itself loses the first float of such a call.
    """
    ints = ", ".join(f"i{k}: In[int]" for k in range(5))
    floats = ", ".join(f"x{k}: In[f32]" for k in range(7))
    weigh = " + ".join(f"f64({p}) * {k + 2}.0" for k, (p, _) in enumerate(leaves(shape, "s")))
    double = "".join(
        f"    {p} = not {p}\n" if t == "bool" else f"    {p} = {p} + {p}\n"
        for p, t in leaves(shape, "r"))
    return loma_structs() + f"""
def weigh(s: In[{shape}]) -> f64:
    return {weigh}
def late({ints}, {floats}, s: In[{shape}], last: In[int], t: In[{shape}]) -> f64:
    return weigh(s) + 1000.0 * weigh(t) + last + 100000.0 * (i0 + i4) + x0 + x6
def give(s: In[{shape}]) -> {shape}:
    r: {shape} = s
{double}    return r
def late_give(k: In[int], s: In[{shape}], y: In[f64]) -> {shape}:
    return give(s)
def fill(s: In[{shape}], out: Out[{shape}]):
    out = give(s)
"""


def value(struct: type[ctypes.Structure], shape: str) -> ctypes.Structure:
    """A struct with distinct leaves."""
    counter = itertools.count(1)

    def fill(s: ctypes.Structure, shape: str) -> ctypes.Structure:
        for name, type in members(shape):
            if type.startswith("Array"):
                element, size = type[6:-1].split(", ")
                for i in range(int(size)):
                    if element in SHAPES:
                        fill(getattr(s, name)[i], element)
                    else:
                        getattr(s, name)[i] = next(counter)
            elif type in SHAPES:
                fill(getattr(s, name), type)
            else:
                setattr(s, name, 1 if type == "bool" else next(counter))
        return s

    return fill(struct(), shape)


def flat(s: ctypes.Structure, shape: str) -> list[float]:
    """The leaves of a struct."""
    return [eval(path, {"s": s}) for path, _ in leaves(shape, "s")]


def weight(numbers: list[float]) -> float:
    """What `weigh` gives."""
    return sum(x * (k + 2) for k, x in enumerate(numbers))


def doubled(s: ctypes.Structure, shape: str) -> list[float]:
    """What `give` gives."""
    types = [t for _, t in leaves(shape, "s")]
    return [1 - x if t == "bool" else 2 * x for x, t in zip(flat(s, shape), types, strict=True)]


@pytest.mark.parametrize("shape", SHAPES)
def test_ctypes(shape: str) -> None:
    p = compiled(program(shape))
    s = value(p.structs[shape], shape)
    w = weight(flat(s, shape))
    assert p.lib.weigh(s) == w
    assert flat(p.lib.give(s), shape) == doubled(s, shape)
    assert flat(p.lib.late_give(3, s, 2.0), shape) == doubled(s, shape)
    out = p.structs[shape]()
    p.lib.fill(s, ctypes.byref(out))
    assert flat(out, shape) == doubled(s, shape)


def c_struct(shape: str) -> str:
    """A shape as a C struct."""
    lines = []
    for name, type in members(shape):
        suffix = ""
        if type.startswith("Array"):
            type, size = type[6:-1].split(", ")
            suffix = f"[{size}]"
        lines.append(f"{C_TYPES.get(type, type)} {name}{suffix};")
    return f"typedef struct {{ {' '.join(lines)} }} {shape};\n"


def c_caller(shape: str) -> str:
    """C that calls our functions through pointers, with the C compiler's idea of the convention."""
    ints, floats = "int, " * 5, "float, " * 7
    return f"""
double call_weigh_{shape}(double (*f)({shape}), {shape} *s) {{ return f(*s); }}
double call_late_{shape}(double (*f)({ints}{floats}{shape}, int, {shape}), {shape} *s) {{
    return f(1, 2, 3, 4, 5, .5f, .5f, .5f, .5f, .5f, .5f, .5f, *s, 9, *s); }}
void call_give_{shape}({shape} (*f)({shape}), {shape} *s, {shape} *r) {{ *r = f(*s); }}
void call_late_give_{shape}({shape} (*f)(int, {shape}, double), {shape} *s, {shape} *r) {{
    *r = f(3, *s, 2.0); }}
"""


@pytest.fixture(scope="module")
def c_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """C callers for all shapes."""
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    folder: Path = tmp_path_factory.mktemp("c")
    source = folder / "callers.c"
    source.write_text("".join(map(c_struct, SHAPES)) + "".join(map(c_caller, SHAPES)))
    made = str(folder / "callers.so")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", made, str(source)], check=True)
    return ctypes.CDLL(made)


@pytest.mark.parametrize("shape", SHAPES)
def test_c_compiler(c_library: ctypes.CDLL, shape: str) -> None:
    p = compiled(program(shape))
    s, r = value(p.structs[shape], shape), p.structs[shape]()
    where = ctypes.byref(s)
    w = weight(flat(s, shape))

    def call(name: str, *args: object) -> float:
        function = c_library[f"call_{name}_{shape}"]
        function.restype = ctypes.c_double
        return float(function(ctypes.c_void_p(p.loaded.address(name)), *args))

    assert call("weigh", where) == w
    assert call("late", where) == w + 1000 * w + 9 + 100000 * 6 + 1.0
    for name in ("give", "late_give"):
        call(name, where, ctypes.byref(r))
        assert flat(r, shape) == doubled(s, shape)
