"""Calls of compiled functions with plain data: numbers, lists, dicts."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from loma import driver
from loma.backends.base import Loaded, Options
from loma.backends.interface import Interface
from loma.backends.llvm.loaded import knowing
from loma.frontend import typed
from loma.host.literal_shapes import Sizes
from loma.host.literals import Arguments, CallError, Literal
from loma.host.marshal import SCALARS, CType, bind, ctypes_structs, ctypes_type
from loma.host.plain import Plain, fitted, zeroed
from loma.host.printing import connected
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.signature_text import signature_text
from loma.ir.types import ArrayType, Scalar, Structs, StructType, TapeType, Type


@dataclass(frozen=True, slots=True)
class Operands:
    """Data for each argument of a signature, and how many threads a kernel runs."""

    data: tuple[Plain, ...]
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call left behind: each argument, the result, and the most tape bytes alive."""

    data: tuple[Plain, ...]
    result: Plain | None
    peak_tape_bytes: int


class Compiled:
    """A program in this process, called with plain data."""

    def __init__(self, program: typed.Module, options: Options | None = None) -> None:
        options = options or Options()
        module = driver.differentiated(program, strict=options.strict, debug=options.debug)
        self.structs = module.structs
        self.signatures = Interface.of(module).signatures
        self._loaded: Loaded = connected(driver.BACKENDS["llvm"].build(module, options))
        self._classes = ctypes_structs(module.structs)

    def call(self, name: str, operands: Operands) -> Outcome:
        """Calls a function; the operands stay as they are. Raises RunError when it stops itself."""
        signature = self.signatures[name]
        function = bind(name, signature, self._loaded, self._classes)
        kept: list[CType] = []
        memory = [
            self._memory(x, a.type, kept)
            for x, a in zip(operands.data, signature.arguments, strict=True)
        ]
        passed = [self._passed(m, a) for m, a in zip(memory, signature.arguments, strict=True)]
        if signature.simd:
            passed.append(operands.threads)
        stretches = [(ctypes.addressof(m), ctypes.sizeof(m)) for m in (*memory, *kept)]
        with knowing((at, at + size) for at, size in stretches):
            out = function(*passed)
        peak = self._loaded.peak_tape_bytes() if self._loaded.may_trap(name) else 0
        after = [
            self._data(m, x, a.type)
            for m, x, a in zip(memory, operands.data, signature.arguments, strict=True)
        ]
        result = None if signature.result is None else self._data(out, None, signature.result)
        return Outcome(tuple(after), result, peak)

    def _passed(self, m: CType, a: Argument) -> CType:
        if isinstance(a.type, ArrayType):
            return ctypes.cast(m, ctypes.POINTER(ctypes_type(a.type.element, self._classes)))
        if a.direction is not Direction.IN:
            return ctypes.byref(m)
        return m.value if isinstance(a.type, Scalar) else m

    def _memory(self, x: Plain, t: Type, kept: list[CType]) -> CType:
        """Plain data as a ctypes object; what it points to is kept alive in `kept`."""
        match t, x:
            case Scalar(), _:
                return SCALARS[t](x)
            case StructType(name), dict():
                made = self._classes[name]()
                for m, mt in self.structs[name].members:
                    setattr(made, m, self._inside(x[m], mt, kept))
                return made
            case ArrayType(element), list():
                cell = ctypes_type(element, self._classes)
                return (cell * len(x))(*[self._inside(i, element, kept) for i in x])
            case _:
                raise AssertionError(f"{x!r} is not a {t}")

    def _inside(self, x: Plain, t: Type, kept: list[CType]) -> CType:
        """Plain data as it lies inside other memory: an array without a size is a pointer."""
        if isinstance(t, Scalar):
            return x
        made = self._memory(x, t, kept)
        if isinstance(t, ArrayType) and t.size is None:
            kept.append(made)
            return ctypes.cast(made, ctypes_type(t, self._classes))
        return made

    def _data(self, m: CType, like: Plain | None, t: Type) -> Plain:
        """A ctypes object as plain data; `like` tells how long arrays are."""
        match t:
            case Scalar():
                value: float | int = m.value if hasattr(m, "value") else m
                return bool(value) if t is Scalar.BOOL else value
            case StructType(name):
                known = like if isinstance(like, dict) else {}
                return {
                    k: self._data(getattr(m, k), known.get(k), mt)
                    for k, mt in self.structs[name].members
                }
            case ArrayType(element, size):
                items = like if isinstance(like, list) else [None] * (size or 0)
                return [self._data(m[i], item, element) for i, item in enumerate(items)]
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)


def bound(
    name: str, signature: Signature, given: Arguments, structs: Structs, threads: int | None = None
) -> Operands:
    """Operands for a call: names matched, literals checked, omitted Out arguments zeroed.

    Positional values stand for all arguments, or for those that are not Out.
    """
    by_name = _matched(name, signature, given)
    sizes = Sizes(signature)
    data: dict[str, Plain] = {
        a.name: fitted(sizes.flat(a, by_name[a.name]), a.type, structs, a.name)
        for a in signature.written
        if a.name in by_name
    }
    data |= sizes.hidden()
    if signature.simd and threads is None:
        threads = _common_length(name, signature, data)
    for a in signature.arguments:
        if a.name not in data:
            length = sizes.length(a) if a.shape else threads if signature.simd else None
            data[a.name] = zeroed(a.type, structs, a.name, length)
    return Operands(tuple(data[a.name] for a in signature.arguments), threads or 0)


def _matched(name: str, signature: Signature, given: Arguments) -> dict[str, Literal]:
    """The literals by the names of arguments."""
    every = [a.name for a in signature.written]
    inputs = [a.name for a in signature.written if a.direction is not Direction.OUT]
    free = [n for n in every if n not in given.named]
    count = len(given.positional)
    order = free if count == len(free) else [n for n in inputs if n not in given.named]
    if unknown := [n for n in given.named if n not in every]:
        raise CallError(
            f"`{name}` has no argument `{unknown[0]}`: {signature_text(name, signature)}"
        )
    if count > len(order):
        raise CallError(
            f"`{name}` takes {_amount(len(every))}, found {count + len(given.named)}: "
            f"{signature_text(name, signature)}"
        )
    matched = dict(zip(order, given.positional, strict=False)) | dict(given.named)
    if missing := [n for n in inputs if n not in matched]:
        raise CallError(f"`{name}` needs `{missing[0]}`: {signature_text(name, signature)}")
    return matched


def _amount(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"


def _common_length(name: str, signature: Signature, data: dict[str, Plain]) -> int:
    """The thread count that the arrays of a kernel suggest."""
    lengths = {len(x) for a in signature.arguments if isinstance(x := data.get(a.name), list)}
    if len(lengths) != 1:
        why = "its arrays differ in length" if lengths else "it was given no array"
        raise CallError(f"`{name}` is a kernel and {why}: say how many threads run with --threads")
    return lengths.pop()


def outputs(signature: Signature, outcome: Outcome) -> list[tuple[Argument, Plain]]:
    """The arguments that a call writes, with what it left there."""
    pairs: Sequence[tuple[Argument, Plain]] = list(
        zip(signature.arguments, outcome.data, strict=True)
    )
    return [(a, x) for a, x in pairs if a.direction is not Direction.IN]
