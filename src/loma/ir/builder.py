"""Appends operations to a list, folding what is trivial on the way."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loma.diagnostics import NOWHERE, Span
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Const,
    Load,
    LoadRef,
    Op,
    Operand,
    Path,
    Region,
    Store,
    Var,
    View,
    Window,
)
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim, Result
from loma.ir.types import ArrayType, Ref, Scalar, Structs, StructType, Type

NOTHING: Final = Region((), (), ())
"""A region that does nothing."""


def rounded(value: float | int | bool, type: Scalar) -> float | int | bool:
    """The value as the scalar type holds it: rounded once, or wrapped."""
    match type:
        case Scalar.F32:
            return _to_f32(float(value))
        case Scalar.F64:
            return float(value)
        case Scalar.BOOL:
            return bool(value)
        case Scalar.I32 | Scalar.I64:
            bits = 8 * type.bytes
            return (int(value) + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def _to_f32(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:  # struct refuses what rounds to infinity
        return float("inf") if value > 0 else float("-inf")


def const(value: float | int | bool, type: Scalar) -> Const:
    """The literal, rounded to its type."""
    return Const(rounded(value, type), type)


def type_of(x: Operand) -> Scalar:
    """The scalar type of an operand that is a value."""
    return x.type if isinstance(x, Const) else x.scalar


def is_const(x: Operand, value: float) -> bool:
    """Whether the operand is that literal, sign of zero included."""
    return isinstance(x, Const) and x.value == value and str(float(x.value)) == str(float(value))


class Builder:
    """Collects operations; each method emits one and gives its result.

    `span` is put on every operation; set it to the place in the source that is being translated.
    """

    def __init__(self, structs: Structs, span: Span = NOWHERE) -> None:
        self.structs = structs
        self.span = span
        self.ops: list[Op] = []

    def emit(self, op: Op) -> None:
        """Appends an operation as it is."""
        self.ops.append(op)

    @contextmanager
    def nested(self) -> Iterator[list[Op]]:
        """Within the block, operations go to a list of their own, which is given."""
        outer, self.ops = self.ops, []
        try:
            yield self.ops
        finally:
            self.ops = outer

    def region(
        self, ops: list[Op], yields: tuple[Operand, ...] = (), args: tuple[Var, ...] = ()
    ) -> Region:
        """A region of collected operations."""
        return Region(args, tuple(ops), yields)

    # Literals of the type of an operand.

    def number(self, value: float, like: Operand) -> Const:
        """`value` in the type of `like`."""
        return const(value, type_of(like))

    def one(self, like: Operand) -> Const:
        """1 in the type of `like`."""
        return self.number(1.0, like)

    def minus_one(self, like: Operand) -> Const:
        """-1 in the type of `like`."""
        return self.number(-1.0, like)

    # Pure operations.

    def apply(
        self, prim: Prim, *args: Operand, name: str = "t", type: Scalar | None = None
    ) -> Operand:
        """The result of a primitive; `type` only for casts."""
        assert len(args) == prim.arity, f"{prim.name} takes {prim.arity} operands"
        match prim.result:
            case Result.SAME:
                out_type = type_of(args[-1])
            case Result.BOOL:
                out_type = Scalar.BOOL
            case Result.GIVEN:
                assert type is not None, "a cast states its type"
                out_type = type
        out = Var(name, out_type)
        self.emit(Apply(prim, args, out, span=self.span))
        return out

    def add(self, x: Operand, y: Operand) -> Operand:
        """x + y."""
        return self.apply(A.ADD, x, y)

    def sub(self, x: Operand, y: Operand) -> Operand:
        """x - y, or -y for x that is the literal 0 of a derivative."""
        return self.apply(A.SUB, x, y)

    def mul(self, x: Operand, y: Operand) -> Operand:
        """x * y; literals 1 and -1 cost nothing (exact in IEEE arithmetic)."""
        for a, b in ((x, y), (y, x)):
            if is_const(a, 1.0):
                return b
            if is_const(a, -1.0):
                return self.neg(b)
        return self.apply(A.MUL, x, y)

    def div(self, x: Operand, y: Operand) -> Operand:
        """x / y of floats."""
        return x if is_const(y, 1.0) else self.apply(A.DIV, x, y)

    def neg(self, x: Operand) -> Operand:
        """-x."""
        if isinstance(x, Const) and x.type.is_float:
            return const(-x.value, x.type)
        return self.apply(A.NEG, x)

    def select(self, cond: Operand, x: Operand, y: Operand) -> Operand:
        """x where cond holds, else y; both are evaluated."""
        if isinstance(cond, Const):
            return x if cond.value else y
        return self.apply(A.SELECT, cond, x, y)

    def cast(self, x: Operand, type: Scalar) -> Operand:
        """x converted to the type; nothing if it has it."""
        if type_of(x) is type:
            return x
        if isinstance(x, Const) and not x.type.is_float:
            return const(x.value, type)
        return self.apply(A.CAST, x, type=type)

    def strong_mul(self, p: Operand, s: Operand) -> Operand:
        """p * s, but exactly 0 where s is 0."""
        if isinstance(s, Const):
            return self.mul(p, s) if s.value != 0 else self.number(0.0, s)
        if is_const(p, 1.0):
            return s
        return self.apply(A.STRONG_MUL, p, s)

    # Memory.

    def alloc(
        self, content: Type, name: str, count: Operand | None = None, growable: bool = False
    ) -> Var:
        """A zeroed local root."""
        out = Var(name, Ref(content, growable))
        self.emit(Alloc(out, count, span=self.span))
        return out

    def load(self, root: Var, path: Path, name: str = "t") -> Var:
        """The scalar at a place."""
        place = place_type(root.content, path, self.structs)
        assert isinstance(place, Scalar), f"{root.name} is not a scalar at {path}"
        out = Var(name, place)
        self.emit(Load(root, path, out, span=self.span))
        return out

    def store(self, root: Var, path: Path, value: Operand) -> None:
        """Overwrites the scalar at a place."""
        self.emit(Store(root, path, value, span=self.span))

    def accum(self, root: Var, path: Path, value: Operand) -> None:
        """Adds to the scalar at a place."""
        self.emit(Accum(root, path, value, span=self.span))

    def view(self, root: Var, path: Path, name: str = "view") -> Var:
        """A root for a part of a root."""
        if not path:
            return root
        out = Var(name, Ref(place_type(root.content, path, self.structs)))
        self.emit(View(root, path, out, span=self.span))
        return out

    def window(
        self, root: Var, path: Path, size: int | None = None, depth: int = 1, name: str = "part"
    ) -> Var:
        """A root for the array that begins at an element."""
        held = place_type(root.content, path, self.structs)
        out = Var(name, Ref(ArrayType(held, size)))
        self.emit(Window(root, path, out, depth, span=self.span))
        return out

    def load_ref(self, root: Var, path: Path, name: str = "row") -> Var:
        """The array that the pointer at a place points to."""
        out = Var(name, Ref(place_type(root.content, path, self.structs)))
        self.emit(LoadRef(root, path, out, span=self.span))
        return out


def place_type(content: Type, path: Path, structs: Structs) -> Type:
    """The type of the place that `path` leads to inside `content`."""
    for step in path:
        match content:
            case StructType(name):
                assert isinstance(step, str), f"{name} is a struct: its path needs a field"
                content = structs[name].member(step)
            case ArrayType(element):
                assert not isinstance(step, str), f"field {step} of an array"
                content = element
            case _:
                raise AssertionError(f"no path into a {content}")
    return content
