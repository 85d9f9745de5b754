"""Programs whose structs share arrays, with operands: pointers are assigned and followed."""

from __future__ import annotations

from typing import Any, Final

PROGRAMS: Final[dict[str, tuple[str, list[Any]]]] = {}

BOX = """
class Box:
    a : Array[float]
    k : float
"""


def program(name: str, operands: list[Any], source: str) -> None:
    """Adds a program whose function is `f`."""
    PROGRAMS[name] = BOX + source, operands


def box(*a: float, k: float = 0.5) -> dict[str, Any]:
    """A box."""
    return {"a": list(a), "k": k}


BOXES = [box(0.3, 0.7, k=0.2), box(-0.4, 0.9, k=1.1), box(0.6, 0.1, k=-0.7)]

program(
    "one pointer",
    [BOXES, 3],
    """

def f(boxes : In[Array[Box]], n : In[int]) -> float:
    s : float
    b : Box = boxes[0]
    for i in range(n):
        s = s + b.a[0] * b.a[0] * b.k
        b = boxes[i]
    return s
""",
)
program(
    "two origins",
    [BOXES, box(0.5, 0.8), 3],
    """

def f(boxes : In[Array[Box]], other : In[Box], n : In[int]) -> float:
    s : float
    b : Box = other
    for i in range(n):
        s = s + sin(b.a[0] * b.a[1]) * b.k
        if s > 0.0:
            b = boxes[i]
        else:
            b = other
        b.k = b.k * s
    return s
""",
)
program(
    "arrays of the function",
    [0.7, 4],
    """

def f(x : In[float], n : In[int]) -> float:
    l : Array[float, n]
    m : Array[float, n]
    bs : Array[Box, 2]
    l[0] = x
    l[1] = x * x
    m[0] = sin(x)
    m[2] = 0.3
    bs[0].a = l[1:3]
    bs[1].a = m[0:3]
    t : Box
    s : float
    for i in range(n):
        t = bs[0]
        bs[0] = bs[1]
        bs[1] = t
        t.a[0] = t.a[0] * x + bs[0].a[1]
        s = s + t.a[0] * bs[i % 2].a[0]
    return s
""",
)
program(
    "memory that is written",
    [BOXES, 3],
    """

def f(boxes : InOut[Array[Box]], n : In[int]) -> float:
    s : float
    b : Box = boxes[0]
    for i in range(n):
        b.a[0] = b.a[0] * b.a[1] + boxes[2].a[0]
        s = s + b.a[0] * b.k
        b.k = s
        boxes[1].k = boxes[1].k * s
        b = boxes[i]
    return s
""",
)
program(
    "memory that is an output",
    [0.6, BOXES, 3],
    """

def f(x : In[float], boxes : Out[Array[Box]], n : In[int]):
    boxes[0].a[0] = x
    boxes[1].a[0] = x * x
    boxes[0].k = 1.0
    boxes[1].k = 2.0 * x
    b : Box = boxes[0]
    for i in range(n):
        b.a[0] = b.a[0] * x * b.k
        b = boxes[i % 2]
""",
)
program(
    "pointers behind pointers",
    [
        [
            {"boxes": BOXES, "rows": [[0.1, 0.2], [0.3, 0.4]], "n": 3},
            {"boxes": [*BOXES[1:], BOXES[0]], "rows": [[0.5, 0.6], [0.7, 0.8]], "n": 3},
        ],
        3,
    ],
    """

class Shelf:
    boxes : Array[Box]
    rows : Array[Array[float], 2]
    n : int
def f(shelves : In[Array[Shelf]], n : In[int]) -> float:
    s : float
    sh : Shelf = shelves[0]
    b : Box
    for i in range(n):
        b = sh.boxes[i]
        s = s + b.a[0] * b.k
        if s < 0.2:
            b = shelves[1].boxes[0]
        s = s + sin(b.a[1]) * sh.rows[i % 2][1]
        t = sh.rows[0][0]
        sh = shelves[(i + 1) % 2]
        s = s * b.a[0] + t
    return s
""",
)
program(
    "a function that chooses",
    [[0.5, 0.7, 0.9], [0.3, 1.2, 0.4], 3],
    """

def choose(p : In[Array[float]], q : In[Array[float]], c : In[bool], k : In[float]) -> Box:
    if c:
        return Box(p, k)
    return Box(q, k * k)
def f(x : In[Array[float]], y : InOut[Array[float]], n : In[int]) -> float:
    s : float = 0.1
    i : int = 0
    while i < n:
        b = choose(x, y, s < 1.0, s)
        y[i] = y[i] * b.a[0]
        c = choose(y, x, s > 1.0, y[0])
        s = s + b.a[i] * b.k + c.a[i] * c.k
        i = i + 1
    return s
""",
)
program(
    "a pointer to pointers",
    [[0.5, 0.7, 0.9], [0.3, 1.2, 0.4], 3],
    """

class Holder:
    boxes : Array[Box]
def use(h : In[Holder], i : In[int], j : In[int]) -> float:
    return h.boxes[i].a[j] * h.boxes[i].k
def f(x : In[Array[float]], y : In[Array[float]], n : In[int]) -> float:
    bs : Array[Box, n]
    h : Holder
    h.boxes = bs[0:n]
    s : float = 0.5
    for i in range(n):
        if i % 2 == 0:
            bs[i].a = x
        else:
            bs[i].a = y
        bs[i].k = s * x[i]
        h.boxes[0].a = y
        s = s + use(h, i, 1) * use(h, i / 2, 0)
    return s
""",
)
program(
    "ever smaller parts",
    [[0.5, 0.7, 0.9, 0.4, 0.2, 0.8, 0.1], 7],
    """
class Span:
    a : Array[float]
    n : int
def f(x : In[Array[float]], n : In[int]) -> float:
    s : Span
    s.a = x
    s.n = n
    t : float = 0.0
    while s.n > 1:
        h : int = s.n / 2
        t = t + s.a[0] * s.a[h]
        if t > 0.3:
            s.a = s.a[h:s.n]
            s.n = s.n - h
        else:
            s.a = s.a[0:h]
            s.n = h
    return t * s.a[0]
""",
)

