"""The arguments of a call: by position and by name, and the real type that they decide."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from loma.host.refusals import ArgumentTypeError, ArgumentValueError
from loma.host.values import Value
from loma.ir.nodes import Argument, Direction
from loma.ir.types import F64, Scalar

Given: TypeAlias = dict[str, Value]
MOST_THREADS: Final = (1 << 31) - 1
FLOATS: Final = {np.dtype(np.float32): Scalar.F32, np.dtype(np.float64): Scalar.F64}


def given(
    name: str, arguments: Sequence[Argument], args: tuple[Value, ...], kwargs: Mapping[str, Value]
) -> Given:
    """The arguments by name.

    Positional ones stand for all arguments, or, when there are fewer, for those that are not Out.
    """
    inputs = [a.name for a in arguments if a.direction is not Direction.OUT]
    wanted = inputs if len(args) <= len(inputs) else [a.name for a in arguments]
    if len(args) > len(wanted):
        raise ArgumentTypeError(
            f"`{name}` takes {_count(len(wanted))}, and {len(args)} are given",
            f"they are {', '.join(f'`{n}`' for n in wanted)}" if wanted else "")
    found = dict(zip(wanted, args))
    known = {a.name for a in arguments}
    for key, value in kwargs.items():
        if key not in known:
            raise ArgumentTypeError(
                f"`{name}` has no argument `{key}`",
                f"it has {', '.join(f'`{a.name}`' for a in arguments)}")
        if key in found:
            raise ArgumentTypeError(f"`{name}`: argument `{key}` is given twice")
        found[key] = value
    missing = [n for n in inputs if n not in found]
    if missing:
        shown = ", ".join(f"`{n}`" for n in missing)
        raise ArgumentTypeError(
            f"`{name}`: missing {'argument' if len(missing) == 1 else 'arguments'} {shown}")
    return found


def thread_number(name: str, threads: object) -> int:
    """The number of threads that `name[threads]` tells."""
    try:
        found = operator.index(threads)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentTypeError(
            f"`{name}[n]`: the number of threads must be an int, not {threads!r}") from None
    if not 0 <= found <= MOST_THREADS:
        raise ArgumentValueError(
            f"`{name}[n]`: the number of threads must be between 0 and {MOST_THREADS}, "
            f"not {found}")
    return found


def _count(n: int) -> str:
    return f"{n} argument{'' if n == 1 else 's'}"


# The real type of a call.


def decided(name: str, found: Mapping[str, set[Scalar]]) -> Scalar:
    """The one float type of the arguments that decide about it; f64, if none does."""
    chosen = {s for t in found.values() for s in t}
    if len(chosen) > 1:
        listed = ", ".join(
            f"`{n}` has {' and '.join(sorted(f'float{8 * s.bytes}' for s in t))}"
            for n, t in found.items() if t)
        raise ArgumentTypeError(
            f"`{name}`: the arguments mix float32 and float64: {listed}",
            "convert them to one of the two")
    return chosen.pop() if chosen else F64


def real_types(x: Value, explicit: frozenset[str] = frozenset()) -> set[Scalar]:
    """The float types that a value's arrays and NumPy scalars have; not of `explicit` members."""
    match x:
        case np.ndarray() | np.generic():
            return _of_dtype(x.dtype, explicit)
        case float() | int() | None:
            return set()
        case list() | tuple():
            if explicit and (names := getattr(x, "_fields", None)) is not None:
                return real_types(dict(zip(names, x)), explicit)
            if x and isinstance(x[0], float | int) and not isinstance(x[0], np.generic):
                return set()
            return {s for item in x for s in real_types(item, explicit)}
        case _ if hasattr(x, "__array_interface__"):
            return _of_dtype(np.asarray(x).dtype, explicit)
        case _:
            members = x if isinstance(x, Mapping) else getattr(x, "__dict__", {})
            return {s for n, inner in members.items() if n not in explicit
                    for s in real_types(inner, explicit)}


def _of_dtype(dtype: np.dtype[Any], explicit: frozenset[str]) -> set[Scalar]:
    if dtype.names is not None and dtype.fields is not None:
        return {s for n, f in dtype.fields.items() if n not in explicit
                for s in _of_dtype(f[0], explicit)}
    found = FLOATS.get(dtype.base)
    return set() if found is None else {found}
