"""Arguments of a call as arrays of another library, one for each buffer; and results back.

A struct is given as a dict, a named tuple, a dataclass or any object with its members as
attributes. An array of structs is given as one struct whose members are arrays, or as a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, assert_never

import numpy as np

from loma.backends.llvm.flat_shape import Dim
from loma.host.arguments import Given
from loma.host.arrays import DTYPES, SCALARS, Converter
from loma.host.call import result_name
from loma.host.description import explicit_members
from loma.host.function import Function
from loma.host.interop.buffers import Buffer, owner
from loma.host.interop.op import Op, op_of
from loma.host.refusals import ArgumentTypeError, ArgumentValueError
from loma.host.values import Value, article, described, named_tuple
from loma.ir.nodes import Argument, Direction
from loma.ir.types import F32, F64, ArrayType, Scalar, StructType, TapeType, Type

LISTS: Final = (list, tuple)
KINDS: Final = {"f": "fiu", "i": "iu", "b": "b"}  # of numbers in lists, by what they shall be


class Kit(Protocol):
    """What must be known of an array library."""

    noun: str
    """What its arrays are called."""
    weak: Scalar
    """The real type where only numbers of Python are given."""

    def owns(self, x: Value) -> bool:
        """Whether it is an array of this library."""

    def scalar(self, x: Value) -> Scalar | None:
        """The type of an array's elements, if loma has it."""

    def shape(self, x: Value) -> tuple[int, ...]:
        """The shape of an array."""

    def described(self, x: Value) -> str:
        """An array in words."""

    def is_weak(self, x: Value) -> bool:
        """Whether it stands for a number of Python, which takes the type that is wanted."""

    def cast(self, x: Value, type: Scalar) -> Value:
        """An array in another type."""

    def check(self, where: str, x: Value) -> None:
        """Refuses an array on a device, or in a form, that cannot be used."""

    def made(self, x: np.ndarray[Any, Any], type: Scalar) -> Value:
        """A constant."""

    def number(self, x: float | int | bool, type: Scalar) -> Value:
        """A constant without dimensions."""

    def stacked(self, parts: Sequence[Value]) -> Value:
        """Arrays of one shape as one array."""

    def whole_number(self, where: str, x: Value) -> int:
        """The value of an int."""


Path: TypeAlias = str


@dataclass(frozen=True, slots=True)
class Taken:
    """What the user gave for one buffer."""

    path: Path
    value: Value


def held(kit: Kit, x: Value) -> bool:
    """Whether a value is, or holds, an array of a library."""
    if kit.owns(x):
        return True
    match x:
        case np.ndarray() | str() | float() | int() | None:
            return False
        case Mapping():
            return any(held(kit, v) for v in x.values())
        case list() | tuple():
            return any(held(kit, v) for v in x[:8]) if len(x) else False
        case _:
            return hasattr(x, "__dict__") and any(held(kit, v) for v in vars(x).values())


def opened(kit: Kit, f: Function, values: Given, threads: int | None,
           float_type: Scalar | None = None, told: Mapping[str, int] | None = None,
           ) -> tuple[Op, list[Value]]:
    """The function on buffers, and an array for each input; all is checked.

    `told`: named sizes that are known from elsewhere.
    """
    description = f.describe(f.program.fixed_type or F64)
    for a in description.signature.written:
        if a.direction is Direction.OUT and a.name in values:
            raise ArgumentTypeError(
                f"`{f.name}`: argument `{a.name}` is written, and a call with {kit.noun}s "
                "writes none of them", "leave it out: it comes back as a result")
    convert = Converter(f.name, description.structs, description.float_type)
    taken = [t for a in description.signature.written if a.direction is not Direction.OUT
             for t in _taken(kit, convert, a.type, values[a.name], a.name, 0)]
    sizes = {**(told or {}), **_sizes(kit, f, values)}
    op = op_of(f, float_type or real_type(kit, f, taken), threads, sizes)
    arrays = [_array(kit, op, b, t) for b, t in zip(op.inputs, taken, strict=True)]
    op.shapes(tuple(kit.shape(x) for x in arrays))
    return op, arrays


def spread(
    kit: Kit, op: Op, buffers: Sequence[Buffer], a: Argument, x: Value, *, written: bool = False
) -> Iterator[tuple[int, Value]]:
    """An argument's value as arrays for those of the buffers that are the argument's; if
    they are to be `written`, it must have them, and nobody looks at their lengths."""
    parts = _taken(kit, op.instance.convert, a.type, x, a.name, 0)
    own = [i for i, b in enumerate(buffers) if owner(b.path) == a.name]
    for i, t in zip(own, parts, strict=True):
        yield i, _array(kit, op, buffers[i], t, written)


