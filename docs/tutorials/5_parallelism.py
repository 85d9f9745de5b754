# %% [markdown]
# # 5. Parallelism
#
# A *kernel* is a function that many threads run. Threads have no order. What that means for derivatives is the subject of
# this notebook. The same kernels run on GPUs.

# %%
import numpy as np

import loma
from loma import Array, In, InOut, Out, atomic_add, exp, parallel, sin, thread_id

# %% [markdown]
# ## Kernels

# %%
@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])


x = np.linspace(0.0, 1.0, 5)
print(waves(2.0, x))
assert np.allclose(waves(2.0, x), np.sin(2.0 * x))

# %% [markdown]
# Each thread reads its element and writes its element. `a` is read by all of them.
#
# ## The derivative of reading together
#
# In reverse a read becomes an addition: the adjoint of `a` collects a contribution from each thread. Threads that add to one place
# at once would lose contributions, if each reads the sum, adds, and writes it back. So the additions are *atomic*: nobody
# comes in between.

# %%
print(loma.rev_diff(waves).source)

value, pullback = loma.vjp(waves, 2.0, x)
gradients = pullback(np.ones(5))
print(gradients)
assert np.isclose(gradients.a, np.sum(x * np.cos(2.0 * x)))

# %% [markdown]
# ## The derivative of adding together
#
# The other way round: a kernel that adds up. The reverse of an atomic addition is a read, which all threads may do at
# once. Reads and additions are each other's reverse.

# %%
@loma.kernel
def loss(x: In[Array[float]], target: In[Array[float]], total: InOut[Array[float, 1]]):
    i: int = thread_id()
    d: float = x[i] - target[i]
    atomic_add(total[0], d * d)


target = np.zeros(5)
_, pullback = loma.vjp(loss, x, target, np.zeros(1))
print(pullback(np.ones(1)).x)
assert np.allclose(pullback(np.ones(1)).x, 2.0 * x)

# %% [markdown]
# ## Races
#
# A thread that reads what another one writes depends on which comes first. Such a program has no value, and no derivative.
# Where the compiler can prove it, it refuses.

# %%
shifted = """
@simd
def shifted(y : InOut[Array[float]]):
    i : int = thread_id()
    y[i] = y[i + 1]

r_shifted = rev_diff(shifted)
"""
try:
    loma.compile(shifted, target="llvm")
    raise AssertionError("this should have been refused")
except loma.UserError as error:
    print(error)

# %% [markdown]
# ## Parallel loops and reductions
#
# A loop over `parallel(n)` promises that its rounds have no order. It may stand inside an ordinary function, for example in a time
# loop. Sums, minima and maxima are written as in Python.

# %%
@loma.function
def heat(u: In[Array[float, "n"]], k: In[float], steps: In[int]) -> float:
    a: Array[float, n]
    b: Array[float, n]
    for i in parallel(n):
        a[i] = u[i]
    for t in range(steps):
        for i in parallel(n):
            left: float = a[max(i - 1, 0)]
            right: float = a[min(i + 1, n - 1)]
            b[i] = a[i] + k * (left - 2.0 * a[i] + right)
        for i in parallel(n):
            a[i] = b[i]
    return sum(a[i] * a[i] for i in range(n))


u = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
gradient = loma.grad(heat)(u, 0.2, 10)
difference = (heat(u, 0.2 + 1e-6, 10) - heat(u, 0.2 - 1e-6, 10)) / 2e-6
print(gradient.k, difference)
assert np.isclose(gradient.k, difference, rtol=1e-7)

# %% [markdown]
# ## Exercise
#
# Write a kernel that spreads points over bins: point `i` adds its weight to bin `k[i]`. Then compute the gradient of the sum of
# the squared bins by the weights. What does each thread of the derivative read?

# %% [markdown]
# A solution. Each thread reads the adjoint of its bin, which is twice the bin.

# %%
@loma.kernel
def spread(w: In[Array[float]], k: In[Array[int]], bins: InOut[Array[float]]):
    i: int = thread_id()
    atomic_add(bins[k[i]], w[i])


w, k = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 1, 0, 2], dtype=np.int32)
bins, pullback = loma.vjp(spread[4], w, k, np.zeros(3))
by_weight = pullback(2.0 * bins).w
print(bins, by_weight)
assert np.allclose(bins, [5.0, 2.0, 8.0])
assert np.allclose(by_weight, 2.0 * bins[k])
