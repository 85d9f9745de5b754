"""Arrays in the memory of a GPU: where they lie, and kernels on them; the GPU is the CPU here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import loma
from loma import Array, In, InOut, Out, atomic_add, sin, thread_id
from loma.backends.cuda_arrays import borrowed
from loma.backends.device import DeviceError
from loma.host.interop import on_gpu


def close(x: Any, y: Any, rtol: float = 1e-5) -> bool:
    """Whether arrays, on a GPU or not, hold about the same."""
    return np.allclose(*(a.get() if hasattr(a, "get") else a for a in (x, y)), rtol=rtol)


class Vec:
    x: float
    y: float


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = a * sin(x[i])


@loma.kernel
def table(a: In[Array[float, "n", "m"]], b: In[Array[float, "m"]], c: Out[Array[float, "n"]]):
    i: int = thread_id()
    for j in range(m):
        c[i] = c[i] + a[i, j] * b[j] * b[j]


@loma.kernel
def sized(r: In[float], y: Out[Array[float, "n", "k"]]):
    i: int = thread_id()
    for j in range(k):
        y[i, j] = r * (i + n * j)


@loma.kernel
def summed(x: InOut[Array[float]], v: In[Vec], s: InOut[float], w: Out[Array[Vec]]):
    i: int = thread_id()
    x[i] = x[i] * v.x
    atomic_add(s, x[i])
    w[i].x = x[i] + v.y
    w[i].y = i


class Exported:
    """An array that says by a protocol where it lies."""

    def __init__(self, array: Any, strides: Any = None, mask: Any = None, stream: Any = 7) -> None:
        self.array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape, "typestr": array.dtype.str, "strides": strides, "version": 3,
            "data": (array.ctypes.data, False), "stream": stream, "mask": mask}


class Packed:
    """An array that DLPack describes, in the memory of a GPU."""

    def __init__(self, array: Any, ordinal: int = 0) -> None:
        self.array, self.ordinal, self.stream = array, ordinal, None

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.ordinal

    def __dlpack__(self, stream: Any = None, max_version: Any = None) -> Any:
        self.stream = stream
        return self.array.__dlpack__(max_version=max_version)


def test_memory_by_the_protocols() -> None:
    a = np.arange(12.0).reshape(3, 4)
    found = borrowed(Exported(a))
    assert found is not None and (found.address, found.size, found.stream) == (
        a.ctypes.data, 96, 7)
    for strides in ((32, 8), None):
        assert borrowed(Exported(a, strides)) is not None
    with pytest.raises(DeviceError, match="in one piece"):
        borrowed(Exported(a, (8, 24)))
    with pytest.raises(DeviceError, match="with a mask"):
        borrowed(Exported(a, mask=a))
    packed = Packed(a)
    view = borrowed(packed)
    assert view is not None and (view.address, view.size) == (a.ctypes.data, 96)
    assert packed.stream == 1 and not view.fixed
    with pytest.raises(DeviceError, match="in one piece"):
        borrowed(Packed(a.T))
    with pytest.raises(DeviceError, match="lies on GPU 1"):
        borrowed(Packed(a, 1))
    a.flags.writeable = False
    fixed = borrowed(Packed(a))
    assert fixed is not None and fixed.fixed
    assert borrowed(a) is None and borrowed(3.0) is None and borrowed(SimpleNamespace()) is None


def test_where_arrays_live() -> None:
    a = np.zeros(3)
    assert on_gpu([Packed(a)]) and on_gpu([2.0, {"x": [Packed(a)]}])
    assert not on_gpu([a, 2.0, "x", None, {"x": a}, SimpleNamespace(x=a)])


def test_outputs_are_new_arrays_beside_the_others(cupy: Any) -> None:
    x = cupy.linspace(0, 1, 9)
    y = waves(2.0, x)
    assert type(y) is cupy.ndarray and close(y, 2 * np.sin(x)) and y.dtype == x.dtype
    narrow = waves(2.0, x.astype(np.float32))
    assert narrow.dtype == np.float32
    with pytest.raises(loma.ArgumentTypeError, match="`x` must be an? .* array of shape"):
        waves(2.0, x.reshape(3, 3))


def test_what_is_passed_is_written(cupy: Any) -> None:
    x, y = cupy.linspace(0, 1, 9), cupy.zeros(9)
    assert waves(2.0, x, y) is None and close(y, 2 * np.sin(x))
    longer = cupy.zeros(12)
    waves[5](2.0, x, longer)
    assert close(longer[:5], y[:5]) and not longer[5:].any()
    with pytest.raises(loma.ArgumentValueError, match=r"`y` must have the shape \(9,\), not \(3,"):
        waves(2.0, x, cupy.zeros(3))
    with pytest.raises(loma.ArgumentTypeError, match="`y` is written, and must lie on the GPU"):
        waves(2.0, x, np.zeros(9))
    acc, total, w = cupy.full(4, 2.0), cupy.asarray(1.0), {"x": cupy.zeros(4), "y": cupy.zeros(4)}
    assert summed(acc, {"x": 3.0, "y": 1.0}, total, w) is None
    assert (acc == 6).all() and total == 25 and (w["x"] == 7).all()
    assert close(w["y"], np.arange(4))
    found = summed(acc, {"x": 0.5, "y": 1.0}, 1.0)
    assert (acc == 3).all() and found.s == 13 and (found.w.x == 4).all()
    with pytest.raises(loma.ArgumentTypeError, match="`x` is written, and its elements do not"):
        summed(cupy.zeros(8)[::2], {"x": 0.5, "y": 1.0}, 1.0)


def test_sizes_are_those_of_the_arrays(cupy: Any) -> None:
    a, b = cupy.asarray(np.arange(6.0).reshape(2, 3)), cupy.asarray(np.array([1.0, 2.0, 3.0]))
    assert close(table(a, b), a @ (b * b))
    with pytest.warns(loma.CopyWarning, match="`a` is copied"):
        assert close(table(a.T.copy().T, b), a @ (b * b))
    with pytest.raises(loma.ArgumentValueError, match="`b` must have length 3, .* not 2"):
        table(a, b[:2])
    y = cupy.zeros((2, 3))
    sized[2](2.0, y)
    assert close(y, 2 * (np.arange(2)[:, None] + 2 * np.arange(3)))


def test_derivatives(cupy: Any) -> None:
    x = cupy.linspace(0, 1, 9)
    y, pull = loma.vjp(waves, 2.0, x)
    x[0] = 0.5
    back = pull(cupy.full(9, 1.0))
    at = np.linspace(0, 1, 9)
    assert close(back.x, 2 * np.cos(at)) and close(back.a, np.sin(at).sum())
    assert close(pull(y=cupy.full(9, 2.0)).x, 4 * np.cos(at))
    with pytest.raises(loma.ArgumentTypeError, match="takes adjoints of `y`"):
        pull()
    value, dot = loma.jvp(waves, (2.0, x), (1.0, None))
    assert close(value, 2 * np.sin(x)) and close(dot, np.sin(x))
    found = loma.rev_diff(waves)(2.0, x, cupy.full(9, 1.0))
    assert close(found[1], 2 * np.cos(x))
    twice = loma.rev_diff(loma.rev_diff(waves))
    assert twice.is_kernel
    v = {"x": 3.0, "y": 1.0}
    outputs, pull = loma.vjp(summed, cupy.full(4, 2.0), v, 1.0)
    back = pull(cupy.full(4, 1.0), 1.0, {"x": cupy.full(4, 1.0), "y": cupy.zeros(4)})
    assert (outputs.x == 6).all() and outputs.s == 25
    assert close(back.x, 9) and close(back.v.x, 24) and back.v.y == 4 and back.s == 1


def test_arrays_of_other_libraries(cupy: Any) -> None:
    class Other(Exported):
        """An array of some library."""

        __cuda_array_interface__: Any = None

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return self.array

    x = np.linspace(0, 1, 9)
    y = waves(2.0, Other(x))
    assert type(y) is cupy.ndarray and close(y, 2 * np.sin(x))


def test_functions_that_are_no_kernels_are_refused(cupy: Any) -> None:
    @loma.function
    def double(x: In[float]) -> float:
        return 2.0 * x

    with pytest.raises(loma.ArgumentTypeError, match="`double` is no kernel"):
        double(cupy.asarray(1.0))
