"""Kernels on arrays of CuPy, PyTorch and JAX in the memory of a GPU, where they lie.

Tensors of PyTorch and arrays of JAX go through the doors of these libraries, which differentiate
the call. CuPy's arrays are what NumPy's are on the CPU: outputs that are passed are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from loma.host.arguments import given
from loma.host.call import packed
from loma.host.facts import pairs
from loma.host.function import Function
from loma.host.interop import library_on_gpu, on_gpu
from loma.host.interop.buffers import owner
from loma.host.interop.device_op import Memory, computed
from loma.host.interop.op import Op, chosen
from loma.host.interop.trees import Kit, form_of, held, opened, spread
from loma.host.refusals import ArgumentTypeError, ArgumentValueError, announce_copy
from loma.host.selection import gradient_type
from loma.ir.nodes import Direction
from loma.ir.types import F64

Value: TypeAlias = Any
Values: TypeAlias = Mapping[str, Value]
MOST: Final = 64  # kinds of calls that are remembered


@lru_cache(maxsize=256)
def there(f: Function) -> Function:
    """The kernel for the target `cuda`."""
    if f.target == "cuda":
        return f
    made = Function(f.__loma_definition__)
    made.target, made.debug = "cuda", f.debug
    return made


def call(f: Function, values: Values, threads: int | None) -> Value:
    """Runs a kernel; gives the outputs that were not passed."""
    f = there(f)
    library = library_on_gpu(values.values())
    if library == "other":
        values = _adopted(f, values)
    outputs = {a.name for a in f.signature.written if a.direction is Direction.OUT}
    passed = outputs & values.keys()
    if library == "jax":
        from loma.host.interop import jax

        return jax.call(f, dict(values), threads)
    if library == "torch" and not passed:
        from loma.host.interop import torch

        kit, _ = _torch(values)
        return torch.finished(*_opened_again(f, kit, values, threads, {}))
    if any(getattr(x, "requires_grad", False) for x in values.values()):
        raise ArgumentTypeError(
            f"`{f.name}`: outputs cannot be passed where autograd records the call",
            "leave them out: the call gives them back")
    return _written(f, values, threads, passed)


# Which library.


def _adopted(f: Function, values: Values) -> Values:
    """The arguments, in which arrays of unknown libraries are CuPy's, on the same memory."""
    try:
        from loma.host.interop.device_cupy import adopted
    except ImportError:
        raise ArgumentTypeError(
            f"`{f.name}`: arrays of a GPU that are none of PyTorch, JAX or CuPy need CuPy",
            "install it, or give the arrays to `loma.compile(..., target='cuda')`") from None
    return {n: adopted(x) for n, x in values.items()}


def _door(values: Values) -> tuple[Kit, Memory]:
    """What must be known of the library whose arrays are on a GPU."""
    match library_on_gpu(values.values()):
        case "torch":
            return _torch(values)
        case "jax":
            return _jax(values)
        case _:
            from loma.host.interop.device_cupy import KIT, MEMORY

            return KIT, MEMORY


def _torch(values: Values) -> tuple[Kit, Memory]:
    from loma.host.interop.device_torch import GpuTensors, TensorMemory, device_of

    device = device_of(values)
    return GpuTensors(device), TensorMemory(device)


def _jax(values: Values) -> tuple[Kit, Memory]:
    from loma.host.interop.device_jax import GpuMemory, device_of
    from loma.host.interop.jax import Called

    return Called("gpu"), GpuMemory(device_of(values))


# Calls that write what they are given.


def _written(f: Function, values: Values, threads: int | None, passed: set[str]) -> Value:
    """Runs a kernel that writes arrays of the caller."""
    kit, memory = _door(values)
    inputs = {n: x for n, x in values.items() if n not in passed}
    told = _told(f, values, passed) if passed else {}
    op, arrays = _opened_again(f, kit, inputs, threads, told)
    arrays = _readable(op, memory, arrays)
    shapes = tuple(kit.shape(x) for x in arrays)
    outputs = None
    if passed:
        outputs = _places(kit, op, {n: values[n] for n in passed}, op.shapes(shapes))
    found = form_of(op).values(computed(op, memory, arrays, shapes, outputs, in_place=True))
    return packed(f"{f.name}_results", {
        n: x for n, x in found.items()
        if n not in passed and not (n in values and held(kit, values[n]))})


def _opened_again(
    f: Function, kit: Kit, values: Values, threads: int | None, told: Mapping[str, int]
) -> tuple[Op, list[Value]]:
    """The function on buffers and its arrays; for arguments of a known kind without looking at
    each again."""
    kinds = [(n, _kind(x)) for n, x in values.items()]
    known, key = f.ready.kinds, (threads, *kinds)
    op: Op | None = known.get(key)
    if op is not None:
        return op, [
            x if kit.owns(x) else kit.number(x, b.leaf.type)
            for b in op.inputs for x in (values[b.path],)]
    op, arrays = opened(kit, f, dict(values), threads, told=told)
    flat = {b.path for b in op.inputs} == values.keys() and not op.sizes
    if flat and len(known) < MOST and all(k is not None for _, k in kinds):
        known[key] = op
    return op, arrays


def _kind(x: Value) -> object:
    """What decides how an argument is taken; None where that is more than a kind."""
    if type(x) in (float, int):
        return type(x)
    if not hasattr(x, "dtype") or not on_gpu([x]):
        return None
    return type(x), x.dtype, len(x.shape)


