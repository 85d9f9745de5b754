# %% [markdown]
# # 4. Control flow
#
# Programs branch, loop and overwrite. The derivative of such a program is the derivative of the operations that ran.

# %%
import warnings

import numpy as np

import loma
from loma import Array, In, cos, exp, sin

# %% [markdown]
# ## Branches
#
# The derivative takes the branch that the program takes. The condition itself has no derivative.

# %%
@loma.function
def bend(x: In[float]) -> float:
    if x < 1.0:
        return x * x
    return 2.0 * x - 1.0


slope = loma.grad(bend, wrt="x")
print([slope(x) for x in (0.5, 0.999, 1.0, 3.0)])
assert slope(0.5) == 1.0 and slope(3.0) == 2.0

# %% [markdown]
# At 1 both branches have the slope 2, so `bend` has a derivative there. Where they have different slopes there is a kink; the
# compiler gives the slope of the branch that ran. Where they have different *values* there is a step, and no derivative tells
# of it: this one is zero everywhere. loma warns of that.

# %%
@loma.function
def step(x: In[float]) -> float:
    return 1.0 if x > 0.0 else 0.0


with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    assert loma.grad(step, wrt="x")(0.5) == 0.0
print(said[0].message)

# %% [markdown]
# ## Loops
#
# A loop that ran three times is three copies of its body, one after the other. In reverse it runs backwards. The compiler needs
# no bound: it counts how often a `while` loop ran. This one solves `y = cos(x * y)` for `y`.

# %%
@loma.function
def solve(x: In[float]) -> float:
    y: float = 1.0
    change: float = 1.0
    while change * change > 1e-30:
        new: float = cos(x * y)
        change = new - y
        y = new
    return y


x = 0.8
y, dy = solve(x), loma.grad(solve, wrt="x")(x)
print(y, dy)

# %% [markdown]
# Is that the derivative of the solution? Differentiate the equation: `y' = -sin(x y) (y + x y')`. So `y'` is known without
# the loop. The two agree, as the loop has converged and its derivative with it.

# %%
known = -np.sin(x * y) * y / (1.0 + x * np.sin(x * y))
print(known)
assert np.isclose(dy, known, rtol=1e-12)

# %% [markdown]
# The gradient of the loop stores something in each iteration; the formula needs the last `y` only.

# %%
told = loma.explain(solve, x)
print(told)
assert told.figures.tape_bytes > 100

# %% [markdown]
# ## Overwriting
#
# An array that is updated in place, a time step that replaces the last one: the reverse sweep sees the values that each
# line saw.

# %%
@loma.function
def oscillator(stiffness: In[float], n: In[int]) -> float:
    state: Array[float, 2]
    state[0] = 1.0
    h: float = 0.01
    for i in range(n):
        state[1] -= h * stiffness * state[0]
        state[0] += h * state[1]
    return state[0]


gradient = loma.grad(oscillator, wrt="stiffness")(4.0, 300)
difference = (oscillator(4.0 + 1e-5, 300) - oscillator(4.0 - 1e-5, 300)) / 2e-5
print(gradient, difference)
assert np.isclose(gradient, difference, rtol=1e-7)

# %% [markdown]
# ## Recursion
#
# Functions may call themselves. Each call has its values on the same tape; a stack of calls fits a stack of values.

# %%
@loma.function
def power(x: In[float], n: In[int]) -> float:
    if n == 0:
        return 1.0
    half: float = power(x, n // 2)
    return half * half * (x if n % 2 == 1 else 1.0)


assert np.isclose(loma.grad(power, wrt="x")(1.1, 13), 13 * 1.1**12)

# %% [markdown]
# ## Exercise
#
# A population grows by `p = r p (1 - p)` in each year. Find the rate `r`, near 2.5, for which it is 0.62 after 30 years, starting
# at 0.1. Use Newton's method with the gradient of a loop.

# %% [markdown]
# A solution:

# %%
@loma.function
def population(r: In[float], years: In[int]) -> float:
    p: float = 0.1
    for i in range(years):
        p = r * p * (1.0 - p)
    return p


r = 2.5
for _ in range(10):
    value, gradient = loma.value_and_grad(population, wrt="r")(r, 30)
    r -= (value - 0.62) / gradient
print(r, population(r, 30))
assert np.isclose(population(r, 30), 0.62)
