"""A function with a rule that writes to an argument of its caller, of unknown length."""

from __future__ import annotations

import pytest
from subjects import differences, on

RULED = """def q(a : In[Array[float]], s : In[float], b : Out[Array[float]]):
    for i in range(2):
        b[i] = sin(a[i]) * s

@custom_rev(q)
def q_rev(a : In[Array[float]], da : Out[Array[float]], s : In[float], ds : Out[float],
          db : In[Array[float]]):
    for i in range(2):
        da[i] += cos(a[i]) * s * db[i]
        ds += sin(a[i]) * db[i]

def f(x : In[Array[float]], y : {direction}[Array[float]], k : In[float]):
{body}
r = rev_diff(f)
rr = fwd_diff(r)
"""
DUAL = [{"val": 0.5, "dval": 1.25}, {"val": 0.75, "dval": -1.5}]


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("direction", ["Out", "InOut"])
def test_the_last_write(how: str, direction: str) -> None:
    text = RULED.format(direction=direction, body="    q(x, k * k, y)\n")
    primal, duals = ([[0.25, 0.5]], [DUAL]) if direction == "InOut" else ([], [])
    scalar = {"val": 0.5, "dval": 2.0}
    for name, data in (
        ("r", [[0.5, 0.75], [0.0, 1.0], *primal, [0.5, -1.25], 0.5, 0.0]),
        ("rr", [DUAL, DUAL, *duals, DUAL, scalar, scalar]),
    ):
        wanted = on("oracle", text).call(name, data)
        assert not differences(on(how, text).call(name, data)[0], wanted[0])


@pytest.mark.parametrize("how", ["core", "plain", "llvm", "c"])
@pytest.mark.parametrize("body", [
    "    q(x, k, y)\n", "    q(x, k, y)\n    y[1] = y[0] * y[1] * k\n",
    "    q(x, k, y)\n    k = k * y[0]\n    q(x, k, y)\n"])
def test_an_output_of_known_length(how: str, body: str) -> None:
    """A loop with literal bounds writes all of it: what was there before is not asked for."""
    text = RULED.replace("b : Out[Array[float]]", "b : Out[Array[float, 2]]").replace(
        "db : In[Array[float]]", "db : In[Array[float, 2]]").replace(
        "{direction}[Array[float]]", "Out[Array[float, 2]]").format(body=body)
    for name, data in (
        ("r", [[0.5, 0.75], [0.0, 1.0], [0.5, -1.25], 0.5, 0.0]),
        ("rr", [DUAL, DUAL, DUAL, DUAL[0], DUAL[1]]),
    ):
        wanted = on("oracle", text).call(name, data)
        assert not differences(on(how, text).call(name, data)[0], wanted[0])
