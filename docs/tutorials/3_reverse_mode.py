# %% [markdown]
# # 3. Reverse mode
#
# Reverse mode computes the whole gradient of one number in one run, however many inputs there are. It goes through the
# program backwards, and asks of each value: how much does the final result change with it? That number is the value's
# *adjoint*.

# %%
import numpy as np

import loma
from loma import Array, In, sin

# %% [markdown]
# ## By hand
#
# Take `u = x * y` and `z = u + sin(u)`. The adjoint of `z` is 1. The last line gives the adjoint of `u`; the first line
# then gives those of `x` and `y`. The lines come in the opposite order, and each uses the adjoint that the lines after it
# have made.

# %%
x, y = 0.5, 2.0
u = x * y
z = u + np.sin(u)

adj_z = 1.0
adj_u = adj_z + np.cos(u) * adj_z
adj_x = y * adj_u
adj_y = x * adj_u
print(adj_x, adj_y)

# %% [markdown]
# ## The compiler's way

# %%
@loma.function
def f(x: In[float], y: In[float]) -> float:
    u: float = x * y
    return u + sin(u)


print(loma.rev_diff(f).source)
gradient = loma.grad(f)(0.5, 2.0)
assert abs(gradient.x - adj_x) < 1e-12 and abs(gradient.y - adj_y) < 1e-12

# %% [markdown]
# `_dreturn` is the adjoint of the result; `loma.grad` passes 1. `adj_x` is *added* to: a value that is used in several places
# collects a contribution from each.
#
# ## Many inputs

# %%
@loma.function
def energy(x: In[Array[float, "n"]]) -> float:
    total: float = 0.0
    for i in range(n - 1):
        stretch: float = x[i + 1] - x[i] - 1.0
        total += 0.5 * stretch * stretch
    return total


positions = np.array([0.0, 1.5, 2.0, 4.0])
forces = loma.grad(energy, wrt="x")(positions)
print(forces)
assert np.allclose(forces, [-0.5, 1.0, -1.5, 1.0])

# %% [markdown]
# A million inputs cost as little more than the function itself as four do: a gradient takes at most about four times
# the operations.
#
# ## The tape
#
# Going backwards needs values from the way out. A variable that is overwritten has lost them. The compiler stores such
# values on a *tape*, and computes the others again. `loma.explain` tells which, line by line:

# %%
@loma.function
def chained(x: In[float], n: In[int]) -> float:
    s: float = x
    for i in range(n):
        s = sin(s * x)
    return s


told = loma.explain(loma.grad(chained), 0.7, 1000)
print(told)
assert told.formula == "8*n" and told.figures.tape_bytes == 8000
assert told.figures.ratio < 4
assert loma.explain(energy).formula == "0"

# %% [markdown]
# The loop of `energy` stores nothing: its derivative needs `stretch`, which can be computed from `x` again.
#
# ## Is it right?
#
# Reverse mode and forward mode must agree: the slope along a direction is the gradient times that direction. So must finite
# differences. `loma verify FILE` makes these checks for a whole program.

# %%
rng = np.random.default_rng(0)
direction = rng.normal(size=4)
_, along = loma.jvp(energy, {"x": positions}, {"x": direction})
step = 1e-6 * direction
difference = (energy(positions + step) - energy(positions - step)) / 2e-6
print(along, forces @ direction, difference)
assert np.isclose(along, forces @ direction) and np.isclose(along, difference)

# %% [markdown]
# ## Exercise
#
# Minimise the function of Rosenbrock in ten variables, the sum of `100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2`, with
# `loma.value_and_grad`. Its minimum is at all ones. Plain gradient descent is slow here; `scipy.optimize.minimize` takes
# value and gradient with `jac=True`. Without SciPy: Newton's method, with `loma.hessian`.

# %% [markdown]
# A solution:

# %%
@loma.function
def rosenbrock(x: In[Array[float, "n"]]) -> float:
    s: float = 0.0
    for i in range(n - 1):
        u: float = x[i + 1] - x[i] ** 2
        v: float = 1.0 - x[i]
        s += 100.0 * u * u + v * v
    return s


x = np.full(10, 0.9)
for _ in range(20):
    slope = loma.grad(rosenbrock, wrt="x")(x)
    x = x - np.linalg.solve(loma.hessian(rosenbrock, wrt="x")(x), slope)
print(x, rosenbrock(x))
assert np.allclose(x, 1.0)
