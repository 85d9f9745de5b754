"""The C backend computes what the core interpreter computes, and stops itself where it should."""

from __future__ import annotations

import copy
import ctypes
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loma.backends import toolchain
from loma.backends.base import Options
from loma.backends.c import BACKEND, c_text
from loma.backends.interface import Interface
from loma.diagnostics import RunError
from loma.driver import core_module
from loma.host.marshal import Library, ctypes_structs
from loma.ir.interp import Interpreter
from loma.ir.types import F32, F64, Scalar

sys.path.append(str(Path(__file__).parent.parent / "text"))
from corpus import CASES, DERIVED, MEMORY, SCALARS, Case

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="no C compiler")


def library(source: str, float_type: Scalar = F32, options: Options | None = None) -> Library:
    module = core_module(source, "case.py", float_type)
    loaded = BACKEND.build(module, options or Options(cache=False))
    return Library(Interface.of(module), loaded, ctypes_structs(module.structs))


@pytest.mark.parametrize("float_type", [F32, F64])
@pytest.mark.parametrize("case", [SCALARS, CASES[1], MEMORY], ids=lambda c: c.name)
def test_results_are_those_of_the_interpreter(case: Case, float_type: Scalar) -> None:
    module = core_module(case.source, "case.py", float_type)
    lib = library(case.source, float_type)
    for function, args in case.calls:
        if any(isinstance(a, list | dict) for a in args):
            continue
        expected = Interpreter(module).run(function, copy.deepcopy(list(args)))  # type: ignore[arg-type]
        got = getattr(lib, function)(*args)
        assert math.isclose(got, expected, rel_tol=1e-5), function  # type: ignore[arg-type]


def test_structs_go_in_and_out_by_value() -> None:
    lib = library(MEMORY.source)
    point = lib.twice.argtypes[0] if hasattr(lib.twice, "argtypes") else None
    assert point is not None
    turned = lib.twice(point(1.5, 2.0))
    assert (turned.x, turned.y) == (-1.5, -2.0)


def test_swapped_pointers_are_the_old_ones() -> None:
    lib = library(
        "class Row:\n    data : Array[float]\n"
        "def swap(rows : InOut[Array[Row]]) -> float:\n    t : Row = rows[0]\n"
        "    rows[0] = rows[1]\n    rows[1] = t\n"
        "    return 10.0 * rows[0].data[0] + rows[1].data[0]\n"
    )
    row = lib.swap.argtypes[0]._type_
    rows = (row * 2)(row((ctypes.c_float * 1)(1.0)), row((ctypes.c_float * 1)(2.0)))
    assert lib.swap(rows) == 21.0


def test_reverse_derivative() -> None:
    lib = library(DERIVED.source, F64)
    gx = ctypes.c_double(0.5)
    lib.r_hess(1.3, ctypes.byref(gx), 2.0)
    assert math.isclose(gx.value, 0.5 + 2.0 * 4 * 1.3**3, rel_tol=1e-12)


TRAPS = """
def div(a : In[int], b : In[int]) -> int:
    return a / b
def forever(n : In[int]) -> int:
    return forever(n + 1) + 1
def empty(n : In[int]) -> int:
    t : Tape
    x : int
    pop(t, x)
    return x
def sure(n : In[int]) -> int:
    assert n > 3, "n is small"
    return n
def huge(n : In[i64]) -> float:
    a : Array[float, n]
    return a[0]
"""


@pytest.mark.parametrize(
    ("function", "args", "code"),
    [
        ("div", (1, 0), "DIVISION"),
        ("div", (-(2**31), -1), "OVERFLOW"),
        ("forever", (0,), "DEPTH"),
        ("empty", (0,), "INDEX"),
        ("sure", (2,), "ASSERT"),
        ("huge", (2**50,), "LIMIT"),
    ],
)
def test_traps_become_errors(function: str, args: tuple[int, ...], code: str) -> None:
    lib = library(TRAPS)
    with pytest.raises(RunError) as caught:
        getattr(lib, function)(*args)
    assert caught.value.code == code
    assert caught.value.line > 1
    assert lib.div(7, -2) == -3


