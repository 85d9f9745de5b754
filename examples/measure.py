"""What the examples share: timing a function beside its gradient, and finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

Call = Callable[[], object]


@dataclass(frozen=True)
class Result:
    """One line of the table: seconds of a call and of its gradient, and the gradient's error."""

    what: str
    primal: float
    gradient: float
    error: float
    reference: str

    def __str__(self) -> str:
        return (f"{self.what}: {shown(self.primal)}, gradient {shown(self.gradient)}, "
                f"{self.gradient / self.primal:.1f} times as long; "
                f"differs from {self.reference} by {self.error:.1e}")


def compare(what: str, primal: Call, gradient: Call, error: float, reference: str,
            rounds: int = 40) -> Result:
    """The least times of a call and its gradient, measured in turn."""
    calls = [primal, gradient]
    repeats = [1 + int(0.002 / once(f, 1)) for f in calls]
    samples = [[once(f, n) for f, n in zip(calls, repeats)] for _ in range(rounds)]
    return Result(what, *(min(column) for column in zip(*samples)), error, reference)


def once(f: Call, times: int) -> float:
    """Seconds per call."""
    start = perf_counter()
    for _ in range(times):
        f()
    return (perf_counter() - start) / times


def shown(seconds: float) -> str:
    """A time with its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            break
    return f"{seconds / size:.3g} {unit}"


def slopes(f: Callable[[np.ndarray[Any, Any]], Any], at: np.ndarray[Any, Any],
           step: float = 1e-6) -> np.ndarray[Any, Any]:
    """The derivatives of a number by the elements of an array, by central differences."""
    found = np.zeros(at.shape)
    for k in np.ndindex(at.shape):
        d = np.zeros(at.shape)
        d[k] = step
        found[k] = (f(at + d) - f(at - d)) / (2 * step)
    return found


def relative(found: object, expected: object) -> float:
    """The largest difference, as a part of the largest expected number."""
    a, b = np.asarray(found), np.asarray(expected)
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))
