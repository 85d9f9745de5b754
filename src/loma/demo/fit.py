"""Gradient descent on the Gaussians, and the check of the gradient against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from loma.demo.renderer import PARAMETERS, Program, Reals, Renderer

PACE_AT_END: Final = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """How far the fit is: `done` of `total` steps, and the loss before the next one."""

    done: int
    total: int
    loss: float


Progress = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Fit:
    """The pictures before and after, the Gaussians, and the loss at each step and at the end."""

    start: Reals
    result: Reals
    gaussians: Reals
    losses: Sequence[float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One component of the gradient: ours, and a central difference."""

    gaussian: int
    parameter: str
    ours: float
    difference: float

    @property
    def error(self) -> float:
        """The distance of the two, relative to the larger one."""
        larger = max(abs(self.ours), abs(self.difference))
        return abs(self.ours - self.difference) / larger if larger > 0 else 0.0

    def row(self) -> str:
        """The comparison as a line of a table."""
        both = f"{self.ours:13.5e}  {self.difference:13.5e}"
        return f"  {self.gaussian:8}  {self.parameter:10} {both}  {self.error:.0e}"


def scattered(count: int, height: int, width: int, seed: int) -> Reals:
    """Random Gaussians: scattered centres, half transparent, coloured at random."""
    rng = np.random.default_rng(seed)
    size = 0.5 * math.sqrt(height * width / count)
    columns = (
        rng.uniform(0, width, count), rng.uniform(0, height, count),
        *rng.normal(math.log(size), 0.3, (2, count)), rng.uniform(0, math.pi, count),
        *rng.uniform(0, 1, (3, count)), np.zeros(count))
    return np.stack(columns, axis=1)


def optimise(
    program: Program, target: Reals, gaussians: Reals, steps: int, progress: Progress
) -> Fit:
    """Adam with steps that shorten along a quarter of a cosine."""
    renderer = Renderer(program, target, gaussians)
    losses = [renderer.loss()]
    start = renderer.picture.copy()
    for k in range(steps):
        progress(Step(k, steps, losses[-1]))
        renderer.gradient()
        pace = PACE_AT_END + (1 - PACE_AT_END) * math.cos(0.5 * math.pi * k / steps)
        renderer.descend(k + 1, pace)
        losses.append(renderer.loss())
    progress(Step(steps, steps, losses[-1]))
    return Fit(start, renderer.picture, renderer.gaussians, tuple(losses))


def compare(
    program: Program, target: Reals, gaussians: Reals, how_many: int, seed: int
) -> tuple[Comparison, ...]:
    """The gradient against central differences, at random Gaussians and each parameter in turn."""
    renderer = Renderer(program, target, gaussians)
    renderer.loss()
    slope = renderer.gradient().copy()
    rng = np.random.default_rng(seed)
    found: list[Comparison] = []
    for k in range(how_many):
        i, j = int(rng.integers(len(gaussians))), k % len(PARAMETERS)
        difference = central_difference(renderer, i, j)
        found.append(Comparison(i, PARAMETERS[j], float(slope[i, j]), difference))
    return tuple(found)


def central_difference(renderer: Renderer, i: int, j: int, h: float = 1e-5) -> float:
    """The derivative of the loss by one parameter, from two more renderings."""
    here = renderer.gaussians[i, j]
    renderer.gaussians[i, j] = here + h
    above = renderer.loss()
    renderer.gaussians[i, j] = here - h
    below = renderer.loss()
    renderer.gaussians[i, j] = here
    return (above - below) / (2 * h)
