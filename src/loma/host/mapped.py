"""`f.map`: a function of numbers on arrays of them, one thread for each element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loma.host.definitions import Definition, Mapped
from loma.host.interop import library
from loma.host.refusals import ArgumentTypeError, ArgumentValueError
from loma.host.values import Value
from loma.ir.names import Names
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import F64, ArrayType, Type, type_text


def mapped(primal: Definition, name: str, signature: Signature, arrays: tuple[str, ...]) -> Mapped:
    """The kernel that calls a function for each element of the named arguments."""
    outputs = [a for a in signature.arguments if a.direction is Direction.OUT]
    if signature.simd or (outputs and signature.result is not None) or any(
            a.direction is Direction.INOUT or a.shape for a in signature.arguments):
        raise ArgumentTypeError(
            f"`{name}.map` is for functions that return a value, or write `Out` arguments only",
            "write a kernel with `@loma.kernel`")
    every = {*arrays, *(a.name for a in outputs)}
    supply = Names(a.name for a in signature.arguments)
    thread = supply.fresh("i")
    params = [_param(a, a.name in every) for a in signature.arguments]
    given = [f"{a.name}[{thread}]" if a.name in every else a.name for a in signature.arguments]
    call = f"{{called}}({', '.join(given)})"
    if signature.result is not None:
        result = supply.fresh("result")
        params.append(f"{result} : Out[Array[{type_text(signature.result, F64)}]]")
        call = f"{result}[{thread}] = {call}"
    text = (f"@simd\ndef {{name}}({', '.join(params)}):\n"
            f"    {thread} : int = thread_id()\n    {call}\n")
    return Mapped(primal, text)


def _param(a: Argument, each: bool) -> str:
    t = type_text(a.type, F64)
    return f"{a.name} : {a.direction.value}[{f'Array[{t}]' if each else t}]"


def rank(t: Type) -> int:
    """How many dimensions a value of the type has."""
    return 1 + rank(t.element) if isinstance(t, ArrayType) else 0


def spread(
    name: str, signature: Signature, values: Mapping[str, Value]
) -> tuple[tuple[str, ...], dict[str, Value], tuple[int, ...]]:
    """The arguments that are arrays where one value is wanted, all broadcast to one shape."""
    arrays = {
        a.name: values[a.name] for a in signature.arguments
        if a.name in values and a.direction is Direction.IN
        and not isinstance(a.type, ArrayType) and np.ndim(values[a.name]) > 0}
    if not arrays:
        raise ArgumentTypeError(
            f"`{name}.map` needs an array for at least one of its arguments",
            f"call `{name}(...)` with single values")
    try:
        found = library(values)
        flat, shape = (_flattened if found is None else found.flattened)(list(arrays.values()))
    except (ValueError, RuntimeError):
        shown = ", ".join(f"`{n}` {tuple(np.shape(x))}" for n, x in arrays.items())
        raise ArgumentValueError(
            f"`{name}.map`: the shapes of the arguments do not fit together: {shown}") from None
    return tuple(arrays), {**values, **dict(zip(arrays, flat))}, shape


def _flattened(arrays: Sequence[Value]) -> tuple[list[Value], tuple[int, ...]]:
    """Arrays broadcast to one shape, each in one dimension, and that shape."""
    whole = np.broadcast_arrays(*map(np.asarray, arrays))
    return [np.ascontiguousarray(x).ravel() for x in whole], whole[0].shape
