"""Classes of Python files as structs: their members, and the methods that programs call."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints

from loma.host import names
from loma.ir.nodes import Direction

Obj: TypeAlias = Any  # anything that a name of a Python module can refer to
TYPES: Final[Mapping[int, str]] = {
    id(float): "float", id(int): "int", id(bool): "bool", id(range): "range",
    id(names.Array): "Array", id(names.Diff): "Diff", id(names.In): "In", id(names.Out): "Out",
    id(names.InOut): "InOut", id(names.NoDiff): "NoDiff", id(names.Stack): "Stack",
    id(tuple): "tuple", id(typing.Tuple): "tuple"}  # noqa: UP006 - what other people write
NUMPY_TYPES: Final = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}
GENERATED: Final = "<string>"
"""The file of the methods that `dataclass` makes."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct: its type, and its default if it has one, as loma text."""

    name: str
    type: str
    default: str = ""

    @property
    def text(self) -> str:
        """The member in a class of loma."""
        return f"{self.name} : {self.type}" + (f" = {self.default}" if self.default else "")


def members(
    cls: type, namespace: Mapping[str, Obj], name_of: Callable[[type], str]
) -> list[Member]:
    """The members of a class with annotations; raises TypeError for what has no loma type."""
    hints = _hints(cls, namespace)
    if not hints:
        raise TypeError(f"`{cls.__name__}` has no annotated members: it is no struct")
    defaults = {**vars(cls), **getattr(cls, "_field_defaults", {})}
    return [Member(m, type_text(t, f"{cls.__name__}.{m}", name_of), _default(defaults.get(m)))
            for m, t in hints.items()]


def methods(cls: type) -> Iterator[tuple[str, FunctionType, bool]]:
    """The methods of a class, and which of them are called without an object."""
    all_of = {name: f for base in reversed(cls.__mro__) for name, f in vars(base).items()}
    for name, found in all_of.items():
        static = isinstance(found, staticmethod)
        fn = found.__func__ if isinstance(found, staticmethod) else found
        if isinstance(fn, FunctionType) and fn.__code__.co_filename != GENERATED:
            yield name, fn, static


def _default(value: Obj) -> str:
    return repr(value) if isinstance(value, int | float) else ""


def _hints(cls: type, namespace: Mapping[str, Obj]) -> dict[str, Obj]:
    try:
        return get_type_hints(cls, localns=dict(namespace))
    except NameError as e:
        raise TypeError(f"an annotation of `{cls.__name__}` cannot be read: {e}") from e


def type_text(t: Obj, where: str, name_of: Callable[[type], str]) -> str:
    """A type as loma text; raises TypeError for what is none."""
    if id(t) in TYPES and not isinstance(t, Direction):
        return TYPES[id(t)]
    if isinstance(t, names.Builtin):
        return t.__name__
    made: Obj = get_origin(t)
    if made is names.Array:
        element, *size = get_args(t)
        inner = type_text(element, where, name_of)
        return f"Array[{inner}, {size[0]}]" if size else f"Array[{inner}]"
    if made is names.Diff:
        return f"Diff[{type_text(get_args(t)[0], where, name_of)}]"
    if isinstance(t, type):
        return NUMPY_TYPES[t.__name__] if is_numpy_scalar(t) else name_of(t)
    raise TypeError(f"`{where}` is annotated {t!r}, which is no loma type")


def is_numpy_scalar(cls: type) -> bool:
    """Whether a class is a number of NumPy that loma has."""
    return cls.__module__ == "numpy" and cls.__name__ in NUMPY_TYPES
