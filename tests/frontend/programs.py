"""Valid programs that touch every construct; fuzzers start from them."""

PROGRAMS = ("""
class Vec3:
    x : float
    y : float
    z : float

class Ball:
    center : Vec3
    weights : Array[float, 4]
    id : int

def dot(a : In[Vec3], b : In[Vec3]) -> float:
    return a.x * b.x + a.y * b.y + a.z * b.z

def shade(ball : In[Ball], light : In[Array[Vec3]], n : In[int], out : Out[Array[float]]) -> float:
    \"\"\"Light upon a ball.\"\"\"
    total : float = 0
    for i in range(n):
        part : float = dot(ball.center, light[i])
        if part < 0 or i == 3 and not ball.id:
            continue
        elif part > 1e3:
            break
        else:
            total = total + part * ball.weights[i - i / 4 * 4]
        out[i] = sqrt(total) - 0.5
    while (total > 1.0, max_iter := 100):
        total = total / 2
    return -total

d_shade = fwd_diff(shade)
r_shade = rev_diff(shade)
h_shade = rev_diff(d_shade)
""", """
def square(x : In[float], y : Out[float]):
    y = x * x

def chain(x : In[float], n : In[int]) -> float:
    i : int
    z : float = x
    while i < n:
        square(z, z)
        i = i + 1
        if z > 100.0:
            return pow(z, 0.5)
    return sin(z) + exp(int2float(n))

d_chain = fwd_diff(chain)

def slope(x : In[float], n : In[int]) -> float:
    d : Diff[float] = make__dfloat(x, 1.0)
    return d_chain(d, n).dval

r_slope = rev_diff(slope)
""", """
@simd
def add(a : In[Array[float]], b : In[Array[float]], c : Out[Array[float]], s : Out[float]):
    i : int = thread_id()
    c[i] = a[i] + b[i]
    atomic_add(s, c[i])

r_add = rev_diff(add)
""", """
def taped(x : In[f64], n : In[i64], t : InOut[Tape]) -> f64:
    rows : Array[Array[f64, 3], 2]
    work : Array[f64, n + 1]
    more : Array[int, ...]
    own : Tape
    assert n >= 0, "a count"
    for k in range(0, 10, 2):
        rows[k / 8][1] = x
        push(own, x, k)
        more[k] = float2int(x)
    pop(own, x, more[0])
    push(t, x)
    return select(x > 0.0 and True, rows[0][1], f64(work[0]))
""")