TOTAL = """
def total(b : In[Box], n : In[int]) -> float:
    return b.k if n < 1 else b.a[n - 1] * b.a[n - 1] * b.k + total(b, n - 1)
"""

program(
    "passed to a recursive function",
    [[0.1, 0.2, 0.3], [0.5, 0.7, 0.9], 3],
    TOTAL
    + """
def f(x : In[Array[float]], y : In[Array[float]], n : In[int]) -> float:
    b : Box = Box(x, 2.0 * x[0])
    s : float = 0.0
    for i in range(n):
        if i > 0:
            b = Box(y, x[1])
        s = s + total(b, i)
        b.k = s
    return s
""",
)
program(
    "parts of local arrays passed to a recursive function",
    [0.6, 3],
    TOTAL
    + """
def f(x : In[float], n : In[int]) -> float:
    l : Array[float, n]
    l[0] = x
    l[1] = x * x
    l[2] = 0.3
    b : Box = Box(l, x)
    s : float = total(b, n)
    l[1] = s
    b.a = l[1:n]
    return s * total(b, n - 1)
""",
)
program(
    "assigned and passed on in a recursive function",
    [BOXES, 2],
    """
def walk(b : In[Box], boxes : In[Array[Box]], n : In[int]) -> float:
    if n < 1:
        return b.a[0] * b.k
    c : Box = b
    if b.k > 0.3:
        c = boxes[n]
        c.k = c.k * b.a[0]
    return walk(c, boxes, n - 1) * b.a[1] + b.k

def f(boxes : In[Array[Box]], n : In[int]) -> float:
    return walk(boxes[0], boxes, n)
""",
)
program(
    "passed on beside memory that is written",
    [BOXES, 2],
    """
def walk(b : In[Box], boxes : InOut[Array[Box]], n : In[int]) -> float:
    if n < 1:
        return b.a[0] * b.k
    c : Box = b
    boxes[n].a[0] = boxes[n].a[0] * b.a[1]
    if b.k > 0.3:
        c = boxes[n]
        c.k = c.k * b.a[0]
    return walk(c, boxes, n - 1) * b.a[1] + b.k

def f(boxes : InOut[Array[Box]], n : In[int]) -> float:
    return walk(boxes[0], boxes, n)
""",
)
program(
    "all of an array of known length",
    [[0.1, 0.2, 0.3, 0.4], 0.5],
    """
def f(x : In[Array[float, 4]], c : In[float]) -> float:
    p : Box = Box(x[0:4], 0.5)
    q : Box = p
    b : Array[Box, 2]
    b[0] = p
    b[1].a = x[0:4]
    v : float
    for i in range(3):
        q = p if v < c else b[1]
        p = q
        p.k = v
        v = v + p.a[i] * q.k + b[i % 2].a[1]
    return v
""",
)
program(
    "copied before it is assigned",
    [0.7, 1],
    """
def f(x : In[float], c : In[int]) -> float:
    p : Box
    q : Box = p
    if c > 0:
        q = p
        q.k = x
    l : Array[float, 4]
    l[1] = x
    p = Box(l[0:4], x)
    for i in range(2):
        if i > 0:
            q = p
        p.k = q.k * x
    return q.a[1] * q.k
""",
)
program(
    "a local array written through a pointer",
    [[0.5, 0.7, 0.9]],
    """
def f(x : In[Array[float]]) -> float:
    g : Array[float, 3]
    b : Box = Box(g[0:3], x[0])
    b.a[0] = b.a[0] + x[1] * x[0]
    b.a[0] = b.a[0] + x[2] * x[0]
    return g[0] * b.k
""",
)
program(
    "derivatives of functions with pointers, called",
    [[0.5, 0.7, 0.9], 3],
    """
def total(b : In[Box], n : In[int]) -> float:
    c : Box = b
    s : float = 1.0
    for i in range(n):
        s = s * c.a[i] * c.k + 0.3
        c.k = s
    return s

dt = fwd_diff(total)
rt = rev_diff(total)

def f(x : In[Array[float]], n : In[int]) -> float:
    g : Array[float, 3]
    b : Box = Box(x, 0.4)
    db : Box = Box(g[0:3], 0.0)
    dn : int
    rt(b, db, n, dn, 1.0)
    s : float = g[0] * db.k
    b.k = g[1]
    rt(b, db, n, dn, s)
    return s + g[2] * db.k
""",
)
program(
    "arrays without derivatives",
    [[0.5, 0.7, 0.9], 3],
    """
def g(x : In[NoDiff[Array[float]]], y : In[Array[float]], n : In[int]) -> float:
    b : Box = Box(x, y[0])
    if n > 1:
        b.a = y
    return b.a[0] * b.k + y[1] * x[1]

def f(x : In[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s = s + g(x, x, i)
    return s
""",
)
program(
    "arrays without derivatives in a recursive function",
    [[0.5, 0.7, 0.9], [0.3, 1.2, 0.4], 2],
    """
def g(x : In[NoDiff[Array[float]]], b : In[Box], n : In[int]) -> float:
    if n < 1:
        return b.a[0] * x[0] * b.k
    c : Box = Box(x, b.a[1])
    if n > 1:
        c.a = b.a
    return g(x, c, n - 1) * b.a[0]

def f(x : In[Array[float]], y : In[Array[float]], n : In[int]) -> float:
    b : Box = Box(y, 0.3 * x[0])
    return g(x, b, n)
""",
)
program(
    "returned by a recursive function",
    [BOXES, 3],
    """
def pick(boxes : In[Array[Box]], n : In[int], m : In[int]) -> Box:
    if n < 1:
        return boxes[m]
    b : Box = pick(boxes, n - 1, m + 1)
    b.k = b.k * b.a[0]
    return b
def f(boxes : In[Array[Box]], n : In[int]) -> float:
    b : Box = pick(boxes, n - 1, 0)
    return b.a[0] * b.k + pick(boxes, 1, 0).a[1]
""",
)
program(
    "assigned to an output of a recursive function",
    [[0.1, 0.2, 0.3], [0.5, 0.7, 0.9], 3],
    """
def fill(x : In[Array[float]], y : In[Array[float]], n : In[int], b : Out[Box]):
    if n < 1:
        b.a = x
        b.k = x[0]
    else:
        fill(y, x, n - 1, b)
        b.k = b.k * b.a[1]
def f(x : In[Array[float]], y : In[Array[float]], n : In[int]) -> float:
    b : Box
    fill(x, y, n, b)
    return b.a[0] * b.k
""",
)
program(
    "assigned and swapped in a recursive function",
    [BOXES, 3],
    """
def walk(b : InOut[Box], other : In[Box], n : In[int]) -> float:
    if n < 1:
        return b.a[0] * b.k
    t : Box = b
    b.k = b.k * other.a[0]
    s : float = walk(b, other, n - 1)
    b.a = other.a
    return s * walk(t, b, n - 1) + b.a[1]
def f(boxes : In[Array[Box]], n : In[int]) -> float:
    b : Box = boxes[0]
    s : float = walk(b, boxes[1], n)
    return s + b.a[0] * b.k
""",
)
FOUR = [box(*b["a"], 0.5, k=b["k"]) for b in [*BOXES, box(0.9, 0.4)]]
program(
    "functions that call each other",
    [FOUR, 3],
    """
class Two:
    p : Box
    q : Box
    n : int

def even(b : InOut[Box], boxes : In[Array[Box]], n : In[int]) -> float:
    if n < 1:
        return b.a[0] * b.k
    b.k = b.k * boxes[n].a[0]
    s : float = odd(b, boxes, n - 1)
    return s * b.a[1]
def odd(b : InOut[Box], boxes : In[Array[Box]], n : In[int]) -> float:
    if n < 1:
        b = boxes[0]
        return b.a[2]
    if b.k > 0.1:
        b.a = boxes[n].a
    s : float = even(b, boxes, n - 1)
    return s + b.a[1] * b.k
def f(boxes : In[Array[Box]], n : In[int]) -> float:
    b : Box = boxes[3]
    s : float = even(b, boxes, n)
    t : float = odd(b, boxes, n)
    c : Box = b
    return s * t + b.a[0] * b.k * even(c, boxes, 1) + c.a[1]
""",
)
program(
    "several pointers in a result",
    [
        {"p": box(0.3, 0.2, 0.3, k=0.15), "q": box(0.4, 0.3, 0.6, k=0.9), "n": 3},
        [0.5, 0.7, 0.9],
        3,
    ],
    """
class Two:
    p : Box
    q : Box
    n : int

def pick(t : In[Two], n : In[int], x : In[Array[float]]) -> Two:
    u : Two = t
    if n < 1:
        u.p.a = x
        return u
    u.p = t.q
    u.q = t.p
    u.q.k = u.q.k * t.p.a[n % 3]
    return pick(u, n - 1, x)
def f(t : In[Two], x : InOut[Array[float]], n : In[int]) -> float:
    s : float
    u : Two = t
    for i in range(n):
        x[i] = x[i] * u.q.a[0] + u.p.k
        u = pick(u, i, x)
        s = s + u.p.a[i] * u.q.a[1] * u.q.k
    return s * u.p.a[0]
""",
)
program(
    "parts that a recursive function finds",
    [[0.2, 0.7, 0.3, 0.1, 0.8, 0.4], 6, 0.5],
    """
class Span:
    a : Array[float]
    n : int
def longest(s : In[Span], t : In[float]) -> Span:
    if s.n < 2 or s.a[0] > t:
        return s
    r : Span = s
    r.a = s.a[1:s.n]
    r.n = s.n - 1
    return longest(r, t)
def f(x : InOut[Array[float]], n : In[int], t : In[float]) -> float:
    s : Span
    s.a = x
    s.n = n
    v : float = 0.1
    while s.n > 1:
        s = longest(s, t)
        v = v + s.a[0] * s.a[0] * t
        s.a[0] = v
        if s.n > 1:
            s.a = s.a[1:s.n]
        s.n = s.n - 1
    return v * x[2]
""",
)
program(
    "written through a pointer that a function left",
    [[0.5, 0.7, 0.9], [0.3, 1.2, 0.4], 3],
    """
class Two:
    p : Box
    q : Box
    n : int

def go(b : Out[Box], x : InOut[Array[float]], y : InOut[Array[float]], n : In[int]):
    if n < 1:
        b.a = x
        b.k = x[0] * y[1]
    else:
        if n % 2 == 0:
            go(b, x, y, n - 1)
        else:
            go(b, y, x, n - 1)
        b.a[n % 3] = b.a[n % 3] * b.k + x[0]
        b.k = b.k + y[n % 3]
def f(x : InOut[Array[float]], y : InOut[Array[float]], n : In[int]) -> float:
    b : Box
    go(b, x, y, n)
    c : Box = b
    go(c, y, x, n - 1)
    b.a[1] = b.a[1] * c.a[2]
    return b.k * c.k + b.a[1] * c.a[0]
""",
)
program(
    "perhaps left as it was",
    [[0.5, 0.2, 0.9], [0.3, 1.2, 0.4], 2],
    """
class Two:
    p : Box
    q : Box
    n : int

def maybe(b : InOut[Box], x : In[Array[float]], n : In[int]):
    if n > 0:
        if x[n] > 0.5:
            b.a = x
            b.k = b.k * x[n]
        maybe(b, x, n - 1)
def f(x : In[Array[float]], y : In[Array[float]], n : In[int]) -> float:
    s : float
    bs : Array[Box, 3]
    for i in range(3):
        bs[i] = Box(y, 0.5)
    for i in range(3):
        maybe(bs[i], x, i)
        s = s + bs[i].a[i] * bs[i].k
        maybe(bs[(i + 1) % 3], y, n)
        s = s * 0.5 + bs[0].a[0]
    return s
""",
)
