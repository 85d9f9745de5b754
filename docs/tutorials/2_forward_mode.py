# %% [markdown]
# # 2. Forward mode
#
# Forward mode carries a derivative along with every value. A pair of the two is called a *dual number*. Each operation on
# numbers becomes an operation on pairs.

# %%
import numpy as np

import loma
from loma import Array, In, Out, cos, sin

# %% [markdown]
# ## Dual numbers by hand
#
# Write a number as `a + b e`, where `e` is so small that `e * e` is zero. Then `(a + b e) * (c + d e)` is
# `a c + (a d + b c) e`: the product rule. This class needs nothing but Python.

# %%
class Dual:
    def __init__(self, val, dval):
        self.val, self.dval = val, dval

    def __add__(self, other):
        return Dual(self.val + other.val, self.dval + other.dval)

    def __mul__(self, other):
        return Dual(self.val * other.val, self.val * other.dval + self.dval * other.val)


def cubic(x):
    return x * x * x + x


d = cubic(Dual(2.0, 1.0))
print(d.val, d.dval)
assert (d.val, d.dval) == (10.0, 13.0)

# %% [markdown]
# ## The compiler's way
#
# `fwd_diff` writes the operations on pairs into the program. The result has the same arguments, but each `float` is a
# `_dfloat`, with the members `val` and `dval`.

# %%
@loma.function
def f(x: In[float], y: In[float]) -> float:
    u: float = x * y
    return u + sin(u)


d_f = loma.fwd_diff(f)
print(d_f.source)

# %% [markdown]
# The argument that changes gets the tangent 1, the other one 0. Any other choice gives the slope along that direction.

# %%
by_x = d_f({"val": 0.5, "dval": 1.0}, {"val": 2.0, "dval": 0.0})
both = d_f({"val": 0.5, "dval": 1.0}, {"val": 2.0, "dval": 3.0})
print(by_x, both)
assert abs(by_x.dval - (2.0 + 2.0 * np.cos(1.0))) < 1e-12
assert abs(both.dval - 3.5 * (1.0 + np.cos(1.0))) < 1e-12

# %% [markdown]
# `loma.jvp` does the same for arrays and structs, and returns value and derivative apart.
#
# ## What it costs
#
# One run gives the slope along one direction, at two to three times the work of the function. A function with a thousand
# inputs needs a thousand runs for its gradient; a function with one input and a thousand outputs needs one run. So a
# Jacobian with few columns is made by forward mode:

# %%
@loma.kernel
def wave(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = loma.thread_id()
    y[i] = cos(a * x[i])


x = np.linspace(0.0, 1.0, 5)
print(loma.jacobian(wave, wrt="a")(2.0, x))
assert np.allclose(loma.jacobian(wave, wrt="a")(2.0, x), -x * np.sin(2.0 * x))

# %% [markdown]
# ## Forward mode twice
#
# The derivative of the derivative comes from pairs of pairs: `fwd_diff(fwd_diff(f))`. A member `dval` of a member `dval` is
# a second derivative.

# %%
second = loma.fwd_diff(d_f)
one, zero = {"val": 1.0, "dval": 0.0}, {"val": 0.0, "dval": 0.0}
at = {"val": {"val": 0.5, "dval": 1.0}, "dval": one}
constant = {"val": {"val": 2.0, "dval": 0.0}, "dval": zero}
twice = second(at, constant)
print(twice.dval.dval)
assert abs(twice.dval.dval - -4.0 * np.sin(1.0)) < 1e-12

# %% [markdown]
# ## Exercise
#
# Write dual numbers in loma itself: a class with methods for `+` and `*`, and a function `cubic` on them that returns the
# derivative. Then differentiate `cubic`, to get a second derivative.

# %% [markdown]
# A solution:

# %%
program = loma.load("""
class Dual:
    val : float
    dval : float

    def __add__(self, other : In[Dual]) -> Dual:
        return Dual(self.val + other.val, self.dval + other.dval)

    def __mul__(self, other : In[Dual]) -> Dual:
        return Dual(self.val * other.val, self.val * other.dval + self.dval * other.val)

def slope(x : In[float]) -> float:
    d = Dual(x, 1.0)
    return (d * d * d + d).dval
""", float_type="f64")
print(program.slope(2.0), loma.grad(program.slope)(2.0))
assert program.slope(2.0) == 13.0
assert loma.grad(program.slope, wrt="x")(2.0) == 12.0
