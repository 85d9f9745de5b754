"""One run of a derivative, on plain values: the pieces that the transforms are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, TypeAlias, assert_never

import numpy as np

from loma.host.arguments import Given, given
from loma.host.arrays import Converter
from loma.host.call import Instance, result_name
from loma.host.facts import pairs
from loma.host.function import Function, Launch, fwd_diff, rev_diff
from loma.host.interop import door
from loma.host.refusals import (
    ArgumentError,
    ArgumentTypeError,
    ArgumentValueError,
    announce_copy,
    of_adjoints,
)
from loma.host.values import Value, described, truths
from loma.ir.derived import DVAL, VAL
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, StructType, TapeType, Type, has_float

Target: TypeAlias = Function | Launch | Callable[..., Any]
Outputs: TypeAlias = dict[str, Value]
DIFFERENTIATED: Final = "__loma_differentiated__"
"""The attribute that names what a gradient, a Jacobian ... is of."""
AS_FUNCTION: Final = "__loma_function__"
"""The attribute that makes a function of the language from what differentiates one."""
WRITTEN: Final = (Direction.OUT, Direction.INOUT)


def opened(f: Target) -> tuple[Function, int | None]:
    """The function, and the number of threads if one is given: `f` or `f[n]`."""
    if isinstance(f, Launch):
        return f.function, f.threads
    if isinstance(f, Function):
        return f, None
    if (inner := getattr(f, AS_FUNCTION, None)) is not None:
        return opened(inner())
    if hasattr(f, DIFFERENTIATED):
        raise TypeError(
            f"`{f.__name__}` gives no outputs of a function, and cannot be differentiated again: "
            "transforms take `grad`, `jacobian`, `hessian`, `fwd_diff`, `rev_diff` of a function; "
            "its `hvp` is the `jvp` of its `grad`")
    raise TypeError(
        f"only what `@loma.function` or `@loma.kernel` made can be differentiated, not {f!r}")


@dataclass(frozen=True)
class Point:
    """A function with arguments: where it is evaluated and differentiated.

    The arrays in `values` are the user's own; no sweep writes them.
    """

    f: Function
    values: Given
    threads: int | None
    float_type: Scalar = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "float_type", self.f.real_type(self.values))

    @staticmethod
    def at(f: Target, args: tuple[Value, ...], kwargs: Mapping[str, Value]) -> Point:
        """The point that the arguments of a call name."""
        function, threads = opened(f)
        function, args, kwargs = function.for_call(args, kwargs)
        values = given(function.name, function.signature.written, args, kwargs)
        if door(values) is not None:
            raise ArgumentTypeError(
                f"`{function.name}`: the derivatives of loma itself are for NumPy arrays",
                "differentiate the call as its library does: `torch.func.grad`, `jax.grad` ...")
        return Point(function, values, threads)

    @cached_property
    def instance(self) -> Instance:
        """The function, compiled."""
        return self.f.instance(self.float_type)

    @property
    def signature(self) -> Signature:
        """The function's signature, for the real type of the point."""
        return self.f.describe(self.float_type).signature

    @property
    def convert(self) -> Converter:
        """Between values and memory."""
        return self.instance.convert

    @cached_property
    def count(self) -> int | None:
        """The number of threads."""
        return self.instance.thread_count(self.values, self.threads)

    def frozen(self) -> Point:
        """The point with copies of the arrays: what the user writes later changes nothing."""
        return replace(self, values={n: copied(x) for n, x in self.values.items()})

    # What there is to differentiate.

    def float_inputs(self) -> list[Argument]:
        """The inputs that have derivatives."""
        structs = self.instance.description.structs
        return [a for a in self.signature.written
                if a.direction is not Direction.OUT and not a.nodiff
                and has_float(a.type, structs)]

    def outputs(self) -> dict[str, Type]:
        """The result and the written arguments, by name."""
        found: dict[str, Type] = {}
        if self.signature.result is not None:
            found[result_name(self.signature)] = self.signature.result
        found |= {a.name: a.type for a in self.signature.written if a.direction in WRITTEN}
        return found

    def float_outputs(self) -> dict[str, Type]:
        """The outputs that have derivatives."""
        structs = self.instance.description.structs
        return {n: t for n, t in self.outputs().items() if has_float(t, structs)}

    # Sweeps.

    def evaluated(self) -> Outputs:
        """Every output; the caller's memory is not written."""
        private = {
            a.name: copied(self.values[a.name]) for a in self.signature.written
            if a.direction in WRITTEN and a.name in self.values}
        return self.instance.evaluate({**self.values, **private}, self.threads)

    def pulled(self, seeds: Mapping[str, Value]) -> Outputs:
        """The adjoints of the inputs, by their names, from those of the outputs (absent: zero)."""
        adjoint, values = pairs(self.signature), dict[str, Value]()
        for a in self.signature.written:
            if a.direction is not Direction.OUT:
                values[a.name] = self.values[a.name]
            if a.direction is not Direction.IN:
                seed = seeds.get(a.name)
                zeros = self.zeros_of(a)
                if isinstance(seed, np.ndarray):
                    self._check_seed(a.name, seed, np.shape(zeros))
                values[adjoint[a.name]] = zeros if seed is None else copied(seed)
        sweep = rev_diff(self.f)
        instance = sweep.instance(self.float_type)
        if self.signature.result is not None:
            last = instance.description.signature.written[-1].name
            seed = seeds.get(result_name(self.signature))
            values[last] = self.zero_result() if seed is None else seed
        try:
            found = instance.evaluate(values, self.count)
        except ArgumentError as error:
            outputs = {adjoint[a.name]: a.name for a in self.signature.written
                       if a.direction is not Direction.IN and a.name in adjoint}
            if self.signature.result is not None:
                outputs[last] = result_name(self.signature)
            raise of_adjoints(error, outputs) from None
        return {a.name: found[adjoint[a.name]] for a in self.float_inputs()}

    def _check_seed(self, name: str, seed: np.ndarray[Any, Any], shape: tuple[int, ...]) -> None:
        if seed.dtype.names is None and seed.shape != shape and seed.dtype != object:
            raise ArgumentValueError(
                f"`{self.convert.function}`: the adjoint of `{name}` must have the shape {shape}, "
                f"not {seed.shape}")
        if not seed.flags.c_contiguous:
            announce_copy(self.convert.function, name, "adjoint")

    def zeros_of(self, a: Argument) -> Value:
        """Zeros in the shape of an output."""
        if a.name in self.values:
            return self.convert.zeros(a.type, self.values[a.name], a.name)
        return self.instance.output(a, self.values, self.threads)

    def zero_result(self) -> Value:
        """Zero of the result's type."""
        assert self.signature.result is not None
        return self.convert.empty(self.signature.result, None, result_name(self.signature))

    def pushed(self, tangents: Mapping[str, Value]) -> dict[str, tuple[Value, Value]]:
        """Every output with its tangent, from the tangents of the inputs (absent: zero)."""
        instance = fwd_diff(self.f).instance(self.float_type)
        duals = Duals(self.convert, instance.convert)
        values: Given = {}
        for a in self.signature.written:
            if a.name in self.values:
                x = self.values[a.name]
                values[a.name] = x if a.nodiff else duals.joined(
                    a.type, x, tangents.get(a.name), a.name)
        found = instance.evaluate(values, self.count)
        return {n: duals.parted(t, found[n]) for n, t in self.outputs().items()}


