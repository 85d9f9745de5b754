"""Builtins in programs: on integers, with several operands, beside definitions of the same name."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest
from subjects import COMPILED, CORES, differences, module_of, on

import loma
from loma.diagnostics import UserError
from loma.driver import core_module
from loma.host.course import compile
from loma.ir.prims import FUNCTIONS
from loma.ir.prims.record import Result
from loma.ir.text import module_text
from loma.ir.types import F32, F64

LEAST, MOST = -(2**31), 2**31 - 1
INTEGERS = """
def size(n : In[int]) -> int:
    return abs(n)
def side(n : In[i64]) -> i64:
    return sign(n)
def least(a : In[int], b : In[int], c : In[int]) -> int:
    return min(a, b, c)
def most(a : In[i64], b : In[int], c : In[int]) -> i64:
    return max(a, b, c, -5)
def inside(n : In[int], low : In[int], high : In[int]) -> int:
    return clamp(n, low, high)
def mixed(n : In[int], x : In[float]) -> float:
    return max(n, x) + min(n, 0.5) + abs(n < 2) + floor(n / 2)
def scaled(n : In[int], x : In[float]) -> float:
    return abs(n) * x
d_scaled = fwd_diff(scaled)
"""
WHOLE: list[tuple[str, list[int], int]] = [
    ("size", [-7], 7), ("size", [LEAST], LEAST), ("size", [MOST], MOST),
    ("side", [-(2**40)], -1), ("side", [0], 0), ("side", [3], 1),
    ("least", [3, -2, LEAST], LEAST), ("least", [1, 1, 2], 1),
    ("most", [-(2**40), -9, -7], -5), ("most", [2**40, 1, 2], 2**40),
    ("inside", [-3, 0, 9], 0), ("inside", [4, 0, 9], 4), ("inside", [4, 9, 0], 0),
]
TAKEN = """
class sign:
    plus : float
def cosh(x : In[float]) -> float:
    return 7.0 * x
def max(x : In[float], y : In[float]) -> float:
    return x * y
def select(x : In[float]) -> float:
    return -x
def f(x : In[float], y : In[float]) -> float:
    s : sign
    s.plus = builtin_sign(x)
    return sinh(x) * cosh(y) + max(x, y) + builtin_max(x, y) + select(s.plus * abs(y))
d_f = fwd_diff(f)
r_f = rev_diff(f)
dr_f = fwd_diff(r_f)
"""
every = pytest.mark.parametrize("how", ["oracle", *CORES, *COMPILED])


@every
@pytest.mark.parametrize("name,point,wanted", WHOLE)
def test_integers(how: str, name: str, point: list[int], wanted: int) -> None:
    assert on(how, INTEGERS).call(name, point)[1] == wanted


@every
def test_integers_beside_floats(how: str) -> None:
    assert on(how, INTEGERS).call("mixed", [1, 1.5])[1] == 1.5 + 0.5 + 1.0 + 0.0
    duals = [-3, {"val": 2.0, "dval": 1.0}]
    assert on(how, INTEGERS).call("d_scaled", duals)[1] == {"val": 6.0, "dval": 3.0}


@every
def test_definitions_of_the_file_win(how: str) -> None:
    """Also where a derivative needs the builtin."""
    at: list[Any] = [0.3, 0.0, 0.7, 0.0, 1.0]
    wanted = on("oracle", TAKEN).outputs("r_f", at)
    assert differences(on(how, TAKEN).outputs("r_f", at), wanted) == []


@pytest.mark.parametrize("float_type", [F32, F64])
def test_printed_text_means_the_builtins(float_type: Any) -> None:
    """A printed derivative compiles again, to the same values."""
    printed = module_text(module_of(TAKEN, float_type, False))
    assert "builtin_cosh(" in printed and "builtin_select(" in printed
    again = module_text(core_module(printed, "again.py", float_type, fast=False))
    assert module_text(core_module(again, "once_more.py", float_type, fast=False)) == again
    at = [0.3, 0.0, 0.7, 0.0, 1.0]
    plain, parsed = (on("plain", text, float_type).outputs("r_f", at) for text in (TAKEN, again))
    assert plain == parsed


@pytest.mark.parametrize("prim", FUNCTIONS.values(), ids=lambda p: p.name)
def test_every_builtin_prints_and_parses(prim: Any) -> None:
    """Alone and differentiated twice."""
    operands = ["x", "y", "z"][:prim.arity]
    value = f"{prim.name}({', '.join(operands)})"
    value = f"select({value}, x, y)" if prim.result is Result.BOOL else value
    text = (f"def f(x : In[float], y : In[float], z : In[float]) -> float:\n    return {value}\n"
            "d = fwd_diff(f)\nr = rev_diff(f)\ndr = fwd_diff(r)\nrd = rev_diff(d)\n")
    once = module_text(core_module(text, "f.py", F64, fast=False))
    twice = module_text(core_module(once, "f.py", F64, fast=False))
    assert module_text(core_module(twice, "f.py", F64, fast=False)) == twice
    x, y, z = 0.3, 0.7, 0.6
    duals = [{"val": v, "dval": t} for p in ((x, 1.0), (y, 0.5), (z, -2.0)) for v, t in
             (p, (0.0, 0.0))]
    args = [*duals, {"val": 1.0, "dval": 0.0}]
    wanted = on("oracle", text).outputs("dr", args)
    for source in (text, twice):
        assert differences(on("core", source).outputs("dr", args), wanted) == []


def test_python_files_can_name_every_builtin() -> None:
    """Python's own `abs`, `min`, `max` and `round` mean loma's inside of decorated functions."""
    assert set(FUNCTIONS) - {"strong_mul", "abs", "min", "max", "round"} <= set(loma.__all__)


def test_too_few_operands_are_told() -> None:
    with pytest.raises(UserError, match="max"):
        core_module("def f(x : In[float]) -> float:\n    return max(x)\n", "f.py", F32)


@pytest.mark.parametrize("target", COMPILED)
def test_shared_libraries_find_the_c_library(target: str, tmp_path: Path) -> None:
    text = "".join(
        f"def use_{p.name}(x : In[f64]) -> f64:\n    return {p.name}({', '.join('x' * p.arity)})\n"
        for p in FUNCTIONS.values())
    compile(text, target, output_filename=str(tmp_path / "builtins"))
    library = next(tmp_path.glob("builtins*"))
    loaded = ctypes.CDLL(str(library))
    loaded.use_erf.restype, loaded.use_erf.argtypes = ctypes.c_double, [ctypes.c_double]
    assert loaded.use_erf(0.5) == pytest.approx(0.5204998778130465)
