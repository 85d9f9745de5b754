"""Programs of methods and operators on structs, in the manner of `constructs`."""

from __future__ import annotations

from ad.constructs import program

VECTOR = """
class Vec3:
    x : float
    y : float
    z : float

    def dot(self, o : In[Vec3]) -> float:
        return self.x * o.x + self.y * o.y + self.z * o.z

    def norm(self) -> float:
        return sqrt(self.dot(self))

    def cross(self, o : In[Vec3]) -> Vec3:
        return Vec3(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z,
                    self.x * o.y - self.y * o.x)

    def move(self : InOut, by : In[Vec3], s : In[float]):
        self.x += s * by.x
        self.y += s * by.y

    @staticmethod
    def ones() -> Vec3:
        return Vec3(1.0, 1.0, 1.0)

    def __add__(self, o : In[Vec3]) -> Vec3:
        return Vec3(self.x + o.x, self.y + o.y, self.z + o.z)

    def __sub__(self, o : In[Vec3]) -> Vec3:
        return self + -o

    def __neg__(self) -> Vec3:
        return -1.0 * self

    def __mul__(self, s : In[float]) -> Vec3:
        return Vec3(self.x * s, self.y * s, self.z * s)

    def __mul__(self, o : In[Vec3]) -> Vec3:
        return Vec3(self.x * o.x, self.y * o.y, self.z * o.z)

    def __rmul__(self, s : In[float]) -> Vec3:
        return self * s

    def __truediv__(self, s : In[float]) -> Vec3:
        return self * (1.0 / s)

    def __pow__(self, n : In[int]) -> Vec3:
        p = Vec3.ones()
        for i in range(n):
            p *= self
        return p

    def __matmul__(self, o : In[Vec3]) -> float:
        return self.dot(o)

    def __abs__(self) -> float:
        return self.norm()

    def __lt__(self, o : In[Vec3]) -> bool:
        return self.norm() < o.norm()

    def __eq__(self, o : In[Vec3]) -> bool:
        return self.x == o.x and self.y == o.y and self.z == o.z

    def __getitem__(self, i : In[int]) -> float:
        assert 0 <= i < 3, "index of a vector"
        return self.x if i == 0 else self.y if i == 1 else self.z

    def __setitem__(self : InOut, i : In[int], value : In[float]):
        assert 0 <= i < 3, "index of a vector"
        if i == 0:
            self.x = value
        elif i == 1:
            self.y = value
        else:
            self.z = value
"""