def copied(x: Value) -> Value:
    """A value that shares no memory with the original."""
    match x:
        case np.ndarray():
            return np.array([copied(i) for i in x], object) if x.dtype == object else x.copy()
        case Mapping():
            return {k: copied(v) for k, v in x.items()}
        case tuple() if hasattr(x, "_fields"):
            return type(x)(*map(copied, x))
        case list() | tuple():
            return type(x)(map(copied, x))
        case np.void():
            return x.copy()
        case _ if hasattr(x, "__dict__"):
            return {k: copied(v) for k, v in vars(x).items()}
        case _:
            return np.array(x) if hasattr(x, "__array_interface__") and np.ndim(x) else x


@dataclass(frozen=True)
class Duals:
    """Joins values with tangents for a forward derivative, and parts its outputs."""

    plain: Converter
    dual: Converter

    def joined(self, t: Type, x: Value, dx: Value, where: str) -> Value:
        """A value with its tangent, as the forward derivative takes it; None is zero."""
        match t:
            case Scalar():
                if not t.is_float:
                    return x
                return {VAL: x, DVAL: 0.0 if dx is None else self._number(dx, where)}
            case StructType(name):
                given = self.plain.members(x, name, where)
                rates = {} if dx is None else self.plain.members(dx, name, where)
                return {m: self.joined(mt, given[m], rates.get(m), f"{where}.{m}")
                        for m, mt in self.plain.structs[name].members}
            case ArrayType(element) if self.plain.flat(element):
                return self._array(t, x, dx, where)
            case ArrayType(element):
                rates_of = [None] * len(x) if dx is None else dx
                if len(rates_of) != len(x):
                    raise ArgumentValueError(
                        f"`{self.plain.function}`: the tangent of `{where}` must have length "
                        f"{len(x)}, not {len(rates_of)}")
                return [self.joined(element, row, rate, f"{where}[{i}]")
                        for i, (row, rate) in enumerate(zip(x, rates_of))]
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)

    def _number(self, dx: Value, where: str) -> float:
        try:
            return float(dx)
        except (TypeError, ValueError):
            raise ArgumentTypeError(
                f"`{self.plain.function}`: the tangent of `{where}` must be a number, "
                f"not {described(dx)}") from None

    def _array(self, t: ArrayType, x: Value, dx: Value, where: str) -> Value:
        memory = self.plain.block(x, t, where, False).memory
        derived = self.dual_type(t)
        if not self._differs(t):
            return memory
        rate = np.zeros_like(memory) if dx is None else np.asarray(dx)
        if isinstance(dx, np.ndarray) and rate.dtype.names is None and rate.dtype != memory.dtype:
            raise ArgumentTypeError(
                f"`{self.plain.function}`: the tangent of `{where}` must be a {memory.dtype} "
                f"array, not {described(rate)}", f"convert it with `.astype(np.{memory.dtype})`")
        if not rate.flags.c_contiguous:
            announce_copy(self.plain.function, where, "tangent")
        if memory.dtype.names is None:
            rate = np.broadcast_to(rate, memory.shape) if rate.ndim == 0 else rate
        if rate.shape != memory.shape:
            raise ArgumentValueError(
                f"`{self.plain.function}`: the tangent of `{where}` must have the shape "
                f"{memory.shape}, not {rate.shape}")
        inner = self.dual.dtype(derived.element)
        made = np.zeros(memory.shape, inner.base)
        self._spread(made, memory, rate, t)
        return made

    def dual_type(self, t: ArrayType) -> ArrayType:
        """Diff of an array type."""
        from loma.ir.derived import diff_type

        found = diff_type(t, self.plain.float_type)
        assert isinstance(found, ArrayType)
        return found

    def _differs(self, t: Type) -> bool:
        return has_float(t, self.plain.structs)

    def _spread(self, made: Value, x: Value, dx: Value, t: Type) -> None:
        match t:
            case Scalar():
                if t.is_float:
                    made[VAL], made[DVAL] = x, dx
                else:
                    made[...] = x
            case ArrayType(element):
                self._spread(made, x, dx, element)
            case StructType(name):
                for m, mt in self.plain.structs[name].members:
                    self._spread(made[m], x[m], dx[m], mt)
            case TapeType():
                pass

    def parted(self, t: Type, x: Value) -> tuple[Value, Value]:
        """An output of the forward derivative as value and tangent."""
        match t:
            case Scalar():
                if not t.is_float:
                    return x, 0
                return getattr(x, VAL), getattr(x, DVAL)
            case StructType(name):
                parts = {m: self.parted(mt, getattr(x, m))
                         for m, mt in self.plain.structs[name].members}
                make = self.plain.maker(name)
                return (make(**{m: p[0] for m, p in parts.items()}),
                        make(**{m: p[1] for m, p in parts.items()}))
            case ArrayType(element) if self.plain.flat(element):
                inner = self.plain.dtype(element)
                kept = x.dtype if truths(element) else inner.base
                values, rates = np.zeros(x.shape, kept), np.zeros(x.shape, kept)
                self._gather(x, values, rates, t)
                return values, rates
            case ArrayType(element):
                rows = [self.parted(element, row) for row in x]
                return [r[0] for r in rows], [r[1] for r in rows]
            case TapeType():
                raise AssertionError("a tape never leaves the program")
            case _:
                assert_never(t)

    def _gather(self, x: Value, values: Value, rates: Value, t: Type) -> None:
        match t:
            case Scalar():
                if t.is_float:
                    values[...], rates[...] = x[VAL], x[DVAL]
                else:
                    values[...] = x
            case ArrayType(element):
                self._gather(x, values, rates, element)
            case StructType(name):
                for m, mt in self.plain.structs[name].members:
                    self._gather(x[m], values[m], rates[m], mt)
            case TapeType():
                pass
