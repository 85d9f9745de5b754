"""The course's door: what `compile` takes, gives, raises and prints."""

from __future__ import annotations

import ctypes
import gc
import threading
from pathlib import Path

import numpy as np
import pytest

from loma.backends import toolchain
from loma.backends.cache import CacheWarning
from loma.diagnostics import CompileError, RunError, UserError
from loma.host.course import TargetError, compile

SOURCE = """
class Vec:
    x: float
    y: float
class Body:
    n: int
    at: Vec
    trail: Array[Vec, 2]
    mass: Array[float]
def square(x: In[float], n: In[int]) -> float:
    return x * x * n
def total(x: In[Array[float]], n: In[int], out: Out[float]):
    out = 0.0
    i: int = 0
    while (i < n, max_iter := 100):
        out = out + x[i]
        i = i + 1
def move(b: In[Body], by: In[Vec]) -> Body:
    r: Body = b
    r.at.x = r.at.x + by.x
    r.trail[1].y = r.mass[1]
    return r
def rows(a: In[Array[Array[float]]], i: In[int], j: In[int]) -> float:
    return a[i][j]
def bodies(b: In[Array[Body]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = s + b[i].at.x * b[i].mass[0]
    return s
def ratio(x: In[int], y: In[int]) -> int:
    return x / y
@simd
def twice(x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = 2.0 * x[i]
d_square = fwd_diff(square)
r_square = rev_diff(square)
"""
TARGETS = ["llvm", *(["c"] if toolchain.find_compiler() else [])]


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's cache."""
    monkeypatch.setenv("LOMA_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("target", TARGETS)
def test_the_specs_example(target: str, tmp_path: Path) -> None:
    structs, lib = compile(SOURCE, target=target, output_filename=str(tmp_path / "_code" / "m"))
    dual = structs["_dfloat"]
    r = lib.d_square(dual(1.5, 1.0), 3)
    assert (r.val, r.dval) == (6.75, 9.0)
    gx, gn = ctypes.c_float(0), ctypes.c_int(0)
    lib.r_square(1.5, ctypes.byref(gx), 3, ctypes.byref(gn), 1.0)
    assert (gx.value, gn.value) == (9.0, 0)
    library = tmp_path / "_code" / f"m{toolchain.shared_library_suffix()}"
    assert library.exists() or target == "llvm"


def test_every_way_to_pass_a_pointer() -> None:
    _, lib = compile(SOURCE, target="llvm")
    array = (ctypes.c_float * 3)(1, 2, 3)
    numbers = np.array([1, 2, 3], dtype=np.float32)
    pointer = ctypes.POINTER(ctypes.c_float)
    for x in (array, ctypes.cast(array, pointer), numbers.ctypes.data_as(pointer)):
        one_by_ref, one_pointed, bare = ctypes.c_float(), ctypes.c_float(), ctypes.c_float()
        lib.total(x, 3, ctypes.byref(one_by_ref))
        lib.total(x, 3, ctypes.pointer(one_pointed))
        lib.total(x, 3, bare)
        assert [v.value for v in (one_by_ref, one_pointed, bare)] == [6.0] * 3


def test_structs_hold_structs_arrays_and_pointers() -> None:
    structs, lib = compile(SOURCE, target="llvm")
    body, vec = structs["Body"], structs["Vec"]
    mass = (ctypes.c_float * 2)(4.0, 5.0)
    b = body(7, vec(1, 2), (vec * 2)(vec(3, 4), vec(5, 6)), mass)
    r = lib.move(b, vec(10, 0))
    assert (r.n, r.at.x, r.at.y, r.trail[0].x, r.trail[1].y, r.mass[0]) == (7, 11, 2, 3, 5, 4)
    assert (b.at.x, b.trail[1].y) == (1, 6)
    assert lib.bodies((body * 2)(b, r), 2) == 48.0
    assert ctypes.sizeof(body) == 40


def test_rows_of_a_ragged_array() -> None:
    _, lib = compile(SOURCE, target="llvm")
    pointer = ctypes.POINTER(ctypes.c_float)
    rows = [(ctypes.c_float * n)(*range(n)) for n in (2, 5)]
    a = (pointer * 2)(*(ctypes.cast(row, pointer) for row in rows))
    assert (lib.rows(a, 1, 4), lib.rows(a, 0, 1)) == (4.0, 1.0)


def test_kernels_take_a_trailing_thread_count() -> None:
    _, lib = compile(SOURCE, target="llvm")
    x, y = (ctypes.c_float * 4)(1, 2, 3, 4), (ctypes.c_float * 4)()
    lib.twice(x, y, 3)
    assert list(y) == [2, 4, 6, 0]


def test_doubles_on_request() -> None:
    structs, lib = compile(SOURCE, target="llvm", float_type="f64")
    assert lib.square(0.1, 1) == 0.1 * 0.1
    assert structs["Vec"]._fields_[0] == ("x", ctypes.c_double)


def test_a_function_outlives_its_library() -> None:
    square = compile(SOURCE, target="llvm")[1].square
    gc.collect()
    assert square(3.0, 1) == 9.0


@pytest.mark.parametrize("target", TARGETS)
def test_a_trap_raises_with_its_line(target: str) -> None:
    _, lib = compile(SOURCE, target=target, file="bodies.py")
    with pytest.raises(RunError, match="division by zero") as caught:
        lib.ratio(1, 0)
    line = SOURCE.split("\n").index("    return x / y") + 1
    assert (caught.value.file, caught.value.line) == ("bodies.py", line)
    assert lib.ratio(7, 2) == 3


def test_threads_share_a_library() -> None:
    _, lib = compile(SOURCE, target="llvm")
    wrong: list[int] = []

    def work(k: int) -> None:
        for i in range(300):
            if k % 2:
                with pytest.raises(RunError):
                    lib.ratio(i, 0)
            elif lib.ratio(i, 1) != i:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_errors_are_shown_and_raised(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "def f(x : In[float]) -> float:\n    return y\n"
    with pytest.raises(UserError):
        compile(bad, target="llvm")
    assert "^" in capsys.readouterr().err
    with pytest.raises(UserError) as caught:
        compile(bad, target="llvm", print_error=False)
    assert capsys.readouterr() == ("", "")
    assert "y" in caught.value.to_string()


def test_success_prints_nothing(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    compile(SOURCE, target="llvm", output_filename=str(tmp_path / "m"))
    assert capfd.readouterr() == ("", "")


def test_ispc_without_its_compiler_names_llvm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, **_: None)
    monkeypatch.setattr("loma.backends.ispc_load.find_compiler", lambda: object())
    with pytest.raises(CompileError, match="use the target 'llvm'"):
        compile(SOURCE, target="ispc")


def test_unknown_targets_list_the_known_ones() -> None:
    with pytest.raises(TargetError, match="c, cuda, ispc, llvm"):
        compile(SOURCE, target="basic")
    with pytest.raises(TargetError, match="f32"):
        compile(SOURCE, target="llvm", float_type="f16")


def test_a_warm_start_neither_parses_nor_differentiates(monkeypatch: pytest.MonkeyPatch) -> None:
    compile(SOURCE, target="llvm")
    monkeypatch.setattr("loma.driver.core_module", None)
    structs, lib = compile(SOURCE, target="llvm")
    assert lib.d_square(structs["_dfloat"](1.5, 1.0), 3).dval == 9.0
    with pytest.raises(RunError, match="division by zero"):
        lib.ratio(1, 0)


def test_a_damaged_cache_is_survived(tmp_path: Path) -> None:
    compile(SOURCE, target="llvm")
    for entry in (tmp_path / "cache").rglob("*.bin"):
        entry.write_bytes(b"damaged")
    with pytest.warns(CacheWarning):
        _, lib = compile(SOURCE, target="llvm")
    assert lib.ratio(6, 3) == 2
