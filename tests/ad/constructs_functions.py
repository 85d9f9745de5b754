"""Programs that pass functions, methods and derivatives of these, in the manner of `constructs`."""

from __future__ import annotations

from ad.constructs import PROGRAMS, program

BEFORE = frozenset(PROGRAMS)
POINTS = ((0.7, 0.3), (0.3, 0.7))

program("derivatives of functions that are passed", POINTS, """
class Curve:
    k : float
    def at(self, t : In[float]) -> float:
        return self.k * t * t
    def __call__(self, t : In[float]) -> float:
        return self.k * sin(t)
    def newton(self, g : Callable[[float], float], x0 : In[float]) -> float:
        dg = fwd_diff(g)
        x = x0
        for i in range(3):
            r = dg(make__dfloat(x, 1.0))
            x -= (r.val - self.k) / r.dval
        return x
class Net:
    a : Curve
    b : Array[Curve, 2]
def newton(g : Callable[[float], float], x0 : In[float]) -> float:
    dg = fwd_diff(g)
    x = x0
    for i in range(3):
        r = dg(make__dfloat(x, 1.0))
        x -= r.val / r.dval
    return x
def slope(g : Callable[[float], float], x : In[float]) -> float:
    s = 0.0
    rev_diff(g)(x, s, 1.0)
    return s
def apply(g : Callable[[Diff[float]], Diff[float]], x : In[float]) -> float:
    return g(make__dfloat(x, 1.0)).dval
def on(g : Callable[[float], float], x : In[float]) -> float:
    return g(x)
def cube(x : In[float]) -> float:
    return x * x * x
def second(g : Callable[[float], float], x : In[float]) -> float:
    def slope_of(t : In[float]) -> float:
        return fwd_diff(g)(make__dfloat(t, 1.0)).dval
    return slope(slope_of, x)
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 2]
    a[0] = x * y
    a[1] = y
    c = Curve(x)
    n : Net
    n.a = Curve(y)
    n.b[1] = c
    def inner(t : In[float]) -> float:
        return t * t * y - a[0] + x * sin(t)
    u = newton(inner, x) + newton(lambda t: t * t - a[1] * x, y + 1.0) + newton(cube, x)
    v = slope(inner, y) + slope(sin, x) * apply(fwd_diff(inner), x) + apply(fwd_diff(cube), y)
    w = c(y) + on(c, y) + on(c.at, x) + n.a(x) + n.b[1](y) + on(n.b[1], x) + on(n.b[1].at, y)
    z = slope(c.at, y) * slope(c, x) + c.newton(inner, 1.0) + second(inner, y)
    z += second(sin, x) + second(c, x) + fwd_diff(c.at)(make__dfloat(y, x)).dval
    return u + v + w + z
""")
program("derivatives of functions with memory", POINTS, """
class Poly:
    c : Array[float, 3]
    def at(self, t : In[float]) -> float:
        return horner(self.c, 0, 3, t)

def horner(c : In[Array[float]], k : In[int], n : In[int], t : In[float]) -> float:
    if k == n:
        return 0.0
    return c[k] + t * horner(c, k + 1, n, t)

def weighed(a : In[Array[float, "n"]], w : In[NoDiff[Array[float, "n"]]], t : In[float]) -> float:
    s = 0.0
    for i in range(n):
        s += a[i] * w[i] * t ** (i + 1)
    return s

def both(x : In[float], s : InOut[float], y : Out[float]):
    s = s * sin(x)
    y = x * s

def slope(g : Callable[[float], float], x : In[float]) -> float:
    return fwd_diff(g)(make__dfloat(x, 1.0)).dval

def gradient(g : Callable[[float, Array[float]], float], x : In[float],
             a : In[Array[float, "n"]]) -> float:
    b : Array[float, n]
    s = 0.0
    rev_diff(g)(x, s, a, b, 1.0)
    return s + sum(b[i] * b[i] for i in range(n))

def hessian(g : Callable[[float], float], x : In[float]) -> float:
    d = fwd_diff(g)
    dd = fwd_diff(d)
    twice : Diff[Diff[float]]
    twice.val.val = x
    twice.val.dval = 1.0
    twice.dval.val = 1.0
    return dd(twice).dval.dval

def f(x : In[float], y : In[float]) -> float:
    p : Poly
    w : Array[float, 3]
    k : Array[float, 3]
    for i in range(3):
        k[i] = i + 0.5
        p.c[i] = x ** (i + 1) + y
        w[i] = y * (i + 1)
    a = slope(p.at, y) * slope(lambda t: horner(p.c, 0, 3, t * x), x)
    a += slope(lambda t: weighed(w, k, t), x) + hessian(p.at, x) * hessian(sin, y)
    def scaled(t : In[float], c : In[Array[float]]) -> float:
        return horner(c, 0, 3, t) * p.at(y) * w[1]
    a += gradient(scaled, x, w)
    s, adj_x, seed, z = x, y, y, x
    rev_diff(both)(x, adj_x, s, seed, z)
    d : Diff[float]
    e = make__dfloat(y, x)
    fwd_diff(both)(make__dfloat(x, y), e, d)
    return a + adj_x * seed + d.dval * e.dval
""")
program("methods that take functions", POINTS, """
T = TypeVar("T")

class Grid:
    h : float
    n : int

    def integrate(self, g : Callable[[float], float]) -> float:
        s = 0.0
        for i in range(self.n):
            s += g((i + 0.5) * self.h) * self.h
        return s

    def change(self : InOut, g : Callable[[float, float], float], k : In[float]):
        self.h = g(self.h, k)

    def through(self, g : Callable[[Grid], float]) -> float:
        return g(self)

    def square(self) -> float:
        return self.h * self.h

    def each(self, g : Callable[[float], float]) -> float:
        return g(self.h)

    def each(self, g : Callable[[float, float], float], k : In[float]) -> float:
        return g(self.h, k)

    def each(self, k : In[float]) -> float:
        return self.h * k

    def map(self, g : Callable[[T], T], x : In[T]) -> T:
        return g(x) * self.h

    def twice(self, g : Callable[[float], float]) -> float:
        return self.integrate(g) + self.integrate(lambda t: g(t) * self.h)

    @staticmethod
    def make(g : Callable[[int], float], n : In[int]) -> Grid:
        return Grid(g(n), n)

class Box(Generic[T]):
    a : T

    def over(self, g : Callable[[T], T]) -> T:
        return g(self.a)

    def __call__(self, x : In[T]) -> T:
        return self.a * x

class Pair:
    first : Box[float]
    rest : Array[Box[float], 2]

def cube(x : In[float]) -> float:
    return x * x * x

def f(x : In[float], y : In[float]) -> float:
    g = Grid(x, 3)
    def inner(t : In[float]) -> float:
        return t * y
    a = g.integrate(cube) + g.integrate(inner) + g.integrate(lambda t: t * x) + g.integrate(sin)
    g.change(lambda u, v: u * v + y, x)
    a += g.through(Grid.square) + g.map(cube, y) + Grid.integrate(g, cube) + g.map(g.each, x)
    a += Grid.make(lambda i: i * x, 2).twice(inner) + g.each(cube) * g.each(pow, 2.0) * g.each(y)
    b : Box[float] = Box(y)
    p : Pair
    p.first, p.rest[1] = b, Box(x)
    a += b.over(lambda t: t * x) * b.over(inner) + b(x) + p.first(a) + p.rest[1](p.rest[1](y))
    return a + g.integrate(b) + g.integrate(p.rest[1]) + b.over(p.first) + g.each(b.__call__)
""")
program("lambdas with names", POINTS, """
class V:
    x : float
def on(g : Callable[[float], float], x : In[float]) -> float:
    return g(x)
def f(x : In[float], y : In[float]) -> float:
    v = V(x)
    sq = lambda t: t * t
    line = lambda t, s: sq(t) * y + s
    both = lambda a, b: V(a.x * b)
    k = sq(3)
    z = line(x, y) + on(sq, x) + k + both(v, y).x
    def inner(u : In[float]) -> float:
        w = lambda t: t * sq(u) + line(t, x)
        return w(u) * on(w, y)
    for i in range(3):
        h = lambda t: t * i
        z += h(x) + sum(sq(x * j) for j in range(3))
    return z + inner(y) + (sq(x) if x > y else sq(y))
""")
FUNCTIONS = {name: text for name, (text, _) in PROGRAMS.items() if name not in BEFORE}
