"""Kernels and their gradients on an NVIDIA GPU, beside JAX and PyTorch: `python benchmarks/gpu.py`.

    --quick       small sizes and no other systems
    --alone       no other systems
    --checks      only what must be right: random programs, atomics, traps, memory
    --write FILE  also writes the log there

Times are medians of batches of calls with one synchronisation each. Gradients are fresh in all
systems; what adding to arrays that are there takes loma is said, too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.gpu_programs import TEXT, formulas  # noqa: E402
from loma.host.course import compile  # noqa: E402

Call = Callable[[], object]
LOG: list[str] = []


def say(text: str) -> None:
    """Prints a line, and keeps it."""
    print(text, flush=True)
    LOG.append(text)


def milliseconds(call: Call, sync: Call, batches: int = 9) -> float:
    """How long a call takes when several follow each other."""
    call()
    sync()
    begun = time.perf_counter()
    call()
    sync()
    once = time.perf_counter() - begun
    count = max(1, min(200, int(0.01 / max(once, 1e-6))))
    found = []
    for _ in range(batches if once < 0.5 else 3):
        begun = time.perf_counter()
        for _ in range(count):
            call()
        sync()
        found.append((time.perf_counter() - begun) / count)
    return 1e3 * statistics.median(found)


class Systems:
    """The same case by every system."""

    def __init__(self, quick: bool, peers: bool) -> None:
        import cupy

        self.quick = quick
        self.peers = peers and not quick
        self.cupy = cupy
        begun = time.perf_counter()
        _, self.lib = compile(TEXT, target="cuda")
        say(f"compiled in {time.perf_counter() - begun:.2f} s, NVRTC included")
        self.sync = cupy.cuda.runtime.deviceSynchronize
        self.rng = cupy.random.default_rng(1, )

    def random(self, *shape: int) -> Any:
        """Floats between 0 and 1."""
        return self.rng.random(shape, dtype="f4")

    def zeros(self, *shape: int) -> Any:
        """Zeros."""
        return self.cupy.zeros(shape, "f4")

    def timed(self, case: str, primal: Call, name: str, arguments: list[Any], n: int) -> None:
        """loma's times; the gradients are what the kernel `name` then makes of anything."""
        kernel = getattr(self.lib, name)
        adds = milliseconds(lambda: kernel(*arguments, n), self.sync)
        p = milliseconds(primal, self.sync)
        g = milliseconds(lambda: kernel.fresh(*arguments, n), self.sync)
        say(f"| {case} | loma | {p:.3f} | {g:.3f} (added to arrays: {adds:.3f}) |")
        for i in sorted(kernel.writes):
            arguments[i].fill(7)
        kernel.fresh(*arguments, n)

    def jax(self, case: str, f: Any, arrays: list[Any], out: Any = None) -> Any:
        """JAX's times; gives its gradients."""
        if not self.peers:
            return None
        import jax

        given = [jax.dlpack.from_dlpack(x) if hasattr(x, "get") else x for x in arrays]
        primal = jax.jit(f)
        back = jax.jit(lambda g, *xs: jax.vjp(f, *xs)[1](g))
        y = primal(*given)
        cotangent = jax.numpy.ones_like(y)
        last: list[Any] = []

        def run(call: Any, *xs: Any) -> None:
            last[:] = [call(*xs)]

        def sync() -> None:
            jax.block_until_ready(last)

        p = milliseconds(lambda: run(primal, *given), sync)
        g = milliseconds(lambda: run(back, cotangent, *given), sync)
        say(f"| {case} | JAX | {p:.3f} | {g:.3f} |")
        return last[0]

    def torch(self, case: str, f: Any, arrays: list[Any]) -> None:
        """PyTorch's times, compiled."""
        if not self.peers:
            return
        import torch

        given = [torch.from_dlpack(x) if hasattr(x, "get") else torch.tensor(x, device="cuda")
                 for x in arrays]
        given = [x.clone().requires_grad_() for x in given]
        made = torch.compile(f)
        cotangent = torch.ones_like(made(*given).detach())
        sync = torch.cuda.synchronize

        def gradient() -> None:
            torch.autograd.grad(made(*given), given, cotangent)

        def primal() -> None:
            with torch.no_grad():
                made(*given)

        p, g = milliseconds(primal, sync), milliseconds(gradient, sync)
        say(f"| {case} | PyTorch compiled | {p:.3f} | {g:.3f} (forward and backward) |")


def guarded(run: Callable[[Systems], None], s: Systems) -> None:
    """Runs a case; what fails is said, and the next runs."""
    try:
        run(s)
    except Exception as e:
        say(f"{run.__name__} FAILED: {type(e).__name__}: {str(e)[:300]}")
    s.cupy.get_default_memory_pool().free_all_blocks()


