"""PyTorch tensors as arguments: results are tensors that autograd differentiates to any order.

Every derivative is again a call of a loma function that autograd sees. Memory is shared, not
copied, and no tensor of the caller is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import numpy as np
import torch

from loma.host.arguments import Given
from loma.host.fast import MISS, TRAPPED
from loma.host.function import Function, Launch
from loma.host.interop.op import Op, chosen
from loma.host.interop.tensor_call import runner
from loma.host.interop.trees import opened, packed
from loma.host.refusals import ArgumentTypeError, announce_copy
from loma.host.values import Value, article
from loma.ir.nodes import Direction
from loma.ir.types import F64, Scalar, StructType

DTYPES: Final = {
    Scalar.BOOL: torch.bool, Scalar.I32: torch.int32, Scalar.I64: torch.int64,
    Scalar.F32: torch.float32, Scalar.F64: torch.float64}
SCALARS: Final = {d: s for s, d in DTYPES.items()}
MOST: Final = 8  # ways to call a function that are kept ready


class Tensors:
    """PyTorch, as `trees` sees it."""

    noun: str = "tensor"
    weak: Scalar = F64

    def owns(self, x: Value) -> bool:
        """Whether it is a tensor."""
        return isinstance(x, torch.Tensor)

    def scalar(self, x: torch.Tensor) -> Scalar | None:
        """The type of a tensor's elements."""
        return SCALARS.get(x.dtype)

    def shape(self, x: torch.Tensor) -> tuple[int, ...]:
        """The shape of a tensor."""
        return tuple(x.shape)

    def described(self, x: torch.Tensor) -> str:
        """A tensor in words."""
        name = str(x.dtype).removeprefix("torch.")
        return f"{article(name)} {name} tensor of shape {tuple(x.shape)}"

    def is_weak(self, x: torch.Tensor) -> bool:
        """No tensor is."""
        return False

    def cast(self, x: torch.Tensor, type: Scalar) -> torch.Tensor:
        """A tensor in another type."""
        return x.to(DTYPES[type])

    def check(self, where: str, x: torch.Tensor) -> None:
        """Refuses tensors that are not plain memory of the CPU."""
        if x.device.type != "cpu":
            raise ArgumentTypeError(
                f"{where} must be on the CPU, not on {x.device}", "`.cpu()` copies it")
        if x.layout is not torch.strided:
            raise ArgumentTypeError(
                f"{where} must be a dense tensor, not {str(x.layout).removeprefix('torch.')}",
                "`.to_dense()` makes it one")

    def made(self, x: np.ndarray[Any, Any], type: Scalar) -> torch.Tensor:
        """A constant."""
        return torch.tensor(x, dtype=DTYPES[type], device="cpu")

    def number(self, x: float | int | bool, type: Scalar) -> torch.Tensor:
        """A constant without dimensions."""
        return _cell(x, type, type.is_float and math.copysign(1.0, x) < 0)

    def stacked(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tensors of one shape as one tensor."""
        return torch.stack(tuple(parts))

    def whole_number(self, where: str, x: Value) -> int:
        """The value of an int."""
        try:
            return int(x)
        except RuntimeError:
            raise ArgumentTypeError(
                f"{where} tells the length of an array, which `vmap` cannot map over") from None


@lru_cache(maxsize=1024)
def _cell(x: float | int | bool, type: Scalar, negative: bool) -> torch.Tensor:
    """A number as a tensor, which nobody writes (`negative` tells -0.0 from 0.0)."""
    return torch.tensor(x, dtype=DTYPES[type], device="cpu")


KIT: Final = Tensors()


# What autograd sees.


def computed(op: Op, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """The outputs, without autograd."""
    fast = op.doors.get("torch") or runner(op)
    out = fast(*tensors)
    if out is MISS:
        out = fast(*_beside(tensors))
    if out is MISS:
        return _slowly(op, tensors)
    if out is TRAPPED:
        op.instance.raise_error()
    return out  # type: ignore[no-any-return]


def _beside(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Tensors whose elements lie side by side, as far as they can be had."""
    with suppress(RuntimeError):
        return [t if t.is_contiguous() else t.contiguous() for t in tensors]
    return list(tensors)


def _slowly(op: Op, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """The same for tensors that DLPack does not describe as they are."""
    try:
        plain = [t.detach().resolve_conj().resolve_neg().contiguous() for t in tensors]
    except RuntimeError as e:
        raise ArgumentTypeError(
            f"`{op.name}`: a tensor without memory, as `is_grads_batched=True` and "
            f"`vectorize=True` make them, cannot be an argument ({e})",
            "use `torch.func.vmap`") from e
    given = tuple(tuple(t.shape) for t in plain)
    outputs = tuple(torch.empty(s, dtype=DTYPES[b.leaf.type], device="cpu")
                    for s, b in zip(op.shapes(given), op.outputs))
    op.run([t.data_ptr() for t in (*plain, *outputs)], given)
    return outputs


def _constant(op: Op, outputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs without derivatives."""
    return [t for t, real in zip(outputs, op.float_outputs) if not real]


def _pulled(op: Op, primals: Sequence[torch.Tensor], seeds: Sequence[Any]) -> list[Any]:
    """The adjoint of each input (None for ints)."""
    if not all(op.float_outputs):
        shapes = op.shapes(tuple(tuple(p.shape) for p in primals))
        seeds = [s if real else torch.zeros(shape, dtype=DTYPES[b.leaf.type])
                 for s, real, shape, b in zip(seeds, op.float_outputs, shapes, op.outputs)]
    found = applied(op.reverse, chosen(op.reverse_inputs, primals, seeds))
    adjoints = [None if at is None else found[at] for at in op.adjoints]
    if op.batch is None:
        return adjoints
    return [g if g is None or many else g.sum(0) for g, many in zip(adjoints, op.batch)]


def _pushed(op: Op, primals: Sequence[torch.Tensor], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """The tangent of each output (None for ints)."""
    given = []
    for i, (p, t) in enumerate(zip(primals, tangents)):
        made = torch.zeros_like(p) if t is None else t
        if op.batch is not None and not op.batch[i]:
            size = next(q.shape[0] for q, many in zip(primals, op.batch) if many)
            made = made.expand(size, *made.shape)
        given.append(made)
    found = applied(op.forward, chosen(op.forward_inputs, primals, given))
    return tuple(None if at is None else found[at] for at in op.forward_tangents)


class _Rules(torch.autograd.Function):
    """The derivatives of a call of a loma function."""

    @staticmethod
    def backward(ctx: Value, *seeds: Value) -> Value:
        """The adjoints of the inputs: a call of the reverse derivative."""
        return (None, *_pulled(ctx.op, ctx.saved_tensors, seeds))

    @staticmethod
    def jvp(ctx: Value, *tangents: Value) -> Value:
        """The tangents of the outputs: a call of the forward derivative."""
        if ctx.op is None:  # MISS has none
            return None
        return _pushed(ctx.op, ctx.saved_tensors, tangents[1:])


class LomaCall(_Rules):
    """A call, when no transform of `torch.func` is at work."""

    @staticmethod
    def forward(ctx: Value, op: Op, *tensors: torch.Tensor) -> Value:
        """The outputs; MISS for tensors that slower code must take."""
        out = op.doors["torch"](*tensors)
        ctx.op = None
        if out is MISS:
            return MISS
        if out is TRAPPED:
            op.instance.raise_error()
        ctx.op = op
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        if not all(op.float_outputs):
            ctx.mark_non_differentiable(*_constant(op, out))
        return out


class LomaFunction(_Rules):
    """A call, under transforms of `torch.func` too."""

    @staticmethod
    def forward(op: Op, *tensors: torch.Tensor) -> Value:
        """The outputs."""
        return computed(op, tensors)

    @staticmethod
    def setup_context(ctx: Value, inputs: Value, output: Value) -> None:
        """Keeps the inputs."""
        ctx.op = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])
        ctx.mark_non_differentiable(*_constant(ctx.op, output))

    @staticmethod
    def vmap(info: Value, in_dims: Value, op: Op, *tensors: torch.Tensor) -> Value:
        """Many calls in one."""
        size = info.batch_size
        given = [t if d is None else t.movedim(d, 0) for t, d in zip(tensors, in_dims[1:])]
        many = tuple(d is not None for d in in_dims[1:])
        if op.batch is None:
            found = applied(op.batched(many), given)
            return found, (0,) * len(found)
        inner = next(t.shape[1 if new else 0]
                     for t, new, old in zip(given, many, op.batch) if old)
        given = [_both(t, new, old, size, inner) for t, new, old in zip(given, many, op.batch)]
        every = op.base.batched(tuple(a or b for a, b in zip(many, op.batch)))
        found = applied(every, given)
        return tuple(x.unflatten(0, (size, inner)) for x in found), (0,) * len(found)


def _both(t: torch.Tensor, new: bool, old: bool, size: int, inner: int) -> torch.Tensor:
    """A tensor with two batches as one; one with neither stays."""
    if not new and not old:
        return t
    if not new:
        t = t.unsqueeze(0)
    if not old:
        t = t.unsqueeze(1)
    return t.expand(size, inner, *t.shape[2:]).flatten(0, 1)


# The method in C that `Function.apply` ends in; its own checks in Python take a microsecond.
_apply: Final[Callable[..., Any]] = super(torch.autograd.Function, LomaCall).apply
_transformed: Final[Callable[[], bool]] = torch._C._are_functorch_transforms_active
_recording: Final[Callable[[], bool]] = torch.is_grad_enabled


def applied(op: Op, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """The outputs, as autograd sees them."""
    if not _transformed():
        if not _recording():
            return computed(op, tensors)
        runner(op)
        out = _apply(op, *tensors)
        if out is MISS:
            out = _apply(op, *_beside(tensors))
        if out is not MISS:
            return out  # type: ignore[no-any-return]
    return LomaFunction.apply(op, *tensors)  # type: ignore[no-any-return]


# Calls.


def call(f: Function, values: Given, threads: int | None) -> Value:
    """Calls a function with tensors; gives tensors."""
    op, tensors = opened(KIT, f, values, threads)
    out = finished(op, tensors)
    if threads is None and not op.sizes and not op.on_device:
        _ready(f, op, values)
    return out


def finished(op: Op, tensors: Sequence[torch.Tensor]) -> Value:
    """What a call with these tensors gives the user."""
    _announce(op, tensors)
    return packed(op, applied(op, tensors))


def _announce(op: Op, tensors: Sequence[torch.Tensor]) -> None:
    """Warns about tensors that must be copied; those of a `vmap` lie as PyTorch wants them."""
    for b, t in zip(op.inputs, tensors):
        if not torch._C._functorch.is_batchedtensor(t) and not t.is_contiguous():
            announce_copy(op.name, b.path)


def flattened(arrays: Sequence[Value]) -> tuple[list[torch.Tensor], tuple[int, ...]]:
    """Tensors broadcast to one shape, each in one dimension, and that shape."""
    whole = torch.broadcast_tensors(*(torch.as_tensor(x) for x in arrays))
    return [t.reshape(-1) for t in whole], tuple(whole[0].shape)


def _ready(f: Function, op: Op, values: Given) -> None:
    """Prepares calls of this kind, so that they run with little Python in between."""
    arguments = op.instance.description.signature.written
    inputs = [a for a in arguments if a.direction is not Direction.OUT]
    if len(inputs) != len(op.inputs) or any(isinstance(a.type, StructType) for a in inputs):
        return
    given = [values[a.name] for a in inputs]
    numbers = tuple(i for i, x in enumerate(given) if not isinstance(x, torch.Tensor))
    if any(type(given[i]) not in _classes(op.inputs[i].leaf.type) or op.inputs[i].leaf.dims
           for i in numbers):
        return
    known = op.doors.setdefault("torch calls", {})
    if numbers not in known and len(known) < MOST and op is op.instance.ops.get((None, ())):
        known[numbers] = quick(op, numbers)
        f.quicken(known[numbers], op.instance)


def quick(op: Op, numbers: tuple[int, ...]) -> Callable[..., Value]:
    """A call for tensors, and for numbers at some places; MISS for anything else."""
    run, many = runner(op), len(op.outputs) != 1
    filled = _filling(op, numbers) if numbers else None

    def compute(*args: Value) -> Value:
        if _transformed():
            return MISS
        given = args if filled is None else filled(args)
        if given is MISS:
            return MISS
        out = _apply(op, *given) if _recording() else run(*given)
        if out is MISS or out is TRAPPED:
            return out
        return packed(op, out) if many else out[0]

    return compute


def _filling(op: Op, numbers: tuple[int, ...]) -> Callable[[tuple[Value, ...]], Value]:
    """What replaces the numbers among arguments by tensors; MISS for anything else."""
    wanted = {i: (op.inputs[i].leaf.type, _classes(op.inputs[i].leaf.type)) for i in numbers}
    count = len(op.inputs)

    def filled(args: tuple[Value, ...]) -> Value:
        if len(args) != count:
            return MISS
        given = list(args)
        for i, (scalar, classes) in wanted.items():
            if type(given[i]) not in classes:
                return MISS
            given[i] = KIT.number(given[i], scalar)
        return given

    return filled


def _classes(type: Scalar) -> tuple[type, ...]:
    """The classes of Python whose numbers are of a type as they are."""
    return (float, int) if type.is_float else (bool,) if type is Scalar.BOOL else ()


def _skip_frames() -> None:
    """Keeps `torch.compile` out of our own code, where this PyTorch lets us say so."""
    with suppress(ImportError, AttributeError):
        from torch._C._dynamo.eval_frame import (
            _FrameAction,
            _FrameExecStrategy,
            set_code_exec_strategy,
        )

        skip = _FrameExecStrategy(_FrameAction.SKIP, _FrameAction.SKIP)
        for method in (Function.__call__, Launch.__call__):
            set_code_exec_strategy(method.__code__, skip)


_skip_frames()
