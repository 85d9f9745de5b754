"""Tensors of PyTorch as the memory of kernels, on a GPU and on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import torch

from loma.host.interop import arrays_in
from loma.host.interop.device_op import computed
from loma.host.interop.op import Op
from loma.host.interop.torch import DTYPES, Tensors
from loma.host.refusals import ArgumentTypeError
from loma.ir.types import Scalar

Value: TypeAlias = Any
CPU: Final = torch.device("cpu")


class TensorMemory:
    """Tensors on one device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def owns(self, x: torch.Tensor) -> bool:
        """Whether a tensor is on the device."""
        return bool(x.device == self.device)

    def new(self, shape: Sequence[int], type: Scalar) -> torch.Tensor:
        """Zeros."""
        return torch.zeros(tuple(shape), dtype=DTYPES[type], device=self.device)

    def copy(self, x: Value) -> torch.Tensor:
        """The same numbers elsewhere."""
        if isinstance(x, np.ndarray):
            return torch.tensor(x, device=self.device)
        made = x.to(self.device, copy=True, memory_format=torch.contiguous_format)
        return made.resolve_conj().resolve_neg()

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        """A tensor on the device in one piece."""
        if x.device != self.device or not x.is_contiguous() or x.is_neg():
            return self.copy(x)
        return x

    def host(self, x: torch.Tensor) -> np.ndarray[Any, Any]:
        """The numbers in the host's memory."""
        found: np.ndarray[Any, Any] = x.detach().cpu().resolve_neg().numpy()
        return found

    def operand(self, x: torch.Tensor) -> Value:
        """A tensor of a GPU; of a tensor of the CPU the memory."""
        return x.detach() if x.is_cuda else x.detach().numpy()

    def raw(self, x: torch.Tensor) -> Value:
        """Bytes as words."""
        return self.operand(x.view(torch.int32))

    def address(self, x: Value) -> int | None:
        """Where a tensor lies in the memory of a GPU."""
        return x.data_ptr() if isinstance(x, torch.Tensor) else None

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """The bytes of each number; a bool has four."""
        x = x.to(torch.int32) if x.dtype == torch.bool else x
        return self.whole(x).unsqueeze(-1).view(torch.uint8)

    def joined(self, raw: torch.Tensor, type: Scalar) -> torch.Tensor:
        """The inverse of `split`."""
        kind = torch.int32 if type is Scalar.BOOL else DTYPES[type]
        found = self.whole(raw).view(kind)[..., 0]
        return found != 0 if type is Scalar.BOOL else found

    def beside(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tensors joined along their last dimension."""
        return torch.cat(tuple(parts), -1)

    def stacked(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Tensors of one shape as one tensor."""
        return torch.stack(tuple(parts))

    def fill(self, x: torch.Tensor, found: torch.Tensor) -> None:
        """Writes the numbers of another tensor into a tensor."""
        x.copy_(found)

    def started(self, op: Op) -> None:
        """The stream has the rest of the work."""


class GpuTensors(Tensors):
    """PyTorch, as `trees` sees it, where one of the tensors is on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def made(self, x: np.ndarray[Any, Any], type: Scalar) -> torch.Tensor:
        """A constant."""
        return torch.tensor(x, dtype=DTYPES[type], device=self.device)

    def check(self, where: str, x: torch.Tensor) -> None:
        """Refuses tensors that are neither on a GPU nor numbers."""
        if x.dim() and not x.is_cuda:
            raise ArgumentTypeError(
                f"{where} must be on the GPU as others are, not on {x.device}",
                "`.cuda()` copies it")
        if x.layout is not torch.strided:
            raise ArgumentTypeError(
                f"{where} must be a dense tensor, not {str(x.layout).removeprefix('torch.')}",
                "`.to_dense()` makes it one")


def on_device(op: Op, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The outputs of a kernel that runs on a device."""
    gpu = next((t.device for t in tensors if t.is_cuda), CPU)
    shapes = tuple(tuple(t.shape) for t in tensors)
    return tuple(computed(op, TensorMemory(gpu), tensors, shapes))


def device_of(values: Mapping[str, Value]) -> torch.device:
    """The GPU of a call."""
    found = (x for x in arrays_in(values.values(), torch.Tensor) if x.is_cuda)
    device: torch.device = next(found).device
    return device