def close(name: str, got: Any, wanted: Any, tolerance: float) -> None:
    """Says how far two arrays are apart, relative to the norm."""
    a, b = (np.asarray(x.get() if hasattr(x, "get") else x, "f8").ravel() for x in (got, wanted))
    error = float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-300))
    say(f"    {name}: relative error {error:.1e}{'' if error <= tolerance else '  TOO LARGE'}")


def copies(s: Systems) -> None:
    """Bandwidth, and what a call costs."""
    n = 10**7 if s.quick else 10**8
    x, y = s.random(n), s.zeros(n)
    t = milliseconds(lambda: s.cupy.copyto(y, x), s.sync)
    say(f"copy of {n} floats: {t:.3f} ms, {8e-6 * n / t:.0f} GB/s read and written")
    a, b = s.zeros(8), s.zeros(8)
    for name, call in (("line", lambda: s.lib.line(2.0, 1.0, a, b, 8)),):
        begun = time.perf_counter()
        for _ in range(2000):
            call()
        say(f"call of `{name}` on 8 CuPy elements: {(time.perf_counter() - begun) / 2e-3:.1f} us")
        s.sync()
    if s.peers:
        import torch

        c, d = (torch.zeros(8, device="cuda") for _ in range(2))
        begun = time.perf_counter()
        for _ in range(2000):
            s.lib.line(2.0, 1.0, c, d, 8)
        say(f"call on PyTorch tensors: {(time.perf_counter() - begun) / 2e-3:.1f} us")
    m = milliseconds(lambda: (s.lib.line(2.0, 1.0, a, b, 8), s.sync()), s.sync)
    say(f"call and synchronisation: {1e3 * m:.1f} us")


def line(s: Systems) -> None:
    n = 10**6 if s.quick else 10**8
    x, y, gy = s.random(n), s.zeros(n), s.random(n)
    gx, ga, gb = s.zeros(n), s.zeros(1), s.zeros(1)
    s.timed("line 1e8", lambda: s.lib.line(2.0, 1.0, x, y, n),
            "r_line", [2.0, ga, 1.0, gb, x, gx, gy], n)
    close("a", ga, (gy.astype("f8") * s.cupy.sin(x.astype("f8"))).sum().reshape(1), 1e-5)
    close("b", gb, gy.astype("f8").sum().reshape(1), 1e-5)
    close("x", gx[:10000], (2 * s.cupy.cos(x) * gy)[:10000], 1e-6)
    a, b = np.float32(2.0), np.float32(1.0)
    s.jax("line 1e8", formulas(_jnp())["line"], [a, b, x]) if s.peers else None
    s.torch("line 1e8", formulas(_torch())["line"], [a, b, x]) if s.peers else None


def _jnp() -> Any:
    import jax.numpy

    return jax.numpy


def _torch() -> Any:
    import torch

    return torch


def poly(s: Systems) -> None:
    n = 10**6 if s.quick else 10**8
    c, x, y, gy = s.random(16), s.random(n), s.zeros(n), s.random(n)
    gc, gx = s.zeros(16), s.zeros(n)
    s.timed("polynomial 1e8", lambda: s.lib.poly(c, x, y, n),
            "r_poly", [c, gc, x, gx, gy], n)
    wide, wanted = gy.astype("f8"), []
    for _ in range(16):
        wanted.append(float(wide.sum()))
        wide *= x
    close("coefficients", gc, np.array(wanted), 1e-5)
    if s.peers:
        s.jax("polynomial 1e8", formulas(_jnp())["poly"], [c, x])
        s.torch("polynomial 1e8", formulas(_torch())["poly"], [c, x])


def step(s: Systems) -> None:
    n = 1024 if s.quick else 8192
    u, v, gv, gu = s.random(n, n), s.zeros(n, n), s.random(n, n), s.zeros(n, n)
    gn = s.cupy.zeros(1, "i4")
    s.timed("stencil 8192^2", lambda: s.lib.step(n, u, v, n * n),
            "r_step", [n, gn, u, gu, gv], n * n)
    gv.fill(1)
    s.lib.r_step.fresh(n, gn, u, gu, gv, n * n)
    wanted = 1 + 0.01 * (1 - 3 * u * u)
    close("inside", gu[2:-2, 2:-2], wanted[2:-2, 2:-2], 1e-6)
    if s.peers:
        s.jax("stencil 8192^2", formulas(_jnp())["step"], [u])
        s.torch("stencil 8192^2", formulas(_torch())["step"], [u])


