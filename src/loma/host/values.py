"""Values on the Python side, in words and as named tuples."""

from __future__ import annotations

import sys
from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from loma.ir.types import ArrayType, Scalar, Type

Value: TypeAlias = Any  # what a user passes or gets


def same_fields(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether two element types hold the same, be it in another layout."""
    if wanted.names is None:
        return given == wanted
    if given.names != wanted.names or given.fields is None or wanted.fields is None:
        return False
    return all(
        given.fields[n][0].shape == wanted.fields[n][0].shape
        and same_fields(given.fields[n][0].base, wanted.fields[n][0].base)
        for n in wanted.names)


def fields_text(dtype: np.dtype[Any]) -> str:
    """A structured element type in words."""
    assert dtype.fields is not None
    inner = ", ".join(f"{n}: {f[0].base.name}" for n, f in dtype.fields.items())
    return f"structured ({inner})"


def described(x: Value) -> str:
    """A value in words, for an error."""
    if isinstance(x, np.ndarray):
        plain = x.dtype.name if x.dtype.isnative else x.dtype.str
        kind = plain if x.dtype.names is None else fields_text(x.dtype)
        return f"{article(kind)} {kind} array of shape {x.shape}"
    if x is None or isinstance(x, bool):
        return f"`{x}`"
    if isinstance(x, Real):
        return f"the {type(x).__name__} {x}"
    kind = type(x).__name__
    return f"{article(kind)} `{kind}`"


def misfit(x: np.ndarray[Any, Any]) -> tuple[str, str]:
    """What is wrong with the memory of an array that is not as loma's, and what to do."""
    if x.dtype.names is not None and x.flags.c_contiguous:
        return ("its structs do not lie in memory as those of C",
                "make the dtype with `np.dtype(..., align=True)`")
    return "its elements do not lie side by side in memory", "pass a contiguous array"


def article(word: str) -> str:
    """The article before a word."""
    return "an" if word[:1].lower() in "aeiou" else "a"


def number_of(x: Value, t: Scalar) -> Value:
    """A scalar as the user gets it: NumPy's for floats, so that its precision stays with it."""
    match t:
        case Scalar.F32:
            return np.float32(x)
        case Scalar.F64:
            return np.float64(x)
        case Scalar.BOOL:
            return bool(x)
        case _:
            return int(x)


def named_tuple(name: str, members: Sequence[str]) -> Callable[..., Value]:
    """A named tuple type; a member that it cannot have is known by its position only."""
    return _named_tuple(name, tuple(members))


@lru_cache(maxsize=1024)
def _named_tuple(name: str, members: tuple[str, ...]) -> Callable[..., Value]:
    made: Callable[..., Value] = namedtuple(name, members, rename=True)  # type: ignore[misc]
    if made._fields == members:
        return made
    return lambda **values: made(*values.values())


def made_by(
    make: Callable[..., Value], names: Sequence[str]
) -> Callable[[tuple[Value, ...]], Value]:
    """What makes such a named tuple of all its members in order."""
    if isinstance(make, type):
        return partial(tuple.__new__, make)
    return lambda values: make(**dict(zip(names, values)))


def truths(t: Type) -> bool:
    """Whether it is the type of arrays of bools, or bool itself."""
    while isinstance(t, ArrayType):
        t = t.element
    return t is Scalar.BOOL


def masked(x: Value) -> bool:
    """Whether some elements of an array do not count, which loma knows nothing of."""
    found = sys.modules.get("numpy.ma")
    return found is not None and isinstance(x, found.MaskedArray)
