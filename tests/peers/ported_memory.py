"""Memory: overwritten indices, aliases, permutations, sorting and swapping in place."""

from __future__ import annotations

from peers.ported import ported

ported(
    "overwritten indices",
    """
def f(a : InOut[Array[float]], idx : InOut[Array[int]], n : In[int]) -> float:
    s : float
    k = idx[0]
    for i in range(n):
        a[idx[k]] = a[idx[k]] * a[i] + 0.5
        idx[k] = idx[i]
        k = idx[idx[k]]
        s += a[k] * a[idx[i]]
    return s
""",
    ([[0.7, -0.4, 1.3, 0.25], [2, 0, 3, 1], 4],
     (-1.3727162555320314, 2.119259624712011, -1.7119347334132498)),
)
ported(
    "one variable as several operands",
    """
def g(x : In[float], y : In[float], z : InOut[float]):
    z = z * x + y
    x = z * y
    z = z + x
def f(x : In[float], y : InOut[float]) -> float:
    t = x
    g(t, t, t)
    g(y, t, y)
    g(y, y, t)
    return t * y
""",
    ([0.7, 0.4],
     (952.2678773437203, 11436.471948198387, 136159.13742486225)),
)
ported(
    "copies of copies",
    """
def copy(dst : InOut[Array[float]], src : In[Array[float]], n : In[int]):
    i = 0
    while i < n:
        dst[i] = src[i]
        i = i + 1
def f(a : In[Array[float]], n : In[int]) -> float:
    b : Array[float, 8]
    c : Array[float, 8]
    copy(b, a, n)
    copy(c, b, n)
    for i in range(n):
        b[i] = b[i] * c[n - 1 - i]
    copy(c, b, n)
    s = 0.0
    for i in range(n):
        s += c[i] * b[i] * a[i]
    return s
""",
    ([[0.7, -0.4, 1.3, 0.25], 4],
     (0.22926192532710446, 0.21809830868747226, 0.6810261376340763)),
)
ported(
    "sorted by keys",
    """
def f(key : InOut[Array[float]], val : InOut[Array[float]], n : In[int]):
    for i in range(n):
        swapped = False
        for j in range(n - 1 - i):
            if key[j] > key[j + 1]:
                t = key[j]
                key[j] = key[j + 1]
                key[j + 1] = t
                u = val[j]
                val[j] = val[j + 1] * u
                val[j + 1] = u
                swapped = True
        if not swapped:
            break
""",
    ([[0.7, -0.4, 1.3, 0.25], [1.0, 2.0, -0.5, 0.3], 4],
     (-2.7445287139683714, 0.8538474277412724, 2.0842160533944307)),
)
ported(
    "a linked list",
    """
def f(v : In[Array[float]], nxt : In[Array[int]], start : In[int]) -> float:
    p = start
    s = 1.0
    while p >= 0:
        s = s * v[p] + sin(s)
        p = nxt[p]
    return s
""",
    ([[0.9, -0.6, 0.35, 1.2, -0.15], [3, 4, 1, 2, -1], 0],
     (0.158746926815301, 0.2077711854913001, -5.991530037218509)),
    ([[0.9, -0.6, 0.35, 1.2, -0.15], [3, 4, 1, 2, -1], 4],
     (0.5818527705523867, 0.5119099797486346, -7.778769097326427e-34)),
)
ported(
    "read, written, read",
    """
def f(x : InOut[float]) -> float:
    a = x
    x = x * x
    b = x
    x = sin(x) + a
    return a * b * x
""",
    ([0.8],
     (1.8526485023752919, 5.126839216670198, 12.507756599977787)),
)
ported(
    "sums in place",
    """
def f(a : InOut[Array[float]], n : In[int]) -> float:
    s = 0.0
    for i in range(n):
        s += a[i]
        a[i] = s * a[i]
        s = s + a[i]
    return s
""",
    ([[0.9, -0.6, 0.35, 1.2, -0.15], 5],
     (-3.484892421794033, -6.434050532684781, -0.5233196032581036)),
)
ported(
    "heapsort",
    """
def sift(a : InOut[Array[float]], root : In[int], n : In[int]):
    while True:
        child = 2 * root + 1
        if child >= n:
            return
        if child + 1 < n and a[child] < a[child + 1]:
            child = child + 1
        if a[root] >= a[child]:
            return
        t = a[root]
        a[root] = a[child]
        a[child] = t
        root = child
def f(a : InOut[Array[float]], n : In[int]) -> float:
    for i in range(n / 2 - 1, -1, -1):
        sift(a, i, n)
    for e in range(n - 1, 0, -1):
        t = a[0]
        a[0] = a[e]
        a[e] = t
        sift(a, 0, e)
    s = 0.0
    for i in range(n):
        s = s * a[i] + a[i] * i
    return s
""",
    ([[0.9, -0.6, 0.35, 1.2, -0.15], 5],
     (-8.36479204991841, -6.839259969294075, 0.4492043764938756)),
)
ported(
    "quicksort of a permutation",
    """
def sort(key : In[Array[float]], p : InOut[Array[int]], lo : In[int], hi : In[int]):
    if lo >= hi:
        return
    pivot = key[p[hi]]
    i = lo
    for j in range(lo, hi):
        if key[p[j]] < pivot:
            t = p[i]
            p[i] = p[j]
            p[j] = t
            i += 1
    u = p[i]
    p[i] = p[hi]
    p[hi] = u
    sort(key, p, lo, i - 1)
    sort(key, p, i + 1, hi)
def f(key : In[Array[float]], val : In[Array[float]], n : In[int]) -> float:
    p : Array[int, 16]
    for i in range(n):
        p[i] = i
    sort(key, p, 0, n - 1)
    s = 1.0
    for i in range(n):
        s = s * val[p[i]] + key[p[i]]
    return s
""",
    ([[0.9, -0.6, 0.35, 1.2, -0.15], [0.3, 0.4, -0.9, 1.1, 0.6], 5],
     (2.0074889137463505, 0.7373624202597775, 1.7861993903298778)),
)
ported(
    "bitonic sort",
    """
def f(a : InOut[Array[float]], n : In[int]) -> float:
    k = 2
    while k <= n:
        j = k / 2
        while j > 0:
            for i in range(n):
                l = i ^ j
                if l > i:
                    if (i & k) == 0 and a[i] > a[l] or (i & k) != 0 and a[i] < a[l]:
                        a[i], a[l] = a[l], a[i]
            j = j / 2
        k = k * 2
    s = 0.0
    for i in range(n):
        s = s * 0.5 + a[i] * a[i] * (i + 1)
    return s
""",
    ([[0.7, -0.4, 1.3, 0.25, 0.5, 0.6, 0.75, 0.8], 8],
     (15.741128156050552, -10.924864862319405, 17.41310320545364)),
)
ported(
    "a tree of sums",
    """
def f(a : InOut[Array[float]], n : In[int]) -> float:
    s = n / 2
    while s > 0:
        for i in range(s):
            a[i] = a[i] * a[i + s] + a[i]
        s = s / 2
    return a[0]
""",
    ([[0.7, -0.4, 1.3, 0.25, 0.5, 0.6, 0.7, 0.8], 8],
     (-0.10200734891690125, -11.547965956870732, -30.431573630775798)),
)
ported(
    "a stencil in place",
    """
def f(x : InOut[Array[float]], n : In[int]):
    for it in range(3):
        for i in range(1, n - 1):
            x[i] = 0.25 * (x[i - 1] + x[i + 1]) + 0.5 * x[i] * x[i]
""",
    ([[0.9, -0.6, 0.35, 1.2, -0.15], 5],
     (1.3658362340382768, 0.45213377264345705, -0.26828697389866873)),
)
ported(
    "products of all others",
    """
def f(x : In[Array[float]], y : Out[Array[float]], n : In[int]):
    p = 1.0
    for i in range(n):
        y[i] = p
        p = p * x[i]
    p = 1.0
    for i in range(n - 1, -1, -1):
        y[i] = y[i] * p
        p = p * x[i]
""",
    ([[0.9, -0.6, 0.35, 1.2, -0.15], [0.0, 0.0, 0.0, 0.0, 0.0], 5],
     (0.22106150147832998, 0.15572866125745338, -1.9999128270602384)),
    ([[0.9, 0.0, 0.3, 0.0], [0.0, 0.0, 0.0, 0.0], 4],
     (0.0, 0.2532869949691207, -1.2135424610888215)),
)
ported(
    "structs of arrays of structs",
    """
class P:
    x : float
    m : int
    w : Array[float, 2]
class Sys:
    p : Array[P, 3]
    k : float
    q : Array[Array[float, 2], 2]
def push(p : InOut[P], k : In[float]):
    p.x = p.x + k * p.w[1]
    p.w[0] = p.x * p.w[0]
    p.m = p.m + 1
def energy(s : In[Sys]) -> float:
    e = 0.0
    for i in range(3):
        e += s.p[i].x * s.p[i].w[0] * s.p[i].m
        for j in range(2):
            s.q[j % 2][i % 2] += e * s.k
    return e + s.q[1][0] * s.q[0][1]
def f(s : InOut[Sys], n : In[int]) -> float:
    for i in range(n):
        push(s.p[i % 3], s.k)
        t = s.p[(i + 1) % 3]
        push(t, s.p[i % 3].x)
        s.p[2] = t
        s.k = s.k * 0.9 + t.w[0]
    return energy(s) * s.k
""",
    ([{'p': [{'x': 0.3, 'm': 1, 'w': [0.5, 0.6]}, {'x': 0.1, 'm': 2, 'w': [-0.5, 0.4]}, {'x':
      0.9, 'm': 0, 'w': [1.5, 0.2]}], 'k': 0.7, 'q': [[0.1, 0.2], [0.3, 0.4]]}, 4],
     (2.2443461683750936, -11.404766686736956, 85.85740394592924)),
)
ported(
    "a histogram by threads",
    """
@simd
def f(x : In[Array[float]], bins : Out[Array[float]], k : In[int]):
    i = thread_id()
    b = float2int(x[i] * k)
    fr = x[i] * k - b
    atomic_add(bins[b], 1.0 - fr)
    atomic_add(bins[b + 1], fr * x[i])
""",
    ([[0.13, 0.77, 0.42, 0.45], [0.0, 0.0, 0.0, 0.0, 0.0], 4],
     (0.6275597385139321, -1.3749875195891903, 7.418793593483435)),
    threads=4,
)
