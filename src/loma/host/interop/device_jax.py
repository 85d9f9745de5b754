"""Arrays of JAX as the memory of kernels, on a GPU and on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from loma.backends.cuda_arrays import Borrowed
from loma.host.arrays import DTYPES
from loma.host.interop import arrays_in, on_gpu
from loma.host.interop.device_op import HOST, computed
from loma.host.interop.gpu import there
from loma.host.interop.op import Op, op_of
from loma.ir.types import Scalar

Value: TypeAlias = Any


class GpuMemory:
    """Arrays on a GPU. They never change for others: kernels write those that were made here."""

    def __init__(self, device: Value) -> None:
        self.device = device

    def owns(self, x: Value) -> bool:
        """No array of the caller is written."""
        return False

    def new(self, shape: Sequence[int], type: Scalar) -> Value:
        """Zeros."""
        return jnp.zeros(tuple(shape), DTYPES[type], device=self.device)

    def copy(self, x: Value) -> Value:
        """The same numbers elsewhere."""
        return jnp.array(x, copy=True, device=self.device)

    def whole(self, x: Value) -> Value:
        """An array on the GPU."""
        return x if self.device in x.devices() else jax.device_put(x, self.device)

    def host(self, x: Value) -> np.ndarray[Any, Any]:
        """The numbers in the host's memory."""
        return np.asarray(x)

    def operand(self, x: Value) -> Value:
        """The memory, when the array is there."""
        x.block_until_ready()
        return Borrowed(x.unsafe_buffer_pointer(), x.nbytes, 0, x)

    def raw(self, x: Value) -> Value:
        """The memory of bytes."""
        return self.operand(x)

    def address(self, x: Value) -> int | None:
        """Where an array lies in the memory of the GPU."""
        return x.address if isinstance(x, Borrowed) else None

    def split(self, x: Value) -> Value:
        """The bytes of each number; a bool has four."""
        x = x.astype(np.int32) if x.dtype == bool else x
        return jax.lax.bitcast_convert_type(x, np.uint8)

    def joined(self, raw: Value, type: Scalar) -> Value:
        """The inverse of `split`."""
        dtype = np.dtype(np.int32) if type is Scalar.BOOL else DTYPES[type]
        found = jax.lax.bitcast_convert_type(raw, dtype)
        return found != 0 if type is Scalar.BOOL else found

    def beside(self, parts: Sequence[Value]) -> Value:
        """Arrays joined along their last dimension."""
        return jnp.concatenate(parts, axis=-1)

    def stacked(self, parts: Sequence[Value]) -> Value:
        """Arrays of one shape as one array."""
        return jnp.stack(parts)

    def fill(self, x: Value, found: Value) -> None:
        """No array of the caller is written."""
        raise AssertionError("outputs are new")

    def started(self, op: Op) -> None:
        """Waits: JAX's own work does not wait for that of others."""
        kernel: Any = op.instance
        kernel.kernel.wait()


def there_op(op: Op) -> Op:
    """The same kernel for the target `cuda`, if it has none."""
    if op.on_device:
        return op
    found: Op | None = op.doors.get("cuda")
    if found is None:
        found = op_of(there(op.f), op.float_type, op.threads, op.sizes)
        found = op.doors["cuda"] = found if op.batch is None else found.batched(op.batch)
    return found


def on_device(op: Op, arrays: Sequence[Value]) -> list[Value]:
    """The outputs of a kernel that runs on a device."""
    shapes = tuple(tuple(np.shape(x)) for x in arrays)
    gpu = next((d for x in arrays if on_gpu([x]) for d in x.devices()), None)
    if gpu is not None:
        given = list(map(jnp.asarray, arrays))
        return computed(there_op(op), GpuMemory(gpu), given, shapes)
    plain = [np.asarray(x) for x in arrays]
    return list(map(jnp.asarray, computed(op, HOST, plain, shapes)))


def called_back(op: Op, *arrays: Value) -> list[Value]:
    """The same inside of a compiled program, on copies in the host's memory."""
    op = there_op(op)
    wanted = [
        jax.ShapeDtypeStruct(s, DTYPES[b.leaf.type])
        for s, b in zip(op.shapes(tuple(tuple(x.shape) for x in arrays)), op.outputs)]

    def run(*given: Value) -> list[Value]:
        plain = [np.asarray(x) for x in given]
        return computed(op, HOST, plain, tuple(x.shape for x in plain))

    found: list[Value] = jax.pure_callback(run, wanted, *arrays)
    return found


def device_of(values: Mapping[str, Value]) -> Value:
    """The GPU of a call."""
    found = (x for x in arrays_in(values.values(), jax.Array) if on_gpu([x]))
    return next(iter(next(found).devices()))