def energy(s: Systems) -> None:
    n = 1024 if s.quick else 16384
    x, y, z = (s.random(n) for _ in range(3))
    e, ge, gn = s.zeros(n), s.zeros(n) + 1, s.cupy.zeros(1, "i4")
    g = [s.zeros(n) for _ in range(3)]
    s.timed("n-body 16384", lambda: s.lib.energy(n, x, y, z, e, n),
            "r_energy", [n, gn, x, g[0], y, g[1], z, g[2], ge], n)
    few = slice(0, 64)
    d = [v[few, None].astype("f8") - v[None, :] for v in (x, y, z)]
    r = (d[0] ** 2 + d[1] ** 2 + d[2] ** 2 + 0.01) ** -1.5
    close("x", g[0][few], (-2 * d[0] * r).sum(1), 1e-4)
    if s.peers:
        s.jax("n-body 16384", formulas(_jnp())["energy"], [x, y, z])
        s.torch("n-body 16384", formulas(_torch())["energy"], [x, y, z])


def scatter(s: Systems) -> None:
    n, count = (32, 10**4) if s.quick else (128, 10**6)
    x, y, z = (2 + (n - 4) * s.random(count) for _ in range(3))
    grid, back = s.zeros(n, n, n), s.random(n, n, n)
    g, gn = [s.zeros(count) for _ in range(3)], s.cupy.zeros(1, "i4")
    s.timed("particles 1e6", lambda: s.lib.scatter(n, x, y, z, grid, count),
            "r_scatter", [n, gn, x, g[0], y, g[1], z, g[2], back], count)
    grid.fill(0)
    s.lib.scatter(n, x, y, z, grid, count)
    close("mass", grid.astype("f8").sum().reshape(1), np.array([float(count)]), 1e-5)


def decay(s: Systems) -> None:
    n = 10**4 if s.quick else 10**6
    k, y, gy, gk = 1 + 99 * s.random(n), s.zeros(n), s.zeros(n) + 1, s.zeros(n)
    dual, out = s.zeros(n, 2), s.zeros(n, 2)
    dual[:, 0], dual[:, 1] = k, 1
    s.timed("while loop 1e6", lambda: s.lib.decay(k, y, n), "r_decay", [k, gk, gy], n)
    t = milliseconds(lambda: s.lib.d_decay(dual.ravel(), out.ravel(), n), s.sync)
    say(f"    forward mode: {t:.3f} ms")
    close("reverse against forward", gk, out[:, 1], 1e-3)
    if not s.peers:
        return
    import jax
    from jax import lax
    from jax import numpy as m

    def one(a: Any) -> Any:
        def body(c: Any) -> Any:
            t, v = c
            h = 0.2 / (1.0 + m.abs(a * v))
            return t + h, v + h * a * (m.cos(t * 10.0) - v)

        return lax.while_loop(lambda c: c[0] < 1.0, body, (m.float32(0), m.float32(1)))[1]

    given = jax.dlpack.from_dlpack(k)
    both = jax.jit(lambda a: jax.jvp(jax.vmap(one), (a,), (m.ones_like(a),)))
    t = milliseconds(lambda: jax.block_until_ready(both(given)), lambda: None)
    say(f"| while loop 1e6 | JAX | | forward mode only: {t:.3f} |")


def sphere(s: Systems) -> None:
    n = 256 if s.quick else 2048
    at = [0.1, 0.05, -2.0, 0.7]
    image, gi, gn = s.zeros(n * n), s.zeros(n * n) + 1, s.cupy.zeros(1, "i4")
    g = [s.zeros(1) for _ in range(4)]
    given = [z for pair in zip(at, g) for z in pair]
    s.timed("sphere 2048^2", lambda: s.lib.sphere(n, *at, image, n * n),
            "r_sphere", [n, gn, *given, gi], n * n)
    if not s.peers:
        return
    jnp = _jnp()
    f = formulas(jnp)["sphere"]
    i, j = jnp.arange(n, dtype="f4")[:, None], jnp.arange(n, dtype="f4")[None, :]
    found = s.jax("sphere 2048^2", lambda *p: f(n, j, i, *p), [jnp.float32(v) for v in at])
    close("gradient against JAX's", np.array([float(q[0]) for q in g]),
          np.array([float(v) for v in found]), 1e-3)
    torch = _torch()
    rows, columns = (torch.arange(n, dtype=torch.float32, device="cuda") for _ in range(2))
    f_torch = formulas(torch)["sphere"]
    s.torch("sphere 2048^2", lambda *p: f_torch(n, columns[None, :], rows[:, None], *p),
            [np.float32(v) for v in at])


CASES = (copies, line, poly, step, energy, scatter, decay, sphere)


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--checks", action="store_true")
    parser.add_argument("--programs", type=int, default=120)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    if given.checks:
        from benchmarks.gpu_checks import run

        run(say, given.programs)
    else:
        s = Systems(given.quick, not given.alone)
        for case in CASES:
            if given.only in ("", case.__name__):
                guarded(case, s)
    if given.write:
        given.write.write_text("\n".join(LOG) + "\n")


if __name__ == "__main__":
    main()
