"""The main job: fit a photograph by gradient descent through a renderer written in loma.

    result = run(Options(), lambda step: None)
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loma.backends.targets import DEVICES
from loma.demo.fit import Comparison, Progress, Step, compare, optimise, scattered
from loma.demo.picture import DemoError, photograph, require_packages, save_figure
from loma.demo.renderer import TILE, program

__all__ = ["Comparison", "DemoError", "DemoResult", "Options", "Progress", "Step", "run"]

COMPARISONS: Final = 9


@dataclass(frozen=True, slots=True)
class Options:
    """What to fit, and how hard. Without an image, the photograph in matplotlib's wheel.

    `size` is the longer side in pixels; `output` is the PNG to write; `target` draws and
    differentiates.
    """

    image: Path | None = None
    output: Path = Path("loma-demo.png")
    size: int = 192
    gaussians: int = 400
    steps: int = 500
    seed: int = 1
    target: str = "llvm"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The loss at each step and at the end, the check of the gradient, the time in seconds."""

    losses: Sequence[float]
    comparisons: Sequence[Comparison]
    output: Path
    width: int
    height: int
    compile_seconds: float
    fit_seconds: float

    @property
    def psnr(self) -> float:
        """The peak signal-to-noise ratio of the result, in decibels."""
        return -10 * math.log10(max(self.losses[-1], 1e-12))

    def summary(self) -> str:
        """The result as lines of text."""
        return "\n".join([
            f"picture  {self.width} x {self.height}, {len(self.losses) - 1} steps",
            f"time     compile {self.compile_seconds:.2f} s, fit {self.fit_seconds:.1f} s",
            f"loss     {self.losses[0]:.5f} -> {self.losses[-1]:.5f} (PSNR {self.psnr:.1f} dB)",
            "the gradient against central differences, both in f64:",
            "  Gaussian  parameter       rev_diff     difference  relative error",
            *map(Comparison.row, self.comparisons),
            f"written  {self.output}",
        ])


def run(options: Options, progress: Progress) -> DemoResult:
    """Fits the image; `progress` hears of every step. Raises DemoError where it cannot."""
    _check(options)
    require_packages()
    target = photograph(options.image, options.size)
    height, width, _ = target.shape
    begun = time.perf_counter()
    splats = program("f32", options.target)
    compiled = time.perf_counter()
    at_random = scattered(options.gaussians, height, width, options.seed)
    done = optimise(splats, target, at_random, options.steps, progress)
    fitted = time.perf_counter()
    listed = DEVICES.get(options.target)
    judge = options.target if listed is None or listed.doubles else "llvm"
    comparisons = compare(program("f64", judge), target, done.gaussians, COMPARISONS, options.seed)
    title = f"{options.gaussians} Gaussians after {options.steps} steps"
    pictures = {"target": target, "start": done.start, title: done.result}
    save_figure(pictures, done.losses, options.output)
    return DemoResult(done.losses, comparisons, options.output, width, height,
                      compiled - begun, fitted - compiled)


def _check(options: Options) -> None:
    limits = (("size", options.size, TILE, 2048), ("gaussians", options.gaussians, 1, 20000),
              ("steps", options.steps, 1, 1000000))
    for name, value, least, most in limits:
        if not least <= value <= most:
            raise DemoError(f"{name} is {value}; it must be between {least} and {most}")