def _taken(kit: Kit, convert: Converter, t: Type, x: Value, where: str, rank: int,
           ) -> Iterator[Taken]:
    """A value's parts, in the order of the buffers."""
    match t:
        case Scalar():
            yield Taken(where, x)
        case StructType(name):
            given = _members(kit, convert, name, x, where, rank)
            for m, mt in convert.structs[name].members:
                yield from _taken(kit, convert, mt, given[m], f"{where}.{m}", rank)
        case ArrayType(element):
            yield from _taken(kit, convert, element, x, where, rank + 1)
        case TapeType():
            raise AssertionError("a tape never leaves the program")
        case _:
            assert_never(t)


def _members(kit: Kit, convert: Converter, name: str, x: Value, where: str, rank: int,
             ) -> Mapping[str, Value]:
    """The members of a struct; of an array of structs, those of all."""
    if kit.owns(x):
        members = ", ".join(m for m, _ in convert.structs[name].members)
        raise ArgumentTypeError(
            f"`{convert.function}`: argument `{where}` must be a `{name}` with the members "
            f"{members}, not {kit.described(x)}",
            f"give a dict with {'an array' if rank else 'a number'} for each member")
    if rank and isinstance(x, np.ndarray) and x.dtype.names is not None:
        return {m: np.ascontiguousarray(x[m]) for m in x.dtype.names}
    if rank and isinstance(x, LISTS) and not hasattr(x, "_fields"):
        each = [_members(kit, convert, name, i, f"{where}[{k}]", rank - 1)
                for k, i in enumerate(x)]
        return {m: [e[m] for e in each] for m, _ in convert.structs[name].members}
    return convert.members(x, name, where)


def _sizes(kit: Kit, f: Function, values: Given) -> dict[str, int]:
    """The named sizes that ints among the arguments tell."""
    facts = f.describe(f.program.fixed_type or F64).facts
    if not facts.sizes:
        return {}
    ints = {a.name for a in f.signature.arguments
            if isinstance(a.type, Scalar) and a.type.is_int}
    named = {label for labels in facts.sizes.values() for label in labels if label in ints}
    found = {n: kit.whole_number(f"`{f.name}`: argument `{n}`", values[n])
             for n in sorted(n for n in named if n) if n in values}
    for n, size in found.items():
        if size < 0:
            raise ArgumentValueError(
                f"`{f.name}`: argument `{n}` tells the length of an array, and is {size}")
    return found


def real_type(kit: Kit, f: Function, taken: Sequence[Taken]) -> Scalar:
    """What `float` stands for in a call: arrays decide it."""
    fixed = f.program.fixed_type
    if fixed is not None:
        return fixed
    found = {t.path: s for t in taken for s in _float_types(kit, t.value)}
    if found and F32 not in found.values():
        return F64
    free = f.free()
    explicit = explicit_members(f.describe(F64), f.describe(F32))
    chosen = {p: s for p, s in found.items()
              if p.split(".")[0] in free and not explicit.intersection(p.split(".")[1:])}
    if len(set(chosen.values())) > 1:
        listed = ", ".join(f"`{p}` has float{8 * s.bytes}" for p, s in chosen.items())
        raise ArgumentTypeError(
            f"`{f.name}`: the arguments mix float32 and float64: {listed}",
            "convert them to one of the two")
    return next(iter(chosen.values()), F64 if found else kit.weak)


def _float_types(kit: Kit, x: Value) -> set[Scalar]:
    if isinstance(x, LISTS):
        return {s for i in x for s in _float_types(kit, i)}
    if kit.owns(x):
        found = None if kit.is_weak(x) else kit.scalar(x)
    elif isinstance(x, np.ndarray | np.floating):
        found = {np.dtype(np.float32): F32, np.dtype(np.float64): F64}.get(x.dtype)
    else:
        return set()
    return {found} if found is not None and found.is_float else set()


# One array for each buffer.


def _array(kit: Kit, op: Op, b: Buffer, t: Taken, written: bool = False) -> Value:
    x = t.value
    where = f"`{op.name}`: argument `{b.path}`"
    if not kit.owns(x):
        if written:
            raise ArgumentTypeError(f"{where} is written, and must lie on the GPU as others do")
        x = _constant(kit, op, b, t)
    elif not b.leaf.dims and kit.is_weak(x) and _widens(kit.scalar(x), b.leaf.type):
        x = kit.cast(x, b.leaf.type)
    kit.check(where, x)
    shape, dims = kit.shape(x), b.leaf.dims
    if kit.scalar(x) is not b.leaf.type or len(shape) != len(dims):
        raise ArgumentTypeError(f"{where} must be {wanted(kit, b)}, not {kit.described(x)}")
    if not written and any(not isinstance(d, Dim) and d != n for d, n in zip(dims, shape)):
        raise ArgumentValueError(f"{where} must be {wanted(kit, b)}, not {kit.described(x)}")
    return x


