"""Programs of small constructs, each with points at which its derivatives are checked."""

from __future__ import annotations

from typing import Final

Point = tuple[float, float]

PROGRAMS: Final[dict[str, tuple[str, tuple[Point, ...]]]] = {}


def program(name: str, points: tuple[Point, ...], source: str) -> None:
    """Adds a program whose function is `f(x, y)`."""
    PROGRAMS[name] = source, points


program(
    "conditional",
    ((0.7, 0.3), (0.3, 0.7), (2.0, 1.9)),
    """
def f(x : In[float], y : In[float]) -> float:
    a = x * y if x > y else y / (x - x if x > 100 else x)
    return a if a < 3 else a ** 3
""",
)
program(
    "calls in a conditional",
    ((0.7, 0.3), (0.3, 0.7)),
    """
def g(x : In[float]) -> float:
    return sin(x) * x
def f(x : In[float], y : In[float]) -> float:
    s = 0.0
    i = 0
    while i < (5 if x > y else 3):
        s += g(x) if i % 2 == 0 else g(g(y))
        i += 1
    return s
""",
)
program(
    "structs in a conditional",
    ((0.7, 0.3), (0.3, 0.7), (2.0, 1.9)),
    """
class V:
    x : float
    y : float = 3
def total(v : In[V], w : In[V]) -> float:
    return v.x * w.y + w.x
def f(x : In[float], y : In[float]) -> float:
    a = V(x, y)
    b = V(y=x, x=y) if x > y else V(x * y)
    c : V = a if x * y > 0.3 else b
    a = b if y < 0.5 else a
    d = total(a if x > y else V(), b)
    return c.x * a.y + b.x * b.y + (a if x > y else b).y + d
""",
)
program(
    "only the side taken",
    ((0.7, 0.3), (-0.3, 0.7)),
    """
def g(a : In[Array[float, 2]], i : In[int]) -> float:
    assert i < 2
    return a[i]
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 2]
    a[0] = x
    a[1] = y
    i = 1 if x > 0 else 5
    n = 0
    return (g(a, i) if i < 2 else a[0] * 2) + (1 // n if n != 0 else 3) * x
""",
)
program(
    "remainder of floats",
    ((0.75, 0.3), (2.3, 0.7), (-2.0, 1.9), (2.0, -0.9)),
    """
def f(x : In[float], y : In[float]) -> float:
    return x % y * x + (x // y) * y + (-x) % y + (-x) // y * x + x % -0.7
""",
)
program(
    "power",
    ((0.75, 0.3), (-2.3, -0.7), (-2.0, 1.9)),
    """
def f(x : In[float], y : In[float]) -> float:
    a = x ** 3 + x ** 7 * y ** 2 + x ** -3 + (x * x) ** y
    return a + x ** 0 + x ** 1 + 2 ** 3 * y ** 2.0 + 2 ** y + (x / 9) ** 70
""",
)
program(
    "power at zero",
    ((0.0, 0.0), (0.0, 1.0)),
    """
def f(x : In[float], y : In[float]) -> float:
    return x ** 2 + y ** 1 * x + 5 * x ** 3 + y ** 4 + x ** 0 * y
""",
)
program(
    "chained comparison",
    ((0.7, 0.3), (0.3, 0.7), (2.0, 1.9)),
    """
def g(x : In[float]) -> float:
    return x * x
def f(x : In[float], y : In[float]) -> float:
    if 0 < g(x) <= y < g(y) + 1:
        return x * y
    return (0 < x < y) * x * x + (x < y == y)
""",
)
program(
    "augmented assignment",
    ((0.7, 0.3), (0.3, 0.7)),
    """
class P:
    w : float
    at : Array[float, 3]
def pick(i : In[int]) -> int:
    return i % 3
def f(x : In[float], y : In[float]) -> float:
    p : P
    for i in range(5):
        p.at[pick(i)] += x * i
        p.at[pick(i)] *= y
        p.at[i % 3] -= x * y
    p.at[0] /= y
    p.at[1] **= 2
    p.w += p.at[0] % 0.37
    x += p.w
    x *= x
    x //= 0.1
    return x * y + p.at[0] + p.at[1] * p.at[2] + p.w
""",
)
program(
    "variables without declaration",
    ((0.7, 0.3), (0.3, 0.4), (2.0, 1.9), (0.1, 0.9)),
    """
def f(x : In[float], y : In[float]) -> float:
    if x > y:
        a = x * y
        if x > 1:
            b = a
        else:
            b = a * a
            c = 2 * b
            b += c
    else:
        if y > 0.5:
            return x
        b = y
        a = b * x
    t = a * b
    for i in range(3):
        u = t * x
        t = u + y
    return t
""",
)
program(
    "bits",
    ((0.71, 0.3), (0.33, 0.7), (2.01, 1.9)),
    """
def f(x : In[float], y : In[float]) -> float:
    n = float2int(x * 10)
    m = (n & 3) | (n ^ 1) << 2
    return x * m + y * (n >> 1) + ((x > y) & (n > 2)) * x + ~n * y
""",
)
program(
    "constants and defaults",
    ((0.71, 0.3),),
    """
TWO = 2 * PI / N
N = 4
PI = 3.14159265358979
class Box:
    a : Array[float, N]
    w : float = TWO
    k : int = N - 1
def f(x : In[float], y : In[float]) -> float:
    b : Box
    n = 2
    bs : Array[Box, n]
    cs : Array[Array[Box, 2], 1 + 1]
    e = Box()
    for i in range(N):
        b.a[i] = x * PI + i * y
        bs[i % 2].a[i] += b.a[i] * b.w
    s = cs[1][0].w * y
    return b.a[b.k] * b.a[0] * b.w + bs[1].a[3] * bs[0].w + e.w * x + s
""",
)
