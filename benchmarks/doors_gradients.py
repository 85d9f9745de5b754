"""Gradients of functions with arrays, beside other systems; for `doors`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import loma
from loma import Array, In, Out, thread_id

SIZE = 8
Calls = dict[str, Callable[[], object]]


@dataclass
class Spring:
    stiffness: float
    rest: float


@loma.function
def dot(a: In[Array[float, "n"]], b: In[Array[float, "n"]]) -> float:
    return sum(a[i] * b[i] for i in range(n))


@loma.kernel
def five(a: In[Array[float]], b: In[Array[float]], c: In[Array[float]], d: In[Array[float]],
         e: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = a[i] * b[i] + c[i] * d[i] + e[i]


@loma.function
def matvec(a: In[Array[float, "n", "m"]], x: In[Array[float, "m"]], y: Out[Array[float, "n"]]):
    for i in range(n):
        y[i] = sum(a[i, j] * x[j] for j in range(m))


@loma.function
def energy(s: In[Spring], x: In[float]) -> float:
    return 0.5 * s.stiffness * (x - s.rest) ** 2


def here(name: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(name) is not None


def gradients() -> Calls:
    """The gradient of a number by two arrays."""
    a, b = np.linspace(0, 1, SIZE), np.linspace(1, 2, SIZE)
    ours = loma.grad(dot)
    found: Calls = {"loma": lambda: ours(a, b)}
    if here("jax"):
        import jax

        theirs = jax.jit(jax.grad(lambda a, b: (a * b).sum(), (0, 1)))
        x, y = jax.numpy.asarray(a), jax.numpy.asarray(b)
        found["JAX, jit"] = lambda: jax.block_until_ready(theirs(x, y))
    if here("torch"):
        import torch

        s, t = (torch.tensor(v, requires_grad=True) for v in (a, b))
        found["PyTorch"] = lambda: torch.autograd.grad(torch.dot(s, t), (s, t))
    if here("warp"):
        from benchmarks.doors_warp import dot as kernel

        found["Warp"] = _tape(kernel, [a, b], 1)
    return found


def pullbacks() -> Calls:
    """The pullback of a kernel with five arrays."""
    given = [np.linspace(k, k + 1, SIZE) for k in range(5)]
    seed = np.ones(SIZE)
    _, ours = loma.vjp(five, *given)
    found: Calls = {
        "loma": lambda: ours(seed),
        "loma, with the primal": lambda: loma.vjp(five, *given)[1](seed),
    }
    if here("jax"):
        import jax

        def both(seed: Any, *x: Any) -> Any:
            out, back = jax.vjp(lambda a, b, c, d, e: a * b + c * d + e, *x)
            return out, back(seed)

        theirs, arrays = jax.jit(both), list(map(jax.numpy.asarray, [seed, *given]))
        found["JAX, jit, with the primal"] = lambda: jax.block_until_ready(theirs(*arrays))
    if here("torch"):
        import torch

        x, ones = [torch.tensor(v, requires_grad=True) for v in given], torch.tensor(seed)
        found["PyTorch, with the primal"] = lambda: torch.autograd.grad(
            x[0] * x[1] + x[2] * x[3] + x[4], x, ones)
    if here("warp"):
        from benchmarks.doors_warp import five as kernel

        found["Warp, with the primal"] = _tape(kernel, given, SIZE)
    return found


def _tape(kernel: Any, given: list[Any], size: int) -> Callable[[], object]:
    """Forward and backward by Warp's tape."""
    import warp as wp

    wp.config.quiet = True
    x = [wp.array(v, dtype=wp.float64, device="cpu", requires_grad=True) for v in given]
    y = wp.zeros(size, dtype=wp.float64, device="cpu", requires_grad=True)
    seed = wp.ones(size, dtype=wp.float64, device="cpu")

    def run() -> object:
        with wp.Tape() as tape:
            wp.launch(kernel, dim=SIZE, inputs=x, outputs=[y], device="cpu")
        tape.backward(grads={y: seed})
        return tape.zero()

    return run


def directions() -> Calls:
    """Values and tangents of a matrix times a vector."""
    a, x = np.ones((SIZE, SIZE)), np.ones(SIZE)
    found: Calls = {"loma": lambda: loma.jvp(matvec, (a, x), (a, x))}
    if here("jax"):
        import jax

        theirs = jax.jit(lambda *v: jax.jvp(lambda a, x: a @ x, v[:2], v[2:]))
        v = [jax.numpy.asarray(t) for t in (a, x, a, x)]
        found["JAX, jit"] = lambda: jax.block_until_ready(theirs(*v))
    if here("torch"):
        import torch

        s, t = torch.tensor(a), torch.tensor(x)
        found["PyTorch, `torch.func.jvp`"] = lambda: torch.func.jvp(
            lambda a, x: a @ x, (s, t), (s, t))
    return found


def others() -> Calls:
    """Other ways to call."""
    a, x = np.ones((SIZE, SIZE)), np.ones(SIZE)
    spring, slope = Spring(2.0, 1.0), loma.grad(energy)
    by_name, ours = {"a": x, "b": x}, loma.grad(dot)
    return {
        "loma, a matrix": lambda: matvec(a, x),
        "loma, a struct": lambda: energy(spring, 2.0),
        "loma, gradient by a struct": lambda: slope(spring, 2.0),
        "loma, arguments by name": lambda: dot(**by_name),
        "loma, gradient, arguments by name": lambda: ours(**by_name),
        "loma, `k[n]`": lambda: five[SIZE](x, x, x, x, x),
        "NumPy, a matrix": lambda: a @ x,
    }