def _widens(given: Scalar | None, wanted: Scalar) -> bool:
    """Whether a number of Python of a type is to become one of another, as ints become floats."""
    return given not in (None, wanted) and (wanted.is_float or (
        given is not None and wanted.is_int and given.is_int))


def _constant(kit: Kit, op: Op, b: Buffer, t: Taken) -> Value:
    """A number, a list or a NumPy array as an array of the library."""
    x, where = t.value, f"`{op.name}`: argument `{b.path}`"
    if not b.leaf.dims:
        return kit.number(op.instance.convert.number(x, b.leaf.type, b.path), b.leaf.type)
    if isinstance(x, LISTS) and any(_holds(kit, i) for i in x):
        return _stacked(kit, op, b, x, where)
    dtype = DTYPES[b.leaf.type]
    try:
        found = np.asarray(x)
        if not isinstance(x, np.ndarray) and found.dtype.kind in KINDS[dtype.kind]:
            made = found.astype(dtype)
            found = made if dtype.kind == "f" or (made == found).all() else found
    except (TypeError, ValueError):
        found = np.empty((), object)
    if found.dtype != dtype:
        raise ArgumentTypeError(f"{where} must be {wanted(kit, b)}, not {described(x)}")
    return kit.made(found, b.leaf.type)


def _holds(kit: Kit, x: Value) -> bool:
    return kit.owns(x) or (isinstance(x, LISTS) and any(_holds(kit, i) for i in x))


def _stacked(kit: Kit, op: Op, b: Buffer, x: Sequence[Value], where: str) -> Value:
    """A list of arrays and numbers as one array."""
    parts = [_stacked(kit, op, b, i, where) if isinstance(i, LISTS) else i if kit.owns(i)
             else kit.made(np.asarray(i, SCALARS[b.leaf.type]), b.leaf.type) for i in x]
    if len({kit.shape(p) for p in parts}) > 1:
        raise ArgumentValueError(
            f"{where} is a list of {kit.noun}s whose lengths differ", "call it with NumPy arrays")
    if {kit.scalar(p) for p in parts} != {b.leaf.type}:
        raise ArgumentTypeError(
            f"{where} must be {wanted(kit, b)}, not a list with {kit.described(parts[0])}")
    return kit.stacked(parts)


def wanted(kit: Kit, b: Buffer) -> str:
    """What an argument must be, in words."""
    name = DTYPES[b.leaf.type].name
    dims = b.leaf.dims
    if not dims:
        return f"a number or {article(name)} {name} {kit.noun} without dimensions"
    shape = ", ".join("n" if isinstance(d, Dim) else str(d) for d in dims)
    return f"{article(name)} {name} {kit.noun} of shape ({shape}{',' if len(dims) == 1 else ''})"


# Results.


def packed(op: Op, arrays: Sequence[Value]) -> Value:
    """Results as the user gets them: nothing, the one, or a named tuple."""
    return form_of(op).packed(arrays)


def form_of(op: Op) -> Form:
    """How the outputs are shown; made once."""
    form: Form | None = op.doors.get("form")
    if form is None:
        form = op.doors["form"] = Form(op)
    return form


class Form:
    """How the outputs of a function are shown."""

    def __init__(self, op: Op) -> None:
        self.convert = op.instance.convert
        s = op.instance.description.signature
        written = [(a.name, a.type) for a in s.arguments if a.direction is not Direction.IN]
        self.types: list[tuple[str, Type]] = [
            *([] if s.result is None else [(result_name(s), s.result)]), *written]
        self.make = named_tuple(f"{op.instance.name}_results", [n for n, _ in self.types])
        self.plain = len(self.types) == len(op.outputs) and not any(
            _is_struct(t) for _, t in self.types)

    def packed(self, arrays: Sequence[Value]) -> Value:
        """The results."""
        found = self.values(arrays)
        return self.make(**found) if len(found) > 1 else next(iter(found.values()), None)

    def values(self, arrays: Sequence[Value]) -> dict[str, Value]:
        """The results by name."""
        if self.plain:
            return {n: x for (n, _), x in zip(self.types, arrays)}
        rest = iter(arrays)
        return {n: self._shown(t, rest) for n, t in self.types}

    def _shown(self, t: Type, rest: Iterator[Value]) -> Value:
        match t:
            case Scalar():
                return next(rest)
            case StructType(name):
                members = self.convert.structs[name].members
                return self.convert.maker(name)(**{m: self._shown(mt, rest) for m, mt in members})
            case ArrayType(element):
                return self._shown(element, rest)
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)


def _is_struct(t: Type) -> bool:
    while isinstance(t, ArrayType):
        t = t.element
    return isinstance(t, StructType)
