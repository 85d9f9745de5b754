"""An FFT: its gradient is the inverse transform; a blur whose width is found by its gradient.

    python examples/fft.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from measure import Result, compare, relative

import loma

lib = loma.load(Path(__file__).with_suffix(".loma"), float_type="f64")
r_fft, r_misfit = loma.rev_diff(lib.fft), loma.rev_diff(lib.misfit)
Complexes = np.ndarray[Any, np.dtype[np.complex128]]


def members(z: Complexes) -> np.ndarray[Any, Any]:
    """Complex numbers as structs, in the same memory."""
    return z.view([("re", "f8"), ("im", "f8")])


def transformed(z: Complexes) -> Complexes:
    """The transform of complex numbers."""
    out = z.copy()
    lib.fft(members(out))
    return out


def pulled(z: Complexes, seed: Complexes) -> Complexes:
    """The gradient of sum(seed . transform(z)), over real and imaginary parts, by z."""
    adjoint = seed.copy()
    r_fft(members(z), members(adjoint))
    return adjoint


def random_numbers(n: int) -> Complexes:
    random = np.random.default_rng(n)
    return random.normal(size=n) + 1j * random.normal(size=n)


def transform(n: int = 4096) -> Result:
    """The gradient of a transform: n times the inverse transform of the seed."""
    z, seed = random_numbers(n), random_numbers(2 * n)[n:]
    error = max(relative(transformed(z), np.fft.fft(z)),
                relative(pulled(z, seed), n * np.fft.ifft(seed)))
    return compare(f"FFT, n = {n}", lambda: transformed(z), lambda: pulled(z, seed), error,
                   "n times the inverse transform")


def deblur(n: int = 4096, steps: int = 5) -> tuple[Result, list[float]]:
    """Finds how much a signal was blurred: each step goes to the minimum of a parabola."""
    signal = np.cumsum(np.random.default_rng(7).normal(size=n))
    seen = lib.blur(3.0, signal)
    _, along = loma.jvp(lib.misfit, (1.5, signal, seen), (1.0, None, None))
    error = relative(loma.grad(lib.misfit, wrt="width")(1.5, signal, seen), along)
    widths = [1.5]
    for _ in range(steps):
        value, gradient = loma.value_and_grad(lib.misfit, wrt="width")(widths[-1], signal, seen)
        widths.append(widths[-1] - 2.0 * value / gradient)
    result = compare(f"blur and misfit, n = {n}", lambda: lib.misfit(1.5, signal, seen),
                     lambda: r_misfit(1.5, signal=signal, seen=seen, _dreturn=1.0), error,
                     "the forward derivative")
    return result, widths


def run(n: int = 4096) -> list[Result]:
    return [transform(n), deblur(n)[0]]


if __name__ == "__main__":
    for result in run():
        print(result)
    print("the width that blurred the signal:", *(f"{w:.5f}" for w in deblur()[1]))