def _readable(op: Op, memory: Memory, arrays: Sequence[Value]) -> list[Value]:
    """The inputs, each in one piece: copies of those that are not."""
    written, found = {b.path for b in op.outputs}, list[Value]()
    for b, x in zip(op.inputs, arrays):
        whole = memory.whole(x) if memory.owns(x) else x
        if whole is not x and b.path in written:
            raise ArgumentTypeError(
                f"`{op.name}`: argument `{b.path}` is written, and its elements do not lie side "
                "by side in memory")
        if whole is not x:
            announce_copy(op.name, b.path)
        found.append(whole)
    return found


def _told(f: Function, values: Values, passed: set[str]) -> dict[str, int]:
    """The sizes that only outputs tell."""
    sizes, told = f.describe(f.program.fixed_type or F64).facts.sizes, dict[str, int]()
    known = {s for n, labels in sizes.items() if n in values and n not in passed for s in labels}
    for n in passed & sizes.keys():
        for label, length in zip(sizes[n], getattr(values[n], "shape", ())):
            if label is not None and label not in known and label not in values:
                told[label] = int(length)
    return told


def _places(
    kit: Kit, op: Op, passed: Values, shapes: Sequence[tuple[int, ...]]
) -> list[Value]:
    """For each output buffer the array that was passed for it, if one was."""
    signature = op.instance.description.signature
    found: list[Value] = [None] * len(op.outputs)
    for a in signature.written:
        if a.name in passed:
            for i, x in spread(kit, op, op.outputs, a, passed[a.name], written=True):
                _check_place(kit, op, i, x, shapes[i], longer=not a.shape)
                found[i] = x
    return found


def _check_place(
    kit: Kit, op: Op, i: int, x: Value, wanted: tuple[int, ...], longer: bool
) -> None:
    """Refuses an output that is no array of the GPU, or too short."""
    path, shape = op.outputs[i].path, kit.shape(x)
    fits = shape == wanted or (longer and shape[1:] == wanted[1:] and shape[0] >= wanted[0])
    if not fits:
        raise ArgumentValueError(
            f"`{op.name}`: argument `{path}` must have the shape {wanted}, not {shape}")


# Derivatives.


def _opened(
    f: Function, threads: int | None, values: Values
) -> tuple[Op, Kit, Memory, list[Value]]:
    if library_on_gpu(values.values()) == "other":
        values = _adopted(f, values)
    kit, memory = _door(values)
    op, arrays = opened(kit, there(f), dict(values), threads)
    return op, kit, memory, arrays


def vjp(
    f: Function, threads: int | None, args: tuple[Value, ...], kwargs: Values
) -> tuple[Value, Callable[..., Value]]:
    """The outputs, and the pullback."""
    f, args, kwargs = f.for_call(args, kwargs)
    values = given(f.name, f.signature.written, args, kwargs)
    op, kit, memory, arrays = _opened(f, threads, values)
    frozen = [memory.copy(x) if memory.owns(x) else x for x in arrays]
    outputs = computed(op, memory, frozen, tuple(kit.shape(x) for x in frozen))

    def pullback(*seeds: Value, **by_name: Value) -> Value:
        return _pulled(op, kit, memory, frozen, _seeds(op, seeds, by_name))

    return packed(f.name, form_of(op).values(outputs)), pullback


def _seeds(op: Op, seeds: tuple[Value, ...], by_name: Values) -> dict[str, Value]:
    """The adjoints of the outputs, by their names."""
    owners = {owner(b.path) for b in op.outputs if b.real}
    names = [a.name for a in op.instance.description.signature.written
             if a.direction is not Direction.IN and a.name in owners]
    found = {**dict(zip(names, seeds)), **by_name}
    if len(seeds) > len(names) or found.keys() != set(names):
        raise ArgumentTypeError(
            f"the pullback of `{op.name}` takes adjoints of {', '.join(f'`{n}`' for n in names)}")
    return found


def _pulled(
    op: Op, kit: Kit, memory: Memory, arrays: Sequence[Value], seeds: Values
) -> Value:
    """The adjoints of the inputs."""
    signature = op.instance.description.signature
    shapes = op.shapes(tuple(kit.shape(x) for x in arrays))
    others = [memory.new(s, b.leaf.type) for s, b in zip(shapes, op.outputs)]
    for a in signature.written:
        if a.name in seeds:
            for i, x in spread(kit, op, op.outputs, a, seeds[a.name]):
                others[i] = x
    back = chosen(op.reverse_inputs, arrays, others)
    found = form_of(op.reverse).values(
        computed(op.reverse, memory, back, tuple(kit.shape(x) for x in back)))
    adjoint, real = pairs(signature), {owner(b.path) for b in op.inputs if b.real}
    gradient = {
        a.name: found[adjoint[a.name]] for a in signature.written
        if a.direction is not Direction.OUT and a.name in real}
    return gradient_type(f"{op.name}_grad", tuple(gradient))(**gradient)


def jvp(
    f: Function, threads: int | None, primals: Values, tangents: Values
) -> tuple[Value, Value]:
    """The outputs, and their derivatives along a direction."""
    op, kit, memory, arrays = _opened(f, threads, primals)
    rates = [memory.new(kit.shape(x), b.leaf.type) for x, b in zip(arrays, op.inputs)]
    for a in op.instance.description.signature.written:
        if tangents.get(a.name) is not None:
            for i, x in spread(kit, op, op.inputs, a, tangents[a.name]):
                rates[i] = x
    along = chosen(op.forward_inputs, arrays, rates)
    found = computed(op.forward, memory, along, tuple(kit.shape(x) for x in along))
    values, dots, at = list[Value](), list[Value](), 0
    for b in op.outputs:
        values.append(found[at])
        dots.append(found[at + 1] if b.real else memory.new(kit.shape(found[at]), b.leaf.type))
        at += 2 if b.real else 1
    form = form_of(op)
    return packed(op.name, form.values(values)), packed(f"{op.name}_dot", form.values(dots))
