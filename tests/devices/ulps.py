"""How far kernels and their derivatives on a target are from `llvm`: in units of the last place."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Final

from devices.kernels import KernelCase
from devices.running import on_device
from parallel.judging import NAMES
from properties.inputs import leaves
from subjects import fresh, on

from loma.backends.targets import DEVICES
from loma.ir.types import F32, F64, Scalar

FIRST: Final = ("d", "r")
BOUND: Final = {F32: 16.0, F64: 16.0}
"""What is allowed on CUDA; `docs/gpu.md` has what was measured."""


def unit(x: float, t: Scalar) -> float:
    """The distance from a number to the next one of its type."""
    if t is F64:
        return math.ulp(x)
    (bits,) = struct.unpack("<i", struct.pack("<f", abs(x)))
    (above,) = struct.unpack("<f", struct.pack("<i", bits + 1))
    return float(above) - struct.unpack("<f", struct.pack("<i", bits))[0]  # type: ignore[no-any-return]


def distance(got: Any, wanted: Any, t: Scalar) -> float:
    """The largest difference of one operand's numbers, in units of its largest number's last
    place."""
    there, here = dict(leaves(wanted)), dict(leaves(got))
    floats = [x for x in there.values() if isinstance(x, float) and math.isfinite(x)]
    scale = unit(max([abs(x) for x in floats], default=0.0) or 1.0, t)
    worst = 0.0
    for path, w in there.items():
        g = here[path]
        if g == w or g != g and w != w:
            continue
        error = abs(float(g) - float(w))
        worst = max(worst, error / scale if isinstance(w, float) else math.inf)
    return worst


def ulps(case: KernelCase, target: str, float_type: Scalar, names: Sequence[str]) -> float:
    """The largest distance of the outputs of the kernel or of some derivatives."""
    text, worst = case.program, 0.0
    subject = (on_device if target in DEVICES else on)(target, text, float_type)
    for name, args in case.calls(float_type, names):
        wanted, _ = on("llvm", text, float_type).call(name, fresh(args), case.threads)
        got, _ = subject.call(name, fresh(args), case.threads)
        worst = max([worst, *(distance(g, w, float_type) for g, w in zip(got, wanted))])
    return worst


def row(case: KernelCase, target: str, float_type: Scalar) -> tuple[float, float, float]:
    """The distances of the value, of the first derivatives and of the second."""
    second = [n for n in NAMES if n not in FIRST]
    return (
        ulps(case, target, float_type, [case.function]),
        ulps(case, target, float_type, FIRST),
        ulps(case, target, float_type, second),
    )
