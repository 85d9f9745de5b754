"""What a call costs beyond its work, and how long the first gradient takes, beside other systems.

Every system that is installed takes part; arrays have eight elements, so that the work is nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import loma
from benchmarks.doors_gradients import (
    SIZE,
    directions,
    five,
    gradients,
    here,
    others,
    pullbacks,
)
from benchmarks.latency import straight
from benchmarks.measure import Times, interleaved
from loma import Array, In, Out, thread_id

TARGET = Path(__file__).parent / "DOORS.md"
GOALS = {
    "call with six NumPy arrays": "loma under 0.5 µs beyond the work",
    "gradient by two arrays": "loma in a few µs",
    "pullback, five arrays": "loma in a few µs",
    "jvp of a matrix times a vector": "loma in a few µs",
    "PyTorch, forward and backward": "loma under 10 µs more than `x * x`",
    "JAX under jit": "loma within 1 µs of `x * x`",
    "first gradient of 100 statements, empty cache": "loma under 150 ms",
}


@loma.kernel
def square(x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = x[i] * x[i]


def six_arrays() -> dict[str, Callable[[], object]]:
    """Calls with six arrays."""
    a, b, c, d, e, y = (np.linspace(k, k + 1, SIZE) for k in range(6))
    found: dict[str, Callable[[], object]] = {
        "loma": lambda: five(a, b, c, d, e, y),
        "NumPy": lambda: a * b + c * d + e,
    }
    if here("numba"):
        found["Numba"] = _numba(a, b, c, d, e, y)
    if here("warp"):
        found["Warp"] = _warp([a, b, c, d, e, y])
    return found


def _numba(*arrays: Any) -> Callable[[], object]:
    import numba

    @numba.njit
    def kernel(a, b, c, d, e, y):  # type: ignore[no-untyped-def]
        for i in range(y.shape[0]):
            y[i] = a[i] * b[i] + c[i] * d[i] + e[i]

    a, b, c, d, e, y = arrays
    return lambda: kernel(a, b, c, d, e, y)


def _warp(arrays: list[Any]) -> Callable[[], object]:
    import warp as wp

    from benchmarks.doors_warp import five as kernel

    wp.config.quiet = True
    given = [wp.array(x, dtype=wp.float64, device="cpu") for x in arrays]
    return lambda: wp.launch(kernel, dim=SIZE, inputs=given, device="cpu")


def tensors() -> dict[str, Callable[[], object]]:
    """Forward and backward of a square in PyTorch."""
    import torch

    torch.set_num_threads(1)
    x = torch.linspace(0, 1, SIZE, dtype=torch.float64, requires_grad=True)
    seed = torch.ones(SIZE, dtype=torch.float64)

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 2 * x * g

    return {
        "loma": lambda: torch.autograd.grad(square(x), x, seed),
        "`x * x`": lambda: torch.autograd.grad(x * x, x, seed),
        "an autograd.Function in Python": lambda: torch.autograd.grad(Square.apply(x), x, seed),
    }


def arrays() -> dict[str, Callable[[], object]]:
    """Calls under jit in JAX."""
    import jax
    import jax.numpy as jnp

    x = jnp.linspace(0.0, 1.0, SIZE)
    ours, theirs = jax.jit(square), jax.jit(lambda x: x * x)
    return {
        "loma": lambda: ours(x).block_until_ready(),
        "`x * x`": lambda: theirs(x).block_until_ready(),
    }


def groups() -> dict[str, dict[str, Callable[[], object]]]:
    """The calls to measure, by group."""
    found = {
        "call with six NumPy arrays": six_arrays(),
        "gradient by two arrays": gradients(),
        "pullback, five arrays": pullbacks(),
        "jvp of a matrix times a vector": directions(),
        "other calls": others(),
    }
    if here("torch"):
        found["PyTorch, forward and backward"] = tensors()
    if here("jax"):
        found["JAX under jit"] = arrays()
    return found


# The first gradient.

BODY = "\n".join(line for line in straight(100).splitlines()[1:] if not line.startswith("grad"))
SYSTEMS = {
    "loma": ("numpy", """
