"""Programs with derivatives of their own, whose factors differ from the true ones on purpose."""

from __future__ import annotations

from typing import Final

PROGRAMS: Final[dict[str, str]] = {
    "reverse rule": """
def g(a : In[float], b : In[float]) -> float:
    return a * a * b
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], b : In[float], db : Out[float], dg : In[float]):
    da += 10.0 * a * b * dg
    db += a * sin(a) * dg
def f(x : In[float], y : In[float]) -> float:
    return sin(g(x * y, y)) + g(y, x)
""",
    "forward rule": """
def g(a : In[float], b : In[float]) -> float:
    return a * a * b
@custom_fwd(g)
def g_fwd(a : In[Diff[float]], b : In[Diff[float]]) -> Diff[float]:
    out : Diff[float]
    out.val = g(a.val, b.val)
    out.dval = 7.0 * a.val * b.val * a.dval + exp(a.val) * b.dval
    return out
def f(x : In[float], y : In[float]) -> float:
    return sin(g(x * y, y)) + g(y, x)
""",
    "both rules": """
def g(a : In[float]) -> float:
    return a * a
@custom_fwd(g)
def g_fwd(a : In[Diff[float]]) -> Diff[float]:
    return make__dfloat(a.val * a.val, 3.0 * a.val * a.dval)
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], dg : In[float]):
    da = da + 5.0 * a * dg
def f(x : In[float], y : In[float]) -> float:
    return g(x * g(y)) * y
""",
    "in a loop": """
def g(a : In[float], b : In[float]) -> float:
    return sin(a) * b
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], b : In[float], db : Out[float], dg : In[float]):
    da += 0.9 * cos(a) * b * dg
    db += sin(a) * dg
def f(x : In[float], y : In[float]) -> float:
    s : float = x
    i : int = 0
    while s < 3.0 and i < 6:
        s = s + g(s, y) + 0.1
        if s > 1.0:
            s = g(y, s) + stop_gradient(s)
        i += 1
    return s
""",
    "recursive function with a rule": """
def g(a : In[float], n : In[int]) -> float:
    if n > 0:
        return sin(g(a * a, n - 1)) * a
    return a
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], n : In[int], dn : Out[int], dg : In[float]):
    t : float
    if n > 0:
        h : float = g(a * a, n - 1)
        unused : int
        g_rev(a * a, t, n - 1, unused, cos(h) * a * dg)
        da += 2.1 * a * t + sin(h) * dg
    else:
        da += dg
@custom_fwd(g)
def g_fwd(a : In[Diff[float]], n : In[int]) -> Diff[float]:
    if n > 0:
        h : Diff[float] = g_fwd(make__dfloat(a.val * a.val, 2.1 * a.val * a.dval), n - 1)
        dh : float = cos(h.val) * h.dval * a.val + sin(h.val) * a.dval
        return make__dfloat(sin(h.val) * a.val, dh)
    return a
def f(x : In[float], y : In[float]) -> float:
    return g(x * y, 3) * y
""",
    "rule called from a recursive function": """
def g(a : In[float]) -> float:
    return a * a
@custom_fwd(g)
def g_fwd(a : In[Diff[float]]) -> Diff[float]:
    return make__dfloat(a.val * a.val, 3.0 * a.val * a.dval)
def down(a : In[float], n : In[int], out : Out[float]):
    t : float
    if n > 0:
        down(sin(a), n - 1, t)
        out = g(t + a) * a
    else:
        out = a
def f(x : In[float], y : In[float]) -> float:
    r : float
    down(x * y, 3, r)
    return r
""",
    "struct argument and result": """
class V:
    x : float
    n : int
    y : float
def turn(v : In[V], a : In[float]) -> V:
    w : V
    w.x = v.x * cos(a) - v.y * sin(a)
    w.y = v.x * sin(a) + v.y * cos(a)
    w.n = v.n + 1
    return w
@custom_rev(turn)
def turn_rev(v : In[V], dv : Out[V], a : In[float], da : Out[float], dw : In[V]):
    dv.x += 1.5 * (dw.x * cos(a) + dw.y * sin(a))
    dv.y += dw.y * cos(a) - dw.x * sin(a)
    da += v.x * dw.x * v.n
def f(x : In[float], y : In[float]) -> float:
    v : V
    v.x = x
    v.y = y
    v.n = 2
    for i in range(3):
        v = turn(v, x * y)
    return v.x * v.y
""",
    "struct by the forward rule": """
class V:
    x : float
    n : int
    y : float
def turn(v : In[V], a : In[float]) -> V:
    w : V
    w.x = v.x * cos(a) - v.y * sin(a)
    w.y = v.x * sin(a) + v.y * cos(a)
    w.n = v.n + 1
    return w
@custom_fwd(turn)
def turn_fwd(v : In[Diff[V]], a : In[Diff[float]]) -> Diff[V]:
    w : Diff[V]
    w.x.val = v.x.val * cos(a.val) - v.y.val * sin(a.val)
    w.y.val = v.x.val * sin(a.val) + v.y.val * cos(a.val)
    w.n = v.n + 1
    w.x.dval = 2.0 * v.x.dval - a.dval * v.y.val
    w.y.dval = v.x.val * a.dval * v.n + v.y.dval
    return w
def f(x : In[float], y : In[float]) -> float:
    v : V
    v.x = x
    v.y = y
    v.n = 2
    for i in range(3):
        v = turn(v, x * y)
    return v.x * v.y
""",
    "Out and InOut scalars": """
def g(a : In[float], b : Out[float], c : InOut[float]):
    b = a * c
    c = c * c + a
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], db : In[float], c : In[float], dc : InOut[float]):
    old : float = dc
    da += 1.5 * c * db + old
    dc = a * db + 2.5 * c * old
def f(x : In[float], y : In[float]) -> float:
    p : float = y
    q : float = x
    for i in range(3):
        g(x + p, p, q)
        p = p * 0.3
        q = sin(q)
    return p * q
""",
    "Out and InOut scalars by the forward rule": """
def g(a : In[float], b : Out[float], c : InOut[float]):
    b = a * c
    c = c * c + a
@custom_fwd(g)
def g_fwd(a : In[Diff[float]], b : Out[Diff[float]], c : InOut[Diff[float]]):
    b.val = a.val * c.val
    b.dval = 1.5 * c.val * a.dval + a.val * c.dval
    c.dval = 2.5 * c.val * c.dval + a.dval
    c.val = c.val * c.val + a.val
def f(x : In[float], y : In[float]) -> float:
    p : float = y
    q : float = x
    for i in range(3):
        g(x + p, p, q)
        p = p * 0.3
        q = sin(q)
    return p * q
""",
    "Out written on a condition": """
def g(a : In[float], b : Out[float]):
    if a > 0.5:
        b = a * a
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], db : In[float]):
    if a > 0.5:
        da += 3.0 * a * db
def f(x : In[float], y : In[float]) -> float:
    p : float = x
    g(y, p)
    p = p * p
    g(x, p)
    return p * y
""",
    "arrays": """
def scaled(a : In[Array[float]], s : In[float], n : In[int], b : Out[Array[float]]):
    for i in range(n):
        b[i] = a[i] * s
@custom_rev(scaled)
def scaled_rev(a : In[Array[float]], da : Out[Array[float]], s : In[float], ds : Out[float],
               n : In[int], dn : Out[int], db : In[Array[float]]):
    for i in range(n):
        da[i] += s * db[i]
        ds += a[i] * db[i]
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3]
    b : Array[float, 3]
    for i in range(3):
        a[i] = x * (i + 1)
        b[i] = y
    scaled(a, y, 2, b)
    a[0] = b[1] * a[0]
    scaled(b, a[0], 3, a)
    b[0] = 0.0
    return a[0] * a[1] + a[2] + b[2]
""",
    "arrays by the forward rule": """
def scaled(a : In[Array[float]], s : In[float], n : In[int], b : Out[Array[float]]):
    for i in range(n):
        b[i] = a[i] * s
@custom_fwd(scaled)
def scaled_fwd(a : In[Array[Diff[float]]], s : In[Diff[float]], n : In[int],
               b : Out[Array[Diff[float]]]):
    for i in range(n):
        b[i].val = a[i].val * s.val
        b[i].dval = 1.5 * a[i].dval * s.val + a[i].val * s.dval
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3]
    b : Array[float, 3]
    for i in range(3):
        a[i] = x * (i + 1)
        b[i] = y
    scaled(a, y, 2, b)
    a[0] = b[1] * a[0]
    scaled(b, a[0], 3, a)
    b[0] = 0.0
    return a[0] * a[1] + a[2] + b[2]
""",
    "arrays of computed length in a loop": """
def norm2(a : In[Array[float]], n : In[int]) -> float:
    s : float
    for i in range(n):
        s += a[i] * a[i]
    return s
@custom_rev(norm2)
def norm2_rev(a : In[Array[float]], da : Out[Array[float]], n : In[int], dn : Out[int],
              ds : In[float]):
    for i in range(n):
        da[i] += 2.0 * a[i] * ds
def f(x : In[float], y : In[float]) -> float:
    n : int = 4
    a : Array[float, n]
    s : float
    for k in range(3):
        inner : Array[float, k + 1]
        for i in range(n):
            a[i] = a[i] * y + x
        for i in range(k + 1):
            inner[i] = a[i] * s + x
        s = s * 0.1 + norm2(a, n) + norm2(inner, k + 1)
    return s
""",
    "stop_gradient": """
class V:
    x : float
    a : Array[float, 2]
def f(x : In[float], y : In[float]) -> float:
    v : V
    v.x = x * y
    v.a[0] = x
    v.a[1] = y
    w : V = stop_gradient(v)
    z = stop_gradient(x * x) * x + stop_gradient(w.a[0]) * y
    for i in range(3):
        z += stop_gradient(sin(z)) * x * stop_gradient(i + 1)
    return z + w.x * x + w.a[1] * v.a[0]
""",
    "NoDiff": """
def g(a : In[float], b : In[NoDiff[float]], c : In[NoDiff[Array[float]]]) -> float:
    b = b * 2.0
    return a * b * c[0] + h(c, 2) * a
def h(c : In[Array[float]], n : In[int]) -> float:
    if n > 0:
        return c[n] * h(c, n - 1)
    return c[0] * c[1]
def f(x : In[float], y : In[float]) -> float:
    c : Array[float, 3]
    for i in range(3):
        c[i] = x * y + i
    return g(x, x * y, c) + h(c, 2) + g(c[1], y, c)
""",
    "rule with NoDiff": """
def g(a : In[float], b : In[NoDiff[float]]) -> float:
    return a * b
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], b : In[float], dg : In[float]):
    da += 1.2 * b * dg
def f(x : In[float], y : In[float]) -> float:
    return g(x * y, x) + g(x, y * y)
""",
    "rule of a rule": """
def g(a : In[float]) -> float:
    return a * a * a
@custom_rev(g)
def g1(a : In[float], da : Out[float], dg : In[float]):
    da += slope(a) * dg
def slope(a : In[float]) -> float:
    return 3.0 * a * a
@custom_fwd(slope)
def slope_fwd(a : In[Diff[float]]) -> Diff[float]:
    return make__dfloat(slope(a.val), 10.0 * a.val * a.dval)
def f(x : In[float], y : In[float]) -> float:
    return g(x * y) * y
""",
    "named sizes and views": """
def weigh(a : In[Array[float, "n", "m"]], w : In[Array[float, "m"]], out : Out[Array[float, "n"]]):
    for i in range(n):
        out[i] = 0.0
        for j in range(m):
            out[i] += a[i, j] * w[j]
@custom_rev(weigh)
def weigh_rev(a : In[Array[float, "n", "m"]], da : Out[Array[float, "n", "m"]],
              w : In[Array[float, "m"]], dw : Out[Array[float, "m"]],
              dout : In[Array[float, "n"]]):
    for i in range(n):
        for j in range(m):
            da[i, j] += w[j] * dout[i]
            dw[j] += a[i, j] * dout[i]
def norm(a : In[Array[float, "n"]]) -> float:
    s = 0.0
    for i in range(n):
        s += a[i] * a[i]
    return s
@custom_fwd(norm)
def norm_fwd(a : In[Array[Diff[float], "n"]]) -> Diff[float]:
    out : Diff[float]
    for i in range(n):
        out.val += a[i].val * a[i].val
        out.dval += 3.0 * a[i].val * a[i].dval
    return out
def f(x : In[float], y : In[float]) -> float:
    n : int = 2
    a : Array[float, n, 3]
    w : Array[float, 3]
    out : Array[float, n]
    for k in range(3):
        w[k] = y * (k + 1)
        a[0, k] = x + k
        a[1, k] = x * y
    weigh(a, w, out)
    w[0] = out[1]
    return out[0] * out[1] + norm(w[1:3]) + norm(a[0])
""",
    "from a parallel loop": """
def g(a : In[float]) -> float:
    return a * a
@custom_rev(g)
def g_rev(a : In[float], da : Out[float], dg : In[float]):
    da += 3.0 * a * dg
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 4]
    for i in parallel(4):
        a[i] = g(x * i) * y
    return a[1] + a[3] * a[2]
""",
}
