"""`loma.nan_hunt`: the hunt for nan in functions that Python calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from loma.frontend import typed
from loma.host.arguments import given
from loma.host.calls import Operands, bound
from loma.host.function import Function
from loma.host.hunt import NotFinite, hunted
from loma.host.literals import Arguments
from loma.host.plain import Plain
from loma.host.requests import signature_of
from loma.host.values import Value
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type


def nan_hunt(f: Function, threads: int | None = None) -> Callable[..., NotFinite | None]:
    """Looks for the first operation whose result is not finite, in a call and its gradient.

    `nan_hunt(f)(x, y)` gives None if the call and its gradient are finite. `threads`: of a kernel,
    where its arrays do not tell.
    """
    if not isinstance(f, Function):
        raise TypeError(f"`nan_hunt` takes what `@loma.function` or `@loma.kernel` made, not {f!r}")

    def hunt(*args: Value, **kwargs: Value) -> NotFinite | None:
        checked, operands = call_of(f, args, kwargs, threads)
        return hunted(checked, f.name, operands, f.program.file_texts())

    return hunt


def call_of(
    f: Function, args: tuple[Value, ...], kwargs: Mapping[str, Value], threads: int | None
) -> tuple[typed.Module, Operands]:
    """The program of a function, and the arguments of a call as plain data."""
    values = given(f.name, f.signature.written, args, kwargs)
    checked = f.program.checked(f.real_type(values))
    signature = signature_of(checked, f.name)
    data: dict[str, Value] = {a.name: _plain(values[a.name], a.type, checked.structs)
            for a in signature.arguments if a.name in values}
    return checked, bound(f.name, signature, Arguments((), data), checked.structs, threads)


def _plain(x: Value, t: Type, structs: Structs) -> Plain:
    """A value of Python as numbers, lists and dicts."""
    match t:
        case Scalar():
            number: float = x.item() if isinstance(x, np.generic | np.ndarray) else x
            return number
        case StructType(name):
            return {m: _plain(_member(x, m), mt, structs) for m, mt in structs[name].members}
        case ArrayType(Scalar()) if isinstance(x, np.ndarray):
            numbers: list[Plain] = x.tolist()
            return numbers
        case ArrayType(element):
            return [_plain(i, element, structs) for i in x]
        case _:
            raise AssertionError("no tape comes from Python")


def _member(x: Value, name: str) -> Value:
    if isinstance(x, Mapping | np.void | np.ndarray):
        return x[name]
    return getattr(x, name)
