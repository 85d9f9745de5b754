"""The renderer `splats.loma`, compiled, with its buffers in NumPy and its kernels as methods."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from loma.host.course import compile

Reals = NDArray[np.floating[Any]]
Pointer: TypeAlias = Any  # ctypes pointers have no common class that mypy could name

TILE: Final = 16
PARAMETERS: Final = (
    "x", "y", "log_long", "log_wide", "angle", "red", "green", "blue", "density")
RATES: Final = (0.8, 0.8, 0.06, 0.06, 0.1, 0.04, 0.04, 0.04, 0.1)
SPLAT_MEMBERS: Final = 11


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled loma program: its structs and functions, and the type of its numbers."""

    structs: dict[str, type[ctypes.Structure]]
    functions: Any
    dtype: type[np.floating[Any]]

    def pointer(self, data: Reals | NDArray[np.int32], struct: str = "") -> Pointer:
        """A pointer to the data of an array, as floats, as ints, or as structs."""
        floats = {4: ctypes.c_float, 8: ctypes.c_double}
        kind: type[Any] = ctypes.c_int if data.dtype == np.int32 else floats[data.dtype.itemsize]
        return data.ctypes.data_as(ctypes.POINTER(self.structs[struct] if struct else kind))


def program(float_type: str, target: str = "llvm") -> Program:
    """Compiles `splats.loma` for `float` being f32 or f64."""
    source = files("loma.demo").joinpath("splats.loma").read_text(encoding="utf-8")
    structs, functions = compile(
        source, target=target, float_type=float_type, file="splats.loma", print_error=False)
    return Program(structs, functions, np.float32 if float_type == "f32" else np.float64)


class Renderer:
    """A picture of `gaussians`, its distance from a target, and the gradient of that distance.

    `target`: shape (height, width, 3), both sides multiples of a tile; `gaussians`: (count, 9).
    """

    def __init__(self, program: Program, target: Reals, gaussians: Reals) -> None:
        real = program.dtype
        height, width, _ = target.shape
        self.run = program.functions
        self.n, self.width, self.pixels = len(gaussians), width, height * width
        self.tiles = (height // TILE) * (width // TILE)
        self.weight = 1.0 / target.size
        self.gaussians = np.array(gaussians, real, order="C")
        self.slope = np.zeros_like(self.gaussians)
        self.picture = np.zeros(target.shape, real)
        self.total = np.zeros(1, real)
        self._adjoints = (self.slope, np.zeros((self.n, SPLAT_MEMBERS), real), self.picture * 0)
        self._point_at_buffers(program, np.ascontiguousarray(target, real))

    def _point_at_buffers(self, program: Program, target: Reals) -> None:
        """Pointers to all buffers, which they keep alive."""
        at = program.pointer
        slope, splats, picture = self._adjoints
        self._gaussians, self._adj_gaussians = at(self.gaussians, "Gaussian"), at(slope, "Gaussian")
        self._splats, self._adj_splats = at(splats * 0, "Splat"), at(splats, "Splat")
        self._picture, self._adj_picture = at(self.picture, "Colour"), at(picture, "Colour")
        self._target, self._adj_target = at(target, "Colour"), at(target * 0, "Colour")
        self._counts = at(np.zeros(self.tiles, np.int32))
        self._lists = at(np.zeros(self.tiles * self.n, np.int32))
        self._total, self._no_float = at(self.total), at(self.total * 0)
        self._no_int = at(np.zeros(1, np.int32))
        moments = (np.zeros_like(slope), np.zeros_like(slope), np.array(RATES, program.dtype))
        self._adam = tuple(map(at, (self.gaussians, slope, *moments)))

    def loss(self) -> float:
        """Draws the Gaussians; gives the mean squared distance from the target."""
        self.run.shape(self._gaussians, self._splats, self.n)
        self.run.bins(self._splats, self.n, self.width, self._counts, self._lists, self.tiles)
        self.run.render(
            self._splats, self._counts, self._lists, self.n, self.width, self._picture, self.pixels)
        self.total[:] = 0
        self.run.loss(self._picture, self._target, self.weight, self._total, self.pixels)
        return float(self.total[0])

    def gradient(self) -> Reals:
        """The derivative of what `loss` gave by every parameter: the reverse kernels, backwards."""
        for adjoint in self._adjoints:
            adjoint[:] = 0
        self.run.d_loss(
            self._picture, self._adj_picture, self._target, self._adj_target,
            self.weight, self._no_float, 1.0, self.pixels)
        self.run.d_render(
            self._splats, self._adj_splats, self._counts, self._no_int, self._lists, self._no_int,
            self.n, self._no_int, self.width, self._no_int, self._adj_picture, self.pixels)
        self.run.d_shape(self._gaussians, self._adj_gaussians, self._adj_splats, self.n)
        return self.slope

    def descend(self, step: int, pace: float) -> None:
        """One step of Adam along the gradient; `step` counts from 1, `pace` scales its length."""
        self.run.adam(*self._adam, pace, step, self.gaussians.size)
