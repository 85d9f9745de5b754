"""Methods that change their object and give a value: `u = random.next()`."""

from __future__ import annotations

import pytest
from subjects import COMPILED, CORES, on

WALK = """
class Walk:
    seed : int
    at : float

    def next(self : InOut) -> float:
        self.seed = self.seed * 1103515245 + 12345
        return (self.seed >> 16 & 32767) / 32768.0

    def step(self : InOut, scale : In[float]) -> tuple[float, float]:
        u = self.next()
        self.at = self.at * scale + u
        return self.at, u

    def swap(self : InOut, other : InOut[float]) -> float:
        self.at, other = other, self.at
        return self.at * other

def f(scale : In[float], n : In[int], y : Out[Array[float]]) -> float:
    w = Walk(7, scale)
    total = 0.0
    for i in range(n):
        place, u = w.step(scale)
        y[i] = w.next()
        total += w.swap(total)
        total += place * u
        if total > 3.0:
            x : float = w.swap(place)
            total = total * 0.5 + x * place
    return total + w.at

def last(w : InOut[Walk]) -> float:
    return w.next()

r = rev_diff(f)
d = fwd_diff(f)
"""


def walked(scale: float, n: int) -> tuple[float, list[float]]:
    """The same in Python; a number that is added to is read before the call changes it."""
    seed, at, total, y = 7, scale, 0.0, []

    def drawn() -> float:
        nonlocal seed
        seed = (seed * 1103515245 + 12345) & 0xFFFFFFFF
        return ((seed - (seed >> 31 << 32)) >> 16 & 32767) / 32768.0

    for _ in range(n):
        u = drawn()
        at = at * scale + u
        place = at
        y.append(drawn())
        before = total
        at, total = total, at
        total = before + at * total
        total += place * u
        if total > 3.0:
            at, place = place, at
            total = total * 0.5 + at * place * place
    return total + at, y


@pytest.mark.parametrize("how", ["oracle", *CORES, *COMPILED])
def test_a_method_that_writes_is_a_right_side(how: str) -> None:
    value, y = walked(0.75, 6)
    after, result = on(how, WALK).call("f", [0.75, 6, [0.0] * 6])
    assert result == pytest.approx(value, rel=1e-12)
    assert after[2] == pytest.approx(y, rel=1e-12)


@pytest.mark.parametrize("how", [*CORES, *COMPILED])
def test_its_derivative(how: str) -> None:
    slope = (walked(0.75 + 1e-6, 6)[0] - walked(0.75 - 1e-6, 6)[0]) / 2e-6
    after, _ = on(how, WALK).call("r", [0.75, 0.0, 6, 0, [0.0] * 6, 1.0])
    assert after[1] == pytest.approx(slope, rel=1e-7)
    zero = [{"val": 0.0, "dval": 0.0}] * 6
    _, dual = on(how, WALK).call("d", [{"val": 0.75, "dval": 1.0}, 6, zero])
    assert dual["dval"] == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize("how", ["oracle", *CORES, *COMPILED])
def test_it_can_be_returned(how: str) -> None:
    after, result = on(how, WALK).call("last", [{"seed": 7, "at": 0.5}])
    assert after[0]["seed"] == -865315532 and result == 19564 / 32768
