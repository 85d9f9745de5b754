"""An adaptive Runge-Kutta method: gradients of where a satellite ends, and a closed orbit found.

    python examples/ode.py [picture.png]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import Result, compare, relative, slopes

import loma


class State(NamedTuple):
    """Place and speed, as the program's vec4."""

    x: float
    y: float
    z: float
    w: float


lib = loma.load(Path(__file__).with_suffix(".loma"), float_type="f64")
r_orbit, r_decay = loma.rev_diff(lib.orbit), loma.rev_diff(lib.decay)
MOON, START, PERIOD = 0.012277471, State(0.994, 0.0, 0.0, -2.0015851), 17.0652166
TOLERANCE = 1e-9


def end(moon: float, start: State, duration: float) -> np.ndarray[Any, Any]:
    """The last state as an array."""
    return np.array(lib.orbit(moon, start, duration, TOLERANCE)[0])


def pulled(moon: float, start: State, duration: float,
           seed: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The gradient of seed . end by moon, the four numbers of the start, and the duration."""
    by = r_orbit(moon, start=start, duration=duration, tolerance=TOLERANCE,
                 _dreturn=(State(*seed), 0))
    return np.array([by.adj_moon, *by.adj_start, by.adj_duration])


def pushed(moon: float, start: State, duration: float) -> np.ndarray[Any, Any]:
    """The derivatives of the end by the same six numbers, in forward mode: one column for each."""
    columns = []
    for d in np.eye(6):
        primals = {"moon": moon, "start": start, "duration": duration, "tolerance": TOLERANCE}
        tangents = {"moon": d[0], "start": State(*d[1:5]), "duration": d[5]}
        columns.append(loma.jvp(lib.orbit, primals, tangents)[1].item0)
    return np.array(columns).T


def gradients(duration: float = 6.0) -> list[Result]:
    """Where the satellite is after some time: reverse mode beside forward mode and differences."""
    seed = np.array([1.0, -0.5, 0.25, 0.125])
    found = pulled(MOON, START, duration, seed)
    forward = seed @ pushed(MOON, START, duration)
    at = np.array([MOON, *START, duration])
    differences = slopes(lambda v: seed @ end(v[0], State(*v[1:5]), v[5]), at, 1e-8)
    steps = lib.orbit(MOON, START, duration, TOLERANCE)[1]
    return [compare(f"orbit, {steps} steps", lambda: end(MOON, START, duration),
                    lambda: pulled(MOON, START, duration, seed), relative(found, wanted), reference)
            for wanted, reference in ((forward, "forward mode"), (differences, "differences"))]


def closed(steps: int = 5) -> tuple[list[float], State, float]:
    """Arenstorf's closed orbit: after half of it the satellite crosses the axis at a right angle.

    Newton's method on the speed at the start and the duration; gives the misses on the way too.
    """
    speed, half, misses = -2.001, 8.5, []
    for _ in range(steps):
        start = State(0.994, 0.0, 0.0, speed)
        miss = end(MOON, start, half)[[1, 2]]
        misses.append(float(np.linalg.norm(miss)))
        by = pushed(MOON, start, half)[[1, 2]]
        change = np.linalg.solve(by[:, [4, 5]], -miss)
        speed, half = speed + change[0], half + change[1]
    return misses, State(0.994, 0.0, 0.0, speed), 2.0 * half


def picture(file: Path) -> None:
    """The orbit of the guess, and the closed one."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.5, 4.5), layout="constrained")
    _, start, duration = closed()
    guess = start._replace(w=-2.001)
    for name, s, colour in (("guess", guess, "0.7"), ("found", start, "tab:blue")):
        states = np.empty(2000, [(m, "f8") for m in State._fields])
        lib.path(MOON, s, duration, TOLERANCE, states)
        axes.plot(states["x"], states["y"], color=colour, linewidth=1, label=name)
    axes.plot([-MOON, 1.0 - MOON], [0.0, 0.0], "ko", markersize=4)
    axes.set_aspect("equal")
    axes.set_title("A closed orbit of earth and moon")
    axes.legend(loc="upper right")
    figure.savefig(file, dpi=100)


def run(duration: float = 6.0) -> list[Result]:
    return gradients(duration)


if __name__ == "__main__":
    for result in run():
        print(result)
    misses, start, duration = closed()
    print("misses:", *(f"{m:.1e}" for m in misses))
    print(f"closed orbit: speed {start.w:.9f}, duration {duration:.9f}")
    if len(sys.argv) > 1:
        picture(Path(sys.argv[1]))
