"""The course's ray tracer on any target: its picture, and the derivative of the picture.

    python examples/raytrace.py [llvm | c | cuda | opencl | slang | wgsl | ispc] [pictures.png]
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np

import loma

Array = np.ndarray[Any, Any]
PROGRAM = Path(__file__).with_suffix(".loma")
KERNELS = ("raytrace", "derivative")


def pictures(target: str, height: int = 225, width: int = 400) -> dict[str, Array]:
    """The picture, and its derivative as the sphere moves to the right: red, green, blue."""
    draw = on_slang if target == "slang" else in_library
    return draw(target, height, width)


def in_library(target: str, height: int, width: int) -> dict[str, Array]:
    """On all targets but one, a kernel is a function of a library."""
    structs, lib = loma.compile(PROGRAM.read_text(), target=target, file=str(PROGRAM))
    vec3 = structs["vec3"]
    sphere = structs["Sphere"](vec3(0.0, 0.0, -1.0), 0.5)
    drawn = {name: np.zeros((height, width, 3), np.float32) for name in KERNELS}
    for name, image in drawn.items():
        pointer = image.ctypes.data_as(ctypes.POINTER(vec3))
        getattr(lib, name)(width, height, sphere, pointer, width * height)
    return drawn


def on_slang(target: str, height: int, width: int) -> dict[str, Array]:
    """With Slang, kernels and arrays are those of slangpy."""
    import slangpy

    from loma.backends.slang_load import create_device

    device = create_device()
    module, kernels = loma.compile(
        PROGRAM.read_text(), target=target, file=str(PROGRAM), slang_device=device)
    count, drawn = width * height, {}
    for name in KERNELS:
        image = slangpy.Tensor.empty(device=device, dtype=module.vec3, shape=(height, width))
        sphere = {"center": {"x": 0.0, "y": 0.0, "z": -1.0}, "radius": 0.5}
        kernels[name].dispatch(thread_count=[count, 1, 1], _total_threads=count, w=width, h=height,
                               sphere=sphere, image=image.storage)
        drawn[name] = image.to_numpy().view(np.float32).reshape(height, width, 3)
    return drawn


def save(drawn: dict[str, Array], file: Path) -> None:
    """Both pictures, side by side."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 2.7), layout="constrained")
    left.imshow(drawn["raytrace"])
    left.set_title("The picture")
    change = drawn["derivative"]
    right.imshow(np.clip(0.5 + change / (4.0 * np.quantile(np.abs(change), 0.9)), 0.0, 1.0))
    right.set_title("Its derivative as the sphere moves right")
    for axes in (left, right):
        axes.set_axis_off()
    figure.savefig(file, dpi=70)


if __name__ == "__main__":
    drawn = pictures(sys.argv[1] if len(sys.argv) > 1 else "llvm")
    for name, image in drawn.items():
        print(f"{name}: mean {image.mean(axis=(0, 1)).round(5)}")
    if len(sys.argv) > 2:
        save(drawn, Path(sys.argv[2]))
