"""CuPy, as `trees` sees it, and its arrays as the memory of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import cupy
import numpy as np

from loma.host.arrays import DTYPES
from loma.host.interop import library_on_gpu
from loma.host.interop.device_op import Plain
from loma.host.values import article
from loma.ir.types import F64, Scalar

Value: TypeAlias = Any
SCALARS: Final = {d: s for s, d in DTYPES.items()}


class Arrays:
    """CuPy, as `trees` sees it; numbers are NumPy's."""

    noun: str = "array"
    weak: Scalar = F64

    def owns(self, x: Value) -> bool:
        """Whether it is an array of CuPy."""
        return isinstance(x, cupy.ndarray)

    def scalar(self, x: Value) -> Scalar | None:
        """The type of an array's elements."""
        return SCALARS.get(x.dtype)

    def shape(self, x: Value) -> tuple[int, ...]:
        """The shape of an array."""
        return tuple(x.shape)

    def described(self, x: Value) -> str:
        """An array in words."""
        return f"{article(str(x.dtype))} {x.dtype} array of shape {tuple(x.shape)}"

    def is_weak(self, x: Value) -> bool:
        """No array is."""
        return False

    def cast(self, x: Value, type: Scalar) -> Value:
        """An array in another type."""
        return x.astype(DTYPES[type])

    def check(self, where: str, x: Value) -> None:
        """Every array of CuPy is on a GPU."""

    def made(self, x: np.ndarray[Any, Any], type: Scalar) -> Value:
        """A constant."""
        return cupy.asarray(x.astype(DTYPES[type]))

    def number(self, x: float | int | bool, type: Scalar) -> Value:
        """A constant without dimensions."""
        return np.asarray(x, DTYPES[type])

    def stacked(self, parts: Sequence[Value]) -> Value:
        """Arrays of one shape as one array."""
        return cupy.stack(parts)

    def whole_number(self, where: str, x: Value) -> int:
        """The value of an int."""
        return int(x)


KIT: Final = Arrays()
MEMORY: Final = Plain(cupy)


def adopted(x: Value) -> Value:
    """An array of a GPU that says by a protocol where it is, as CuPy's; else the value itself."""
    if library_on_gpu([x]) != "other" or isinstance(x, dict | list | tuple):
        return x
    by_interface = hasattr(x, "__cuda_array_interface__")
    return cupy.asarray(x) if by_interface else cupy.from_dlpack(x)
