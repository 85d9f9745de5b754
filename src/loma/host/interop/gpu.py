"""Kernels on arrays of CuPy and PyTorch in the memory of a GPU, where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Final, TypeAlias

from loma.host.arguments import given
from loma.host.call import packed
from loma.host.facts import pairs
from loma.host.function import Function, fwd_diff, rev_diff
from loma.host.refusals import ArgumentTypeError
from loma.ir.nodes import Argument, Direction
from loma.ir.types import ArrayType, Scalar, StructType, has_float

Value: TypeAlias = Any
Values: TypeAlias = Mapping[str, Value]
NAMES: Final = {
    Scalar.F32: "float32",
    Scalar.F64: "float64",
    Scalar.I32: "int32",
    Scalar.I64: "int64",
    Scalar.BOOL: "int32",
}


@lru_cache(maxsize=256)
def there(f: Function) -> Function:
    """The kernel for the target `cuda`."""
    if f.target == "cuda":
        return f
    made = Function(f.__loma_definition__)
    made.target = "cuda"
    return made


def call(f: Function, values: Values, threads: int | None) -> Value:
    """Runs a kernel; gives the outputs that were not passed."""
    arrays = [x for x in values.values() if getattr(x, "requires_grad", False)]
    if arrays:
        from loma.host.interop.gpu_torch import recorded

        if (out := recorded(f, values, threads)) is not None:
            return out
    found = run(f, values, threads)
    new = {n: x for n, x in found.items() if n not in values}
    return packed(f"{f.name}_results", new)


def run(f: Function, values: Values, threads: int | None) -> dict[str, Value]:
    """Runs a kernel; gives every output by name."""
    f = there(f)
    like = next(x for x in values.values() if hasattr(x, "__cuda_array_interface__"))
    instance: Any = f.instance(_real(f, values))
    signature = instance.description.signature
    count = instance.thread_count(values, threads)
    every, found = [], {}
    for a in signature.arguments:
        if a.hidden:
            raise ArgumentTypeError(
                f"`{f.name}`: `{a.name}` has sizes, which arrays of the GPU cannot have yet",
                "use flat arrays and pass the sizes")
        x = values[a.name] if a.name in values else _zeros(like, a, (count,), f.name)
        every.append(x if not isinstance(x, Mapping) else _struct(instance, a, x))
        if a.direction is not Direction.IN:
            found[a.name] = x
    instance.kernel(*every, count)
    return found


def _struct(instance: Value, a: Argument, x: Mapping[str, Value]) -> Value:
    assert isinstance(a.type, StructType), "a mapping is a struct"
    made = instance.ctypes_classes[a.type.name]()
    for name, value in x.items():
        setattr(made, name, value)
    return made


def _real(f: Function, values: Values) -> Scalar:
    """What `float` stands for: what the arrays hold, else f32."""
    fixed: Scalar | None = f.program.fixed_type
    kinds = {str(x.dtype).rpartition(".")[2] for x in values.values() if hasattr(x, "dtype")}
    if fixed is not None:
        return fixed
    if {"float32", "float64"} <= kinds:
        raise ArgumentTypeError(f"`{f.name}`: the arguments mix float32 and float64",
                                "convert them to one of the two")
    return Scalar.F64 if "float64" in kinds else Scalar.F32


def _library(like: Value) -> ModuleType:
    import importlib

    return importlib.import_module(type(like).__module__.partition(".")[0])


def _zeros(like: Value, a: Argument, shape: Sequence[int], where: str) -> Value:
    """A new output, beside the other arrays."""
    element = a.type.element if isinstance(a.type, ArrayType) else a.type
    if not isinstance(element, Scalar):
        raise ArgumentTypeError(f"`{where}`: `{a.name}` must be passed", "it holds structs")
    library = _library(like)
    shape = tuple(shape) if isinstance(a.type, ArrayType) else (1,)
    if getattr(like, "is_cuda", False):
        kind = getattr(library, NAMES[element])
        return library.zeros(shape, dtype=kind, device=like.device)
    return library.zeros(shape, NAMES[element])


# Derivatives.


def _point(f: Function, args: tuple[Value, ...], kwargs: Values) -> Values:
    f, args, kwargs = f.for_call(args, kwargs)
    return given(f.name, f.signature.written, args, kwargs)


def vjp(
    f: Function, threads: int | None, args: tuple[Value, ...], kwargs: Values
) -> tuple[Value, Callable[..., Value]]:
    """The outputs, and the pullback."""
    values = {n: x.clone() if hasattr(x, "clone") else x.copy() if hasattr(x, "copy") else x
              for n, x in _point(f, args, kwargs).items()}
    outputs = run(f, values, threads)

    def pullback(*seeds: Value, **by_name: Value) -> Value:
        found = pulled(f, values, threads, {**dict(zip(outputs, seeds)), **by_name})
        return packed(f"{f.name}_grad", found)

    return packed(f.name, outputs), pullback


def pulled(f: Function, values: Values, threads: int | None, seeds: Values) -> dict[str, Value]:
    """The adjoints of the inputs."""
    instance: Any = there(f).instance(_real(f, values))
    signature, structs = instance.description.signature, instance.description.structs
    count = instance.thread_count(values, threads)
    adjoint, given_ = pairs(signature), dict[str, Value]()
    like = next(x for x in values.values() if hasattr(x, "__cuda_array_interface__"))
    wanted = []
    for a in signature.written:
        if a.direction is Direction.IN:
            given_[a.name] = x = values[a.name]
            shape = x.shape if hasattr(x, "shape") else ()
            if a.name in adjoint:
                given_[adjoint[a.name]] = _zeros(like, a, shape, f.name)
            if has_float(a.type, structs):
                wanted.append(a.name)
        else:
            seed = seeds[a.name]
            given_[adjoint[a.name]] = seed.clone() if hasattr(seed, "clone") else seed.copy()
    run(rev_diff(f), given_, count)
    return {n: given_[adjoint[n]] for n in wanted}


def jvp(
    f: Function, threads: int | None, primals: Values, tangents: Values
) -> tuple[Value, Value]:
    """The outputs, and their derivatives along a direction."""
    instance: Any = there(f).instance(_real(f, primals))
    signature, structs = instance.description.signature, instance.description.structs
    count = instance.thread_count(primals, threads)
    like = next(x for x in primals.values() if hasattr(x, "__cuda_array_interface__"))
    duals: dict[str, Value] = {}
    for a in signature.written:
        if a.name in primals:
            x, dx = primals[a.name], tangents.get(a.name)
            duals[a.name] = _dual(_library(like), x, dx) if has_float(a.type, structs) else x
        else:
            element = a.type.element if isinstance(a.type, ArrayType) else a.type
            size = count if isinstance(a.type, ArrayType) else 1
            plain = Argument(a.name, ArrayType(element), a.direction)
            duals[a.name] = _zeros(like, plain, (2 * size,), f.name).reshape(-1, 2)
    run(fwd_diff(f), duals, count)
    names = [a.name for a in signature.written
             if a.direction is not Direction.IN and has_float(a.type, structs)]
    return (packed(f.name, {n: duals[n][:, 0] for n in names}),
            packed(f"{f.name}_dot", {n: duals[n][:, 1] for n in names}))


def _dual(library: ModuleType, x: Value, dx: Value) -> Value:
    """A value with its tangent; None is zero."""
    if getattr(x, "shape", ()):
        return library.stack([x, library.zeros_like(x) if dx is None else dx], -1)
    return {"val": float(x), "dval": 0.0 if dx is None else float(dx)}
