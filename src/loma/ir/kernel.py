"""A kernel as devices run it: a function of one thread, and what all threads add up."""

from __future__ import annotations

from dataclasses import dataclass

from loma.ir.nodes import Function, Path, Var
from loma.ir.types import Scalar


@dataclass(frozen=True, slots=True)
class Sum:
    """What the threads add to one place: `path` from the kernel's parameter `root` is made of
    constants and fields."""

    root: Var
    path: Path
    type: Scalar


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel for a device.

    `thread` has the kernel's parameters up to the last, then the thread's index, the number of
    threads, and a reference for each of `sums`, in order.
    """

    name: str
    thread: Function
    sums: tuple[Sum, ...]
