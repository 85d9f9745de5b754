"""What must be right on an NVIDIA GPU: `python benchmarks/gpu.py --checks`."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from devices.door import judge
from devices.programs import LOOP, SHARED, TRAPS

from loma.diagnostics import RunError
from loma.host.course import compile
from loma.ir.types import F32, F64

Say = Callable[[str], None]
COEFFICIENTS = """
@simd
def poly(n : In[int], c : In[Array[float]], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for k in range(n):
        s = s * x[i] + c[n - 1 - k]
    y[i] = s
r_poly = rev_diff(poly)
"""


def run(say: Say, programs: int) -> None:
    """Every check."""
    for check in (arrays, additions, coefficients, traps, memory, random_programs):
        begun = time.perf_counter()
        try:
            result = check(programs)
        except Exception as e:
            result = f"FAILED: {type(e).__name__}: {str(e)[:400]}"
        say(f"{check.__name__}: {result} ({time.perf_counter() - begun:.0f} s)")


def random_programs(programs: int) -> str:
    """Random kernels and their derivatives of order 1 to 3 against the interpreter."""
    checked, found, seed = 0, [], 77_000
    until = time.perf_counter() + programs
    while time.perf_counter() < until:
        order = 1 + seed % 3
        count, wrong = judge(seed, order, "cuda", F64 if seed % 2 else F32)
        checked += max(count, 0)
        found += wrong
        seed += 1
    return f"{checked} kernels and derivatives compared, {len(found)} differ {found[:3]}"


def additions(programs: int) -> str:
    """Ten million threads add to one place, and to seven."""
    _, lib = compile(TRAPS, target="cuda")
    n = 10**7
    rng = np.random.default_rng(1)
    x, s = rng.random(n, np.float32), np.zeros(1, "f")
    lib.total(x, s, n)
    error = abs(float(s[0]) / float(x.sum(dtype="f8")) - 1)
    k, counts = rng.integers(0, 7, n).astype("i4"), np.zeros(7, "i4")
    lib.histogram(k, counts, n)
    exact = (counts == np.bincount(k, minlength=7)).all()
    return f"relative error of the sum {error:.1e}, counts {'exact' if exact else 'WRONG'}"


def coefficients(programs: int) -> str:
    """Shared coefficients in a loop whose length is not known."""
    import cupy

    _, lib = compile(COEFFICIENTS, target="cuda")
    n = 10**8
    rng = cupy.random.default_rng(2)
    x, gy, gx = rng.random(n, dtype="f4"), rng.random(n, dtype="f4"), cupy.zeros(n, "f4")
    c, gc, gn = rng.random(5, dtype="f4"), cupy.zeros(5, "f4"), cupy.zeros(1, "i4")
    begun = time.perf_counter()
    lib.r_poly(5, gn, c, gc, x, gx, gy, n)
    spent = time.perf_counter() - begun
    wide, worst = gy.astype("f8"), 0.0
    for k in range(5):
        worst = max(worst, abs(float(gc[k]) / float(wide.sum()) - 1))
        wide *= x
    return f"1e8 threads, 5 coefficients: relative error {worst:.1e} in {1e3 * spent:.0f} ms"


def traps(programs: int) -> str:
    """A thread that stops itself, and the next call."""
    _, lib = compile(TRAPS, target="cuda", file="traps.py")
    a, b, c = np.arange(100, dtype="i4"), np.ones(100, "i4"), np.zeros(100, "i4")
    b[57] = 0
    try:
        lib.divide(a, b, c, 100)
    except RunError as e:
        said = str(e).splitlines()[0]
    b[57] = 1
    lib.divide(a, b, c, 100)
    assert (c == a).all()
    return f"raised {said!r}, and the next call works"


def memory(programs: int) -> str:
    """More memory than there is, and the next call; tapes that grow."""
    _, lib = compile(SHARED, target="cuda")
    n = 3 * 10**10
    huge = np.zeros(n, "f")  # pages that nobody touches
    said = ""
    try:
        lib.line(2.0, 1.0, huge, np.zeros(8, "f"), 8)
    except MemoryError as e:
        said = str(e)
    x, y = np.ones(8, "f"), np.zeros(8, "f")
    lib.line(2.0, 1.0, x, y, 8)
    assert np.allclose(y, 2 * np.sin(1) + 1) and said
    structs, lib = compile(LOOP, target="cuda", float_type="f64")
    ball, back = structs["Ball"](1e9, 3.0), structs["Ball"]()
    drag, gdrag, ones = np.full(1000, 1e-3), np.zeros(1000), np.ones(1000)
    lib.r_drop(ball, back, drag, gdrag, 100_000, np.zeros(1, "i4"), ones, 1000)
    assert np.isfinite(gdrag).all() and gdrag[0] != 0
    return f"raised {said!r}, the next call works; a tape of 1e5 rounds: {gdrag[0]:.6g}"


def arrays(programs: int) -> str:
    """The Python door on arrays of CuPy and PyTorch where they lie, streams, autograd."""
    import cupy
    import torch

    import loma
    from benchmarks.gpu_door import waves

    x = cupy.linspace(0, 1, 1000, dtype="f4")
    with cupy.cuda.Stream(non_blocking=True) as stream:
        y = waves(2.0, x)
        value, pull = loma.vjp(waves, 2.0, x)
        back = pull(cupy.ones_like(x))
        _, dot = loma.jvp(waves, (2.0, x), (0.0, cupy.ones_like(x)))
        stream.synchronize()
    assert cupy.allclose(y, 2 * cupy.sin(x), rtol=1e-5) and cupy.allclose(value, y)
    assert cupy.allclose(back.x, 2 * cupy.cos(x), rtol=1e-5)
    assert abs(float(back.a) / float(cupy.sin(x).sum()) - 1) < 1e-5
    assert cupy.allclose(dot, 2 * cupy.cos(x), rtol=1e-5)
    t = torch.linspace(0, 1, 1000, device="cuda", requires_grad=True)
    a = torch.tensor(2.0, requires_grad=True)
    out = waves(2.0, t)
    out.sum().backward()
    assert torch.allclose(t.grad, 2 * torch.cos(t), rtol=1e-5) and a.grad is None
    n = waves(2.0, np.linspace(0, 1, 10))
    assert np.allclose(n, 2 * np.sin(np.linspace(0, 1, 10)))
    return "CuPy in a stream of its own, PyTorch with autograd, NumPy: right"
