"""Programs of exchanges, and of reductions over several ranges, in the manner of `constructs`."""

from __future__ import annotations

from ad.constructs import program

POINTS = ((0.7, 0.3), (0.3, 0.7))

program("elements exchanged", POINTS, """
class V:
    x : float
    y : float

def two(s : In[float]) -> tuple[float, float]:
    return s * s, sin(s)

def sort(a : InOut[Array[float]], n : In[int]):
    for i in range(n):
        for j in range(n - 1 - i):
            if a[j] > a[j + 1]:
                a[j], a[j + 1] = a[j + 1], a[j]

def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 4]
    vs : Array[V, 2]
    v : V
    a[0], a[1], (a[2], v.x), a[3] = x, y * x, two(y), x - y
    i = 1
    i, vs[i], vs[i].y = 0, V(x, a[1]), y
    a[i], v.y = two(a[3] + v.x)
    vs[0], vs[1] = vs[1], vs[0]
    (vs[0].x, v), vs[1].x = (vs[1].x, vs[0]), v.y
    sort(a, 4)
    return a[0] + 2.0 * a[1] + 3.0 * a[2] * v.x + a[3] * vs[0].x * vs[1].x + vs[1].y * v.y
""")
program("rows exchanged", POINTS, """
class H:
    a : Array[float, 2]
    b : Array[float, 2]

def pivot(m : InOut[Array[float, "n", "n"]], rows : InOut[Array[Array[float, 2]]]):
    for k in range(n - 1):
        if abs(m[k + 1, k]) > abs(m[k, k]):
            m[k], m[k + 1] = m[k + 1], m[k]
            rows[k], rows[k + 1] = rows[k + 1], rows[k]

def f(x : In[float], y : In[float]) -> float:
    m : Array[float, 3, 3]
    rows : Array[Array[float, 2], 3]
    h : H
    for i in range(3):
        h.a[i % 2] = x * i + y
        rows[i][0], rows[i][1] = x * i, y
        for j in range(3):
            m[i, j] = sin(x * (i + 1)) * (j + 1) ** i + y * i
    pivot(m, rows)
    h.a[:], h.b[:] = h.b[:], h.a[:]
    m[0, 0:2], kept, m[2, 1:] = m[2, 1:], m[1], h.b[:]
    m[2], m[0] = m[0], kept
    return m[0, 1] * m[1, 0] + m[2, 2] * kept[2] + rows[0][0] * h.b[0] + rows[2][1] * m[0, 2]
""")
program("reductions over several ranges", POINTS, """
def total(a : In[Array[float, "n", "m"]], x : In[float]) -> float:
    s = sum(a[i, j] * x for i in range(n) for j in range(m))
    s += sum(a[i, j] ** 2 for i in range(n) if i > 0 for j in range(i) if a[i, j] > x if j != 1)
    return s + max(a[i, j] * (j - x) for i in range(n) for j in range(m))

def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3, 4]
    for i in range(3):
        for j in range(4):
            a[i, j] = sin(x * (i + 1)) + y * j
    k = sum(i * j for i in range(4) for j in range(i) if i != 2)
    return total(a, y) * k + sum(x for i in range(5) if i % 2 == 0)
""")
