"""Arrays of other libraries: PyTorch, JAX, CuPy. A library is loaded by its user, never by us."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
MODULES: Final = {"torch": "Tensor", "jax": "Array"}
PLAIN: Final = (int, float, bool, str, type(None))


def door(values: Mapping[str, Any]) -> Callable[..., Any] | None:
    """What calls functions with these arguments; None without arrays of another library."""
    if on_gpu(values.values()):
        made: Callable[..., Any] = importlib.import_module(f"{__name__}.gpu").call
        return made
    found = library(values)
    return None if found is None else found.call


def library(values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a module of ours
    """The module for the library whose arrays are among the arguments; None without any."""
    for name, class_ in MODULES.items():
        array = getattr(sys.modules.get(name), class_, None)
        if array is not None and _holds(values.values(), array):
            return importlib.import_module(f"{__name__}.{name}")
    return None


def on_gpu(values: Iterable[Any]) -> bool:
    """Whether one of the values is, or holds, an array in the memory of a GPU."""
    return any(map(_place, values))


def library_on_gpu(values: Iterable[Any]) -> str:
    """The library of the first array in the memory of a GPU: "torch", "jax", "cupy", "" (none),
    or "other", which says where its arrays are by a protocol."""
    return next(filter(None, map(_place, values)), "")


def _place(value: object) -> str:
    """The library of an array in the memory of a GPU; "" for anything else."""
    kind: Any = type(value)
    return _teller(kind)(value)


@cache
def _teller(kind: type) -> Callable[[Any], str]:
    """How to tell it of the values of one class."""
    roots = {c.__module__.partition(".")[0] for c in kind.__mro__}
    if "torch" in roots:
        return lambda x: "torch" if getattr(x, "is_cuda", False) else ""
    if "jaxlib" in roots:
        return _jax if jax_has_gpu() else lambda x: ""
    if "cupy" in roots:
        return lambda x: "cupy"
    if roots & {"numpy", "ctypes", "jax"} or kind in PLAIN:
        return lambda x: ""
    if hasattr(kind, "__cuda_array_interface__"):
        return lambda x: "other"
    if hasattr(kind, "__dlpack_device__"):
        from loma.backends.dlpack import CUDA_KINDS

        return lambda x: "other" if x.__dlpack_device__()[0] in CUDA_KINDS else ""
    return lambda x: library_on_gpu(inside(x))


def _jax(x: Any) -> str:  # noqa: ANN401 - an array of JAX
    return "jax" if any(d.platform != "cpu" for d in x.devices()) else ""


@cache
def jax_has_gpu() -> bool:
    """Whether this JAX, which is loaded, finds a GPU."""
    try:
        return bool(sys.modules["jax"].devices("gpu"))
    except RuntimeError:
        return False


def _holds(values: Iterable[object], array: type) -> bool:
    """Whether one of the values is, or holds, an array."""
    return any(True for _ in arrays_in(values, array))


def arrays_in(values: Iterable[object], array: type) -> Iterator[Any]:
    """The values that are arrays of a class, and those that values hold."""
    for x in values:
        if isinstance(x, array):
            yield x
        else:
            yield from arrays_in(inside(x), array)


def inside(x: object) -> Iterable[Any]:
    """What a value holds."""
    if isinstance(x, Mapping):
        return x.values()
    if isinstance(x, list | tuple):
        return x[:8]
    return getattr(x, "__dict__", {}).values()


def opaque(fn: F) -> F:
    """Marks a method that `torch.compile` shall call, not look into."""
    setattr(fn, "_torchdynamo_disable", True)  # noqa: B010 - no declared attribute of a function
    return fn
