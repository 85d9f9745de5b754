# %% [markdown]
# # 1. What a derivative is
#
# The derivative of a function at a point is its slope there: how much the result changes for a tiny change of the
# argument. This notebook computes it in three ways: by differences, by rules on paper, and by a compiler that applies
# the rules to a program.

# %%
import math

import loma
from loma import In, exp, sin


@loma.function
def f(x: In[float]) -> float:
    return sin(x * x) * exp(-x)


f(1.0)

# %% [markdown]
# ## Differences
#
# The slope between two close points is nearly the derivative. How close should they be? If the step is large, the
# function bends in between. If it is tiny, the two values agree in nearly all their digits, and the subtraction leaves
# only rounding errors. The best step gives about ten of sixteen digits.

# %%
def central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


exact = math.cos(1.0) * 2.0 * math.exp(-1.0) - math.sin(1.0) * math.exp(-1.0)
errors = {h: abs(central(f, 1.0, h) - exact) for h in (1e-1, 1e-3, 1e-5, 1e-7, 1e-11)}
for h, error in errors.items():
    print(f"step {h:g}   error {error:.1e}")

assert errors[1e-5] < 1e-9 < errors[1e-1]
assert errors[1e-5] < errors[1e-11]

# %% [markdown]
# ## Rules
#
# The number `exact` came from three rules: for products, for functions of functions, and for `sin` and `exp`. A
# compiler knows these rules. It applies them to each operation of a program, so there is no step and nothing is lost.

# %%
slope = loma.grad(f, wrt="x")
print(slope(1.0), exact)
assert abs(slope(1.0) - exact) < 1e-15

# %% [markdown]
# The derivative is again a program of the same language. It can be read:

# %%
print(loma.fwd_diff(f).source)

# %% [markdown]
# `_dfloat` is a pair: a value `val`, and its derivative `dval`. Notebook 2 is about that.
#
# ## Several arguments
#
# A function of several numbers has a slope in each direction. Those along the axes make up the *gradient*. The slope along
# any other direction is a combination of them: `loma.jvp` computes it without computing the gradient.

# %%
@loma.function
def g(x: In[float], y: In[float]) -> float:
    return x * x * y + sin(y)


gradient = loma.grad(g)(3.0, 2.0)
value, along = loma.jvp(g, (3.0, 2.0), (1.0, -1.0))
print(gradient, along)
assert abs(along - (gradient.x - gradient.y)) < 1e-12

# %% [markdown]
# ## Derivatives of derivatives
#
# Since a derivative is a program, it has a derivative. The second derivatives of `g` make a matrix.

# %%
print(loma.hessian(g)(3.0, 2.0))
assert abs(loma.hessian(g)(3.0, 2.0)[0, 1] - 2 * 3.0) < 1e-12

# %% [markdown]
# ## Exercise
#
# Where between 0 and 2 is `f` largest? There the derivative is zero. Newton's method finds zeros: it replaces `x` by
# `x - f'(x) / f''(x)`. Start at 1.

# %% [markdown]
# A solution:

# %%
x = 1.0
for _ in range(8):
    x -= slope(x) / loma.hessian(f)(x)[0, 0]
print(x, slope(x))
assert abs(slope(x)) < 1e-12 and f(x) > max(f(x - 0.1), f(x + 0.1))
