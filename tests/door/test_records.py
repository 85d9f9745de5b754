"""Arrays of structs in compiled calls: the same values and errors as in the others."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, f32, thread_id

OFTEN = 5


@dataclasses.dataclass
class Body:
    x: float
    v: Array[float, 2]
    on: bool
    n: int


@dataclasses.dataclass
class Small:
    a: f32
    b: float


@loma.function
def energy(bodies: In[Array[Body, "n"]], k: In[float]) -> float:
    s: float = 0.0
    for i in range(n):
        if bodies[i].on:
            s += k * bodies[i].x * bodies[i].x * bodies[i].n + bodies[i].v[0] * bodies[i].v[1]
    return s


@loma.kernel
def moved(bodies: In[Array[Body]], dt: In[float], after: Out[Array[Body]]):
    i: int = thread_id()
    after[i] = bodies[i]
    after[i].x += dt * bodies[i].v[0]


@loma.function
def pushed(bodies: InOut[Array[Body, "n"]], by: In[Array[float, "n"]]):
    for i in range(n):
        bodies[i].v[1] += by[i]


@loma.function
def grid(cells: In[Array[Small, "r", "c"]], i: In[int]) -> float:
    return cells[i, 1].a * cells[0, i].b


FIELDS = [("x", float), ("v", float, 2), ("on", np.int32), ("n", np.int32)]
OWN = np.dtype(FIELDS, align=True)
PADDED = np.dtype({"names": ["x", "v", "on", "n"], "itemsize": 48, "offsets": [0, 8, 24, 28],
                   "formats": [float, (float, 2), np.int32, np.int32]})


def bodies(dtype: Any = OWN, n: int = 3) -> np.ndarray[Any, Any]:
    made = np.zeros(n, dtype)
    for i in range(n):
        made[i] = (i + 1.0, (0.5 * i, 2.0), i != 1, i + 2)
    return made


def expected(b: np.ndarray[Any, Any], k: float) -> float:
    terms = k * b["x"] ** 2 * b["n"] + b["v"][:, 0] * b["v"][:, 1]
    return float(np.sum(terms * (b["on"] != 0)))


def test_values() -> None:
    other = np.dtype(FIELDS, align=True)
    for _ in range(OFTEN):
        for b in (bodies(), bodies(other), bodies(n=0), bodies().view(np.recarray)):
            assert energy(b, 3.0) == expected(b, 3.0)
        as_list = [Body(float(x), v.copy(), bool(on), int(n)) for x, v, on, n in bodies()]
        assert energy(as_list, 3.0) == expected(bodies(), 3.0)
        with pytest.warns(loma.CopyWarning):
            assert energy(bodies(PADDED), 3.0) == expected(bodies(), 3.0)
        with pytest.warns(loma.CopyWarning):
            assert energy(bodies(n=6)[::2], 3.0) == expected(bodies(n=6)[::2], 3.0)


def test_outputs() -> None:
    b = bodies()
    for _ in range(OFTEN):
        for after in (moved(b, 0.5), moved[3](b, 0.5)):
            np.testing.assert_allclose(after["x"], b["x"] + 0.5 * b["v"][:, 0])
            np.testing.assert_array_equal(after["n"], b["n"])
        into = np.zeros(3, OWN)
        assert moved(b, 0.5, into) is None
        np.testing.assert_array_equal(into, after)
        changed = b.copy()
        pushed(changed, np.ones(3))
        np.testing.assert_array_equal(changed["v"][:, 1], [3.0, 3.0, 3.0])


def test_gradients() -> None:
    for _ in range(OFTEN):
        g = loma.grad(energy)(bodies(), 3.0)
        np.testing.assert_allclose(g.bodies["x"], [12.0, 0.0, 72.0])
        np.testing.assert_allclose(g.bodies["v"], [[2.0, 0.0], [0.0, 0.0], [2.0, 1.0]])
        assert g.k == 1.0 * 2 + 9.0 * 4
        assert loma.grad(energy, wrt="k")(bodies(), 3.0) == g.k
        alone = loma.grad(energy, wrt="bodies")(bodies(), k=3.0)
        np.testing.assert_array_equal(alone, g.bodies)
        again = loma.value_and_grad(energy)(bodies(), 3.0)
        assert again[0] == energy(bodies(), 3.0) and again[1].k == g.k
        assert len(loma.grad(energy)(bodies(n=0), 3.0).bodies) == 0


def test_two_dimensions_and_precisions() -> None:
    cells = np.zeros((2, 3), np.dtype([("a", np.float32), ("b", float)], align=True))
    cells["a"], cells["b"] = 2.0, 5.0
    for _ in range(OFTEN):
        assert grid(cells, 1) == 10.0
        np.testing.assert_array_equal(loma.grad(grid)(cells, 1).cells["b"], [[0, 2, 0], [0] * 3])


def test_what_is_refused() -> None:
    wrong = np.zeros(3, [("x", float), ("v", float, 2), ("on", np.int32), ("m", np.int32)])
    frozen = bodies()
    frozen.flags.writeable = False
    for _ in range(OFTEN):
        energy(bodies(), 3.0)
        pushed(bodies(), np.ones(3))
        with pytest.raises(loma.ArgumentTypeError, match="must be a 1-D structured"):
            energy(wrong, 3.0)
        with pytest.raises(loma.ArgumentTypeError, match="must be a 1-D structured"):
            energy(np.zeros(3), 3.0)
        with pytest.raises(loma.ArgumentValueError, match="read-only"):
            pushed(frozen, np.ones(3))
        with pytest.raises(loma.ArgumentValueError, match="structs do not lie .*align=True"):
            pushed(bodies(PADDED), np.ones(3))
        with pytest.raises(loma.ArgumentValueError, match="must have length 3"):
            pushed(bodies(), np.ones(2))
        with pytest.raises(loma.ArgumentValueError, match="`after` must have length 3"):
            moved(bodies(), 0.5, np.zeros(2, OWN))
        b = bodies(n=4)
        with pytest.raises(loma.ArgumentValueError, match="overlaps"):
            moved(b[:3], 0.5, b[1:])


def test_objects_are_given_back() -> None:
    b = bodies()
    made = loma.grad(energy)(b, 3.0)
    for _ in range(OFTEN):
        made = loma.grad(energy)(b, 3.0)
    before = sys.getrefcount(made.bodies.dtype)
    kept = [loma.grad(energy)(b, 3.0) for _ in range(100)]
    assert sys.getrefcount(made.bodies.dtype) >= before + 100
    del kept
    assert abs(sys.getrefcount(made.bodies.dtype) - before) <= 2
