"""Control flow: early exits, recursion, loops whose bounds and conditions change."""

from __future__ import annotations

from peers.ported import ported

ported(
    "nested whiles with exits",
    """
def f(x : In[float], n : In[int]) -> float:
    s = x
    i = 0
    while i < n:
        j = i
        while True:
            j = j + 1
            if j > 6:
                break
            if s > 4.0:
                return s * x
            while s < 3.0:
                s = s + x * x * j
                if s > 2.0:
                    s = s * 0.75
                    break
            else:
                s = s - x
                continue
            s = s + sin(s)
        i = i + 1
        if s < -5.0:
            break
    else:
        s = s * x
    return s + x
""",
    ([0.7, 3],
     (2.041310713185332, 2.476582817054229, 5.05967604193961)),
    ([-1.2, 2],
     (-4.300049475832359, 5.547176569355954, 8.685440068801226)),
    ([2.5, 4],
     (14.385360837235483, 22.400536454627744, 7.887284258321461)),
)
ported(
    "several exits, an output written before",
    """
def f(a : In[Array[float]], n : In[int], y : Out[float]) -> int:
    y = 0.0
    for i in range(n):
        y = y + a[i]
        if y > 1.5:
            y = y * a[i]
            return i
        for j in range(n):
            if a[j] * y > 1.0:
                y = y + a[j] * a[i]
                return 10 + j
            if j > i:
                break
    y = y * 2.0
    return -1
""",
    ([[0.7, -0.4, 1.3, 0.25], 4, 0.0],
     (1.7502596484004247, -1.4748689217970536, 0.49885325362597993)),
    ([[0.2, 0.1, 0.3, 0.05], 4, 0.0],
     (1.0939122802502654, 0.5619628525165173, 0.0)),
    ([[1.1, 0.9, 0.4, 0.2], 4, 0.0],
     (1.943797974906241, 2.480147525413593, 1.4277294656445247)),
)
ported(
    "fibonacci",
    """
def fib(n : In[int], x : In[float]) -> float:
    if n < 2:
        return x
    return fib(n - 1, x * 0.9) + fib(n - 2, x * x)
def f(x : In[float], n : In[int]) -> float:
    return fib(n, x)
""",
    ([0.8, 5],
     (2.760008673926993, 7.804046464314684, 17.413109684255588)),
    ([0.8, 0],
     (0.6731767878463173, 0.7750461016917478, 0.0)),
)
ported(
    "mutual recursion with outputs",
    """
def even(n : In[int], x : In[float], y : Out[float]):
    if n == 0:
        y = x
        return
    t : float
    odd(n - 1, x * 1.1, t)
    y = t * x
def odd(n : In[int], x : In[float], y : Out[float]):
    if n == 0:
        y = -x
        return
    t : float
    even(n - 1, sin(x), t)
    y = t + x * t
def f(x : In[float], n : In[int]) -> float:
    y : float
    even(n, x, y)
    z : float
    odd(n, y, z)
    return y * z
""",
    ([0.6, 3],
     (-0.019464443278639075, -0.12793106694435644, 0.5644010369150687)),
    ([0.6, 4],
     (-0.35513128649334713, -7.316607844689303, -129.28275009646683)),
)
ported(
    "ackermann",
    """
def ack(m : In[int], n : In[int], x : InOut[float]) -> int:
    x = x * 0.99 + 0.01 * sin(x)
    if m == 0:
        return n + 1
    if n == 0:
        return ack(m - 1, 1, x)
    k = ack(m, n - 1, x)
    return ack(m - 1, k, x)
def f(x : In[float]) -> float:
    k = ack(2, 2, x)
    return x * k
""",
    ([0.7],
     (4.037118011622714, 5.097463141298647, -0.7876404884864818)),
)
ported(
    "queens",
    """
def place(row : In[int], n : In[int], cols : InOut[Array[int]], w : In[Array[float]],
        acc : InOut[float]):
    if row == n:
        p = 1.0
        for i in range(n):
            p *= w[cols[i]] + 0.1 * i
        acc += p
        return
    for c in range(n):
        ok = True
        for r in range(row):
            d = cols[r] - c
            if d == 0 or d == row - r or d == r - row:
                ok = False
                break
        if ok:
            cols[row] = c
            place(row + 1, n, cols, w, acc)
def f(w : In[Array[float]], n : In[int]) -> float:
    cols : Array[int, 8]
    acc : float
    place(0, n, cols, w, acc)
    return acc
""",
    ([[0.7, -0.4, 1.3, 0.25], 4],
     (-0.2090213926262815, -0.9295467612528561, -2.139581515940848)),
)
ported(
    "names declared again",
    """
def f(x : In[float], n : In[int]) -> float:
    s = 0.0
    for i in range(n):
        t : float = x * i
        if i % 2 == 0:
            u : float = t * t
            s += u
        else:
            u : float
            s += u * x
            u = t
            s += sin(u)
        v : float
        v = v + t
        s += v
    for i in range(n):
        t : int = i
        s += t * x
    return s
""",
    ([0.7, 4],
     (9.9860955301698, 13.059762329465842, -0.29489893963346486)),
)
ported(
    "bounds overwritten in the body",
    """
def f(x : In[float], n : In[int]) -> float:
    m = n
    s = x
    for i in range(m):
        m = m - 1
        for j in range(i, m):
            m = 10
            s = s * x + 0.1 * j
            m = n - i
    while m < 2 * n:
        n = n + 1
        m = m + n
        s = s + x * m
    for i in range(n):
        n = 0
        s = sin(s) + x
    return s
""",
    ([0.7, 4],
     (1.4242595207859081, 0.6914786881847449, -0.45397282624029744)),
)
ported(
    "a counter that is a float",
    """
def f(x : In[float], dt : In[float], T : In[float]) -> float:
    t = 0.0
    s = x
    while t < T:
        s = s + dt * (sin(s) - t * x)
        t += dt
    h = 1.0
    while h > 0.1:
        s += h * x
        h *= 0.5
    return s * t
""",
    ([0.7, 0.21, 1.0],
     (2.247562711959803, -3.541542631208681, -11.255754617918859)),
)
ported(
    "an ODE with rejected steps",
    """
def rhs(t : In[float], y : In[float], k : In[float]) -> float:
    return -k * y + sin(t)
def f(y0 : In[float], k : In[float], tol : In[float]) -> float:
    t = 0.0
    y = y0
    h = 0.4
    rejected = 0
    while t < 1.0 and rejected < 50:
        if t + h > 1.0:
            h = 1.0 - t
        k1 = rhs(t, y, k)
        k2 = rhs(t + h, y + h * k1, k)
        low = y + h * k1
        high = y + 0.5 * h * (k1 + k2)
        err = abs(high - low)
        if err > tol:
            h = h * 0.5
            rejected += 1
            continue
        y = high
        t = t + h
        h = h * min(2.0, 0.9 * sqrt(tol / (err + 1e-10)))
    return y
""",
    ([1.3, 2.1, 0.05],
     (0.3501075055455405, 0.2541459610190042, 21.95634576091147)),
)
ported(
    "newton in a loop",
    """
def f(a : In[Array[float]], n : In[int]) -> float:
    s = 0.0
    x = 1.0
    for i in range(n):
        it = 0
        while True:
            g = x * x * x + a[i] * x - 2.0
            if abs(g) < 1e-13 or it > 30:
                break
            x = x - g / (3.0 * x * x + a[i])
            it += 1
        s += x * a[i]
    return s
""",
    ([[0.7, 1.4, 2.3], 3],
     (3.0763019686069635, 0.2615206472679748, -0.5702460414914305)),
)
ported(
    "ray marching",
    """
class V:
    x : float
    y : float
    z : float
def sdf(p : In[V], r : In[float]) -> float:
    return min(sqrt(p.x * p.x + p.y * p.y + p.z * p.z) - r, p.y + 1.0)
def f(o : In[V], d : In[V], r : In[float]) -> float:
    t = 0.0
    for i in range(40):
        p = V(o.x + t * d.x, o.y + t * d.y, o.z + t * d.z)
        h = sdf(p, r)
        if h < 1e-9:
            break
        t += h
        if t > 10.0:
            return 10.0 * d.x
    return t
""",
    ([{'x': 0.1, 'y': 0.2, 'z': -3.0}, {'x': 0.05, 'y': -0.02, 'z': 0.99}, 0.8],
     (1.9078846991953682, 3.481380516005124, 19.55096321589674)),
    ([{'x': 0.1, 'y': 0.2, 'z': -3.0}, {'x': 0.9, 'y': 0.4, 'z': 0.1}, 0.8],
     (7.573238863271069, 5.963250528764563, 0.0)),
)
ported(
    "monte carlo",
    """
def f(mu : In[float], sig : In[float], n : In[int], seed : In[int]) -> float:
    state = seed
    s = 0.0
    x = mu
    for i in range(n):
        state = state * 1103515245 + 12345
        u = ((state >> 16) & 32767) / 32768.0
        if u < 0.3:
            continue
        x = x + sig * (u - 0.5)
        s += max(x - 0.1, 0.0)
    return s / n
""",
    ([0.5, 0.7, 8, 42],
     (0.40826545119842106, 0.596127409558421, 0.0)),
)
ported(
    "gauss-seidel until it converges",
    """
def f(A : In[Array[float]], b : In[Array[float]], n : In[int], tol : In[float]) -> float:
    x : Array[float, 4]
    it = 0
    while it < 100:
        worst = 0.0
        for i in range(n):
            s = b[i]
            for j in range(n):
                if j == i:
                    continue
                s -= A[i * n + j] * x[j]
            s = s / A[i * n + i]
            worst = max(worst, abs(s - x[i]))
            x[i] = s
        if worst < tol:
            break
        it += 1
    return x[0] * x[1] + x[2]
""",
    ([[4.0, 1.0, 0.5, 1.0, 3.0, 0.3, 0.5, 0.3, 2.0], [1.0, 2.0, -0.5], 3, 0.001],
     (-0.24793250870329717, 0.09318875341679914, 0.13832796916226872)),
)
ported(
    "a kernel that overwrites its input",
    """
@simd
def f(x : InOut[Array[float]], w : In[Array[float]], tot : InOut[float], n : In[int]):
    i = thread_id()
    if i < n:
        v = x[i]
        for j in range(3):
            v = v * w[j] + sin(v)
            if v > 2.0:
                break
        x[i] = v * x[i]
        atomic_add(tot, v * w[i % 3])
        while x[i] > 1.0:
            x[i] = x[i] * 0.5
""",
    ([[0.7, 1.9, -0.5, 0.3], [0.3, 1.4, 0.9], 0.1, 4],
     (-2.2219995960342818, -1.4056235703235078, -5.581616508814186)),
    threads=5,
)
ported(
    "roots in a loop that may not run",
    """
def f(x : In[float], y : In[float]) -> float:
    s = y
    while s < x:
        s = s + s / x + sqrt(x) * log(x) * y
    return s
""",
    ([0.0, 0.3],
     (0.25244129544236893, -0.42481334881407246, 0.0)),
    ([1.5, 0.3],
     (1.8512260952683222, -2.9556625799028904, 0.38408125200750487)),
    ([-1.0, 2.0],
     (1.682941969615793, -0.42481334881407246, 1.5557538194652854e-33)),
)
