"""Kernels on tensors of a GPU, as operations that autograd knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch

from loma.host.call import packed
from loma.host.function import Function
from loma.host.interop.gpu import pulled, run
from loma.host.refusals import ArgumentTypeError

Value: TypeAlias = Any


class Recorded(torch.autograd.Function):
    """A kernel with the names of its tensors."""

    @staticmethod
    def forward(ctx: Value, f: Function, values: Mapping[str, Value], threads: int | None,
                names: list[str], *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The outputs."""
        plain = {**values, **{n: t.detach() for n, t in zip(names, tensors)}}
        found = run(f, plain, threads)
        ctx.save_for_backward(*tensors)
        ctx.known = (f, values, threads, names, list(found))
        return tuple(found.values())

    @staticmethod
    def backward(ctx: Value, *adjoints: torch.Tensor) -> tuple[Any, ...]:
        """The adjoints of the tensors."""
        f, values, threads, names, outputs = ctx.known
        plain = {**values, **{n: t.detach() for n, t in zip(names, ctx.saved_tensors)}}
        seeds = {n: a.contiguous() for n, a in zip(outputs, adjoints)}
        found = pulled(f, plain, threads, seeds)
        back = [found.get(n) for n in names]
        return (None, None, None, None, *(
            None if g is None else g.reshape(t.shape)
            for g, t in zip(back, ctx.saved_tensors)))


def recorded(f: Function, values: Mapping[str, Value], threads: int | None) -> Value:
    """Runs a kernel under autograd; None where autograd is off."""
    if not torch.is_grad_enabled():
        return None
    written = {a.name for a in f.signature.written if a.direction.value != "In"}
    if written & values.keys():
        raise ArgumentTypeError(
            f"`{f.name}`: outputs cannot be passed while autograd records",
            "leave them out: the call gives them back")
    tensors = {n: x for n, x in values.items() if isinstance(x, torch.Tensor)}
    rest = {n: x for n, x in values.items() if n not in tensors}
    out = Recorded.apply(f, rest, threads, list(tensors), *tensors.values())
    names = [a.name for a in f.signature.written if a.name in written]
    return packed(f"{f.name}_results", dict(zip(names, out)))
