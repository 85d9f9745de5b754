"""The programs of the benchmarks on GPUs, in loma, JAX and PyTorch."""

from __future__ import annotations

from typing import Any, Final

TEXT: Final = """
@simd
def line(a : In[float], b : In[float], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = a * sin(x[i]) + b

@simd
def poly(c : In[Array[float]], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for k in range(16):
        s = s * x[i] + c[15 - k]
    y[i] = s

@simd
def step(n : In[int], u : In[Array[float]], v : Out[Array[float]]):
    t : int = thread_id()
    i : int = t / n
    j : int = t - i * n
    if i > 0 and i < n - 1 and j > 0 and j < n - 1:
        near : float = u[t - n] + u[t + n] + u[t - 1] + u[t + 1] - 4.0 * u[t]
        v[t] = u[t] + 0.1 * near + 0.01 * (u[t] - u[t] * u[t] * u[t])
    else:
        v[t] = u[t]

@simd
def energy(n : In[int], x : In[Array[float]], y : In[Array[float]], z : In[Array[float]],
           e : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for j in range(n):
        dx : float = x[i] - x[j]
        dy : float = y[i] - y[j]
        dz : float = z[i] - z[j]
        s = s + 1.0 / sqrt(dx * dx + dy * dy + dz * dz + 0.01)
    e[i] = s

def weight(d : In[float]) -> float:
    a : float = abs(d)
    w : float = 0.0
    if a < 0.5:
        w = 0.75 - a * a
    elif a < 1.5:
        w = 0.5 * (1.5 - a) * (1.5 - a)
    return w

@simd
def scatter(n : In[int], x : In[Array[float]], y : In[Array[float]], z : In[Array[float]],
            grid : Out[Array[float]]):
    i : int = thread_id()
    bx : int = float2int(x[i])
    by : int = float2int(y[i])
    bz : int = float2int(z[i])
    for p in range(3):
        for q in range(3):
            for r in range(3):
                w : float = weight(x[i] - int2float(bx + p - 1) - 0.5)
                w = w * weight(y[i] - int2float(by + q - 1) - 0.5)
                w = w * weight(z[i] - int2float(bz + r - 1) - 0.5)
                atomic_add(grid[((bx + p - 1) * n + by + q - 1) * n + bz + r - 1], w)

@simd
def decay(k : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    t : float = 0.0
    v : float = 1.0
    while t < 1.0:
        h : float = 0.2 / (1.0 + abs(k[i] * v))
        v = v + h * k[i] * (cos(t * 10.0) - v)
        t = t + h
    y[i] = v

@simd
def sphere(n : In[int], cx : In[float], cy : In[float], cz : In[float], radius : In[float],
           image : Out[Array[float]]):
    t : int = thread_id()
    i : int = t / n
    j : int = t - i * n
    dx : float = (j + 0.5) / n - 0.5
    dy : float = 0.5 - (i + 0.5) / n
    l : float = 1.0 / sqrt(dx * dx + dy * dy + 1.0)
    b : float = l * (dx * cx + dy * cy - cz)
    d : float = b * b - (cx * cx + cy * cy + cz * cz - radius * radius)
    if d > 0.0:
        s : float = b - sqrt(d)
        nx : float = (s * l * dx - cx) / radius
        ny : float = (s * l * dy - cy) / radius
        image[t] = 0.6 * nx + 0.8 * ny
    else:
        image[t] = 0.1

r_line = rev_diff(line)
r_poly = rev_diff(poly)
r_step = rev_diff(step)
r_energy = rev_diff(energy)
r_scatter = rev_diff(scatter)
r_decay = rev_diff(decay)
d_decay = fwd_diff(decay)
r_sphere = rev_diff(sphere)
"""


def formulas(m: Any) -> dict[str, Any]:
    """The same in arrays, for a module such as `jax.numpy` or `torch`."""

    def line(a: Any, b: Any, x: Any) -> Any:
        return a * m.sin(x) + b

    def poly(c: Any, x: Any) -> Any:
        s = 0.0
        for k in range(16):
            s = s * x + c[15 - k]
        return s

    def step(u: Any) -> Any:
        mid = u[1:-1, 1:-1]
        near = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * mid
        return mid + 0.1 * near + 0.01 * (mid - mid * mid * mid)

    def energy(x: Any, y: Any, z: Any) -> Any:
        dx, dy, dz = (v[:, None] - v[None, :] for v in (x, y, z))
        return (1.0 / m.sqrt(dx * dx + dy * dy + dz * dz + 0.01)).sum(1)

    def sphere(n: int, j: Any, i: Any, cx: Any, cy: Any, cz: Any, radius: Any) -> Any:
        dx, dy = (j + 0.5) / n - 0.5, 0.5 - (i + 0.5) / n
        l = 1.0 / m.sqrt(dx * dx + dy * dy + 1.0)  # noqa: E741
        b = l * (dx * cx + dy * cy - cz)
        d = b * b - (cx * cx + cy * cy + cz * cz - radius * radius)
        s = b - m.sqrt(m.where(d > 0.0, d, 1.0))
        nx, ny = (s * l * dx - cx) / radius, (s * l * dy - cy) / radius
        return m.where(d > 0.0, 0.6 * nx + 0.8 * ny, 0.1)

    return {"line": line, "poly": poly, "step": step, "energy": energy, "sphere": sphere}