NAMES = """
def printf(x : In[float]) -> float:
    return half(x) + y1(x) + double(x)
def half(x : In[float]) -> float:
    return 0.5 * x
def y1(int32_t : In[float]) -> float:
    sinf : float = sin(int32_t)
    return sin(sinf)
def double(NAN : In[float]) -> float:
    return NAN
def expf(x : In[float]) -> float:
    return exp(x)
def memcpy(x : In[float]) -> float:
    a : Array[float, 100]
    for i in range(100):
        a[i] = x * i
    return a[99]
"""


def test_functions_may_bear_names_of_c() -> None:
    lib = library(NAMES)
    assert math.isclose(lib.printf(2.0), 1.0 + math.sin(math.sin(2.0)) + 2.0, rel_tol=1e-5)
    assert math.isclose(lib.expf(1.0), math.e, rel_tol=1e-6)
    assert lib.memcpy(2.0) == 198.0


def test_functions_are_found_under_their_own_names(tmp_path: Path) -> None:
    library(NAMES, options=Options(cache=False, output=tmp_path / "new" / "names"))
    found = ctypes.CDLL(str(tmp_path / "new" / f"names{toolchain.shared_library_suffix()}"))
    for name in ("printf", "half", "y1", "double"):
        assert getattr(found, name) is not None


def test_cached_library_is_used_again(tmp_path: Path) -> None:
    source = "def f(x : In[float]) -> float:\n    return x + 1.0\n"
    assert library(source, options=Options()).f(1.0) == 2.0
    assert library(source, options=Options()).f(1.0) == 2.0


def test_strict_text_has_no_reassociation() -> None:
    source = (
        "def f(x : In[Array[float]], n : In[int]) -> float:\n    s : float\n"
        "    for i in range(n):\n        s = s + x[i]\n    return s\n"
    )
    module = core_module(source, "f.py", F32, strict=True)
    assert "reduction" not in c_text(module, strict=True).source
    assert "-ffp-contract=off" in toolchain.flags(True)


MAIN = """
#include <stdio.h>
#include "case.h"
int main(void)
{
    int zero = div_(7, 0);
    printf("%d %d\\n", zero, loma_last_error() != NULL);
    zero = forever(0);
    printf("%d %d\\n", zero, loma_last_error() != NULL);
    printf("%g %g %g\\n", bodies(3), stack(6), calls(0.5f));
    return 0;
}
"""


def test_generated_c_is_clean_under_sanitizers(tmp_path: Path) -> None:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("needs gcc")
    source = TRAPS.replace("def div(", "def div_(") + MEMORY.source
    text = c_text(core_module(source, "case.py", F32), header="case.h")
    (tmp_path / "case.c").write_text(text.source)
    (tmp_path / "case.h").write_text(text.header)
    (tmp_path / "main.c").write_text(MAIN)
    warnings = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-infinite-recursion", "-Werror"]
    command = [
        gcc,
        "-std=c11",
        "-O1",
        "-fwrapv",
        "-fno-optimize-sibling-calls",
        "-fopenmp-simd",
        *warnings,
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
        "case.c",
        "main.c",
        "-lm",
        "-o",
        "run",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "sanitizer" in done.stderr or "lasan" in done.stderr:
        pytest.skip("gcc has no sanitizers")
    assert done.returncode == 0, done.stderr
    run = subprocess.run(
        [str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        env={"ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[:2] == ["0 1", "0 1"]


def test_a_missing_compiler_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "find_compiler", lambda: None)
    with pytest.raises(toolchain.ToolchainError, match="ziglang"):
        toolchain.c_compiler()


def test_a_loop_with_many_sums_is_one_long_directive() -> None:
    names = [f"the_total_of_number_{k}" for k in range(9)]
    source = (
        "def f(n : In[int], x : In[Array[float]]) -> float:\n"
        + "".join(f"    {v} : float\n" for v in names)
        + "    for i in range(n):\n"
        + "".join(f"        {v} = {v} + {k + 1} * x[i]\n" for k, v in enumerate(names))
        + f"    return {' + '.join(names)}\n")
    (pragma,) = (x for x in c_text(core_module(source)).source.splitlines() if "#pragma omp" in x)
    assert all(v in pragma for v in names)
    assert library(source).f(3, (ctypes.c_float * 3)(1, 2, 3)) == 6 * 45
