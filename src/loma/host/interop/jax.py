"""JAX arrays as arguments: results are arrays that JAX differentiates, maps and compiles.

Two primitives carry it. `loma_call` computes a function. `loma_push` computes the tangents of its
outputs from those of its inputs; it is linear in these, and its transpose is a call of the reverse
derivative. Both modes, to any order, follow from the two.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from loma.backends.llvm.xla_call import NAME, TABLE, compile_xla_call
from loma.host.arguments import Given
from loma.host.arrays import DTYPES
from loma.host.entries import fetched
from loma.host.function import Function
from loma.host.interop import jax_has_gpu, on_gpu
from loma.host.interop.op import Op, chosen
from loma.host.interop.trees import opened, packed
from loma.host.refusals import ArgumentTypeError
from loma.host.values import Value, article
from loma.ir.types import F32, F64, Scalar

SCALARS: Final = {d: s for s, d in DTYPES.items()}
NUMBERS: Final = itertools.count()
KEPT: Final[list[object]] = []
"""The code that XLA knows: compiled programs may call it as long as the process lives."""


class Arrays:
    """JAX, as `trees` sees it."""

    noun: str = "array"

    def owns(self, x: Value) -> bool:
        """Whether it is an array of JAX, traced or not."""
        return isinstance(x, jax.Array)

    def scalar(self, x: Value) -> Scalar | None:
        """The type of an array's elements."""
        return SCALARS.get(x.dtype) if isinstance(x.dtype, np.dtype) else None

    def shape(self, x: Value) -> tuple[int, ...]:
        """The shape of an array."""
        return tuple(x.shape)

    def described(self, x: Value) -> str:
        """An array in words."""
        return f"{article(str(x.dtype))} {x.dtype} array of shape {tuple(x.shape)}"

    def is_weak(self, x: Value) -> bool:
        """Whether a number of Python became it, as `jit` makes one of its arguments."""
        return bool(x.weak_type) and not x.shape

    def cast(self, x: Value, type: Scalar) -> Value:
        """An array in another type."""
        return jnp.asarray(x, DTYPES[type])

    def check(self, where: str, x: Value) -> None:
        """Every array is fit; programs for other devices are refused when they are compiled."""

    def made(self, x: np.ndarray[Any, Any], type: Scalar) -> Value:
        """A constant."""
        return jnp.asarray(x, DTYPES[type])

    def number(self, x: float | int | bool, type: Scalar) -> Value:
        """A constant without dimensions."""
        return jnp.asarray(x, DTYPES[type])

    def stacked(self, parts: Sequence[Value]) -> Value:
        """Arrays of one shape as one array."""
        return jnp.stack(parts)

    def whole_number(self, where: str, x: Value) -> int:
        """The value of an int."""
        if isinstance(x, jax.core.Tracer):
            raise ArgumentTypeError(
                f"{where} tells the length of an array, and must be known when the program is "
                "traced", "give it as an int of Python, or as a static argument of `jax.jit`")
        return int(x)



