"""Finds where a sphere is, and how large, from its picture: kernels and their derivatives on a GPU.

    python examples/gpu_sphere.py [cuda | opencl | wgsl]

The picture is smooth at the rim, so that its derivative tells where the rim is.
"""

from __future__ import annotations

import sys

import numpy as np

import loma

SIZE = 128
TEXT = """
@simd
def render(n : In[int], at : In[Array[float]], image : Out[Array[float]]):
    t : int = thread_id()
    i : int = t / n
    j : int = t - i * n
    dx : float = (j + 0.5) / n - 0.5
    dy : float = 0.5 - (i + 0.5) / n
    l : float = 1.0 / sqrt(dx * dx + dy * dy + 1.0)
    b : float = l * (dx * at[0] + dy * at[1] - at[2])
    d : float = b * b - (at[0] * at[0] + at[1] * at[1] + at[2] * at[2] - at[3] * at[3])
    inside : float = 1.0 / (1.0 + exp(-20.0 * d))
    image[t] = inside * (0.6 + 0.4 * tanh(2.0 * d))

@simd
def loss(image : In[Array[float]], wanted : In[Array[float]], total : Out[float]):
    t : int = thread_id()
    e : float = image[t] - wanted[t]
    atomic_add(total, e * e)

r_render = rev_diff(render)
d_render = fwd_diff(render)
r_loss = rev_diff(loss)
"""


def find(target: str, steps: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Where the sphere is by descent, and where it was."""
    _, lib = loma.compile(TEXT, target=target)
    count = SIZE * SIZE
    true = np.array([0.12, -0.08, -2.0, 0.6], "f")
    at = np.array([-0.15, 0.1, -2.0, 0.45], "f")
    wanted, image = np.zeros(count, "f"), np.zeros(count, "f")
    lib.render(SIZE, true, wanted, count)
    mean, square = np.zeros(4), np.zeros(4)
    for k in range(1, steps + 1):
        lib.render(SIZE, at, image, count)
        adjoint, ignored, back = np.zeros(count, "f"), np.zeros(count, "f"), np.zeros(4, "f")
        lib.r_loss(image, adjoint, wanted, ignored, np.ones(1, "f"), count)
        lib.r_render(SIZE, np.zeros(1, "i4"), at, back, adjoint, count)
        back[2] = 0  # the distance and the radius look alike
        mean, square = 0.9 * mean + 0.1 * back, 0.99 * square + 0.01 * back**2
        rate = 0.02 * 0.99**k / (1 - 0.9**k)
        at -= (rate * mean / (np.sqrt(square / (1 - 0.99**k)) + 1e-8)).astype("f")
    return at, true


if __name__ == "__main__":
    found, true = find(sys.argv[1] if len(sys.argv) > 1 else "cuda")
    print("found", found.round(4), "true", true)
