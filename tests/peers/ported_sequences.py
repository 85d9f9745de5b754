"""Sequences: dynamic programming, filters, a recurrent network."""

from __future__ import annotations

from peers.ported import ported

ported(
    "viterbi",
    """
def f(e : In[Array[float]], t : In[Array[float]], n : In[int]) -> float:
    v : Array[float, 3]
    w : Array[float, 3]
    back : Array[int, 30]
    for s in range(3):
        v[s] = e[s]
    for k in range(1, n):
        for s in range(3):
            best = v[0] + t[s]
            arg = 0
            for q in range(1, 3):
                c = v[q] + t[q * 3 + s]
                if c > best:
                    best = c
                    arg = q
            w[s] = best + e[k * 3 + s]
            back[k * 3 + s] = arg
        for s in range(3):
            v[s] = w[s]
    last = 0
    for s in range(3):
        if v[s] > v[last]:
            last = s
    score = v[last] * v[last]
    for k in range(n - 1, 0, -1):
        last = back[k * 3 + last]
        score += e[(k - 1) * 3 + last] * t[last]
    return score
""",
    ([[0.7, -0.4, 1.3, 0.2, 0.1, 0.9, 0.5, 0.3, -0.2], [0.1, 0.5, 0.3, 0.2, -0.1, 0.4, 0.8,
      0.6, 0.05], 3],
     (11.160008936014728, -9.620353528755002, 2.999919514674487)),
)
ported(
    "edit distance in one row",
    """
def f(a : In[Array[float]], b : In[Array[float]], n : In[int], m : In[int],
        w : In[float]) -> float:
    d : Array[float, 6]
    for j in range(m + 1):
        d[j] = w * j
    for i in range(1, n + 1):
        diag = d[0]
        d[0] = w * i
        for j in range(1, m + 1):
            old = d[j]
            d[j] = min(diag + abs(a[i - 1] - b[j - 1]), d[j] + w, d[j - 1] + w)
            diag = old
    return d[m]
""",
    ([[0.7, -0.4, 1.3, 0.25], [0.3, 0.2, 1.2], 4, 3, 0.45],
     (1.3042800264522396, 0.4301798863759762, 0.0)),
)
ported(
    "CTC in one row",
    """
def lse(a : In[float], b : In[float]) -> float:
    m = max(a, b)
    return m + log(exp(a - m) + exp(b - m))
def f(lp : In[Array[float]], lab : In[Array[int]], T : In[int], U : In[int]) -> float:
    S = 2 * U + 1
    al : Array[float, 16]
    for s in range(S):
        al[s] = -1e4
    al[0] = lp[0]
    al[1] = lp[lab[0]]
    for t in range(1, T):
        for s in range(S - 1, -1, -1):
            l = 0 if s % 2 == 0 else lab[s / 2]
            a = al[s]
            if s > 0:
                a = lse(a, al[s - 1])
                if s > 1 and s % 2 == 1 and lab[s / 2] != lab[s / 2 - 1]:
                    a = lse(a, al[s - 2])
            al[s] = a + lp[t * 3 + l]
    return -lse(al[S - 1], al[S - 2])
""",
    ([[-0.7, -1.4, -1.3, -0.2, -2.1, -0.9, -1.5, -0.3, -1.2], [1, 2], 3, 2],
     (1.6496971442843145, 0.13814322694849118, -1.0132440105320881)),
)
ported(
    "levinson",
    """
def f(r : In[Array[float]], a : Out[Array[float]], n : In[int]) -> float:
    tmp : Array[float, 8]
    e = r[0]
    for i in range(n):
        tmp[i] = 0.0
    for i in range(1, n):
        acc = r[i]
        for j in range(1, i):
            acc -= tmp[j] * r[i - j]
        k = acc / e
        half : Array[float, 8]
        for j in range(1, i):
            half[j] = tmp[j] - k * tmp[i - j]
        for j in range(1, i):
            tmp[j] = half[j]
        tmp[i] = k
        e = e * (1.0 - k * k)
    for i in range(n):
        a[i] = tmp[i]
    return e
""",
    ([[2.0, 0.7, -0.3, 0.25], [0.0, 0.0, 0.0, 0.0], 4],
     (-1.165014086345118, -1.480235830087028, 1.954677279951468)),
)
ported(
    "a kalman filter",
    """
class M2:
    a : float
    b : float
    c : float
    d : float
def mul(x : In[M2], y : In[M2]) -> M2:
    r : M2
    r.a = x.a * y.a + x.b * y.c
    r.b = x.a * y.b + x.b * y.d
    r.c = x.c * y.a + x.d * y.c
    r.d = x.c * y.b + x.d * y.d
    return r
def tr(x : In[M2]) -> M2:
    return M2(x.a, x.c, x.b, x.d)
def f(z : In[Array[float]], n : In[int], q : In[float], r : In[float]) -> float:
    p : M2 = M2(1.0, 0.0, 0.0, 1.0)
    F : M2 = M2(1.0, 0.1, 0.0, 1.0)
    x = 0.0
    v = 0.0
    ll = 0.0
    for k in range(n):
        x = x + 0.1 * v
        p = mul(mul(F, p), tr(F))
        p.a += q
        p.d += q
        s = p.a + r
        e = z[k] - x
        k0 = p.a / s
        k1 = p.c / s
        x += k0 * e
        v += k1 * e
        ll -= 0.5 * (log(s) + e * e / s)
        old = p
        p.a = (1.0 - k0) * old.a
        p.b = (1.0 - k0) * old.b
        p.c = old.c - k1 * old.a
        p.d = old.d - k1 * old.b
    return ll
""",
    ([[0.7, -0.4, 1.3, 0.25], 4, 0.1, 0.3],
     (-1.5396390962871849, -2.5131163233787235, -18.2234214338473)),
)
ported(
    "LSTM",
    """
def sig(x : In[float]) -> float:
    return 1.0 / (1.0 + exp(-x))
def cell(w : In[Array[float]], b : In[Array[float]], h : InOut[Array[float]],
        c : InOut[Array[float]], x : In[Array[float]], d : In[int]):
    for i in range(d):
        fg = sig(x[i] * w[i] + b[i])
        ig = sig(h[i] * w[d + i] + b[d + i])
        og = sig(x[i] * w[2 * d + i] + b[2 * d + i])
        g = tanh(h[i] * w[3 * d + i] + b[3 * d + i])
        c[i] = c[i] * fg + ig * g
        h[i] = og * tanh(c[i])
def f(w : In[Array[float]], b : In[Array[float]], x : In[Array[float]], T : In[int]) -> float:
    h : Array[float, 2]
    c : Array[float, 2]
    y : Array[float, 2]
    loss = 0.0
    for t in range(T):
        for i in range(2):
            y[i] = x[t * 2 + i]
        cell(w, b, h, c, y, 2)
        z = 0.0
        for i in range(2):
            z += exp(h[i])
        loss += h[t % 2] - log(z + 2.0)
    return loss
""",
    ([[0.1, 0.2, 0.3, -0.4, 0.5, -0.6, 0.7, 0.8], [0.05, 0.1, -0.1, 0.2, 0.3, 0.1, 0.0, -0.3],
      [0.5, 0.4, -0.3, 0.2, 0.9, -0.7], 3],
     (-3.5290721956520232, 0.42796044787962906, -0.07604594007319943)),
)
