"""What core values mean: scalar arithmetic rounded to its type, and memory as Python objects.

A number is a Python number. Memory is a list for an array, a dict for a struct, a list of one for a
scalar that stands alone, None for a null pointer, and a list of frames for a tape.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from ctypes import c_float
from typing import Final, TypeAlias

from loma.ir.prims.record import Prim
from loma.ir.types import ArrayType, Scalar, Structs, StructType, TapeType, Type

Number: TypeAlias = float | int | bool
Frame: TypeAlias = tuple[Number, ...]
Memory: TypeAlias = list["Memory"] | dict[str, "Memory"] | Number | None


class Growable(dict[int, "Memory"]):
    """An endless zeroed array."""

    def __init__(self, zero: Callable[[], Memory]) -> None:
        super().__init__()
        self.zero = zero

    def __missing__(self, key: int) -> Memory:
        if key < 0:
            raise IndexError(key)
        new = self.zero()
        if isinstance(new, list | dict):
            self[key] = new
        return new


def zero(t: Type, structs: Structs) -> Memory:
    """A zeroed value of a type, as it lies inside memory."""
    match t:
        case Scalar():
            return False if t is Scalar.BOOL else 0.0 if t.is_float else 0
        case StructType(name):
            return {field: zero(m, structs) for field, m in structs[name].members}
        case ArrayType(_, None):
            return None
        case ArrayType(element, int() as size):
            return [zero(element, structs) for _ in range(size)]
        case _:
            return []


def fitted(value: Memory, t: Type, structs: Structs) -> Memory:
    """A caller's value with each scalar rounded to its type; aggregates are changed in place."""
    match t:
        case Scalar():
            assert isinstance(value, float | int), f"expected a {t.value}, got {value!r}"
            return CONVERT[t](value)
        case StructType(name):
            assert isinstance(value, dict), f"expected a {name}, got {value!r}"
            for field, m in structs[name].members:
                value[field] = fitted(value[field], m, structs)
        case ArrayType(element, size) if isinstance(value, list):
            assert size is None or len(value) >= size, f"expected {size} elements, got {len(value)}"
            value[:] = [fitted(x, element, structs) for x in value]
        case ArrayType() | TapeType():
            pass
    return value


def wrapper(bits: int) -> Callable[[Number], int]:
    """Conversion to a wrapping integer; floats truncate and saturate, nan gives 0."""
    half, whole = 1 << (bits - 1), 1 << bits

    def convert(x: Number) -> int:
        if isinstance(x, float):
            if x != x:
                return 0
            return (
                int(max(-half, min(half - 1, x)))
                if math.isfinite(x)
                else (half - 1 if x > 0 else -half)
            )
        return (x + half) % whole - half

    return convert


def to_f32(x: Number) -> float:
    """The nearest single-precision number."""
    return c_float(x).value


CONVERT: Final[dict[Scalar, Callable[[Number], Number]]] = {
    Scalar.BOOL: lambda x: x != 0,
    Scalar.I32: wrapper(32),
    Scalar.I64: wrapper(64),
    Scalar.F32: to_f32,
    Scalar.F64: float,
}


def _div(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        if x == 0 or x != x:
            return math.nan
        return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:  # 0 to a negative power, or a negative number to a fraction
        if x != 0:
            return math.nan
        return math.copysign(math.inf, x) if y % 2 == 1 else math.inf


def _pow_log(x: float, y: float) -> float:
    power = _pow(x, y)
    return _log(x) * power if power != 0 else 0.0


def _log(x: float) -> float:
    if x == 0:
        return -math.inf
    return math.log(x) if x > 0 else math.nan


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


IEEE: Final[dict[str, Callable[..., float]]] = {
    "div": _div,
    "pow": _pow,
    "pow_log": _pow_log,
    "log": _log,
    "exp": _exp,
    "sqrt": _sqrt,
}


def _real(meaning: Callable[..., complex | bool]) -> Callable[..., Number]:
    def f(*args: Number) -> Number:
        try:
            z = meaning(*args)
        except (ValueError, OverflowError, ZeroDivisionError):
            return math.nan
        if isinstance(z, complex):
            return z.real if z.imag == 0 or z.imag != z.imag else math.nan
        return z

    return f


EXACT: Final = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "not", "and", "or", "select"})
RINGS: Final = frozenset({
    "add", "sub", "mul", "neg", "idiv", "bit_and", "bit_or", "bit_xor", "bit_not", "shl", "shr"})


def arithmetic(prim: Prim, type: Scalar) -> Callable[..., Number]:
    """A primitive as a Python function whose result, of the given type, is rounded or wrapped."""
    convert = CONVERT[type]
    if prim.name == "cast":
        return convert
    f: Callable[..., Number]
    if prim.name in EXACT:
        return prim.meaning  # type: ignore[return-value]  # real operands give a real result
    if prim.name in RINGS:
        f = prim.meaning  # type: ignore[assignment]
    else:
        f = IEEE.get(prim.name) or _real(prim.meaning)
    if type is Scalar.F64:
        return f
    if prim.arity == 1:
        return lambda x: convert(f(x))
    if prim.arity == 2:
        return lambda x, y: convert(f(x, y))
    return lambda *args: convert(f(*args))