import loma
from loma import In, sin
import llvmlite.binding
@loma.function
def primal(x : In[float], y : In[float]) -> float:
{body}
start = time.perf_counter()
loma.grad(primal)(0.5, 0.25)
"""),
    "JAX": ("jax", """
import jax
from jax.numpy import sin
def primal(x, y):
{body}
jax.jit(lambda x: x + 1)(1.0)
start = time.perf_counter()
jax.block_until_ready(jax.jit(jax.grad(primal, (0, 1)))(0.5, 0.25))
"""),
    "PyTorch (eager)": ("torch", """
import torch
from torch import sin
def primal(x, y):
{body}
x, y = (torch.tensor(t, requires_grad=True) for t in (0.5, 0.25))
(x * y).backward()
start = time.perf_counter()
primal(x, y).backward()
"""),
    "Warp": ("warp", """
import warp as wp
from warp import sin
wp.config.quiet = True
wp.init()
@wp.func
def primal(x : wp.float64, y : wp.float64):
{body}
@wp.kernel
def kernel(x : wp.array(dtype=wp.float64), z : wp.array(dtype=wp.float64)):
    z[0] = primal(x[0], x[1])
x = wp.array([0.5, 0.25], dtype=wp.float64, device="cpu", requires_grad=True)
z = wp.zeros(1, dtype=wp.float64, device="cpu", requires_grad=True)
start = time.perf_counter()
with wp.Tape() as tape:
    wp.launch(kernel, dim=1, inputs=[x], outputs=[z], device="cpu")
tape.backward(grads={{z: wp.ones(1, dtype=wp.float64, device="cpu")}})
"""),
}


def first_gradients(rounds: int = 5) -> dict[str, Times]:
    """Seconds to the first gradient, each in a fresh process with empty caches."""
    found = {}
    for name, (package, script) in SYSTEMS.items():
        if here(package):
            body = BODY if name == "loma" else BODY.replace(" : float", "")
            if name == "Warp":
                body = body.replace("0.5", "wp.float64(0.5)")
            samples = sorted(_fresh(script.format(body=body)) for _ in range(rounds))
            found[name] = Times(samples[0], samples[len(samples) // 2])
    return found


def _fresh(script: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(f"import time\n{script}\nprint(time.perf_counter() - start)\n")
        environment = {**os.environ, "LOMA_CACHE_DIR": folder, "WARP_CACHE_PATH": folder}
        done = subprocess.run(
            [sys.executable, str(file)], env=environment, text=True, capture_output=True,
            check=True)
    return float(done.stdout.split()[-1])


# The table.


def lines(results: Mapping[str, Mapping[str, Times]]) -> list[str]:
    """The results as a table in Markdown."""
    made = ["| what | system | least | median | goal |", "|---|---|--:|--:|---|"]
    for what, times in results.items():
        for k, (name, t) in enumerate(times.items()):
            goal = GOALS.get(what, "") if not k else ""
            made.append(f"| {what} | {name} | {_text(t.least)} | {_text(t.median)} | {goal} |")
    return made


def _text(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds > 1e-3 else f"{seconds * 1e6:.2f} µs"


def main() -> None:
    """Measures, prints the table and writes DOORS.md."""
    results: dict[str, Mapping[str, Times]] = {}
    for what, functions in groups().items():
        for f in functions.values():
            for _ in range(10):
                f()
        results[what] = interleaved(functions)
    results["first gradient of 100 statements, empty cache"] = first_gradients()
    table = "\n".join(lines(results))
    print(table)
    TARGET.write_text(
        "# Calls from Python\n\nOne run of `python -m benchmarks --doors`. Arrays have eight "
        f"elements; each round measures all systems in turn.\n\n{table}\n", encoding="utf-8")
