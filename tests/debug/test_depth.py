"""Deep recursion: on a stack of its own, with a limit that raises."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loma.backends.toolchain import find_compiler
from loma.diagnostics import RunError
from loma.host.course import compile

TARGETS = ["llvm", "c"]
DEPTH = 100_000
PROGRAM = """
class Big:
    total : float
    rest : Array[float, 40]

def even(x : In[float], n : In[int]) -> float:
    if n == 0:
        return x
    return odd(x * 0.9999, n - 1) + 0.001 * x

def odd(x : In[float], n : In[int]) -> float:
    if n == 0:
        return -x
    return even(sin(x), n - 1)

def endless(x : In[float]) -> float:
    return endless(x + 1.0) + 1.0

def big(x : In[float], n : In[int]) -> Big:
    b : Big
    if n > 0:
        b = big(x, n - 1)
        b.total = b.total + x
    return b

def count(x : In[float], n : In[int], seen : Out[int]):
    if n > 0:
        count(x, n - 1, seen)
    seen = seen + 1

@simd
def down(n : In[Array[int]], y : Out[Array[float]]):
    y[thread_id()] = even(0.5, n[thread_id()])

slope = fwd_diff(even)
grad = rev_diff(even)
second = fwd_diff(grad)
"""


@pytest.fixture(scope="module", params=TARGETS)
def program(request: pytest.FixtureRequest) -> tuple[dict[str, type], object]:
    return compile(PROGRAM, target=request.param, float_type="f64", file="deep.py")


def test_mutual_recursion_and_its_derivatives(program) -> None:
    """Depth 100 000 in the primal, in both modes, and nested."""
    structs, lib = program
    dual, none = structs["_dfloat"], ctypes.c_int(0)
    gx = ctypes.c_double(0)
    lib.grad(0.5, gx, DEPTH, none, 1.0)
    assert gx.value == pytest.approx(lib.slope(dual(0.5, 1.0), DEPTH).dval, rel=1e-9)
    h = 1e-5
    slope = (lib.even(0.5 + h, DEPTH) - lib.even(0.5 - h, DEPTH)) / (2 * h)
    assert gx.value == pytest.approx(slope, rel=1e-5)
    g = dual(0.0, 0.0)
    lib.second(dual(0.5, 1.0), g, DEPTH, none, dual(1.0, 0.0))
    assert g.val == pytest.approx(gx.value, rel=1e-9)
    up, down = ctypes.c_double(0), ctypes.c_double(0)
    lib.grad(0.5 + h, up, DEPTH, none, 1.0)
    lib.grad(0.5 - h, down, DEPTH, none, 1.0)
    assert g.dval == pytest.approx((up.value - down.value) / (2 * h), rel=1e-4)


def test_without_end(program) -> None:
    """Recursion without end raises with file and line, and the process goes on."""
    _, lib = program
    for _ in range(3):
        with pytest.raises(RunError, match=r"deep\.py:16: recursion is too deep") as caught:
            lib.endless(1.0)
        assert caught.value.code == "DEPTH"
        assert lib.even(0.5, 10) == pytest.approx(lib.even(0.5, 10))


def test_structs_outputs_and_kernels(program) -> None:
    _, lib = program
    assert lib.big(0.5, 20_000).total == 10_000.0
    with pytest.raises(RunError, match="too deep"):
        lib.big(0.5, 2**31 - 1)
    seen = ctypes.c_int(5)
    lib.count(0.5, DEPTH, seen)
    assert seen.value == DEPTH + 6
    y = (ctypes.c_double * 2)()
    lib.down((ctypes.c_int * 2)(3, DEPTH), y, 2)
    assert list(y) == [lib.even(0.5, 3), lib.even(0.5, DEPTH)]


def test_threads(program) -> None:
    """Each thread has a stack of its own, given back when the thread ends."""
    _, lib = program
    wanted, found = lib.even(0.5, DEPTH), []

    def work() -> None:
        for _ in range(3):
            found.append(lib.even(0.5, DEPTH))
            with pytest.raises(RunError):
                lib.endless(0.0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [wanted] * 24


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_is_given_back(program) -> None:
    _, lib = program
    lib.even(0.5, 10)
    before = resident()
    with pytest.raises(RunError):
        lib.endless(0.0)
    assert (resident() - before) * 4096 < 32 * 2**20


def test_a_print_that_calls_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that runs inside another one's print shares its stack."""
    _, inner = compile("def f(n : In[int]) -> int:\n    if n == 0:\n        return 0\n"
                       "    return f(n - 1) + 1\n")
    _, outer = compile("def g(n : In[int]) -> int:\n    if n == 0:\n        print(1)\n"
                       "        return 0\n    return g(n - 1) + 1\n")

    class Calling:
        def write(self, text: str) -> None:
            found.append((text, inner.f(1000)))

    found: list[tuple[str, int]] = []
    out, sys.stdout = sys.stdout, Calling()
    try:
        assert outer.g(1000) == 1000
    finally:
        sys.stdout = out
    assert found == [("1\n", 1000)]


CHILD = """
import sys
from loma.diagnostics import RunError
from loma.host.course import compile
text = "def f(n : In[int]) -> int:\\n    if n == 0:\\n        return 0\\n    return f(n - 1) + 1\\n"
_, lib = compile(text, target=sys.argv[1], file="f.py")
print(lib.f(1000))
try:
    lib.f(10000000)
except RunError as e:
    print(e)
"""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", ["4194304", "1", "nonsense"])
def test_limit(target: str, size: str) -> None:
    """LOMA_STACK sets the size; where no stack can be had, the ordinary one serves."""
    import os

    done = subprocess.run([sys.executable, "-c", CHILD, target], capture_output=True, text=True,
                          env={**os.environ, "LOMA_STACK": size})
    first, *rest = done.stdout.splitlines()
    assert first == "1000" and done.returncode == 0, done.stderr
    if size != "nonsense":
        assert rest == ["f.py:1: recursion is too deep"]


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler")
@pytest.mark.parametrize("target", TARGETS)
def test_shared_library(target: str, tmp_path: Path) -> None:
    compile(PROGRAM, target=target, output_filename=str(tmp_path / "lib"), float_type="f64")
    (library,) = tmp_path.glob("lib.*")
    code = f"""
import ctypes
lib = ctypes.CDLL({str(library)!r})
lib.even.restype = lib.endless.restype = ctypes.c_double
lib.loma_last_error.restype = ctypes.c_char_p
print(lib.even(ctypes.c_double(0.5), {DEPTH}) > 0.0, lib.loma_last_error())
lib.endless(ctypes.c_double(0.5))
print("too deep" in lib.loma_last_error().decode())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["True None", "True"], done.stderr
