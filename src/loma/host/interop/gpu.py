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
from loma.ir.types import ArrayType, Scalar, has_float

Value: TypeAlias = Any
Values: TypeAlias = Mapping[str, Value]
NAMES: Final = {Scalar.F32: "float32", Scalar.F64: "float64", Scalar.I32: "int32", Scalar.I64: "int64",
         Scalar.BOOL: "int32"}


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


def _struct(instance: Any, a: Argument, x: Mapping[str, Value]) -> Value:
    made = instance.ctypes_classes[str(a.type)]()
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


def jvp(f: Function, threads: int | None, primals: Values, tangents: Values) -> tuple[Value, Value]:
    """The outputs, and their derivatives along a direction."""
    instance: Any = there(f).instance(_real(f, primals))
    signature, structs = instance.description.signature, instance.description.structs
    count = instance.thread_count(primals, threads)
    like = next(x for x in primals.values() if hasattr(x, "__cuda_array_interface__"))
    library, duals = _library(like), {}
    outputs = [a for a in signature.written if a.direction is not Direction.IN]
    for a in signature.written:
        real = has_float(a.type, structs)
        x = primals.get(a.name)
        if x is None:
            element = a.type.element if isinstance(a.type, ArrayType) else a.type
            plain = Argument(a.name, ArrayType(element), a.direction)
            size = count if isinstance(a.type, ArrayType) else 1
            x = _zeros(like, plain, (size * (2 if real else 1),), f.name)
            duals[a.name] = x.reshape(-1, 2) if real else x
            continue
        dx = tangents.get(a.name)
        if not real:
            duals[a.name] = x
        elif hasattr(x, "shape") and x.shape:
            zero = library.zeros_like(x) if dx is None else dx
            duals[a.name] = library.stack([x, zero], -1)
        else:
            duals[a.name] = {"val": float(x), "dval": 0.0 if dx is None else float(dx)}
    run(fwd_diff(f), duals, count)
    values = {a.name: duals[a.name][:, 0] for a in outputs if has_float(a.type, structs)}
    rates = {a.name: duals[a.name][:, 1] for a in outputs if has_float(a.type, structs)}
    return packed(f.name, values), packed(f"{f.name}_dot", rates)
