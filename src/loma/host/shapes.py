"""Named sizes in calls from Python: what the arrays tell, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loma.host.arguments import Given
from loma.host.arrays import Converter
from loma.host.description import Description
from loma.host.refusals import ArgumentTypeError, ArgumentValueError
from loma.host.values import Value
from loma.ir.nodes import Argument
from loma.ir.types import ArrayType, Scalar, Type

MOST = (1 << 31) - 1


@dataclass(eq=False)
class Sizes:
    """The named sizes of one call: each with the argument that tells it first."""

    name: str
    description: Description
    convert: Converter
    values: Given

    @cached_property
    def known(self) -> Mapping[str, tuple[int, str]]:
        """The sizes by name."""
        sizes = self.description.facts.sizes
        arguments = {a.name: a for a in self.description.signature.written}
        found: dict[str, tuple[int, str]] = {}
        names = {s for labels in sizes.values() for s in labels if s}
        for size in names:
            a = arguments.get(size)
            if a is not None and _is_int(a.type) and size in self.values:
                number = self.convert.number(self.values[size], Scalar.I64, size)
                found[size] = (int(number), size)
        for name, labels in sizes.items():
            if name in self.values:
                for label, length in zip(labels, shape_of(self.values[name])):
                    if label is not None:
                        found.setdefault(label, (length, name))
        return found

    def check(self) -> None:
        """Refuses arrays of another shape, and dimensions of one name that differ."""
        for a in self.description.signature.written:
            if a.shape and a.name in self.values:
                self._check_rank(a)
        for name, labels in self.description.facts.sizes.items():
            if name not in self.values:
                continue
            for size, length in zip(labels, shape_of(self.values[name])):
                if size is None or self.known[size][0] == length:
                    continue
                other, teller = self.known[size]
                raise ArgumentValueError(
                    f"`{self.name}`: argument `{name}` must have length {other}, which is "
                    f"`{size}` by argument `{teller}`, not {length}")

    def _check_rank(self, a: Argument) -> None:
        """The number of dimensions, before sizes are compared; and that an index can count all."""
        shape = shape_of(self.values[a.name])
        wanted = len(a.shape)
        assert isinstance(a.type, ArrayType), "an array"
        if self.convert.flat(a.type.element):
            wanted += len(self.convert.dtype(a.type.element).shape)
            if len(shape) != wanted:
                self.convert.refuse(self.values[a.name], a.type, a.name)
        if np.prod(shape, dtype=np.int64) > MOST:
            raise ArgumentValueError(
                f"`{self.name}`: argument `{a.name}` has more than {MOST} elements")

    def value(self, size: Argument) -> int:
        """The size that a hidden argument is."""
        if size.name in self.known:
            return self.known[size.name][0]
        holders = [a.name for a in self.description.signature.written if size.name in a.shape]
        raise ArgumentTypeError(
            f"`{self.name}`: the size `{size.name}` of `{holders[0]}` is not known",
            f"pass an array to write to, `{holders[0]}=...`")

    def shape(self, a: Argument) -> tuple[int, ...] | None:
        """The sizes of an array argument; None where one is not known."""
        labels = self.description.facts.sizes.get(a.name, ())[:1]
        outer = a.shape or tuple([s for s in labels if s is not None])
        found = [n if isinstance(n, int) else self.known.get(n, (None, ""))[0] for n in outer]
        ready = tuple([n for n in found if n is not None])
        return ready if outer and len(ready) == len(found) else None


def shape_of(x: Value) -> tuple[int, ...]:
    """The shape of an array, or of lists."""
    if isinstance(x, list | tuple) and x and hasattr(x[0], "__len__"):
        return (len(x), *shape_of(x[0])) if isinstance(x[0], list | tuple) else (
            len(x), len(x[0]))
    return tuple(np.shape(x))


def _is_int(t: Type) -> bool:
    return isinstance(t, Scalar) and t.is_int
