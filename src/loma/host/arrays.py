"""Python values as memory for loma, and back: numbers, NumPy arrays, structs of both.

A struct is given as a dict, a named tuple, a dataclass, any object with its members as attributes,
or a record of a structured array. An array of arrays is given as a list of arrays, or as an array
of two dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from numbers import Integral, Real
from typing import Any, Final, assert_never

import numpy as np

from loma.host.blocks import Block, Child
from loma.host.refusals import ArgumentTypeError, ArgumentValueError, announce_copy
from loma.host.values import (
    Value,
    described,
    fields_text,
    masked,
    misfit,
    named_tuple,
    number_of,
    same_fields,
    truths,
)
from loma.ir.types import (
    ArrayType,
    Scalar,
    Structs,
    StructType,
    TapeType,
    Type,
    has_pointer,
    type_text,
)

SCALARS: Final[dict[Scalar, np.dtype[Any]]] = {
    Scalar.BOOL: np.dtype(np.int32), Scalar.I32: np.dtype(np.int32),
    Scalar.I64: np.dtype(np.int64), Scalar.F32: np.dtype(np.float32),
    Scalar.F64: np.dtype(np.float64)}
DTYPES: Final = {**SCALARS, Scalar.BOOL: np.dtype(np.bool_)}  # as NumPy and its like have them
POINTER: Final = np.dtype(np.uintp)
OTHER_FLOATS: Final = (np.float16, np.longdouble)


@dataclass(frozen=True)
class Converter:
    """Converts between Python values and memory for one program.

    `classes` are the user's classes by struct, `shapes` the sizes of arguments of named size.
    """

    function: str
    structs: Structs
    float_type: Scalar
    classes: Mapping[str, type] = field(default_factory=dict)
    shapes: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    dtypes: dict[Type, np.dtype[Any]] = field(default_factory=dict)
    tuples: dict[str, Callable[..., Value]] = field(default_factory=dict)

    # Types.

    def dtype(self, t: Type) -> np.dtype[Any]:
        """The layout of a value in memory; it is that of C."""
        found = self.dtypes.get(t)
        if found is None:
            found = self.dtypes[t] = self._dtype(t)
        return found

    def _dtype(self, t: Type) -> np.dtype[Any]:
        match t:
            case Scalar():
                return SCALARS[t]
            case StructType(name):
                members = [(m, self.dtype(mt)) for m, mt in self.structs[name].members]
                return np.dtype(members, align=True)
            case ArrayType(_, None):
                return POINTER
            case ArrayType(element, size):
                whole: np.dtype[Any] = np.dtype((self.dtype(element), (size,)))
                return whole
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)

    def text(self, t: Type) -> str:
        """The type as loma text."""
        return type_text(t, self.float_type)

    def flat(self, element: Type) -> bool:
        """Whether arrays of such elements are one stretch of memory."""
        return not has_pointer(element, self.structs)

    # Python to memory.

    def number(self, x: Value, t: Scalar, where: str) -> float | int | bool:
        """A number for a scalar; refuses what would lose something."""
        if isinstance(x, np.ndarray) and x.ndim == 0:
            x = x[()]
        if t.is_float:
            if isinstance(x, Real | np.floating) and not isinstance(x, OTHER_FLOATS):
                return self._real(x, where)
        elif t is Scalar.BOOL:
            if isinstance(x, bool | np.bool_):
                return bool(x)
        elif isinstance(x, Integral):
            limit = 1 << (8 * t.bytes - 1)
            if -limit <= int(x) < limit:
                return int(x)
            raise ArgumentValueError(
                f"{self._at(where)} must be an `{self.text(t)}`, and {x} does not fit into one")
        raise ArgumentTypeError(
            f"{self._at(where)} must be a number of type `{self.text(t)}`, not {described(x)}",
            f"convert it with `{'float' if t.is_float else 'int'}(...)`"
            if isinstance(x, Real | np.floating) and t is not Scalar.BOOL else "")

    def _real(self, x: Value, where: str) -> float:
        try:
            return float(x)
        except OverflowError:
            raise ArgumentValueError(f"{self._at(where)} is too large for a float") from None

    def record(self, x: Value, t: StructType, where: str) -> tuple[np.ndarray[Any, Any], Child]:
        """A struct as memory, and the arrays that it points to."""
        memory = np.zeros(1, self.dtype(t))
        return memory, self._write(memory, 0, t, x, where)

    def block(self, x: Value, t: ArrayType, where: str, writes: bool) -> Block:
        """An array as memory; what will be written must be the caller's own memory."""
        if not self.flat(t.element):
            return self._rows(x, t, where, writes)
        dtype = self.dtype(t.element)
        if not isinstance(x, np.ndarray):
            x = self._array(x, t, where, writes)
        base, inner = (dtype.base, dtype.shape) if dtype.shape else (dtype, ())
        if x.dtype == np.bool_ and truths(t):
            self._check_array(x, t, x.dtype, inner, where)
            if writes and not x.flags.writeable:
                self._check_writable(x, True, where)
            return Block(x, x.astype(base, order="C"), settles=writes)
        self._check_array(x, t, base, inner, where)
        fits = x.flags.c_contiguous and x.flags.aligned and x.dtype == base
        if writes:
            self._check_writable(x, fits, where)
        elif not fits:
            memory = np.ascontiguousarray(x, base)
            announce_copy(self.function, where)
            return Block(x, memory)
        return Block(x, x)

    def _array(self, x: Value, t: ArrayType, where: str, writes: bool) -> np.ndarray[Any, Any]:
        """An array from what is no NumPy array: from its buffer, or a list of numbers."""
        if hasattr(x, "__array_interface__"):
            return np.asarray(x)
        if isinstance(x, list | tuple) and not writes:
            if isinstance(t.element, StructType):
                memory = np.zeros(len(x), self.dtype(t.element))
                for i, item in enumerate(x):
                    self._write(memory, i, t.element, item, f"{where}[{i}]")
                return memory
            return self._listed(x, t, where)
        raise ArgumentTypeError(
            f"{self._at(where)} must be {self.wanted(t)}, not {described(x)}")

    def _listed(self, x: Value, t: ArrayType, where: str) -> np.ndarray[Any, Any]:
        base = self.dtype(t.element).base
        try:
            found = np.asarray(x)
        except ValueError:
            raise ArgumentTypeError(
                f"{self._at(where)} must be {self.wanted(t, where)}, and the rows of the list "
                "differ in length") from None
        number = "biuf" if base.kind == "f" else "b" if truths(t) else "biu"
        if found.size and (found.dtype.kind not in number):
            raise ArgumentTypeError(
                f"{self._at(where)} must be {self.wanted(t)}, not {described(x)}")
        made = found.astype(base)
        if base.kind == "i" and (made != found).any():
            raise ArgumentValueError(
                f"{self._at(where)} must be {self.wanted(t)}, and a number in the list does not "
                "fit into one")
        return made

    def _check_array(
        self, x: np.ndarray[Any, Any], t: ArrayType, base: np.dtype[Any],
        inner: tuple[int, ...], where: str,
    ) -> None:
        if masked(x):
            raise ArgumentTypeError(
                f"{self._at(where)} must be {self.wanted(t)}, not a masked array",
                "`.filled(...)` gives one without a mask")
        if not same_fields(x.dtype, base):
            help = ""
            if x.dtype.kind in "biuf" and base.kind in "biuf":
                name = "bool" if truths(t) else f"np.{base.name}"
                help = f"convert it with `.astype({name})`"
            raise ArgumentTypeError(
                f"{self._at(where)} must be {self.wanted(t)}, not {described(x)}", help)
        sizes = (*self.shapes.get(where, (t.size,)), *inner)
        if x.ndim != len(sizes):
            self.refuse(x, t, where)
        if any(isinstance(n, int) and n != found for n, found in zip(sizes, x.shape)):
            raise ArgumentValueError(
                f"{self._at(where)} must be {self.wanted(t, where)}, not {described(x)}")

    def refuse(self, x: Value, t: ArrayType, where: str) -> None:
        """Raises for an array of another number of dimensions."""
        one = len(self.shapes.get(where, (t.size,))) == 1 and not self.dtype(t.element).shape
        help = "`.ravel()` makes it one-dimensional" if np.ndim(x) and one else ""
        raise ArgumentTypeError(
            f"{self._at(where)} must be {self.wanted(t, where)}, not {described(x)}", help)

    def _check_writable(self, x: np.ndarray[Any, Any], fits: bool, where: str) -> None:
        if not x.flags.writeable:
            raise ArgumentValueError(f"{self._at(where)} is written, and the array is read-only")
        if not fits:
            what, help = misfit(x)
            raise ArgumentValueError(f"{self._at(where)} is written, and {what}", help)

    def _rows(self, x: Value, t: ArrayType, where: str, writes: bool) -> Block:
        """An array whose elements are, or hold, pointers."""
        if isinstance(x, np.ndarray) and x.dtype != object and isinstance(t.element, StructType):
            raise ArgumentTypeError(
                f"{self._at(where)} must be a list of `{self.text(t.element)}`, which holds "
                f"arrays, not {described(x)}")
        if not isinstance(x, list | tuple | np.ndarray) or (
                isinstance(x, np.ndarray) and not x.ndim):
            raise ArgumentTypeError(
                f"{self._at(where)} must be {self.wanted(t)}, not {described(x)}")
        if t.size is not None and len(x) != t.size:
            raise ArgumentValueError(
                f"{self._at(where)} must be {self.wanted(t)}, not one of length {len(x)}")
        memory = np.zeros(len(x), self.dtype(t.element))
        children = [self._write(memory, i, t.element, row, f"{where}[{i}]", writes)
                    for i, row in enumerate(x)]
        return Block(x, memory, children)

    def _write(
        self, memory: Value, key: int | str, t: Type, x: Value, where: str, writes: bool = False
    ) -> Child:
        """Writes a value into a cell of memory; gives the arrays that it points to."""
        match t:
            case Scalar():
                memory[key] = self.number(x, t, where)
                return None
            case StructType(name):
                cell, given = memory[key], self.members(x, name, where)
                return {m: self._write(cell, m, mt, given[m], f"{where}.{m}", writes)
                        for m, mt in self.structs[name].members}
            case ArrayType(_, None):
                made = self.block(x, t, where, writes)
                memory[key] = made.address
                return made
            case ArrayType(element):
                made = self.block(x, t, where, False)
                if self.flat(element):
                    memory[key][...] = made.memory
                    return None
                memory[key] = made.memory
                return made
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)

    def members(self, x: Value, name: str, where: str) -> dict[str, Value]:
        """The members of a struct that is given in any of its forms."""
        wanted = [m for m, _ in self.structs[name].members]
        if isinstance(x, np.ndarray) and not x.ndim:
            x = x[()]
        if isinstance(x, np.void) and x.dtype.names is not None:
            found = {m: x[m] for m in x.dtype.names}
        elif isinstance(x, Mapping):
            found = dict(x)
        elif isinstance(x, tuple | list) and not hasattr(x, "_fields"):
            found = dict(zip(wanted, x)) if len(x) == len(wanted) else {}
        else:
            found = {m: getattr(x, m) for m in wanted if hasattr(x, m)}
        missing = [m for m in wanted if m not in found]
        extra = [m for m in found if m not in wanted]
        if missing or extra:
            shown = ", ".join(wanted)
            raise ArgumentTypeError(
                f"{self._at(where)} must be a `{name}` with the members {shown}, "
                f"not {described(x)}")
        return found

    # Memory to Python.

    def shown(self, memory: Value, key: int | str, t: Type, child: Child) -> Value:
        """A cell of memory as the user gets it."""
        match t:
            case Scalar():
                return number_of(memory[key], t)
            case StructType(name):
                return self.made(name, memory[key], child)
            case ArrayType(_, None):
                return child.value if isinstance(child, Block) else None
            case ArrayType(element) if self.flat(element):
                return np.array(memory[key], np.bool_ if truths(t) else None)
            case ArrayType():
                return child.value if isinstance(child, Block) else None
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)

    def made(self, name: str, cell: Value, child: Child) -> Value:
        """A struct as the user's class if it is a dataclass or a named tuple, else as a named
        tuple.
        """
        inside = child if isinstance(child, dict) else {}
        values = {m: self.shown(cell, m, mt, inside.get(m))
                  for m, mt in self.structs[name].members}
        return self.maker(name)(**values)

    def maker(self, name: str) -> Callable[..., Value]:
        """What makes a struct from its members."""
        found = self.tuples.get(name)
        if found is None:
            cls = self.classes.get(name)
            if cls is not None and (is_dataclass(cls) or hasattr(cls, "_fields")):
                found = cls
            else:
                members = [m for m, _ in self.structs[name].members]
                found = named_tuple(name, members)
            self.tuples[name] = found
        return found

    # New memory.

    def zeros(self, t: Type, like: Value, where: str) -> Value:
        """Zeros in the shape of a value."""
        match t:
            case Scalar():
                return False if t is Scalar.BOOL else 0
            case StructType(name):
                given = self.members(like, name, where)
                return {m: self.zeros(mt, given[m], f"{where}.{m}")
                        for m, mt in self.structs[name].members}
            case ArrayType(element) if self.flat(element):
                dimensions = len(self.shapes.get(where, (None,)))
                return np.zeros(np.shape(like)[: dimensions + len(self.dtype(element).shape)],
                                self.dtype(element).base)
            case ArrayType(ArrayType(inner)) if isinstance(like, np.ndarray) and like.ndim > 1:
                return np.zeros(like.shape, self.dtype(inner).base)
            case ArrayType(element):
                return [self.zeros(element, row, where) for row in like]
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)

    def empty(self, t: Type, shape: tuple[int, ...] | None, where: str) -> Value:
        """Zeros of a type; `shape` is that of an array that has no size of its own."""
        match t:
            case Scalar():
                return False if t is Scalar.BOOL else 0
            case StructType(name):
                return {m: self.empty(mt, None, f"{where}.{m}")
                        for m, mt in self.structs[name].members}
            case ArrayType(element, size):
                outer = shape if size is None else (size,)
                if outer is not None and self.flat(element):
                    dtype = self.dtype(element)
                    base = np.dtype(np.bool_) if truths(element) else dtype.base
                    return np.zeros((*outer, *dtype.shape), base)
            case TapeType():
                pass
            case _:
                assert_never(t)
        raise ArgumentTypeError(
            f"{self._at(where)} has no length that could be known: pass an array to write to, "
            f"`{where.split('.')[0]}=...`")

    def wanted(self, t: ArrayType, where: str = "") -> str:
        """What an argument of an array type must be, in words."""
        element = t.element
        if not self.flat(element):
            inner = element.element if isinstance(element, ArrayType) else element
            if isinstance(inner, Scalar):
                return f"a list of {SCALARS[inner].name} arrays, or an array of two dimensions"
            return f"a list for `{self.text(t)}`"
        dtype = self.dtype(element)
        outer = self.shapes.get(where, ("n" if t.size is None else t.size,))
        shape = (*map(str, outer), *map(str, dtype.shape))
        kind = dtype.base.name if dtype.base.names is None else fields_text(dtype.base)
        kind = "bool" if truths(element) else kind
        if len(shape) == 1:
            length = "" if t.size is None else f" of length {t.size}"
            return f"a 1-D {kind} array{length}"
        return f"a {kind} array of shape ({', '.join(shape)})"

    def _at(self, where: str) -> str:
        return f"`{self.function}`: argument `{where}`"
