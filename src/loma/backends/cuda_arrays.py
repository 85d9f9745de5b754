"""The arrays of other libraries that lie in the memory of a GPU: where, and in which stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any, Final, TypeAlias

from loma.backends.device import DeviceError
from loma.backends.dlpack import CUDA_KINDS, imported, in_one_piece

Value: TypeAlias = Any  # an array of another library

DEFAULT_STREAM: Final = 1
"""Its number in DLPack."""
WHOLE: Final = "an array of the GPU must lie in one piece, in the order of C"


class Borrowed:
    """Memory of the GPU that `owner` keeps, and the stream in which it is worked on; nobody may
    write it if it is `fixed`."""

    __slots__ = ("address", "fixed", "owner", "size", "stream")

    def __init__(
        self, address: int, size: int, stream: int, owner: Value, fixed: bool = False
    ) -> None:
        self.address = address
        self.size = size
        self.stream = stream
        self.owner = owner
        self.fixed = fixed


def on_first(ordinal: int) -> None:
    """Refuses arrays of another GPU than the first."""
    if ordinal:
        raise DeviceError(f"kernels run on GPU 0, and an array lies on GPU {ordinal}")


def borrowed(value: Value) -> Borrowed | None:
    """The memory of the GPU that a value stands for, if it does."""
    kind: Value = type(value)
    return _reader(kind)(value)


@cache
def _reader(kind: Value) -> Callable[[Value], Borrowed | None]:
    """How to read the arrays of one class; asking each array would take long."""
    match kind.__module__.partition(".")[0]:
        case "torch":
            return _torch()
        case "cupy":
            return _cupy()
        case "jax" | "jaxlib":
            return _jax
        case "numpy" | "builtins" | "ctypes":
            return _nothing
        case "loma":
            return _ours
        case _:
            return _any


def _nothing(value: Value) -> Borrowed | None:
    return None


def _torch() -> Callable[[Value], Borrowed | None]:
    import torch

    current = getattr(torch._C, "_cuda_getCurrentRawStream", None)
    if current is None:  # a PyTorch without CUDA
        return _nothing

    def read(value: Value) -> Borrowed | None:
        if not getattr(value, "is_cuda", False):
            return None
        if not value.is_contiguous():
            raise DeviceError(WHOLE)
        ordinal = value.get_device()
        if ordinal:
            on_first(ordinal)
        stream = current(ordinal)
        return Borrowed(value.data_ptr(), value.nbytes, stream, value)

    return read


def _cupy() -> Callable[[Value], Borrowed | None]:
    import cupy

    current = cupy.cuda.get_current_stream

    def read(value: Value) -> Borrowed | None:
        if not isinstance(value, cupy.ndarray):
            return None
        if not value.flags.c_contiguous:
            raise DeviceError(WHOLE)
        memory = value.data
        if memory.device_id:
            on_first(memory.device_id)
        return Borrowed(memory.ptr, value.nbytes, current().ptr, value)

    return read


def _jax(value: Value) -> Borrowed | None:
    """JAX's arrays: they never change."""
    if any(d.platform == "cpu" for d in value.devices()):
        return None
    on_first(max(d.local_hardware_id for d in value.devices()))
    value.block_until_ready()
    found = _any(value)
    return None if found is None else Borrowed(found.address, found.size, 0, found.owner, True)


def _ours(value: Value) -> Borrowed | None:
    """Memory that is known as such."""
    return value if isinstance(value, Borrowed) else _any(value)


def _any(value: Value) -> Borrowed | None:
    """By the protocols: CUDA's array interface, or DLPack."""
    interface = getattr(value, "__cuda_array_interface__", None)
    if interface is None:
        return _dlpack(value)
    shape, unit = interface["shape"], int(interface["typestr"][2:])
    if interface.get("mask") is not None:
        raise DeviceError("an array of the GPU with a mask is not plain memory")
    if not in_one_piece(shape, interface.get("strides"), unit):
        raise DeviceError(WHOLE)
    address, fixed = interface["data"]
    stream = interface.get("stream") or 0
    return Borrowed(int(address or 0), unit * prod(shape), int(stream), value, bool(fixed))


def _dlpack(value: Value) -> Borrowed | None:
    """What made the array has it ready for the default stream."""
    device = getattr(value, "__dlpack_device__", None)
    if device is None:
        return None
    kind, ordinal = device()
    if kind not in CUDA_KINDS:
        return None
    on_first(ordinal)
    view = imported(value, DEFAULT_STREAM)
    if not view.whole:
        raise DeviceError(WHOLE)
    return Borrowed(view.address, view.size, 0, (value, view.owner), view.fixed)
