"""Random inputs for random programs and their derivatives; and comparison of what came out.

Data is plain: numbers, lists, dicts. Scalars that a function writes are wrapped by whoever runs it.
"""

from __future__ import annotations

import copy
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from random import Random
from typing import Any

from properties.generator import Entry
from properties.scope import LENGTH, Formal

from loma.frontend.typed import Module
from loma.ir.derived import DVAL, VAL, Mode, derived_signature
from loma.ir.nodes import Direction, Signature
from loma.ir.types import ArrayType, Scalar, StructType, Type


@dataclass
class Case:
    """One call: the function, its signature and its operands."""

    function: str
    signature: Signature
    data: list[Any]
    threads: int = 0


class Inputs:
    """Draws operands for the entries of one program."""

    def __init__(self, module: Module, rng: Random) -> None:
        self.module = module
        self.rng = rng

    def case(self, entry: Entry, name: str = "", modes: Sequence[Mode] = ()) -> Case:
        """A call of the entry, or of a derivative of it."""
        signature = self.module.functions[entry.name].signature
        data = [
            self.operand(f, a.type) for f, a in zip(entry.formals, signature.written, strict=True)
        ]
        sizes = {name: size for f in entry.formals for name, size in f.sizes}
        data += [sizes[a.name] for a in signature.sizes]
        for k, f in enumerate(entry.formals):
            if f.lengths_of is not None:
                rows = next(j for j, g in enumerate(entry.formals) if g.name == f.lengths_of)
                data[k] = [len(row) for row in data[rows]]
        threads = self.rng.choice([LENGTH, LENGTH, LENGTH, 2, 1, 0]) if entry.simd else 0
        case = Case(entry.name, signature, data, threads)
        for mode in modes:
            case = self.derived(case, mode, name)
        return case

    def derived(self, case: Case, mode: Mode, name: str) -> Case:
        """A call of a derivative at the operands of a call."""
        step = self.forward if mode is Mode.FORWARD else self.reverse
        signature = derived_signature(case.signature, mode, self.module.float_type)
        return Case(name, signature, step(case.signature, case.data), case.threads)

    def operand(self, f: Formal, t: Type) -> Any:
        """Data for an argument."""
        if f.value is not None:
            return f.value
        if f.sizes and isinstance(t, ArrayType):
            return [self.content(t.element) for _ in range(prod(n for _, n in f.sizes))]
        return self.rng.randint(0, LENGTH - 1) if f.small else self.content(t)

    def content(self, t: Type) -> Any:
        """Data of a type."""
        match t:
            case Scalar():
                return self.number(t) if t.is_float else self.rng.randint(-5, 9)
            case StructType(name):
                return {m: self.content(mt) for m, mt in self.module.structs[name].members}
            case ArrayType(element, size):
                count = LENGTH + self.rng.choice([0, 0, 1]) if size is None else size
                return [self.content(element) for _ in range(count)]
            case _:
                raise AssertionError(t)

    def number(self, t: Scalar) -> float:
        """A float that its type holds exactly."""
        x = self.rng.uniform(-1.5, 1.5)
        return x if t is Scalar.F64 else struct.unpack("f", struct.pack("f", x))[0]

    def slope(self, t: Scalar) -> float:
        """A tangent or seed: now and then 0."""
        return 0.0 if self.rng.random() < 0.15 else self.number(t)

    def forward(self, signature: Signature, data: list[Any]) -> list[Any]:
        """Operands of fwd_diff: every float gets a tangent."""

        def dual(x: Any, t: Type) -> Any:
            match t:
                case Scalar():
                    return {VAL: x, DVAL: self.slope(t)} if t.is_float else x
                case StructType(name):
                    return {m: dual(x[m], mt) for m, mt in self.module.structs[name].members}
                case ArrayType(element):
                    return [dual(i, element) for i in x]
                case _:
                    raise AssertionError(t)

        return [dual(x, a.type) for x, a in zip(data, signature.arguments, strict=True)]

    def reverse(self, signature: Signature, data: list[Any]) -> list[Any]:
        """Operands of rev_diff: adjoints in the shape of the data, random at the start."""
        out: list[Any] = []
        for x, a in zip(data, signature.written, strict=False):
            adjoint = self.alike(x, a.type)
            out += [adjoint] if a.direction is Direction.OUT else [x, adjoint]
        if signature.result is not None:
            out.append(self.content(signature.result))
        return out + data[len(signature.written):]

    def alike(self, x: Any, t: Type) -> Any:
        """Fresh data in the same shape."""
        match t:
            case Scalar():
                return self.slope(t) if t.is_float else self.rng.randint(-9, 9)
            case StructType(name):
                return {m: self.alike(x[m], mt) for m, mt in self.module.structs[name].members}
            case ArrayType(element):
                return [self.alike(i, element) for i in x]
            case _:
                raise AssertionError(t)


def wrapped(case: Case, box: Callable[[Any], Any]) -> list[Any]:
    """A copy of the operands, scalars that are written put into boxes."""
    return [
        box(copy.deepcopy(x))
        if isinstance(a.type, Scalar) and a.direction is not Direction.IN
        else copy.deepcopy(x)
        for x, a in zip(case.data, case.signature.arguments, strict=True)
    ]


def leaves(x: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar inside data, with its path."""
    if isinstance(x, dict):
        for k, v in x.items():
            yield from leaves(v, f"{path}.{k}")
    elif isinstance(x, list):
        for i, v in enumerate(x):
            yield from leaves(v, f"{path}[{i}]")
    elif x is not None:
        yield path, x


def outcome(
    case: Case, data: list[Any], result: Any, unbox: Callable[[Any], Any]
) -> dict[str, Any]:
    """What a call left behind: every scalar by path, the result's too."""
    found: dict[str, Any] = {}
    for x, a in zip(data, case.signature.arguments, strict=True):
        boxed = isinstance(a.type, Scalar) and a.direction is not Direction.IN
        found.update(leaves(unbox(x) if boxed else x, a.name))
    found.update(leaves(result, "return"))
    return found


def difference(got: dict[str, Any], wanted: dict[str, Any], tolerance: float) -> str | None:
    """The first scalar that is wrong, in words; None if all agree."""
    if got.keys() != wanted.keys():
        return f"other places: {sorted(got.keys() ^ wanted.keys())[:4]}"
    scale = max([1.0, *(abs(float(w)) for w in wanted.values() if math.isfinite(w))])
    for path, w in wanted.items():
        g = got[path]
        if isinstance(w, int) and not isinstance(w, bool) and int(g) != w:
            return f"{path}: {g}, expected {w}"
        w, g = float(w), float(g)
        if math.isnan(w) and math.isnan(g) or w == g:
            continue
        if not abs(g - w) <= tolerance * max(abs(w), 0.01 * scale):
            return f"{path}: {g!r}, expected {w!r}"
    return None
