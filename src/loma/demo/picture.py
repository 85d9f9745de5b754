"""Photographs in, a figure out: all that needs Pillow and matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from loma.demo.renderer import TILE, Reals

PHOTOGRAPH: Final = "grace_hopper.jpg"


class DemoError(Exception):
    """The demo cannot run: a package is missing, or the image cannot be read."""


def require_packages() -> None:
    """Raises if the packages of the extra `demo` are missing."""
    try:
        import matplotlib  # noqa: F401 - only whether it is there
        import PIL  # noqa: F401 - the same
    except ImportError as missing:
        raise DemoError(
            f"the demo needs the package {missing.name}: install `loma-lang[demo]`") from missing


def photograph(image: Path | None, size: int) -> Reals:
    """An image (without one, the photograph in matplotlib's wheel) as numbers from 0 to 1.

    It is scaled so that the longer side is about `size`, and cropped to whole tiles.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(_built_in() if image is None else image) as opened:
            rgb = opened.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as fault:
        raise DemoError(f"cannot read the image {image}: {fault}") from fault
    scale = size / max(rgb.size)
    width, height = (max(TILE, round(side * scale / TILE) * TILE) for side in rgb.size)
    scale = max(width / rgb.width, height / rgb.height)
    half_w, half_h = width / scale / 2, height / scale / 2
    x, y = rgb.width / 2, rgb.height / 2
    box = (max(0.0, x - half_w), max(0.0, y - half_h),
           min(float(rgb.width), x + half_w), min(float(rgb.height), y + half_h))
    small = rgb.resize((width, height), Image.Resampling.LANCZOS, box=box)
    return np.asarray(small, np.float64) / 255.0


def _built_in() -> Path:
    from matplotlib import cbook

    return Path(cbook.get_sample_data(PHOTOGRAPH, asfileobj=False))


def save_figure(pictures: dict[str, Reals], losses: Sequence[float], output: Path) -> None:
    """One PNG: the pictures side by side, and the curve of the loss."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(pictures) + 1, width_ratios=[*([1.0] * len(pictures)), 1.3])
    for axis, (title, picture) in zip(axes, pictures.items(), strict=False):
        axis.imshow(np.clip(picture, 0, 1), interpolation="nearest")
        axis.set_title(title)
        axis.axis("off")
    axes[-1].plot(losses)
    axes[-1].set_yscale("log")
    axes[-1].set_title("loss (mean squared error)")
    axes[-1].set_xlabel("step of gradient descent")
    axes[-1].grid(alpha=0.3, which="both")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(output)
    except (OSError, ValueError) as fault:
        raise DemoError(f"cannot write the picture {output}: {fault}") from fault
