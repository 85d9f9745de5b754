"""Kernels that golden files and devices share."""

from __future__ import annotations

from typing import Final

SHARED: Final = """
@simd
def line(a : In[float], b : In[float], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = a * sin(x[i]) + b

r_line = rev_diff(line)
d_line = fwd_diff(line)
"""

STENCIL: Final = """
@simd
def smooth(n : In[int], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    if i > 0 and i < n - 1:
        y[i] = x[i - 1] - 2.0 * x[i] + x[i + 1]

r_smooth = rev_diff(smooth)
"""

LOOP: Final = """
class Ball:
    height : float
    speed : float

@simd
def drop(ball : In[Ball], drag : In[Array[float]], steps : In[int], y : Out[Array[float]]):
    i : int = thread_id()
    b : Ball = ball
    while b.height > 0.0 and steps > 0:
        b.speed = b.speed * (1.0 - drag[i]) - 0.1
        b.height = b.height + b.speed * (1.0 + 0.01 * b.speed)
        steps = steps - 1
    y[i] = b.height

r_drop = rev_diff(drop)
"""

TRAPS: Final = """
@simd
def divide(a : In[Array[int]], b : In[Array[int]], c : Out[Array[int]]):
    i : int = thread_id()
    c[i] = a[i] / b[i]

@simd
def histogram(x : In[Array[int]], counts : Out[Array[int]]):
    i : int = thread_id()
    atomic_add(counts[x[i]], 1)

@simd
def total(x : In[Array[float]], s : Out[float]):
    i : int = thread_id()
    atomic_add(s, x[i])

@simd
def ragged(x : In[Array[Array[float]]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = x[i][0]

@simd
def scratch(n : In[int], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    t : Array[float, n]
    for k in range(n):
        t[k] = x[k] * i
    s : float
    for k in range(n):
        s = s + t[n - 1 - k]
    y[i] = s
"""

PROGRAMS: Final = {"shared": SHARED, "stencil": STENCIL, "loop": LOOP, "traps": TRAPS}
