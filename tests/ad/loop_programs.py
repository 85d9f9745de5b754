"""Programs of loops whose conditions pass Out and InOut arrays to a recursive function."""

from __future__ import annotations

from typing import Any, Final

PROGRAMS: Final[dict[str, tuple[str, list[Any]]]] = {}

TOTAL = """
def total(y : In[Array[float]], n : In[int]) -> float:
    if n < 1:
        return 0.0
    return y[n - 1] * y[n - 1] + total(y, n - 1)
"""


def program(name: str, operands: list[Any], source: str) -> None:
    """Adds a program whose function is `f`."""
    PROGRAMS[name] = TOTAL + source, operands


program(
    "a condition on an output",
    [0.5, [0.0, 0.0, 0.0], 3],
    """
def f(x : In[float], y : Out[Array[float]], n : In[int]):
    y[0] = 0.1
    y[1] = x
    y[2] = x * x
    while total(y, n) < 3.0:
        y[0] = y[0] + x * y[1]
""",
)
program(
    "early exits",
    [0.5, [0.2, 0.7, 0.3], 3],
    """
def f(x : In[float], y : InOut[Array[float]], n : In[int]) -> float:
    s : float
    for k in range(2):
        y[0] = y[0] * 0.3
        while total(y, n) + s < 5.0:
            if y[0] > 4.0 * x:
                break
            y[0] = y[0] + x * y[1]
            if y[0] < 1.0:
                continue
            s = s + sin(y[0])
            while total(y, 2) < 2.0:
                y[1] = y[1] * 1.1
                if s > 100.0:
                    return s
    return s * x
""",
)
program(
    "a condition in a recursive function",
    [0.7, [0.2, 0.7, 0.3], 3],
    """
def g(x : In[float], y : InOut[Array[float]], n : In[int]) -> float:
    s : float
    while total(y, n) + s < 5.0:
        y[0] = y[0] + x * y[1]
        s = s + x
        if n > 1:
            s = s + 0.1 * g(x, y, n - 1)
    return s * y[1]

def f(x : In[float], y : InOut[Array[float]], n : In[int]) -> float:
    return g(x * x, y, n) + y[0]
""",
)
