"""What is measured: programs, sizes, arguments, and the goals."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Args = tuple[Any, ...]
Structs = Mapping[str, type[ctypes.Structure]]


@dataclass(frozen=True)
class Case:
    """A program at one size: `make` gives the arguments of the primal and of the gradient."""

    program: str
    size: str
    goal: float
    make: Callable[[Structs], tuple[Args, Args]]


STAGGER = 17 * 64


def floats(n: int, slot: int = 0) -> Any:
    """An array of floats between 0.5 and 1.5, at the start of a cache line.

    Arrays that are used together take different slots, lest all begin at one place in a page.
    """
    room = bytearray(4 * n + 64 + STAGGER * slot)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(room)) % 64 + STAGGER * slot
    data = (ctypes.c_float * n).from_buffer(room, start)
    state = 12345
    for i in range(min(n, 4096)):
        state = (1103515245 * state + 12345) % 2**31
        data[i] = 0.5 + state / 2**31
    filled = min(n, 4096)
    while filled < n:
        more = min(filled, n - filled)
        ctypes.memmove(ctypes.addressof(data) + 4 * filled, data, 4 * more)
        filled += more
    return data


def _reduction(n: int) -> Callable[[Structs], tuple[Args, Args]]:
    def make(structs: Structs) -> tuple[Args, Args]:
        x = floats(n)
        return (x, n), (x, floats(n), n, ctypes.c_int(), 1.0)

    return make


def _stencil(n: int) -> Callable[[Structs], tuple[Args, Args]]:
    def make(structs: Structs) -> tuple[Args, Args]:
        x, y, dx, dy = (floats(n**3, slot) for slot in range(4))
        return (x, n, 0.1, y), (x, dx, n, ctypes.c_int(), 0.1, ctypes.c_float(), dy)

    return make


def _mass_spring(n: int) -> Callable[[Structs], tuple[Args, Args]]:
    def make(structs: Structs) -> tuple[Args, Args]:
        config = structs["Config"]
        q, p, dq, dp = (floats(2 * n, slot) for slot in range(4))
        c = config(1.0, 0.1, 1000.0, 4.0, n)
        return (q, p, c), (q, dq, p, dp, c, config(), 1.0)

    return make


def _nbody(n: int) -> Callable[[Structs], tuple[Args, Args]]:
    def make(structs: Structs) -> tuple[Args, Args]:
        values, adjoints = ([floats(n) for _ in range(4)] for _ in range(2))
        for k, v in enumerate(values):  # unlike coordinates
            ctypes.memmove(v, floats(n + 7 * k), 4 * n)
        pairs = [x for pair in zip(values, adjoints, strict=True) for x in pair]
        return (*values, n), (*pairs, n, ctypes.c_int(), 1.0)

    return make


def _raytrace(w: int, h: int) -> Callable[[Structs], tuple[Args, Args]]:
    def make(structs: Structs) -> tuple[Args, Args]:
        vec, sphere = structs["Vec3"], structs["Sphere"]
        image, adjoint = (vec * (w * h))(), (vec * (w * h))()
        ctypes.memmove(adjoint, floats(3 * w * h), 12 * w * h)
        ball, eye = sphere(vec(0, 0, -1), 0.5), vec(0, 0, 0)
        ints = ctypes.c_int(), ctypes.c_int()
        return (ball, eye, w, h, image), (
            ball,
            sphere(),
            eye,
            vec(),
            w,
            ints[0],
            h,
            ints[1],
            adjoint,
        )

    return make


CASES = (
    Case("sum", "4 000", 2.5, _reduction(4000)),
    Case("sum", "10 000 000", 2.5, _reduction(10_000_000)),
    Case("polynomial", "4 000", 2.5, _reduction(4000)),
    Case("polynomial", "10 000 000", 2.5, _reduction(10_000_000)),
    Case("elementary", "4 000", 3.0, _reduction(4000)),
    Case("raytrace", "400 x 225", 3.0, _raytrace(400, 225)),
    Case("mass_spring", "40", 3.0, _mass_spring(40)),
    Case("mass_spring", "4 000", 3.0, _mass_spring(4000)),
    Case("stencil", "64^3", 2.5, _stencil(64)),
    Case("stencil", "256^3", 2.5, _stencil(256)),
    Case("nbody", "500", 3.0, _nbody(500)),
)
