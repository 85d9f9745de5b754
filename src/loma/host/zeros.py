"""Warnings about gradients that are zero everywhere, at the Python door."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

import numpy as np

from loma import driver
from loma.backends.cache import Cache, key
from loma.host.definitions import Definition, Derived
from loma.host.program import Program
from loma.host.refusals import HOME, LomaWarning, depth, in_words
from loma.host.requests import sliced
from loma.host.values import Value
from loma.ir.derived import Mode
from loma.ir.types import F64, Scalar


class Told(Protocol):
    """A function, and the inputs of which it has been looked at whether they count."""

    told: set[str]

    @property
    def program(self) -> Program:
        """All that the function needs."""
        ...


def tell(f: Told, found: Mapping[str, Value]) -> None:
    """Warns once about each gradient that is zero here, and everywhere."""
    new = [n for n in found if n not in f.told]
    f.told.update(new)
    suspects = [n for n in new if is_zero(found[n])]
    if suspects:
        warn(f.program, suspects)


def is_zero(x: Value) -> bool:
    """Whether all numbers in a value are zero."""
    if isinstance(x, (int, float, np.number)):
        return bool(x == 0)
    if isinstance(x, np.ndarray) and x.dtype.kind in "bfiu":
        return not x.any()
    return not isinstance(x, np.ndarray) or x.dtype.names is not None


def warn(program: Program, names: Iterable[str]) -> None:
    """Warns about those of the inputs by which all derivatives are zero."""
    found = zeros(program, program.fixed_type or F64)
    for n in names:
        if n in found:
            warnings.warn(found[n], LomaWarning, stacklevel=depth())


def zeros(program: Program, float_type: Scalar) -> dict[str, str]:
    """The inputs by which all derivatives are zero, each with a sentence; kept on disk."""
    store, name = Cache(), key("zeros", program.digest, float_type.value)
    if (entry := store.get(name)) is not None:
        with suppress(ValueError):
            found: dict[str, str] = json.loads(entry)
            return found
    checked = sliced(program.checked(float_type), program.name)
    made = {
        n: in_words(d)
        for n, d in driver.zero_gradients(checked, program.name).items()
    }
    store.put(name, json.dumps(made).encode())
    return made


def warn_of_derivative(definition: Definition) -> None:
    """Warns about a reverse derivative that the user calls himself."""
    if isinstance(definition, Derived) and definition.mode is Mode.REVERSE and by_user():
        primal = Program(definition.primal)
        warn(primal, zeros(primal, primal.fixed_type or F64))


def by_user() -> bool:
    """Whether the user's code has called the function, and not a part of ours."""
    frame, ours = sys._getframe(1), ("zeros.py", "function.py")
    while frame is not None and frame.f_code.co_filename.endswith(ours):
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return not frame.f_code.co_filename.startswith(HOME)