class Called(Arrays):
    """JAX for one function: it refuses 64-bit constants where JAX would round them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.weak: Scalar = F64 if jax.config.jax_enable_x64 else F32

    def made(self, x: Value, type: Scalar) -> Value:
        """A constant."""
        if type.bytes == 8 and not jax.config.jax_enable_x64:
            raise ArgumentTypeError(
                f"`{self.name}` takes 64-bit numbers, which JAX has switched off",
                'switch them on: `jax.config.update("jax_enable_x64", True)`')
        return super().made(x, type)

    number = made


def call(f: Function, values: Given, threads: int | None) -> Value:
    """Calls a function with arrays; gives arrays."""
    op, arrays = opened(Called(f.name), f, values, threads)
    return packed(op, CALL.bind(*arrays, op=op))


def flattened(arrays: Sequence[Value]) -> tuple[list[Value], tuple[int, ...]]:
    """Arrays broadcast to one shape, each in one dimension, and that shape."""
    whole = jnp.broadcast_arrays(*arrays)
    return [x.reshape(-1) for x in whole], tuple(whole[0].shape)


# The primitives.

CALL: Final = Primitive("loma_call")
PUSH: Final = Primitive("loma_push")
CALL.multiple_results = PUSH.multiple_results = True


def _avals(op: Op, shapes: Sequence[tuple[int, ...]]) -> list[Value]:
    return [jax.core.ShapedArray(s, DTYPES[b.leaf.type])
            for s, b in zip(op.shapes(tuple(shapes)), op.outputs)]


def _all_tangents(op: Op, tangents: Sequence[Value]) -> list[Value]:
    """A place for each input, filled where there is a tangent."""
    rest = iter(tangents)
    return [next(rest) if real else None for real in op.floats]


def _forward(op: Op, arrays: Sequence[Value]) -> list[Value]:
    """What the forward derivative takes, from inputs and the tangents of floats."""
    n = len(op.inputs)
    return chosen(op.forward_inputs, arrays[:n], _all_tangents(op, arrays[n:]))


def _of_floats(op: Op, found: Sequence[Value]) -> list[Value]:
    """The tangents among the outputs of the forward derivative."""
    return [found[at] for at in op.forward_tangents if at is not None]


def _call_abstract(*avals: Value, op: Op) -> list[Value]:
    return _avals(op, [a.shape for a in avals])


def _push_abstract(*avals: Value, op: Op) -> list[Value]:
    return _of_floats(op, _avals(op.forward, [a.shape for a in _forward(op, avals)]))


def _pushed(*arrays: Value, op: Op) -> list[Value]:
    return _of_floats(op, CALL.bind(*_forward(op, arrays), op=op.forward))


# Derivatives.


def _wide(op: Op, primals: Sequence[Value], tangents: Sequence[Value]) -> list[Value]:
    """The tangents of floats; with a batch, each has it."""
    size = None if op.batch is None else next(
        p.shape[0] for p, many in zip(primals, op.batch) if many)
    found = []
    for i, (p, t) in enumerate(zip(primals, tangents)):
        if op.floats[i]:
            made = jnp.zeros_like(p) if isinstance(t, ad.Zero) else t
            if op.batch is not None and not op.batch[i]:
                made = jnp.broadcast_to(made, (size, *made.shape))
            found.append(made)
    return found


def _call_jvp(primals: Sequence[Value], tangents: Sequence[Value], *, op: Op) -> Value:
    values = CALL.bind(*primals, op=op)
    rates = iter(PUSH.bind(*primals, *_wide(op, primals, tangents), op=op))
    return values, [
        next(rates) if real else ad.Zero(jax.typeof(v).to_tangent_aval())
        for v, real in zip(values, op.float_outputs)]


def _push_jvp(primals: Sequence[Value], tangents: Sequence[Value], *, op: Op) -> Value:
    """The derivative of the tangents: every second of those of the forward derivative."""
    values = PUSH.bind(*primals, op=op)
    inner = op.forward
    given = _forward(op, primals)
    rates = _wide(inner, given, _forward(op, tangents))
    return values, PUSH.bind(*given, *rates, op=inner)[1::2]


def _push_transpose(seeds: Sequence[Value], *arrays: Value, op: Op) -> list[Value]:
    """The adjoints of the tangents: a call of the reverse derivative."""
    n = len(op.inputs)
    primals, tangents = arrays[:n], arrays[n:]
    shapes = op.forward.shapes(tuple(_shape(a) for a in _forward(op, arrays)))
    rest, given = iter(seeds), list[Value]()
    at = 0
    for b, real in zip(op.outputs, op.float_outputs):
        seed = next(rest) if real else None
        shape, dtype = shapes[at], DTYPES[b.leaf.type]
        given.append(seed if real and not isinstance(seed, ad.Zero) else jnp.zeros(shape, dtype))
        at += 2 if real else 1
    found = CALL.bind(*chosen(op.reverse_inputs, primals, given), op=op.reverse)
    adjoints = [found[at] for at in op.adjoints if at is not None]
    return [*(None for _ in primals),
            *(x if ad.is_undefined_primal(t) else None for x, t in zip(adjoints, tangents))]


def _shape(x: Value) -> tuple[int, ...]:
    return tuple(x.aval.shape if ad.is_undefined_primal(x) else np.shape(x))


# Many calls in one.


def _front(arrays: Sequence[Value], dims: Sequence[int | None]) -> list[Value]:
    return [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(arrays, dims)]


def _both(x: Value, new: bool, old: bool, size: int, inner: int) -> Value:
    """An array with two batches as one; one with neither stays."""
    if not new and not old:
        return x
    x = x if new else x[None]
    x = x if old else x[:, None]
    rest = x.shape[2:]
    return jnp.broadcast_to(x, (size, inner, *rest)).reshape((size * inner, *rest))


def _call_batch(arrays: Sequence[Value], dims: Sequence[int | None], *, op: Op) -> Value:
    given, new = _front(arrays, dims), tuple(d is not None for d in dims)
    if op.batch is None:
        found = CALL.bind(*given, op=op.batched(new))
        return found, [0] * len(found)
    size = next(x.shape[0] for x, n in zip(given, new) if n)
    inner = next(x.shape[1 if n else 0] for x, n, o in zip(given, new, op.batch) if o)
    whole = [_both(x, n, o, size, inner) for x, n, o in zip(given, new, op.batch)]
    every = op.base.batched(tuple(n or o for n, o in zip(new, op.batch)))
    found = [x.reshape((size, inner, *x.shape[1:])) for x in CALL.bind(*whole, op=every)]
    return found, [0] * len(found)


def _push_batch(arrays: Sequence[Value], dims: Sequence[int | None], *, op: Op) -> Value:
    given, new = _front(arrays, dims), [d is not None for d in dims]
    n = len(op.inputs)
    size = next(x.shape[0] for x, b in zip(given, new) if b)
    if op.batch is None:
        tangents = [x if b else jnp.broadcast_to(x, (size, *x.shape))
                    for x, b in zip(given[n:], new[n:])]
        found = PUSH.bind(*given[:n], *tangents, op=op.batched(tuple(new[:n])))
        return found, [0] * len(found)
    inner = given[n].shape[1 if new[n] else 0]
    olds = (*op.batch, *(True for _ in given[n:]))
    whole = [_both(x, b, o, size, inner) for x, b, o in zip(given, new, olds)]
    every = op.base.batched(tuple(b or o for b, o in zip(new[:n], op.batch)))
    found = [x.reshape((size, inner, *x.shape[1:])) for x in PUSH.bind(*whole, op=every)]
    return found, [0] * len(found)


# The code.


def target(op: Op) -> str:
    """The name by which XLA knows the code."""
    known = op.instance.ops.setdefault("jax", {})
    found: str | None = known.get(op.call)
    if found is None:
        address, keep = fetched("xla", op.call, compile_xla_call, NAME, TABLE)
        loaded = op.instance.code.loaded
        sites = [f"{s.file}:{s.line}: {s.message or s.trap.value}".encode() for s in loaded.sites]
        messages = (ctypes.c_char_p * (len(sites) + 1))(*sites)
        table = op.table(ctypes.addressof(messages))
        ctypes.memmove(address[TABLE], table, len(table))
        KEPT.extend((keep, messages, op))
        found = known[op.call] = f"loma_{next(NUMBERS)}_{op.instance.name}"
        jax.ffi.register_ffi_target(
            found, jax.ffi.pycapsule(ctypes.c_void_p(address[NAME])), platform="cpu")
    return found


def _lowered(context: Value, *operands: Value, op: Op) -> Value:
    if op.on_device:
        return _through_host(context, *operands, op=op)
    return jax.ffi.ffi_lowering(target(op))(context, *operands)


def _elsewhere(context: Value, *operands: Value, op: Op) -> Value:
    if op.f.is_kernel:
        return _through_host(context, *operands, op=op)
    platforms = ", ".join(context.module_context.platforms)
    raise NotImplementedError(
        f"`{op.name}` runs on the CPU only, and this JAX program is for {platforms}: use "
        '`jax.jit(..., device=jax.devices("cpu")[0])` or `jax.default_device`')


def _through_host(context: Value, *operands: Value, op: Op) -> Value:
    from loma.host.interop.device_jax import called_back

    return mlir.lower_fun(partial(called_back, op), multiple_results=True)(context, *operands)


def _on_device(*arrays: Value, op: Op) -> Value:
    from loma.host.interop.device_jax import on_device

    return on_device(op, arrays)


def _computed(primitive: Primitive, direct: Callable[..., Value]) -> Callable[..., Value]:
    """What runs a primitive outside of traces; `direct` where a device runs it."""

    def run(*arrays: Value, op: Op) -> Value:
        return primitive.bind(*arrays, op=op)

    compiled: Callable[..., Value] = jax.jit(run, static_argnames="op")

    def chosen_one(*arrays: Value, op: Op) -> Value:
        there = op.on_device or (jax_has_gpu() and on_gpu(arrays))
        return (direct if there else compiled)(*arrays, op=op)

    return chosen_one


CALL.def_impl(_computed(CALL, _on_device))
PUSH.def_impl(_computed(PUSH, _pushed))
CALL.def_abstract_eval(_call_abstract)
PUSH.def_abstract_eval(_push_abstract)
ad.primitive_jvps[CALL] = _call_jvp
ad.primitive_jvps[PUSH] = _push_jvp
ad.primitive_transposes[PUSH] = _push_transpose
batching.primitive_batchers[CALL] = _call_batch
batching.primitive_batchers[PUSH] = _push_batch
mlir.register_lowering(CALL, _elsewhere)
mlir.register_lowering(CALL, _lowered, platform="cpu")
mlir.register_lowering(PUSH, mlir.lower_fun(_pushed, multiple_results=True))
