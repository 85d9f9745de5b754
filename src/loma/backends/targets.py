"""The targets that are devices, as data: it imports nothing, so that everyone may ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Listed:
    """A language for kernels: the suffix of its files, and who colours it on a screen.

    `arrays`: its kernels take arrays of the host, and Python functions can be kernels there.
    `doubles`: it has 64-bit floats.
    """

    suffix: str
    lexer: str
    arrays: bool = True
    doubles: bool = True


DEVICES: Final[dict[str, Listed]] = {
    "cuda": Listed(".cu", "cuda"),
    "opencl": Listed(".cl", "c"),
    "slang": Listed(".slang", "slang", arrays=False),
    "wgsl": Listed(".wgsl", "wgsl", doubles=False),
    "ispc": Listed(".ispc", "c"),
}
