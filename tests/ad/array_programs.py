"""Programs with arrays of several dimensions, named sizes and slices; each has an `f(x, y)`."""

from __future__ import annotations

from typing import Final

PROGRAMS: Final[dict[str, str]] = {
    "indices and rows": """
def filled(a : Out[Array[float, "n", "m"]], x : In[float]):
    for i in range(n):
        for j in range(m):
            a[i, j] = sin(x * (i + 1)) + j * x
def total(a : In[Array[float, "n", "m"]]) -> float:
    s = 0.0
    for i in range(n):
        for j in range(a.shape[1]):
            s += a[i, j] * a[i][j] * (i - j + 1)
    return s
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, float2int(x) + 3, 4]
    filled(a, x)
    b : Array[float, 2, 3]
    filled(b, x * y)
    return total(a) + y * total(b) + a[1, 3] * b[1, 2]
""",
    "rows and slices as operands": """
def dot(u : In[Array[float, "n"]], v : In[Array[float, "n"]]) -> float:
    s = 0.0
    for i in range(n):
        s += u[i] * v[i]
    return s
def scale(u : InOut[Array[float, "n"]], by : In[float]):
    for i in range(len(u)):
        u[i] = u[i] * by
def course(u : In[Array[float]], n : In[int]) -> float:
    s = 0.0
    for i in range(n):
        s += u[i] * u[i]
    return s
def f(x : In[float], y : In[float]) -> float:
    n = 3
    a : Array[float, n, n]
    for i in range(3):
        for j in range(3):
            a[i, j] = x * i + y * y * j
    scale(a[1], x)
    scale(a[2, 1:], y)
    scale(flat(a)[2:5], x + y)
    return dot(a[0], a[1]) + dot(a[1, :2], a[2, 1:]) + course(a[2, 0:2], 2) + dot(flat(a), flat(a))
""",
    "names of parts": """
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3, 4]
    t : Array[float, 3 + 1]
    i = 1
    row = a[i]
    part = t[i:3]
    i = 2
    for k in range(len(row)):
        row[k] = x * k
        if k < len(part):
            part[k] = row[k] * y + part[0]
    inner = row[1:3]
    inner[1] += x * y
    return a[1, 2] * t[1] + t[2] * row[3] + a[i, 0] + inner[0]
""",
    "assigned parts": """
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3, 4]
    b : Array[float, 8]
    a[0] = x
    a[1:3] = y
    a[2, 1:3] = a[0, 0:2]
    b[1:5] = a[1]
    b[2:7] = b[1:6]
    b[0:4] = b[3:7]
    flat(a)[3:9] = flat(a)[0:6]
    s = 0.0
    for k in range(8):
        s += b[k] * b[k] * (k + 1)
    for i in range(3):
        for j in range(4):
            s += a[i, j] * b[j] * (i + 2 * j)
    return s
""",
    "structs and constant dimensions": """
class P:
    x : float
    v : Array[float, 2, 2]
def moved(p : In[P]) -> float:
    return p.x * p.v[1, 0]
def norm(v : In[Array[float, 2]]) -> float:
    return v[0] * v[0] + v[1]
def all(ps : InOut[Array[P, "n", "m"]], s : In[float]) -> float:
    r = 0.0
    for i in range(n):
        for j in range(m):
            ps[i, j].v[1, 0] = s * ps[i, j].x
            r += moved(ps[i, j]) + norm(ps[i, j].v[1])
    return r
def f(x : In[float], y : In[float]) -> float:
    k = 2
    ps : Array[P, k, 3]
    for i in range(2):
        for j in range(3):
            ps[i, j].x = x * (i + 1) * (j + 1)
            ps[i, j].v[0] = y
            ps[i, j].v[1, 1] = x
    r : float
    t : Array[float, 4]
    t[1:3] = ps[1, 2].v[1]
    r = y
    spread(ps[1], x, r)
    return r + norm(t[1:3]) + ps[1, 2].v[1, 0]
def spread(ps : InOut[Array[P, "m"]], s : In[float], r : InOut[float]):
    for j in range(m):
        ps[j].v[1, 0] = s * ps[j].x
        r += moved(ps[j]) * ps[j].v[0, 1] + norm(ps[j].v[1])
""",
    "rows of constant length": """
def cross(a : In[Array[float, 3]], b : In[Array[float, 3]], c : Out[Array[float, 3]]):
    for i in range(3):
        c[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3]
def f(x : In[float], y : In[float]) -> float:
    n = 4
    p : Array[float, n, 3]
    q : Array[float, 12]
    for i in range(4):
        for k in range(3):
            p[i, k] = x * (i + 1) - y * k * k
            q[3 * i + k] = p[i, k] * y
    s = 0.0
    for i in range(3):
        c : Array[float, 3]
        cross(p[i], q[3 * i:3 * i + 3], c)
        s += c[0] * p[i + 1, 2] + c[1] * c[2]
    return s + mean(p) + mean(p[1:3])
def mean(p : In[Array[float, "n", "m"]]) -> float:
    s = 0.0
    for i in range(n):
        for j in range(m):
            s += p[i, j] * p[i, j]
    return s / (n * m)
""",
    "recursion on slices": """
def halves(a : In[Array[float, "n"]]) -> float:
    if n == 1:
        return a[0] * a[0]
    h = n / 2
    return halves(a[:h]) * 1.5 + halves(a[h:]) * a[0]
def sweep(a : InOut[Array[float, "n"]], x : In[float]):
    if n > 1:
        a[1] = a[0] * x + a[1]
        sweep(a[1:], x * 1.1)
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 5]
    for i in range(5):
        a[i] = x + i * y
    sweep(a, y)
    return halves(a) + halves(a[1:4])
""",
    "an output written through parts": """
def part(x : In[float], out : Out[Array[float, "m"]]):
    for j in range(m):
        out[j] = x * j + x * x
    out[0] = out[1] * 2.0
def whole(x : In[float], y : In[float], out : Out[Array[float, "n", "m"]]):
    for i in range(n):
        part(x + i * y, out[i])
    out[0, 0:2] = out[1, 1:3]
def f(x : In[float], y : In[float]) -> float:
    out : Array[float, 2, 3]
    whole(x, y, out)
    s = 0.0
    for i in range(2):
        for j in range(3):
            s += out[i, j] * (i + 1) * (2 * j + 1)
    return s
""",
    "recursion on rows of an output": """
def fill(x : In[float], out : InOut[Array[float, "n", "m"]]):
    if n > 0:
        r = out[n - 1]
        for j in range(m):
            r[j] = r[j] * x + j
        fill(x * x, out[:n - 1])
def f(x : In[float], y : In[float]) -> float:
    k = 3
    out : Array[float, k, 2]
    flat(out)[0:6] = y
    fill(x, out)
    return out[0, 0] + out[1, 1] * out[2, 0] + out[2, 1]
""",
    "a stencil in a time loop": """
def step(u : In[Array[float, "n"]], c : In[float], v : Out[Array[float, "n"]]):
    v[0] = u[0]
    v[n - 1] = u[n - 1]
    for i in range(1, n - 1):
        w = u[i - 1:i + 2]
        v[i] = w[1] + c * (w[0] - 2.0 * w[1] + w[2]) * w[1]
def f(x : In[float], y : In[float]) -> float:
    n = 6
    u : Array[float, n]
    for i in range(n):
        u[i] = sin(x * i)
    for t in range(3):
        v : Array[float, n]
        step(u, y, v)
        u[:] = v[:]
    return u[2] * u[3] + u[1]
""",
    "nested pointers beside": """
def rows(p : In[Array[Array[float]]], n : In[int], a : In[Array[float, "m"]]) -> float:
    s = 0.0
    for i in range(n):
        r = p[i]
        s += r[1] * p[i, 0] + a[i]
        s += sum_of(p[i, 0:2])
    return s
def sum_of(a : In[Array[float, "n"]]) -> float:
    s = 0.0
    for i in range(n):
        s += a[i] * a[i]
    return s
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3]
    a[:] = x * y
    a[1] = y
    return sum_of(a) + sum_of(a[1:]) * a[2]
""",
    "generic elements": """
T = TypeVar("T")
def total(a : In[Array[T, "n"]]) -> T:
    s : T
    for i in range(n):
        s = s + a[i]
    return s
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 2, 3]
    for i in range(2):
        a[i] = x * (i + 1) * y
    return total(a[1]) * total(flat(a))
""",
}
