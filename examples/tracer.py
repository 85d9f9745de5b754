"""A path tracer: a picture, its derivative by the place of a sphere, the gradient by everything.

    python examples/tracer.py [picture.png]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from measure import Result, compare, relative

import loma

Array = np.ndarray[Any, Any]
PROGRAM = Path(__file__).with_suffix(".loma")
MATT, METAL, GLASS = 0, 1, 2
BALL = 1  # the matt ball in the middle


class Scene:
    """Spheres and a camera, as arrays of the program's structs."""

    def __init__(self, real: str = "f32") -> None:
        self.real = real.replace("f32", "f4").replace("f64", "f8")
        self.vec3 = struct(x=self.real, y=self.real, z=self.real)
        material = struct(kind="i4", colour=self.vec3, fuzz=self.real, index=self.real)
        self.sphere = struct(center=self.vec3, radius=self.real, material=material)
        self.render = loma.load(PROGRAM, float_type=real).render
        self.r_render = loma.rev_diff(self.render)
        self.spheres = np.array([
            ((0.0, -100.5, -1.0), 100.0, (MATT, (0.8, 0.8, 0.1), 0.0, 1.0)),
            ((0.0, 0.0, -1.2), 0.5, (MATT, (0.1, 0.2, 0.5), 0.0, 1.0)),
            ((-1.0, 0.0, -1.0), 0.5, (GLASS, (1.0, 1.0, 1.0), 0.0, 1.5)),
            ((-1.0, 0.0, -1.0), 0.4, (GLASS, (1.0, 1.0, 1.0), 0.0, 1.0 / 1.5)),
            ((1.0, 0.0, -1.0), 0.5, (METAL, (0.8, 0.6, 0.2), 0.3, 1.0)),
        ], self.sphere)
        self.camera = {"place": point(-1.5, 1.2, 1.5), "target": point(0.0, -0.05, -1.0),
                       "width": 1.0, "blur": 0.05, "focus": 3.1}

    def picture(self, height: int, width: int, samples: int, spheres: Array | None = None) -> Array:
        """The light in each pixel: red, green, blue."""
        out = np.zeros((height, width), self.vec3)
        self.render[height * width](self.spheres if spheres is None else spheres, self.camera,
                                    samples, 1, out)
        return out.view(self.real).reshape(height, width, 3)

    def gradient(self, seed: Array, samples: int) -> Array:
        """The gradient of sum(seed * picture) by the spheres."""
        threads = seed.shape[0] * seed.shape[1]
        by = self.r_render[threads](self.spheres, camera=self.camera, samples=samples, seed=1,
                                    adj_picture=seed.view(self.vec3)[..., 0])
        return numbers(by.adj_spheres)

    def moved(self, k: int, by: float) -> Array:
        """The spheres with one of their numbers changed."""
        changed = self.spheres.copy()
        ball, member = divmod(k, 9)
        at = changed[ball:ball + 1]
        part = [at["center"][m] for m in "xyz"] + [at["radius"]]
        part += [at["material"]["colour"][m] for m in "xyz"]
        part += [at["material"]["fuzz"], at["material"]["index"]]
        part[member] += by
        return changed

    def derivative(self, k: int, height: int, width: int, samples: int) -> Array:
        """The derivative of each pixel by one of the spheres' numbers, in forward mode."""
        tangent = self.moved(k, 1.0)
        for name in ("center", "radius", "material"):
            subtract(tangent[name], self.spheres[name])
        primals = {"spheres": self.spheres, "camera": self.camera, "samples": samples, "seed": 1,
                   "picture": np.zeros((height, width), self.vec3)}
        _, out = loma.jvp(self.render[height * width], primals, {"spheres": tangent})
        return np.asarray(out).view(self.real).reshape(height, width, 3)


def struct(**members: Any) -> np.dtype[Any]:
    """The type of a struct, with its members where C puts them."""
    return np.dtype(list(members.items()), align=True)


def point(x: float, y: float, z: float) -> dict[str, float]:
    return {"x": x, "y": y, "z": z}


def subtract(a: Array, b: Array) -> None:
    """a - b in a, member by member."""
    if a.dtype.names is None:
        a -= b
        return
    for name in a.dtype.names:
        subtract(a[name], b[name])


def numbers(spheres: Array) -> Array:
    """The nine real numbers of each sphere, as rows."""
    m = spheres["material"]
    return np.stack([*(spheres["center"][k] for k in "xyz"), spheres["radius"],
                     *(m["colour"][k] for k in "xyz"), m["fuzz"], m["index"]], axis=1)


def check(height: int = 12, width: int = 20, samples: int = 4) -> float:
    """How far the gradient is from differences, as a part of the largest number of its kind.

    The paths are few and the step is small, so that no path changes what it hits.
    """
    scene, step = Scene("f64"), 1e-7
    seed = np.random.default_rng(1).normal(size=(height, width, 3))
    found = scene.gradient(seed, samples)
    wanted = np.zeros(found.shape)
    for k in range(found.size):
        more, less = (scene.picture(height, width, samples, scene.moved(k, h))
                      for h in (step, -step))
        wanted.flat[k] = (seed * (more - less)).sum() / (2 * step)
    return max(relative(found[:, c], wanted[:, c]) for c in range(9))


def run(height: int = 90, width: int = 160, samples: int = 16) -> list[Result]:
    """Times in 32 bits, the check in 64."""
    scene = Scene()
    seed = np.ones((height, width, 3), np.float32)
    return [compare(f"{width} x {height} pixels, {samples} paths each, 32 bits",
                    lambda: scene.picture(height, width, samples),
                    lambda: scene.gradient(seed, samples), check(), "differences", 5)]


def picture(file: Path, height: int = 120, width: int = 213, samples: int = 200) -> None:
    """The picture, and how each pixel changes when the ball in the middle moves to the right."""
    from matplotlib import pyplot

    scene = Scene()
    shown = np.clip(scene.picture(height, width, samples), 0.0, 1.0) ** 0.5
    change = scene.derivative(9 * BALL, height, width, samples).mean(axis=2)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 2.7), layout="constrained")
    left.imshow(shown)
    left.set_title("The picture")
    limit = float(np.quantile(np.abs(change), 0.97))
    right.imshow(change, cmap="RdBu", vmin=-limit, vmax=limit)
    right.set_title("Its derivative as the blue ball moves right")
    for axes in (left, right):
        axes.set_axis_off()
    figure.savefig(file, dpi=70)


if __name__ == "__main__":
    for result in run():
        print(result)
    if len(sys.argv) > 1:
        picture(Path(sys.argv[1]))
