"""Numerics: factorisations in place, mechanics, bundle adjustment."""

from __future__ import annotations

from peers.ported import ported

ported(
    "LU with pivots",
    """
def f(a : InOut[Array[float, 9]], b : InOut[Array[float, 3]]) -> float:
    for k in range(3):
        p = k
        for i in range(k + 1, 3):
            if abs(a[i * 3 + k]) > abs(a[p * 3 + k]):
                p = i
        if p != k:
            for j in range(3):
                t = a[k * 3 + j]
                a[k * 3 + j] = a[p * 3 + j]
                a[p * 3 + j] = t
            u = b[k]
            b[k] = b[p]
            b[p] = u
        for i in range(k + 1, 3):
            a[i * 3 + k] /= a[k * 3 + k]
            for j in range(k + 1, 3):
                a[i * 3 + j] -= a[i * 3 + k] * a[k * 3 + j]
    s = 1.0
    for i in range(3):
        s *= a[i * 3 + i]
    return s
""",
    ([[0.2, 1.0, -0.5, 2.0, 0.3, 0.7, -1.0, 0.4, 1.5], [1.0, 2.0, 3.0]],
     (-1.7610936092049723, 3.6728815868446762, 4.432799567178322)),
)
ported(
    "cholesky",
    """
def f(a : InOut[Array[float]], n : In[int]) -> float:
    for j in range(n):
        for k in range(j):
            a[j * n + j] -= a[j * n + k] * a[j * n + k]
        a[j * n + j] = sqrt(a[j * n + j])
        for i in range(j + 1, n):
            for k in range(j):
                a[i * n + j] -= a[i * n + k] * a[j * n + k]
            a[i * n + j] /= a[j * n + j]
    s = 0.0
    for i in range(n):
        s += log(a[i * n + i])
    return s
""",
    ([[4.0, 1.0, 0.5, 1.0, 3.0, 0.3, 0.5, 0.3, 2.0], 3],
     (2.584049858976785, 0.39962322201264583, -0.3116980059357666)),
)
ported(
    "thomas",
    """
def f(a : In[Array[float]], b : InOut[Array[float]], c : In[Array[float]],
        d : InOut[Array[float]], n : In[int]):
    for i in range(1, n):
        w = a[i] / b[i - 1]
        b[i] = b[i] - w * c[i - 1]
        d[i] = d[i] - w * d[i - 1]
    d[n - 1] = d[n - 1] / b[n - 1]
    for i in range(n - 2, -1, -1):
        d[i] = (d[i] - c[i] * d[i + 1]) / b[i]
""",
    ([[0.0, 0.3, -0.2, 0.4], [2.0, 2.5, 3.0, 1.5], [0.5, 0.1, -0.6, 0.0], [1.0, 2.0, -1.0,
      0.5], 4],
     (3.605000532953611, -0.3136356274769386, -1.0443312160876796)),
)
ported(
    "gram-schmidt",
    """
def f(a : InOut[Array[float, 9]], r : Out[Array[float, 9]]) -> float:
    for j in range(3):
        n = 0.0
        for i in range(3):
            n += a[i * 3 + j] ** 2
        r[j * 3 + j] = sqrt(n)
        for i in range(3):
            a[i * 3 + j] /= r[j * 3 + j]
        for k in range(j + 1, 3):
            d = 0.0
            for i in range(3):
                d += a[i * 3 + j] * a[i * 3 + k]
            r[j * 3 + k] = d
            for i in range(3):
                a[i * 3 + k] -= r[j * 3 + k] * a[i * 3 + j]
    return r[0] * r[4] * r[8]
""",
    ([[0.2, 1.0, -0.5, 2.0, 0.3, 0.7, -1.0, 0.4, 1.5], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
      0.0, 0.0]],
     (-3.1263410549971726, 1.0559264628467688, -4.41097093626146)),
)
ported(
    "givens",
    """
def f(a : InOut[Array[float]], n : In[int]) -> float:
    for j in range(n):
        for i in range(n - 1, j, -1):
            x = a[(i - 1) * n + j]
            y = a[i * n + j]
            if y == 0.0:
                continue
            h = hypot(x, y)
            c = x / h
            s = y / h
            for k in range(j, n):
                p = a[(i - 1) * n + k]
                q = a[i * n + k]
                a[(i - 1) * n + k] = c * p + s * q
                a[i * n + k] = c * q - s * p
    t = 1.0
    for i in range(n):
        t *= a[i * n + i]
    return t
""",
    ([[0.2, 1.0, -0.5, 2.0, 0.3, 0.7, -1.0, 0.4, 1.5], 3],
     (-2.2231413749184714, -0.11636838832784034, -2.263925958786915)),
)
ported(
    "FFT in place",
    """
def f(re : InOut[Array[float]], im : InOut[Array[float]], n : In[int]):
    j = 0
    for i in range(1, n):
        bit = n / 2
        while j >= bit and bit > 0:
            j -= bit
            bit = bit / 2
        j += bit
        if i < j:
            t = re[i]
            re[i] = re[j]
            re[j] = t
            t = im[i]
            im[i] = im[j]
            im[j] = t
    size = 2
    while size <= n:
        half = size / 2
        for s in range(n / size):
            for k in range(half):
                ang = -6.283185307179586 * k / size
                p = s * size + k
                q = p + half
                wr = cos(ang)
                wi = sin(ang)
                ur = re[q] * wr - im[q] * wi
                ui = re[q] * wi + im[q] * wr
                re[q] = re[p] - ur
                im[q] = im[p] - ui
                re[p] = re[p] + ur
                im[p] = im[p] + ui
        size = size * 2
    for i in range(n):
        re[i] = re[i] * re[i] + im[i] * im[i]
""",
    ([[0.7, -0.4, 1.3, 0.25, 0.1, 0.2, 0.3, -0.9], [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
      8],
     (-6.441771961693975, -6.324209705485425, 16.197833742240043)),
)
ported(
    "a mixture of gaussians",
    """
def f(x : In[Array[float]], al : In[Array[float]], mu : In[Array[float]], q : In[Array[float]],
        n : In[int], d : In[int], K : In[int]) -> float:
    total = 0.0
    lse : Array[float, 8]
    for i in range(n):
        big = -1e30
        for k in range(K):
            s = 0.0
            sq = 0.0
            for j in range(d):
                z = exp(q[k * d + j]) * (x[i * d + j] - mu[k * d + j])
                s += z * z
                sq += q[k * d + j]
            lse[k] = al[k] + sq - 0.5 * s
            if lse[k] > big:
                big = lse[k]
        e = 0.0
        for k in range(K):
            e += exp(lse[k] - big)
        total += big + log(e)
    return total
""",
    ([[0.3, 0.2, -0.5, 0.7], [0.1, 0.4], [0.5, 0.3, -0.2, 0.1], [0.1, -0.1, 0.2, 0.3], 2, 2,
      2],
     (1.6217941823851787, -3.0491929203764987, 5.720331768077675)),
)
ported(
    "bundle adjustment",
    """
class V3:
    x : float
    y : float
    z : float
def cross(a : In[V3], b : In[V3]) -> V3:
    return V3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
def dot(a : In[V3], b : In[V3]) -> float:
    return a.x * b.x + a.y * b.y + a.z * b.z
def rot(r : In[V3], p : In[V3]) -> V3:
    t2 = dot(r, r)
    if t2 > 1e-12:
        t = sqrt(t2)
        c = cos(t)
        s = sin(t)
        w = V3(r.x / t, r.y / t, r.z / t)
        k = cross(w, p)
        d = dot(w, p) * (1.0 - c)
        return V3(p.x * c + k.x * s + w.x * d, p.y * c + k.y * s + w.y * d,
                  p.z * c + k.z * s + w.z * d)
    k = cross(r, p)
    return V3(p.x + k.x, p.y + k.y, p.z + k.z)
def f(cam : In[Array[float]], p : In[V3], e : Out[Array[float, 2]]):
    q = rot(V3(cam[0], cam[1], cam[2]), V3(p.x - cam[3], p.y - cam[4], p.z - cam[5]))
    u = q.x / q.z
    v = q.y / q.z
    r2 = u * u + v * v
    L = 1.0 + cam[7] * r2 + cam[8] * r2 * r2
    e[0] = u * L * cam[6]
    e[1] = v * L * cam[6]
""",
    ([[0.1, 0.2, -0.3, 0.4, 0.5, 0.6, 1.1, 0.01, 0.02], {'x': 0.3, 'y': 0.4, 'z': 3.0}, [0.0,
      0.0]],
     (-0.04298222553250454, -2.1770510236853493, 3.709567634901772)),
    ([[0.0, 0.0, 0.0, 0.4, 0.5, 0.6, 1.1, 0.01, 0.02], {'x': 0.3, 'y': 0.4, 'z': 3.0}, [0.0,
      0.0]],
     (-0.08194237236894644, -2.2066814065285962, 3.264312588315416)),
)
ported(
    "verlet",
    """
def force(x : In[Array[float]], f : Out[Array[float]], n : In[int]):
    for i in range(n):
        f[i] = 0.0
    for i in range(n):
        for j in range(i + 1, n):
            d = x[i] - x[j]
            g = d / (d * d + 0.1)
            f[i] += g
            f[j] -= g
def f(x : InOut[Array[float]], v : InOut[Array[float]], n : In[int], dt : In[float],
        steps : In[int]) -> float:
    a : Array[float, 6]
    force(x, a, n)
    for s in range(steps):
        for i in range(n):
            v[i] += 0.5 * dt * a[i]
            x[i] += dt * v[i]
        force(x, a, n)
        for i in range(n):
            v[i] += 0.5 * dt * a[i]
    e = 0.0
    for i in range(n):
        e += 0.5 * v[i] * v[i]
    return e
""",
    ([[0.1, 0.5, -0.6], [0.2, 0.0, -0.1], 3, 0.1, 3],
     (0.25000353192682934, -0.40495107926979895, 4.97336195465687)),
)
ported(
    "runge-kutta on structs",
    """
class S:
    q : Array[float, 2]
    p : Array[float, 2]
def deriv(s : In[S], m : In[float]) -> S:
    r : S
    for i in range(2):
        r.q[i] = s.p[i] / m
        r.p[i] = -sin(s.q[i]) + 0.1 * s.q[1 - i]
    return r
def add(s : In[S], d : In[S], h : In[float]) -> S:
    for i in range(2):
        s.q[i] += h * d.q[i]
        s.p[i] += h * d.p[i]
    return s
def f(s : InOut[S], m : In[float], h : In[float], n : In[int]):
    for k in range(n):
        k1 = deriv(s, m)
        k2 = deriv(add(s, k1, h / 2), m)
        k3 = deriv(add(s, k2, h / 2), m)
        k4 = deriv(add(s, k3, h), m)
        for i in range(2):
            s.q[i] += h / 6 * (k1.q[i] + 2 * k2.q[i] + 2 * k3.q[i] + k4.q[i])
            s.p[i] += h / 6 * (k1.p[i] + 2 * k2.p[i] + 2 * k3.p[i] + k4.p[i])
""",
    ([{'q': [0.3, 0.4], 'p': [0.1, -0.2]}, 1.3, 0.1, 2],
     (0.7644952791267277, -0.30033167866977006, -0.06862711453907464)),
)
ported(
    "power iteration",
    """
def f(A : In[Array[float]], n : In[int], steps : In[int]) -> float:
    v : Array[float, n]
    w : Array[float, n]
    for i in range(n):
        v[i] = 1.0 / (i + 1)
    lam = 0.0
    for k in range(steps):
        nn = 0.0
        for i in range(n):
            w[i] = 0.0
            for j in range(n):
                w[i] += A[i * n + j] * v[j]
            nn += w[i] ** 2
        nn = sqrt(nn)
        lam = 0.0
        for i in range(n):
            lam += v[i] * w[i]
            v[i] = w[i] / nn
    return lam
""",
    ([[4.0, 1.0, 0.5, 1.0, 3.0, 0.3, 0.5, 0.3, 2.0], 3, 3],
     (3.988923440345128, 0.5864422073260316, -0.07300151032585715)),
)
