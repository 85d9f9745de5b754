"""Building with LLVM: the object cache, shared libraries, several processes at once."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loma import driver
from loma.backends import toolchain
from loma.backends.base import Options
from loma.backends.cache import Cache, CacheWarning
from loma.backends.interface import Interface
from loma.backends.llvm import LLVM, assembly, optimised_text
from loma.backends.llvm.module import emit

SOURCE = """
class P:
    x: float
    a: Array[P2, 3]
    rest: Array[float]
class P2:
    n: int
def dot(x: In[Array[float]], y: In[Array[float]], n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = s + x[i] * y[i]
    return s
def expf(x: In[float]) -> float:
    return sqrt(x)
def y1(x: In[int], p: In[P], q: Out[P2]) -> int:
    q.n = x
    return 7 / x
"""


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's cache."""
    monkeypatch.setenv("LOMA_CACHE_DIR", str(tmp_path / "cache"))


def test_the_second_build_takes_the_first_ones_object() -> None:
    module = driver.core_module(SOURCE)
    LLVM.build(module, Options())
    assert Cache().stats().entries == 1
    loaded = LLVM.build(module, Options())
    expf = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float)(loaded.address("expf"))
    assert expf(9.0) == 3.0
    assert Cache().stats().entries == 1
    LLVM.build(module, Options(strict=True))
    assert Cache().stats().entries == 2


def test_without_cache_nothing_is_written() -> None:
    LLVM.build(driver.core_module(SOURCE), Options(cache=False))
    assert Cache().stats().entries == 0


def test_a_damaged_object_is_compiled_again() -> None:
    module = driver.core_module(SOURCE)
    LLVM.build(module, Options())
    for path in Cache().directory.rglob("*.bin"):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.warns(CacheWarning):
        loaded = LLVM.build(module, Options())
    assert ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float)(loaded.address("expf"))(4.0) == 2.0


def test_the_interface_travels_as_bytes() -> None:
    interface = Interface.of(driver.core_module(SOURCE))
    assert Interface.from_bytes(interface.to_bytes()) == interface


RACER = """
import ctypes
from loma import driver
from loma.backends.base import Options
for k in range(10):
    module = driver.core_module(f"def f(x: In[float]) -> float:\\n    return x + {k}.0\\n")
    loaded = driver.BACKENDS["llvm"].build(module, Options())
    f = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float)(loaded.address("f"))
    assert f(1.0) == 1.0 + k
"""


def test_processes_may_race() -> None:
    racers = [subprocess.Popen([sys.executable, "-c", RACER]) for _ in range(4)]
    assert [r.wait(timeout=60) for r in racers] == [0] * 4


def test_a_shared_library_is_written(tmp_path: Path) -> None:
    if toolchain.find_compiler() is None:
        pytest.skip("no C compiler")
    folder = tmp_path / "new" / "folder"
    LLVM.build(driver.core_module(SOURCE, "p.py"), Options(output=folder / "p"))
    lib = ctypes.CDLL(str(folder / f"p{toolchain.shared_library_suffix()}"))
    lib.dot.restype = ctypes.c_float
    x = (ctypes.c_float * 3)(1, 2, 3)
    assert lib.dot(x, x, 3) == 14.0
    lib.loma_x_expf.restype = ctypes.c_float  # `expf` itself must stay the C library's
    assert lib.loma_x_expf(ctypes.c_float(9.0)) == 3.0
    lib.loma_last_error.restype = ctypes.c_char_p

    class P(ctypes.Structure):
        _fields_ = [("x", ctypes.c_float), ("a", ctypes.c_int * 3), ("rest", ctypes.c_void_p)]

    lib.y1.argtypes = [ctypes.c_int, P, ctypes.POINTER(ctypes.c_int)]
    q = ctypes.c_int()
    assert (lib.y1(2, P(), q), q.value) == (3, 2)
    assert lib.loma_last_error() is None
    assert lib.y1(0, P(), q) == 0
    assert lib.loma_last_error() == b"p.py:17: integer division by zero"
    assert lib.loma_last_error() is None


def test_without_a_linker_an_object_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(toolchain, "find_compiler", lambda: None)
    LLVM.build(driver.core_module(SOURCE), Options(output=tmp_path / "out" / "p"))
    assert (tmp_path / "out" / "p.o").read_bytes()[:4] == b"\x7fELF"


def test_libraries_hide_everything_else(tmp_path: Path) -> None:
    if toolchain.find_compiler() is None or shutil.which("nm") is None:
        pytest.skip("no C compiler, or no nm")
    LLVM.build(driver.core_module(SOURCE), Options(output=tmp_path / "p"))
    library = str(tmp_path / f"p{toolchain.shared_library_suffix()}")
    command = ["nm", "-D", "--defined-only", library]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in done.stdout.splitlines()}
    assert names == {"dot", "y1", "loma_x_dot", "loma_x_expf", "loma_x_y1", "loma_last_error"}


def test_sums_are_vectorised_unless_strict() -> None:
    module = driver.core_module(SOURCE)
    assert "x float>" in optimised_text(module, Options())
    assert "fadd <" not in optimised_text(module, Options(strict=True))
    assert "loma_x_dot" in assembly(module, Options())


def test_arm_passes_structs_its_own_way() -> None:
    text = emit(driver.core_module(
        "class V:\n    a: Array[f32, 4]\ndef f(v: In[V]) -> V:\n    return v\n"),
        "aarch64-unknown-linux-gnu", strict=False).text
    assert "define { float, float, float, float } @loma_x_f(float %" in text


def test_huge_functions_compile_in_linear_time() -> None:
    statements = "".join(
        f"    a[{k % 50}] = a[{k * 7 % 50}] * 0.5 + {k % 3}.0\n" for k in range(8000))
    source = f"def f(a: InOut[Array[float]]):\n{statements}"
    module = driver.core_module(source)
    start = time.process_time()
    loaded = LLVM.build(module, Options(cache=False))
    assert time.process_time() - start < 4
    numbers, expected = (ctypes.c_float * 50)(), [0.0] * 50
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(loaded.address("f"))(ctypes.addressof(numbers))
    for k in range(8000):
        expected[k % 50] = expected[k * 7 % 50] * 0.5 + k % 3
    assert list(numbers) == pytest.approx(expected, rel=1e-5)
