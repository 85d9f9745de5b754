"""A GPU that is none: kernels of the target `cuda` run on the CPU, on the memory that arrays name;
and a CuPy whose arrays are NumPy's.
"""

from __future__ import annotations

import ctypes
import dataclasses
import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from loma import driver
from loma.backends import cuda_arrays
from loma.backends.base import Options
from loma.backends.interface import Interface
from loma.host import device_door, interop
from loma.host.function import Launch
from loma.host.interop import device_op
from loma.host.interop.gpu import there
from loma.host.marshal import ctypes_structs, ctypes_type
from loma.host.modules import writes
from loma.ir.nodes import Direction, Module
from loma.ir.types import ArrayType


class FakeKernel:
    """A kernel on the CPU that takes what one on a GPU takes, and nothing else."""

    def __init__(self, module: Module, structs: dict[str, Any], loaded: Any, name: str) -> None:
        self.writes = frozenset(writes(module, name))
        self._signature = module.functions[name].signature
        self._structs = structs
        self._loaded, self._name = loaded, name

    def __call__(self, *values: Any) -> None:
        types, given = list[Any](), list[Any]()
        for a, x in zip(self._signature.arguments, values[:-1], strict=True):
            by_value = a.direction is Direction.IN and not isinstance(a.type, ArrayType)
            types.append(ctypes_type(a.type, self._structs) if by_value else ctypes.c_void_p)
            given.append(x if by_value else self._address(x))
        assert type(values[-1]) is int, "a number of threads"
        address = self._loaded.address(self._name)
        ctypes.CFUNCTYPE(None, *types, ctypes.c_int)(address)(*given, values[-1])

    def _address(self, x: Any) -> int:
        found = cuda_arrays.borrowed(x)
        if found is not None:
            return found.address
        assert isinstance(x, np.ndarray) and x.flags.c_contiguous, "memory"
        return x.ctypes.data

    def wait(self) -> None:
        """Nothing is under way."""


def library_of(module: Module, target: str, strict: bool) -> tuple[dict[str, Any], Any]:
    """The kernels of a program on the CPU."""
    assert target == "cuda"
    structs = dict(ctypes_structs(Interface.of(module).structs))
    loaded = driver.BACKENDS["llvm"].build(module, Options())
    names = [n for n, f in module.functions.items() if f.signature.simd]
    made = {n: FakeKernel(module, structs, loaded, n) for n in names}
    return structs, SimpleNamespace(**made)


class Memory:
    """What CuPy says of an array's memory."""

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr
        self.device_id = 0


class ndarray(np.ndarray):  # type: ignore[type-arg]
    """An array of a CuPy that is none."""

    @property
    def data(self) -> Memory:  # type: ignore[override]
        """Where it lies."""
        return Memory(self.ctypes.data)

    def get(self) -> np.ndarray[Any, Any]:
        """A copy on the host."""
        return np.array(self.view(np.ndarray))


ndarray.__module__ = "cupy"


def _cupy() -> ModuleType:
    made: Any = ModuleType("cupy")
    made.ndarray = ndarray
    stream = SimpleNamespace(ptr=0)
    made.cuda = SimpleNamespace(get_current_stream=lambda: stream)

    def ours(f: Any) -> Any:
        return lambda *args, **kwargs: f(*args, **kwargs).view(ndarray)

    for name in ("zeros", "array", "asarray", "concatenate", "stack", "linspace", "full"):
        setattr(made, name, ours(getattr(np, name)))
    return made  # type: ignore[no-any-return]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels for CUDA run on the CPU."""
    monkeypatch.setattr(device_door, "library_of", library_of)
    monkeypatch.setattr(device_op.Plain, "address", lambda self, x: x.ctypes.data)
    if importlib.util.find_spec("torch") is not None:
        from loma.host.interop.device_torch import TensorMemory

        monkeypatch.setattr(TensorMemory, "address", lambda self, x: x.ctypes.data)
    there.cache_clear()


@pytest.fixture
def cupy(gpu: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A CuPy whose memory is the CPU's."""
    made = _cupy()
    for name in ("loma.host.interop.device_cupy",):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "cupy", made)
    interop._teller.cache_clear()
    cuda_arrays._reader.cache_clear()
    yield made
    interop._teller.cache_clear()
    cuda_arrays._reader.cache_clear()
    sys.modules.pop("loma.host.interop.device_cupy", None)


def on_gpu(f: Any) -> Any:
    """A kernel, or a kernel with threads, for the target `cuda`."""
    return Launch(there(f.function), f.threads) if isinstance(f, Launch) else there(f)


def kernels(cases: Any) -> list[Any]:
    """The cases that are kernels, for the target `cuda`."""
    return [c for c in cases if isinstance(c.f, Launch) or c.f.is_kernel]


def moved(case: Any) -> Any:
    """A case for the target `cuda`."""
    return dataclasses.replace(case, f=on_gpu(case.f))
