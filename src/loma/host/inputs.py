"""Random inputs on which a program runs: operands of a function, and of its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import assert_never

from loma.host.calls import Operands
from loma.host.plain import Plain
from loma.ir.derived import DVAL, VAL
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, Structs, StructType, TapeType, Type

DEFAULT_SIZE = 4
TRIES = 40


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long arrays are, by argument, else `default`; a number named for an int is its value."""

    default: int = DEFAULT_SIZE
    named: Mapping[str, int] = field(default_factory=dict)


class Draw:
    """Draws operands; each attempt narrows what may make a program stop."""

    def __init__(self, structs: Structs, sizes: Sizes, rng: Random) -> None:
        self.structs = structs
        self.sizes = sizes
        self.rng = rng
        self.low, self.high = -1.5, 1.5
        self.most = sizes.default

    def operands(self, signature: Signature, attempt: int) -> Operands:
        """Operands of a function."""
        self.low, self.high = (-1.5, 1.5) if attempt % 2 == 0 else (0.2, 1.5)
        self.most = max(self.sizes.default - attempt // 4, 0)
        names = (n for a in signature.arguments for n in a.shape if isinstance(n, str))
        known = {n: self._size(n) for n in names}
        data = tuple(self._operand(a, known, attempt) for a in signature.arguments)
        threads = self.sizes.named.get("threads", self.sizes.default) if signature.simd else 0
        return Operands(data, threads)

    def _operand(self, a: Argument, known: Mapping[str, int], attempt: int) -> Plain:
        if a.name in known:
            return known[a.name]
        if a.type in (Scalar.I32, Scalar.I64):
            return self._int(a.name, attempt)
        length = self._length(a.name)
        if a.shape:
            length = math.prod(n if isinstance(n, int) else known[n] for n in a.shape)
        made = self._blank if a.direction is Direction.OUT else self.content
        return made(a.type, length)

    def _size(self, name: str) -> int:
        """A named size: not 0, since programs seldom allow that."""
        return self.sizes.named.get(name, self.rng.randint(min(2, self.most), max(self.most, 1)))

    def _length(self, name: str) -> int:
        return self.sizes.named.get(name, self.sizes.default)

    def _int(self, name: str, attempt: int) -> int:
        if name in self.sizes.named:
            return self.sizes.named[name]
        return self.most if attempt == 0 else self.rng.randint(0, self.most)

    def _blank(self, t: Type, length: int) -> Plain:
        return self._made(
            t, length, lambda s: False if s is Scalar.BOOL else 0.0 if s.is_float else 0
        )

    def content(self, t: Type, length: int) -> Plain:
        """Random data of a type."""
        return self._made(t, length, self.number)

    def number(self, t: Scalar) -> float | int | bool:
        """A random scalar."""
        if t.is_float:
            return self.rng.uniform(self.low, self.high)
        if t is Scalar.BOOL:
            return self.rng.random() < 0.5
        return self.rng.randint(0, max(self.most - 1, 0))

    def slope(self, t: Scalar) -> float | int | bool:
        """A random tangent or adjoint; ints get 0."""
        return self.rng.uniform(-1.0, 1.0) if t.is_float else 0

    def _made(self, t: Type, length: int, leaf: Callable[[Scalar], float | int | bool]) -> Plain:
        match t:
            case Scalar():
                return leaf(t)
            case StructType(name):
                return {m: self._made(mt, length, leaf) for m, mt in self.structs[name].members}
            case ArrayType(element, size):
                return [
                    self._made(element, length, leaf)
                    for _ in range(length if size is None else size)
                ]
            case TapeType():
                raise AssertionError("a tape is never drawn")
            case _:
                assert_never(t)

    def forward(self, signature: Signature, operands: Operands) -> Operands:
        """Operands of the forward derivative: random tangents (0 in Out arguments)."""
        data = tuple(
            x if a.nodiff else self._dual(x, a.type, a.direction is not Direction.OUT)
            for x, a in zip(operands.data, signature.arguments, strict=True)
        )
        return Operands(data, operands.threads)

    def _dual(self, x: Plain, t: Type, moving: bool) -> Plain:
        match t, x:
            case Scalar(), _:
                return {VAL: x, DVAL: self.slope(t) if moving else 0.0} if t.is_float else x
            case StructType(name), dict():
                return {m: self._dual(x[m], mt, moving) for m, mt in self.structs[name].members}
            case ArrayType(element), list():
                return [self._dual(i, element, moving) for i in x]
            case _:
                raise AssertionError(f"{x!r} is not a {t}")

    def reverse(self, signature: Signature, operands: Operands) -> Operands:
        """Operands of the reverse derivative: random adjoints in the shape of the data."""
        data: list[Plain] = []
        for x, a in zip(operands.data, signature.written, strict=False):
            if a.nodiff:
                data.append(x)
                continue
            adjoint = self._adjoint(x, a.type)
            data += [adjoint] if a.direction is Direction.OUT else [x, adjoint]
        if signature.result is not None:
            data.append(self._made(signature.result, 0, self.slope))
        data += operands.data[len(signature.written) :]
        return Operands(tuple(data), operands.threads)

    def _adjoint(self, x: Plain, t: Type) -> Plain:
        match t, x:
            case Scalar(), _:
                return self.slope(t)
            case StructType(name), dict():
                return {m: self._adjoint(x[m], mt) for m, mt in self.structs[name].members}
            case ArrayType(element), list():
                return [self._adjoint(i, element) for i in x]
            case _:
                raise AssertionError(f"{x!r} is not a {t}")


def finite(values: Mapping[str, float | int | bool]) -> bool:
    """Whether no value is infinite or undefined."""
    return all(math.isfinite(v) for v in values.values())
