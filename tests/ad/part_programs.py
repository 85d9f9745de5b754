"""Programs that write parts of arguments, and pass them on: entry `f`, and its operands."""

from __future__ import annotations

from typing import Any

PROGRAMS: dict[str, tuple[str, list[Any]]] = {
    "halves of an InOut array": ("""
def f(a : InOut[Array[float]], n : In[int], w : In[float]):
    if n > 1:
        h : int = n / 2
        f(a[0:h], h, w * 0.5)
        f(a[h:n], n - h, w)
        for i in range(h):
            t : float = a[i]
            a[i] = t + w * a[i + h] * a[i]
            a[i + h] = t - w * a[i + h]
""", [[0.5, 0.75, -0.3, 0.4], 4, 0.9]),
    "merge sort on slices": ("""
def f(a : InOut[Array[float]], s : InOut[Array[float]], n : In[int]):
    if n > 1:
        h : int = n / 2
        f(a[:h], s[:h], h)
        f(a[h:n], s[h:n], n - h)
        i : int = 0
        j : int = h
        for k in range(n):
            l : bool = j >= n
            if i < h and (j >= n or a[i] < a[j]):
                s[k] = a[i] * 1.1
                i = i + 1
            else:
                s[k] = a[j] * a[j]
                j = j + 1
        for k in range(n):
            a[k] = s[k]
""", [[0.5, 0.75, -0.3, 0.4], [0.0, 0.0, 0.0, 0.0], 4]),
    "the rest of an Out array": ("""
def f(x : In[float], y : Out[Array[float]], n : In[int]):
    y[0] = x * n
    if n > 1:
        f(x * x, y[1:n], n - 1)
        y[0] = y[0] * y[1] * x
""", [0.7, [0.0, 0.0, 0.0], 3]),
    "rows of an Out array to a recursive function": ("""
def g(x : In[float], n : In[int], y : Out[Array[float]]):
    y[n] = x * n
    if n > 0:
        g(x * x, n - 1, y)

def f(x : In[float], y : Out[Array[Array[float]]]):
    g(x, 3, y[0])
    g(x*1.5, 1, y[1])
    y[1][1] = y[0][2] * y[1][1] * x
""", [1.1, [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0]]]),
    "a product that sets, adds, and changes": ("""
def f(a : In[Array[Array[float]]], b : In[Array[Array[float]]],
      c : Out[Array[Array[float]]], n : In[int]):
    for i in range(n):
        for j in range(n):
            c[i][j] = 0.0
            for k in range(n):
                c[i][j] = c[i][j] + a[i][k] * b[k][j]
    for i in range(n):
        for j in range(n):
            c[i][j] = sin(c[i][j])
""", [[[1.0, 2.0], [3.0, 4.0]], [[0.1, 0.2], [0.3, 0.4]], [[0.0, 0.0], [0.0, 0.0]], 2]),
    "rows of an InOut array": ("""
def f(y : InOut[Array[Array[float]]], x : In[float], n : In[int], m : In[int]) -> float:
    s : float
    for i in range(n):
        for j in range(m):
            y[i][j] = y[i][j] * x + y[(i+1) - (i+1)/n*n][j]
            s = s + y[i][j] * y[i][0]
    return s
""", [[[0.5] * 11, [0.25] * 11, [0.75] * 11], 0.9, 3, 11]),
    "InOut struct with pointers": ("""
class S:
    n : int
    k : float
    a : Array[float]
    b : Array[float]

def f(s : InOut[S], x : In[float]) -> float:
    for i in range(s.n):
        s.a[i] = s.a[i] * x * s.k + s.b[i]
        s.k = s.k * s.a[i]
    for i in range(s.n):
        s.a[i] = sin(s.a[i]) * s.a[0]
    return s.a[0]
""", [{"n": 2, "k": 0.5, "a": [0.3, 0.4], "b": [0.2, 0.7]}, 0.8]),
    "Out struct with pointers, written twice": ("""
class S:
    n : int
    k : float
    a : Array[float]

def f(s : Out[S], x : In[float]):
    s.n = 3
    s.k = x * x
    for i in range(3):
        s.a[i] = x * i + s.k
    for i in range(3):
        s.a[i] = s.a[i] * s.a[i] * x
    s.k = s.k * s.a[1]
""", [{"n": 0, "k": 0.0, "a": [0.0, 0.0, 0.0]}, 0.8]),
    "array members to a recursive function": ("""
class S:
    n : int
    k : float
    a : Array[float]

def h(a : InOut[Array[float]], n : In[int], x : In[float]):
    if n > 0:
        a[0] = a[0] * x
        a[n - 1] = a[n - 1] * a[0]
        h(a[1:n], n - 1, x * x)

def f(s : InOut[Array[S]], m : In[int], x : In[float]):
    for i in range(m):
        h(s[i].a, s[i].n, x * s[i].k)
        s[i].k = s[i].a[0] * s[i].k
        h(s[0].a, s[0].n, s[i].k)
""", [[{"n": 2, "k": 0.5, "a": [0.3, 0.4]}, {"n": 3, "k": 0.6, "a": [0.3, 0.4, 0.9]}], 2, 0.8]),
    "rows in the condition of a loop": ("""
def f(y : InOut[Array[Array[float]]], x : In[float]):
    i : int
    while i < 4 and y[1][0] < 2.0:
        y[1][0] = y[1][0] * x
        y[0][i] = y[1][0] * y[0][i]
        i = i + 1
""", [[[0.5, 0.5, 0.5, 0.5], [0.25]], 1.9]),
    "rows of known length to a recursive function": ("""
def g(a : InOut[Array[float, 3]], x : In[float], n : In[int]):
    if n > 0:
        a[n] = a[n] * x * a[0]
        a[0] = a[1] + x
        g(a, x * x, n - 1)

def f(y : InOut[Array[Array[float, 3]]], x : In[float]):
    g(y[1], x, 2)
    g(y[0], y[1][2], 2)
""", [[[0.5, 0.6, 0.7], [0.25, 0.1, 0.9]], 1.9]),
    "elements to a recursive function": ("""
def g(x : In[float], y : InOut[float], n : In[int]):
    if n > 0:
        y = y * x + 0.5
        g(x * y, y, n - 1)

def f(y : InOut[Array[float]], x : In[float]):
    g(x, y[1], 2)
    y[0] = y[1] * y[0]
    g(x, y[0], 3)
""", [[0.5, 0.6], 1.2]),
    "three dimensions of unknown length": ("""
def f(y : InOut[Array[Array[Array[float]]]], x : In[float]) -> float:
    for i in range(2):
        for j in range(2):
            for k in range(3):
                y[i][j][k] = y[i][j][k] * x + y[1 - i][j][2 - k]
    return y[1][1][2] * y[0][0][0]
""", [[[[0.5, 0.6, 0.1], [0.2, 0.3, 0.4]], [[0.7, 0.8, 0.9], [0.15, 0.25, 0.35]]], 1.2]),
    "Out scalars written in a branch of a loop": ("""
def f(x : In[float], n : In[int], y : Out[float], z : Out[float]):
    for i in range(n):
        if i == 0:
            y = x
        z = y * y * x
    if n > 0:
        z = z * y
""", [0.5, 3, 0.0, 0.0]),
    "Out scalar written in one branch and read in another": ("""
def f(x : In[float], y : Out[float]):
    if x > 0.0:
        y = x * x
    if x > 0.0:
        y = y * y * x
""", [0.5, 0.0]),
    "Out scalar as running maximum": ("""
def f(x : In[Array[float]], n : In[int], y : Out[float]):
    for i in range(n):
        if i == 0 or x[i] * x[i] > y:
            y = x[i] * x[i]
    y = y * y
""", [[0.5, 0.7, 0.6], 3, 0.0]),
    "Out scalar of a recursive function": ("""
def g(x : In[float], n : In[int], y : Out[float]):
    if n > 0:
        g(x * x, n - 1, y)
        y = y * x
    else:
        y = x

def f(x : In[float], n : In[int], y : Out[float]):
    g(x, n, y)
    y = y * y
""", [0.5, 3, 0.0]),
    "Out scalar written before a recursive call": ("""
def g(x : In[float], n : In[int], y : Out[float]):
    if n > 0:
        y = sin(x)
        g(y * x, n - 1, y)
        y = y * x

def f(x : In[float], n : In[int], y : Out[float]):
    g(x, n, y)
""", [0.5, 3, 0.0]),
    "Out struct filled in the first round": ("""
class V:
    x : float
    y : float
def f(x : In[float], n : In[int], v : Out[V]):
    for i in range(n):
        if i == 0:
            v.x = x
            v.y = 1.0
        v.x = v.x * v.y + x
        v.y = v.y * v.x
""", [0.5, 3, {"x": 0.0, "y": 0.0}]),
}
