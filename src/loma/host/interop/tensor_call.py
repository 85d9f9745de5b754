"""Calls with tensors and without Python in between, by DLPack's C interface."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

import torch

from loma.backends.llvm.tensor_call import NAME, compile_tensor_call
from loma.host.entries import entry
from loma.host.fast import MISS, TRAPPED, made
from loma.host.interop.op import Op
from loma.host.values import Value

WORD: Final = 8
MAJOR: Final = 1  # of DLPack's version
KEYWORDS: Final = ("dtype", "device")
CPU: Final = torch.device("cpu")
IS_NEG: Final = "is_neg"


def runner(op: Op) -> Callable[..., Any]:
    """The compiled call: a tuple of new tensors from tensors, or MISS, or TRAPPED."""
    found: Callable[..., Any] | None = op.doors.get("torch")
    if found is None:
        found = op.doors["torch"] = _compiled(op)
    return found


def _compiled(op: Op) -> Callable[..., Any]:
    if op.on_device:
        from loma.host.interop.device_torch import on_device

        return partial(on_device, op)
    from_object = _from_object()
    if from_object is None:
        return _never
    address, keep = entry("tensor", op.call, compile_tensor_call, NAME)
    table = op.table(
        id(torch.Tensor), id(torch.nn.Parameter), from_object, id(torch.empty), id(KEYWORDS),
        id(CPU), id(MISS), id(TRAPPED), id(IS_NEG), id(torch.bool), id(torch.int32),
        id(torch.int64), id(torch.float32), id(torch.float64))
    fast = made(op.instance, address, table, keep)
    op.instance.keep.append(fast)
    return fast.call


def _never(*tensors: torch.Tensor) -> Value:
    return MISS


@lru_cache(maxsize=1)
def _from_object() -> int | None:
    """DLPack's function that describes a tensor, if this PyTorch has one."""
    capsule = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if capsule is None:
        return None
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi))
    address = get(capsule, b"dlpack_exchange_api")
    if ctypes.c_uint32.from_address(address).value != MAJOR:
        return None
    return ctypes.c_uint64.from_address(address + 5 * WORD).value or None
