"""Rigid bodies: where a stack of boxes ends, by the velocity of the ball that hits it.

    python examples/bodies.py [picture.png]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from measure import Result, compare, relative, slopes

import loma

lib = loma.load(Path(__file__).with_suffix(".loma"), float_type="f64")
r_miss, value_and_grad = loma.rev_diff(lib.miss), loma.value_and_grad(lib.miss, wrt="velocity")

Array = np.ndarray[Any, Any]
VEC2 = [("x", "f8"), ("y", "f8")]
BODY = [("place", VEC2), ("angle", "f8"), ("velocity", VEC2), ("spin", "f8"), ("half", VEC2),
        ("radius", "f8"), ("mass", "f8")]
STEP = 5e-4
THROWN = np.array([4.0, 1.0])
TARGET = {"x": 3.0, "y": 0.28}


def body(x: float, y: float, half: tuple[float, float] = (0.0, 0.0), radius: float = 0.05,
         mass: float = 1.0) -> tuple[Any, ...]:
    """A body that does not move yet, as a line of an array."""
    return (x, y), 0.0, (0.0, 0.0), 0.0, half, radius, mass


WORLD = np.array([
    body(0.0, -1.0, half=(10.0, 0.95), mass=0.0),
    body(2.0, 0.28, half=(0.23, 0.23)),
    body(2.0, 0.84, half=(0.23, 0.23)),
    body(0.0, 0.5, radius=0.2, mass=2.0),
], BODY)


def vec2(v: Array) -> dict[str, float]:
    return {"x": float(v[0]), "y": float(v[1])}


def miss(v: Array, steps: int) -> float:
    """The squared distance of the lower box from the target."""
    return float(lib.miss(WORLD, vec2(v), STEP, steps, TARGET))


def by_velocity(steps: int) -> Result:
    """The gradient by the velocity of the ball."""
    def pulled() -> Any:
        return r_miss(WORLD, velocity=vec2(THROWN), dt=STEP, steps=steps, target=TARGET,
                      _dreturn=1.0)

    found = pulled().adj_velocity
    wanted = slopes(lambda v: miss(v, steps), THROWN, 1e-7)
    return compare(f"{len(WORLD)} bodies, {steps} steps", lambda: miss(THROWN, steps), pulled,
                   relative(found, wanted), "differences")


def aimed(steps: int = 2000, rounds: int = 12) -> tuple[Array, list[float]]:
    """The velocity with which the lower box ends at the target, and the misses on the way.

    Each round follows the gradient as far as a miss of zero would be if it were linear, or less
    far where that made it worse.
    """
    at, misses = THROWN, []
    for _ in range(rounds):
        value, gradient = value_and_grad(WORLD, vec2(at), STEP, steps, TARGET)
        misses.append(float(value))
        slope = np.array(gradient)
        change = -value * slope / (slope @ slope)
        while miss(at + change, steps) > value and np.abs(change).max() > 1e-9:
            change *= 0.5
        at = at + change
    return at, misses


def picture(file: Path, steps: int = 2000) -> None:
    """The bodies on their way, for the first throw and for the one that was found."""
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(2, 1, figsize=(7, 4.6), layout="constrained", sharex=True)
    for axes, velocity, name in zip(rows, (THROWN, aimed(steps)[0]), ("first throw", "found")):
        axes.axhline(0.0, color="0.3")
        axes.plot(TARGET["x"], TARGET["y"], "r+", markersize=14)
        for k in range(6):
            end = lib.throw(WORLD, vec2(velocity), STEP, steps * k // 5)
            for b, colour in zip(end[1:], ("tab:blue", "tab:orange", "0.4")):
                axes.plot(*outline(b), color=colour, alpha=0.2 + 0.8 * (k / 5) ** 2)
        axes.set(aspect="equal", title=f"{name}: ({velocity[0]:.3f}, {velocity[1]:.3f}) m/s",
                 xlim=(-0.4, 5.0), ylim=(-0.1, 1.4))
    figure.savefig(file, dpi=90)


def outline(b: Any) -> Array:
    """The line around a body."""
    turn = np.linspace(0.1, 0.1 + 2.0 * np.pi, 41)
    x = b["radius"] * np.cos(turn) + np.copysign(b["half"]["x"], np.cos(turn))
    y = b["radius"] * np.sin(turn) + np.copysign(b["half"]["y"], np.sin(turn))
    c, s = np.cos(b["angle"]), np.sin(b["angle"])
    return np.array([b["place"]["x"] + c * x - s * y, b["place"]["y"] + s * x + c * y])


def run(steps: int = 2000) -> list[Result]:
    return [by_velocity(steps)]


if __name__ == "__main__":
    for result in run():
        print(result)
    velocity, misses = aimed()
    print("misses:", *(f"{m:.2g}" for m in misses))
    print("velocity:", velocity)
    if len(sys.argv) > 1:
        picture(Path(sys.argv[1]))