program("methods in chains", ((0.7, 0.3), (-0.4, 1.2)), VECTOR + """
def f(x : In[float], y : In[float]) -> float:
    a = Vec3(x, y, 1.0)
    b = Vec3(y, x * y, 0.5)
    a.move(b, x)
    return a.cross(b).norm() + Vec3.dot(a, b) * b.cross(a).cross(a).norm()
""")
program("operators of structs", ((0.7, 0.3), (-0.4, 1.2)), VECTOR + """
def f(x : In[float], y : In[float]) -> float:
    a = Vec3(x, y, 1.0)
    b = 2 * a - Vec3(y, y, x) * a / (1.5 + x)
    b += a ** 2
    b *= x
    return a @ b + abs(-b) + (a @ a) * b.x
""")
program("comparisons of structs", ((0.7, 0.3), (0.2, 1.2), (0.5, 0.4)), VECTOR + """
def f(x : In[float], y : In[float]) -> float:
    a = Vec3(x, 0.0, 1.0)
    b = Vec3(y, 0.0, 1.0)
    c = Vec3.ones()
    s = x * y
    if a < b < c:
        s += abs(a) * y
    elif b > a or a == b:
        s = s * s
    if a != b and not (b == c):
        s += x
    return s
""")
program("items of structs", ((0.7, 0.3), (-0.4, 1.2)), VECTOR + """
class Pair:
    v : Array[Vec3, 2]

    def __getitem__(self, i : In[int]) -> Vec3:
        return self.v[i]

    def __setitem__(self : InOut, i : In[int], v : In[Vec3]):
        self.v[i] = v

def f(x : In[float], y : In[float]) -> float:
    a = Vec3(x, y, 1.0)
    p : Pair
    p[0] = a
    p[1] = p[0] * y
    s = 0.0
    for i in range(3):
        a[i] += p[i % 2][i] * x
        a[2 - i] *= y
        p[i % 2] += a
        p.v[1][i] = s + x
        s += a[i] * p[1].dot(a)
    return s
""")
program("recursive methods", ((0.7, 0.3), (-0.4, 1.2)), VECTOR + """
class Chain:
    head : Vec3
    k : float

    def walk(self, n : In[int], at : In[Vec3]) -> Vec3:
        if n == 0:
            return at
        return self.back(n - 1, at + self.head * self.k)

    def back(self, n : In[int], at : In[Vec3]) -> Vec3:
        return self.walk(n, at * at * 0.5 + sin(at.x) * self.head)

def f(x : In[float], y : In[float]) -> float:
    c = Chain(Vec3(x, y, x * y), y)
    return c.walk(4, Vec3(0.5, x, 0.1)).norm()
""")
program("methods of elements and members", ((0.7, 0.3), (-0.4, 1.2)), VECTOR + """
class Body:
    at : Vec3
    speed : Vec3
    mass : float = 2.0

    def step(self : InOut, dt : In[float]):
        self.at += self.speed * dt
        self.speed.move(self.at, -dt)

    def energy(self) -> float:
        return 0.5 * self.mass * (self.speed @ self.speed)

def f(x : In[float], y : In[float]) -> float:
    bodies : Array[Body, 3]
    for i in range(3):
        bodies[i].at = Vec3(x, y, 1.0) * (i + 1)
        bodies[i].speed[i] = y
    total = 0.0
    for t in range(4):
        for i in range(3):
            bodies[i].step(0.1 * x)
            bodies[i].at += bodies[(i + 1) % 3].speed / 3
            total += bodies[i].energy() * bodies[i].at[t % 3]
    return total
""")
program("tuples as results", ((0.7, 0.3), (-0.4, 1.2)), VECTOR + """
def split(x : In[float], v : In[Vec3]) -> tuple[float, Vec3, int]:
    if x < 0:
        return 1, v, 2
    return x * v.x, Vec3(v.y, x, v.z), 3

def swapped(t : In[tuple[float, Vec3, int]]) -> tuple[Vec3, tuple[float, int]]:
    a, v, n = t
    return v * n, (a, n)

def f(x : In[float], y : In[float]) -> float:
    a, w, n = split(x, Vec3(x, y, 1.0))
    _, (b, k) = swapped(split(y, w))
    t = swapped((a, w, n))
    r : tuple[float, float] = 1, x * b
    return a * w.norm() + n * b * k + t[0].x * t[1][0] + t[-1][-1] * r[1] + r[0]
""")
program("simultaneous assignments", ((0.7, 0.3), (-0.4, 1.2)), VECTOR + """
def f(x : In[float], y : In[float]) -> float:
    a : Array[float, 3]
    a[0], a[1] = x, y
    i, j = 0, 1
    u, v = Vec3(x, y, 1.0), Vec3(y, y, x)
    for k in range(5):
        a[i], a[j] = a[j] * x, a[i] + y
        i, j = j, (i + j) % 3
        u, v = v, u * 0.5 + v
        x, a[2] = a[2] + y, x * y
        if x > y:
            s, t = x, u.x
        else:
            (s, t) = a[0], v.y
        y = 0.5 * s + t * x
    return a[0] * u.x + a[1] * v.norm() + a[2] + x * y + i + j
""")
program("tuples chosen", ((0.7, 0.3), (0.2, 1.2)), """
def g(x : In[float]) -> tuple[float, float]:
    return x * x, sin(x)
def f(x : In[float], y : In[float]) -> float:
    t = g(x) if x > y else g(y)
    u = (x, y) if x > y else (y, x * x)
    u, t = t, u
    lo, hi = (t[0], u[1])
    return lo * u[0] - hi * t[1]
""")
program("stack of numbers", ((0.7, 0.3), (0.2, 1.2)), """
def f(x : In[float], y : In[float]) -> float:
    s : Stack[float]
    for i in range(5):
        s.push(x * i)
        s.push(sin(y + i))
    total = 0.0
    while s.size() > 5:
        a, b = s.pop(), s.pop()
        total += a * b
        if a < 0.5:
            s.push(a * b * x)
        s.pop()
    total += s.pop()
    n, last = s.size(), s.pop()
    return total * last + n
""")
program("stack of structs", ((0.7, 0.3), (0.2, 1.2)), VECTOR + """
class Job:
    at : Vec3
    depth : int
    w : Array[float, 2]

def work(jobs : InOut[Stack[Job]], done : InOut[Stack[float]], x : In[float]) -> int:
    j = jobs.pop()
    done.push(j.at.norm() * j.w[0])
    if j.depth > 0:
        left : Job = Job(j.at * x, j.depth - 1, j.w)
        left.w[0] += x
        right = left
        right.at = left.at + j.at
        jobs.push(left)
        jobs.push(right)
    return jobs.size()

def f(x : In[float], y : In[float]) -> float:
    jobs : Stack[Job]
    done : Stack[float]
    start : Job
    start.at = Vec3(x, y, x * y)
    start.depth = 3
    start.w[0] = y
    jobs.push(start)
    while jobs.size() > 1 or done.size() < 1:
        n = work(jobs, done, x)
        done.push(x * n)
    total = y
    for i in range(done.size() - 2):
        total += done.pop() * sin(total)
    return total + jobs.size()
""")
program("stack and recursion", ((0.7, 0.3), (0.2, 1.2)), """
def walk(s : InOut[Stack[float]], n : In[int], x : In[float]):
    if n > 0:
        s.push(x * n)
        walk(s, n - 1, x * x + 0.1)
        top : float = s.pop()
        s.push(top * x)
        if n % 2 == 0:
            s.push(top)

def f(x : In[float], y : In[float]) -> float:
    s : Stack[float]
    for k in range(3):
        fresh : Stack[float]
        walk(fresh, k + 1, x)
        s.push(fresh.pop() * y)
    walk(s, 4, y)
    total = 0.0
    while s.size() > 1:
        total = total * 0.5 + s.pop()
    return total
""")
program("items with several indices", ((0.7, 0.3), (-0.4, 1.2)), """
class Matrix:
    a : Array[Array[float, 3], 2]
    writes : int

    def __getitem__(self, i : In[int], j : In[int]) -> float:
        return self.a[i][j]

    def __setitem__(self : InOut, i : In[int], j : In[int], value : In[float]):
        self.a[i][j] = value
        self.writes += 1

def f(x : In[float], y : In[float]) -> float:
    m : Array[Matrix, 2]
    for i in range(2):
        for j in range(3):
            m[i][i, j] = x * j + y
            m[0][j % 2, i] += m[i][i, j] * x
            m[i][0, 1], m[1][0, 2] = m[0][1, j] * y, sin(m[i][i, 0])
    return m[0][0, 1] * m[1][1, 2] + m[1][0, 2] * m[0][1, 1] + m[0].writes
""")
program("generic methods and operators", ((0.7, 0.3), (-0.4, 1.2)), """
T = TypeVar("T")

class Box:
    x : float

    def times(self, s : In[T]) -> T:
        return s * self.x

    def mapped(self, g : Callable[[float], float]) -> float:
        return g(self.x)

    def change(self : InOut, g : Callable[[float], float]):
        self.x = g(self.x)

    def __mul__(self, s : In[T]) -> Box:
        return Box(self.x * s)

    def __mul__(self, o : In[Box]) -> Box:
        return Box(self.x * sin(o.x))

    def __setitem__(self : InOut, i : In[int], value : In[T]):
        self.x = i * value

    def __getitem__(self, i : In[T]) -> float:
        return self.x + i

def f(x : In[float], y : In[float]) -> float:
    b = Box(x) * 2 * y * Box(y)
    b.change(lambda t: t * x + y)
    c = b
    c[2] = y
    c[3] *= x
    return b.times(y) + b.mapped(cos) * b.mapped(lambda t: t * y) + Box.times(c, x) + c[1] * c[x]
""")
program("generic tuples and stacks", ((0.7, 0.3), (-0.4, 1.2)), """
T = TypeVar("T")

class Pair(Generic[T]):
    a : T
    b : T

    def both(self) -> tuple[T, T]:
        return self.b, self.a

def ordered(a : In[T], b : In[T]) -> tuple[T, T]:
    return (a, b) if a < b else (b, a)

def doubled(s : InOut[Stack[T]], x : In[T]):
    s.push(x)
    s.push(x)

def apply(g : Callable[[float], tuple[float, float]], x : In[float]) -> float:
    a, b = g(x)
    return a * b

def f(x : In[float], y : In[float]) -> float:
    low, high = ordered(x, y)
    i, _ = ordered(3, 2)
    u, v = Pair(x, y * y).both()
    s : Stack[float]
    t : Stack[Pair[float]]
    doubled(s, high * x)
    doubled(t, Pair(u, x))
    return low * s.pop() + s.pop() * t.pop().a * v + i + apply(lambda z: (z * x, z + y), u)
""")
