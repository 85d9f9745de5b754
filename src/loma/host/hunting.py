"""`loma.nan_hunt`: the hunt for nan in functions that Python calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from loma.host.arguments import Given, given
from loma.host.calls import bound
from loma.host.function import Function
from loma.host.hunt import NotFinite, hunted
from loma.host.literals import Arguments
from loma.host.plain import Plain
from loma.host.requests import signature_of
from loma.host.values import Value
from loma.ir.nodes import Signature
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type


def nan_hunt(f: Function, threads: int | None = None) -> Callable[..., NotFinite | None]:
    """Looks for the first operation whose result is not finite, in a call and its gradient.

    `nan_hunt(f)(x, y)` gives None if the call and its gradient are finite. `threads`: of a kernel,
    where its arrays do not tell.
    """
    if not isinstance(f, Function):
        raise TypeError(f"`nan_hunt` takes what `@loma.function` or `@loma.kernel` made, not {f!r}")

    def hunt(*args: Value, **kwargs: Value) -> NotFinite | None:
        program = f.program
        values = given(f.name, f.signature.written, args, kwargs)
        checked = program.checked(f.real_type(values))
        signature = signature_of(checked, f.name)
        data: dict[str, Value] = {a.name: _plain(values[a.name], a.type, checked.structs)
                for a in signature.arguments if a.name in values}
        data |= _sizes(signature, values)
        operands = bound(f.name, signature, Arguments((), data), checked.structs, threads)
        return hunted(checked, f.name, operands, program.file_texts())

    return hunt


def _sizes(signature: Signature, values: Given) -> dict[str, Value]:
    """The named sizes that arrays tell, and the outputs that have such sizes."""
    known = _lengths(signature, values)
    found: dict[str, Value] = {
        a.name: known[a.name] for a in signature.arguments if a.hidden and a.name in known}
    for a in signature.arguments:
        lengths = [n if isinstance(n, int) else known.get(n, 0) for n in a.shape]
        if lengths and a.name not in values and isinstance(a.type, ArrayType):
            found[a.name] = [0.0] * prod(lengths) if isinstance(a.type.element, Scalar) else []
    return found


def _lengths(signature: Signature, values: Given) -> dict[str, int]:
    """The sizes that are known by name."""
    known = {n: x for n, x in values.items() if isinstance(x, int)}
    for a in signature.arguments:
        x: Value = values.get(a.name, ())
        for name in a.shape if a.name in values else ():
            if isinstance(name, str):
                known.setdefault(name, len(x))
            x = x[0] if len(x) else ()
    return known


def _plain(x: Value, t: Type, structs: Structs) -> Plain:
    """A value of Python as numbers, lists and dicts."""
    match t:
        case Scalar():
            number: float = x.item() if isinstance(x, np.generic | np.ndarray) else x
            return number
        case StructType(name):
            return {m: _plain(_member(x, m), mt, structs) for m, mt in structs[name].members}
        case ArrayType(Scalar()) if isinstance(x, np.ndarray):
            numbers: list[Plain] = x.reshape(-1).tolist()
            return numbers
        case ArrayType(element):
            return [_plain(i, element, structs) for i in x]
        case _:
            raise AssertionError("no tape comes from Python")


def _member(x: Value, name: str) -> Value:
    if isinstance(x, Mapping | np.void | np.ndarray):
        return x[name]
    return getattr(x, name)
