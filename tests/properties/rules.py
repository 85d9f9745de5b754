"""Functions with derivatives of their own, and with what no derivative is taken by."""

from __future__ import annotations

from random import Random

from properties.calls import Page
from properties.scope import FLOAT, LENGTH, Callee, Formal

from loma.ir.types import ArrayType

SCALAR = """def NAME(x : In[float], y : In[float]) -> float:
    return sin(x) * y + SCALE * x
"""
SCALAR_FWD = """@custom_fwd(NAME)
def NAME_fwd(x : In[Diff[float]], y : In[Diff[float]]) -> Diff[float]:
    r : Diff[float]
    r.val = NAME(x.val, y.val)
    r.dval = (cos(x.val) * y.val + SCALE) * x.dval + sin(x.val) * y.dval
    return r
"""
SCALAR_REV = """@custom_rev(NAME)
def NAME_rev(x : In[float], dx : Out[float], y : In[float], dy : Out[float], dr : In[float]):
    dx += (cos(x) * y + SCALE) * dr
    dy += sin(x) * dr
"""
MEMORY = f"""def NAME(a : In[Array[float]], s : In[float], b : Out[Array[float]]):
    for i in range({LENGTH}):
        b[i] = sin(a[i]) * s
"""
MEMORY_FWD = f"""@custom_fwd(NAME)
def NAME_fwd(a : In[Array[Diff[float]]], s : In[Diff[float]], b : Out[Array[Diff[float]]]):
    for i in range({LENGTH}):
        t : float = cos(a[i].val) * a[i].dval * s.val + sin(a[i].val) * s.dval
        b[i].val = sin(a[i].val) * s.val
        b[i].dval = t
"""
MEMORY_REV = f"""@custom_rev(NAME)
def NAME_rev(a : In[Array[float]], da : Out[Array[float]], s : In[float], ds : Out[float],
             db : In[Array[float]]):
    for i in range({LENGTH}):
        da[i] += cos(a[i]) * s * db[i]
        ds += sin(a[i]) * db[i]
"""
CHANGED = """def NAME(x : In[float], y : Out[float], z : InOut[float]):
    if x > 0.2:
        y = x * z
    else:
        y = 0.5 * z
    z = cos(z) + x
"""
CHANGED_FWD = """@custom_fwd(NAME)
def NAME_fwd(x : In[Diff[float]], y : Out[Diff[float]], z : InOut[Diff[float]]):
    if x.val > 0.2:
        y = make__dfloat(x.val * z.val, x.dval * z.val + x.val * z.dval)
    else:
        y = make__dfloat(0.5 * z.val, 0.5 * z.dval)
    z.dval = x.dval - sin(z.val) * z.dval
    z.val = cos(z.val) + x.val
"""
CHANGED_REV = """@custom_rev(NAME)
def NAME_rev(x : In[float], dx : Out[float], dy : In[float], z : In[float], dz : InOut[float]):
    dx += dz
    dz = -sin(z) * dz
    if x > 0.2:
        dx += z * dy
        dz += x * dy
    else:
        dz += 0.5 * dy
"""
FIXED = """def NAME(x : In[float], k : In[NoDiff[float]], a : In[NoDiff[Array[float]]]) -> float:
    k = k + a[1]
    return x * k + stop_gradient(sin(x)) * x
"""
ARRAY = ArrayType(FLOAT)
KINDS = (
    (SCALAR, SCALAR_FWD, SCALAR_REV, (("x", FLOAT, "In"), ("y", FLOAT, "In")), FLOAT),
    (MEMORY, MEMORY_FWD, MEMORY_REV,
     (("a", ARRAY, "In"), ("s", FLOAT, "In"), ("b", ARRAY, "Out")), None),
    (CHANGED, CHANGED_FWD, CHANGED_REV,
     (("x", FLOAT, "In"), ("y", FLOAT, "Out"), ("z", FLOAT, "InOut")), None),
    (FIXED, "", "", (("x", FLOAT, "In"), ("k", FLOAT, "In"), ("a", ARRAY, "In")), FLOAT),
)


def write_rules(rng: Random, page: Page) -> list[Callee]:
    """A function with a forward rule, a reverse rule, or both."""
    primal, forward, reverse, formals, result = rng.choice(KINDS)
    name = page.fresh("q")
    rules = rng.choice(((forward,), (reverse,), (forward, reverse)))
    for text in (primal, *rules):
        for line in text.replace("NAME", name).splitlines():
            page.line(line)
    return [Callee(name, [Formal(n, t, d) for n, t, d in formals], result)]
