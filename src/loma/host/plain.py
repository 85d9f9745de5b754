"""Plain data for loma values: numbers, lists for arrays, dicts for structs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias, assert_never

from loma.host.literals import CallError, Literal
from loma.ir.text_expr import shortest
from loma.ir.types import ArrayType, Scalar, Structs, StructType, TapeType, Type, type_text

Plain: TypeAlias = "float | int | bool | list[Plain] | dict[str, Plain]"
Number: TypeAlias = float | int | bool


def fitted(x: Literal, t: Type, structs: Structs, where: str) -> Plain:
    """A literal as plain data of a type; CallError names the place that does not fit."""
    match t:
        case Scalar():
            return _scalar(x, t, where)
        case StructType(name):
            return _struct(x, name, structs, where)
        case ArrayType(element, size):
            if not isinstance(x, list | tuple):
                raise CallError(
                    f"{where}: expected a list for `{type_text(t)}`, found {described(x)}"
                )
            if size is not None and len(x) != size:
                raise CallError(f"{where}: `{type_text(t)}` has {size} elements, found {len(x)}")
            return [fitted(item, element, structs, f"{where}[{i}]") for i, item in enumerate(x)]
        case TapeType():
            raise CallError(f"{where}: a `Tape` cannot come from outside")
        case _:
            assert_never(t)


def _scalar(x: Literal, t: Scalar, where: str) -> Number:
    if not isinstance(x, float | int):
        raise CallError(f"{where}: expected a number for `{type_text(t)}`, found {described(x)}")
    if t.is_float:
        return float(x)
    if t is Scalar.BOOL:
        return bool(x)
    if isinstance(x, float) and not x.is_integer():
        raise CallError(f"{where}: expected an integer for `{type_text(t)}`, found {x!r}")
    limit = 1 << (8 * t.bytes - 1)
    if not -limit <= x < limit:
        raise CallError(f"{where}: {x} is out of the range of `{type_text(t)}`")
    return int(x)


def _struct(x: Literal, name: str, structs: Structs, where: str) -> Plain:
    members = structs[name].members
    names = [m for m, _ in members]
    shown = ", ".join(names)
    if isinstance(x, list | tuple):
        if len(x) != len(members):
            raise CallError(
                f"{where}: `{name}` has {len(members)} members ({shown}), found {len(x)}"
            )
        x = dict(zip(names, x, strict=True))
    if not isinstance(x, dict):
        raise CallError(
            f"{where}: expected a dict or tuple for `{name}` ({shown}), found {described(x)}"
        )
    if wrong := [m for m in x if m not in names]:
        raise CallError(f"{where}: `{name}` has no member `{wrong[0]}` (it has {shown})")
    if missing := [m for m in names if m not in x]:
        raise CallError(f"{where}: the member `{missing[0]}` of `{name}` is missing")
    return {m: fitted(x[m], mt, structs, f"{where}.{m}") for m, mt in members}


def described(x: Literal) -> str:
    """What a literal is, in words."""
    match x:
        case bool():
            return "a bool"
        case float() | int():
            return "a number"
        case list():
            return "a list"
        case tuple():
            return "a tuple"
        case _:
            return "a dict"


def zeroed(t: Type, structs: Structs, where: str, length: int | None = None) -> Plain:
    """Zeros of a type; an array without a size has `length` elements, CallError without one."""
    match t:
        case Scalar():
            return False if t is Scalar.BOOL else 0.0 if t.is_float else 0
        case StructType(name):
            return {
                m: zeroed(mt, structs, f"{where}.{m}", length) for m, mt in structs[name].members
            }
        case ArrayType(element, size):
            count = length if size is None else size
            if count is None:
                raise CallError(
                    f"{where}: the length of `{type_text(t)}` is not known: give a list, "
                    f"for instance {where.split('[')[0].split('.')[0]}=[0] * 8"
                )
            return [zeroed(element, structs, f"{where}[{i}]", length) for i in range(count)]
        case TapeType():
            raise CallError(f"{where}: a `Tape` cannot come from outside")
        case _:
            assert_never(t)


def alike(x: Plain) -> Plain:
    """Zeros in the shape of data."""
    match x:
        case dict():
            return {k: alike(v) for k, v in x.items()}
        case list():
            return [alike(v) for v in x]
        case _:
            return type(x)(0)


def leaves(
    x: Plain, t: Type, structs: Structs, path: str = ""
) -> Iterator[tuple[str, Scalar, Number]]:
    """Every scalar inside data: its path, type and value."""
    match t, x:
        case Scalar(), float() | int():
            yield path, t, x
        case StructType(name), dict():
            for m, mt in structs[name].members:
                yield from leaves(x[m], mt, structs, f"{path}.{m}")
        case ArrayType(element), list():
            for i, item in enumerate(x):
                yield from leaves(item, element, structs, f"{path}[{i}]")
        case _:
            raise AssertionError(f"{path} does not hold a {t}")


def number_text(x: Number, t: Scalar = Scalar.F64) -> str:
    """A number with the digits that its type holds."""
    if isinstance(x, bool) or not isinstance(x, float):
        return str(x)
    return shortest(x, t) if t.is_float and math.isfinite(x) else repr(x)


def text(x: Plain, t: Type, structs: Structs, longest: int = 16) -> str:
    """Data as a Python literal; of a long list, the beginning and the end."""
    match t, x:
        case Scalar(), float() | int():
            return number_text(x, t)
        case StructType(name), dict():
            members = [f"{m}={text(x[m], mt, structs, longest)}" for m, mt in structs[name].members]
            return f"{name}({', '.join(members)})"
        case ArrayType(element), list():
            if len(x) <= longest:
                return f"[{', '.join(text(i, element, structs, longest) for i in x)}]"
            head = [text(i, element, structs, longest) for i in x[: longest - 3]]
            last = text(x[-1], element, structs, longest)
            return f"[{', '.join(head)}, ... {last}]  ({len(x)} elements)"
        case _:
            raise AssertionError(f"{x!r} is not a {t}")
