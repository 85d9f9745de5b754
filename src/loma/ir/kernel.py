"""A kernel as devices run it: a function of one thread, and what all threads add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loma.ir.nodes import Function, Path, Var
from loma.ir.types import ArrayType, Scalar


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

    `thread` has the kernel's parameters up to the last; where there are `owned` ones, whether they
    are fresh, and the number of elements of each; then those of the arrays whose `lengths` it is
    told; then the thread's index, the number of threads, and a reference for each of `sums`, in
    order. Threads do nothing with what is `added` but add; they may meet in what is `shared` of
    these. Of an array that is `owned`, element i is thread i's.
    """

    name: str
    thread: Function
    sums: tuple[Sum, ...]
    added: frozenset[Var] = frozenset()
    shared: frozenset[Var] = frozenset()
    owned: tuple[Var, ...] = ()
    lengths: Mapping[Var, Var] = field(default_factory=dict)

    @property
    def totals(self) -> tuple[Var, ...]:
        """The thread's references for `sums`."""
        params = self.thread.params
        return params[len(params) - len(self.sums) :]

    @property
    def numbers(self) -> tuple[Var, Var]:
        """The thread's index, and the number of threads."""
        end = len(self.thread.params) - len(self.sums)
        index, count = self.thread.params[end - 2 : end]
        return index, count


def element(root: Var) -> Scalar:
    """The type of the scalars in an array."""
    assert isinstance(root.content, ArrayType)
    assert isinstance(root.content.element, Scalar)
    return root.content.element
