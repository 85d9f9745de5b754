"""Calls of generic functions from Python: dtypes decide the types, functions are passed as such.

Each combination makes a function of its own: an instance, or a function that calls the generic one
with the functions that were passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Final, TypeAlias

import numpy as np

from loma.frontend import surface
from loma.host.arguments import given
from loma.host.classes import NUMPY_TYPES, TYPES
from loma.host.definitions import (
    Decorated,
    Definition,
    Mapped,
    definition_of,
)
from loma.host.names import Builtin
from loma.host.refusals import ArgumentTypeError
from loma.host.values import Value
from loma.ir.nodes import Argument
from loma.ir.types import I32

Types: TypeAlias = dict[str, str]
KINDS: Final = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64", "bool": "bool"}


def instance(
    f: surface.Function, primal: Definition, types: Types, functions: Mapping[str, Definition]
) -> Mapped:
    """The definition of a generic function with types and functions."""
    label = "_".join([*types.values(), *(d.name for d in functions.values())])
    if not functions:
        listed = ", ".join(types[p.name] for p in f.type_params)
        return Mapped(primal, f"{{name}} = {{called}}[{listed}]\n", label)
    args = [a for a in f.args if not isinstance(a.type, surface.CallableTypeExpr)]
    head = ", ".join(f"{a.name} : {a.direction.value}[{text(a.type, types)}]" for a in args)
    passed = ", ".join(f"{{{a.name}}}" if a.name in functions else a.name for a in f.args)
    arrow = "" if f.result is None else f" -> {text(f.result, types)}"
    back = "" if f.result is None else "return "
    body = f"def {{name}}({head}){arrow}:\n    {back}{{called}}({passed})\n"
    return Mapped(primal, body, label, dict(functions))


def text(e: surface.TypeExpr, types: Types) -> str:
    """A written type as loma text, with what is known for its parameters."""
    match e:
        case surface.NamedType(name):
            return types.get(name, name)
        case surface.ArrayTypeExpr(inner, surface.Number(size)):
            return f"Array[{text(inner, types)}, {size}]"
        case surface.ArrayTypeExpr(inner):
            return f"Array[{text(inner, types)}]"
        case surface.ShapedTypeExpr(inner, sizes):
            shown = [f'"{s.name}"' if isinstance(s, surface.SizeName) else _size(s) for s in sizes]
            return f"Array[{', '.join([text(inner, types), *shown])}]"
        case surface.DiffTypeExpr(inner):
            return f"Diff[{text(inner, types)}]"
        case surface.GenericTypeExpr(name, args):
            return f"{name}[{', '.join(text(a, types) for a in args)}]"
        case surface.TupleTypeExpr(elements):
            return f"tuple[{', '.join(text(x, types) for x in elements)}]"
        case _:
            raise ArgumentTypeError("a type of this function cannot be written as text")


def _size(e: surface.Expr) -> str:
    return str(e.value) if isinstance(e, surface.Number) else "..."


def call_of(
    f: surface.Function, name: str, args: tuple[Value, ...], kwargs: Mapping[str, Value]
) -> tuple[Types, dict[str, Definition], dict[str, Value]]:
    """The types and functions that the arguments of a call ask for, and the other arguments."""
    wanted = [Argument(a.name, I32, a.direction) for a in f.args]
    values = given(name, wanted, args, kwargs)
    functions = {a.name: _function(name, a.name, values.pop(a.name)) for a in f.args
                 if isinstance(a.type, surface.CallableTypeExpr)}
    return _types(f, name, values), functions, values


def _function(name: str, argument: str, value: Value) -> Definition:
    found = definition_of(value)
    if found is not None:
        return found
    if isinstance(value, FunctionType) and value.__name__ != "<lambda>":
        return Decorated(value, False)
    raise ArgumentTypeError(
        f"`{name}`: argument `{argument}` is a function, not {value!r}",
        "pass what `@loma.function` made, or a function made by `def`")


def _types(f: surface.Function, name: str, values: Mapping[str, Value]) -> Types:
    """What the type parameters stand for in a call."""
    found: dict[str, dict[str, None]] = {p.name: {} for p in f.type_params}
    weak: dict[str, set[type]] = {p.name: set() for p in f.type_params}
    for a in f.args:
        for param, what in _asked(a.type, values.get(a.name)):
            if isinstance(what, str) and param in found:
                found[param][what] = None
            elif isinstance(what, type) and param in weak:
                weak[param].add(what)
    return {p.name: _one(p, name, [*found[p.name]], weak[p.name]) for p in f.type_params}


def _asked(e: surface.TypeExpr, value: Value) -> Iterator[tuple[str, str | type]]:
    """The type parameters in a written type, each with the type that a value has for it."""
    match e:
        case surface.NamedType(name) if isinstance(value, float | int) and (
                not isinstance(value, np.generic)):
            yield name, type(value)
        case surface.NamedType(name) if hasattr(value, "dtype"):
            yield name, _kind(value)
        case surface.ArrayTypeExpr(inner) | surface.ShapedTypeExpr(inner) if value is not None:
            while isinstance(inner, surface.ArrayTypeExpr):
                inner = inner.element
            if isinstance(inner, surface.NamedType):
                yield inner.name, _kind(value)
        case _:
            pass


def _kind(value: Value) -> str:
    """The type of an array's elements, be it NumPy's or another library's."""
    first = value
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if not hasattr(first, "dtype"):
        first = np.asarray(value)
    return KINDS.get(str(first.dtype).rpartition(".")[2], "")


def _one(p: surface.TypeParam, name: str, types: list[str], weak: set[type]) -> str:
    """The type of one parameter; literals of Python decide only if nothing else does."""
    if len(types) > 1:
        raise ArgumentTypeError(
            f"`{name}`: `{p.name}` would be {' and '.join(types)}", "convert one of the arguments")
    if types and types[0]:
        return types[0]
    choices = [c.name for c in p.choices if isinstance(c, surface.NamedType)]
    for kind, usual in ((float, "f64"), (bool, "bool"), (int, "int")):
        if kind in weak:
            return usual if not choices or usual in choices else choices[-1]
    raise ArgumentTypeError(
        f"`{name}`: the type `{p.name}` does not follow from the arguments",
        f"name it: `{name}[np.float64](...)`")


def written(f: surface.Function, name: str, key: object) -> Types | None:
    """The types between brackets, `f[np.float64]`; None for what is no type."""
    keys: Sequence[object] = key if isinstance(key, tuple) else (key,)
    found = [_named(k) for k in keys]
    known = [t for t in found if t is not None]
    if len(known) < len(found):
        return None
    if len(known) != len(f.type_params):
        raise ArgumentTypeError(
            f"`{name}` has {len(f.type_params)} type parameters, not {len(known)}")
    return {p.name: t for p, t in zip(f.type_params, known, strict=True)}


def _named(key: object) -> str | None:
    if id(key) in TYPES:
        return "f64" if key is float else TYPES[id(key)]
    if isinstance(key, Builtin):
        return key.__name__
    return NUMPY_TYPES.get(key.__name__) if isinstance(key, type) else None
