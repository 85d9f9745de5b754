"""Faults that users of other tools met with arrays of several dimensions; here they are right."""

from __future__ import annotations

import numpy as np

import loma

SOURCE = """
def mutated(a : InOut[Array[float, "n", "m"]]) -> float:
    r = a[0]
    s = 0.0
    for k in range(3):
        for j in range(m):
            s += r[j] * a[n - 1, j]
            r[j] = r[j] * a[n - 1, j] + k
    return s

def aliased(a : In[Array[float, "n"]], b : In[Array[float, "n"]]) -> float:
    return sum(a[i] * b[n - 1 - i] for i in range(n))

def same(a : In[Array[float, "n"]]) -> float:
    return aliased(a, a) + aliased(a[1:], a[:n - 1])

r_mutated = rev_diff(mutated)
r_same = rev_diff(same)
"""


def test_an_array_mutated_through_a_row_keeps_the_values_of_the_forward_run() -> None:
    """warp#1350: an array that is overwritten after it was read."""
    f = loma.load(SOURCE, float_type="f64").mutated
    a = np.random.default_rng(0).uniform(0.3, 0.9, (2, 3))
    value, pulled = loma.vjp(f, a.copy())
    seed = pulled(result=1.0, a=np.zeros_like(a)) if hasattr(value, "result") else pulled(1.0)
    for index in np.ndindex(a.shape):
        high, low = a.copy(), a.copy()
        high[index] += 1e-6
        low[index] -= 1e-6
        slope = (_number(f(high)) - _number(f(low))) / 2e-6
        assert np.isclose(_gradient(seed)[index], slope, rtol=1e-5)


def _number(x: object) -> float:
    return float(getattr(x, "result", x))  # type: ignore[arg-type]


def _gradient(x: object) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(getattr(x, "a", x))


def test_one_array_as_two_operands_gets_both_contributions() -> None:
    """warp#1294: an array read under two names by one call."""
    f = loma.load(SOURCE, float_type="f64").same
    x = np.array([1.0, 2.0, 4.0, 7.0])
    g = loma.grad(f)(x)
    wanted = [(f(x + d) - f(x - d)) / 2e-6 for d in 1e-6 * np.eye(4)]
    assert np.allclose(np.asarray(g.a), wanted, rtol=1e-6)
