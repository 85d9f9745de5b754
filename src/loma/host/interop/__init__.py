"""Arrays of other libraries: PyTorch and JAX. A library is loaded by its user, never by us."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
MODULES: Final = {"torch": "Tensor", "jax": "Array"}


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
    """Whether one of the values is an array of PyTorch or CuPy in the memory of a GPU."""
    if "cupy" not in sys.modules and "torch" not in sys.modules:
        return False
    return any(
        getattr(x, "is_cuda", False) or type(x).__module__.startswith("cupy") for x in values)


def _holds(values: Iterable[object], array: type) -> bool:
    """Whether one of the values is, or holds, an array."""
    return any(isinstance(x, array) or _holds(_inside(x), array) for x in values)


def _inside(x: object) -> Iterable[object]:
    if isinstance(x, Mapping):
        return x.values()
    if isinstance(x, list | tuple):
        return x[:8]
    return getattr(x, "__dict__", {}).values()


def opaque(fn: F) -> F:
    """Marks a method that `torch.compile` shall call, not look into."""
    setattr(fn, "_torchdynamo_disable", True)  # noqa: B010 - no declared attribute of a function
    return fn
