"""On an NVIDIA GPU: every kernel of the list agrees with the oracle and with `llvm`; additions of
many threads, errors, memory; arrays of CuPy, PyTorch and JAX where they lie.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from devices.door import judge
from devices.kernels import KERNELS, KernelCase
from devices.programs import LOOP, SHARED, TRAPS
from devices.running import agree
from devices.test_debug import CASES, checks, lengths
from devices.test_kernels import named
from devices.ulps import BOUND, row
from interop import test_gpu_arrays as arrays

from loma.diagnostics import RunError
from loma.host.course import compile
from loma.host.device_library import ArgumentError
from loma.ir.types import F32, F64, Scalar

MANY = 10_000_000

def has(name: str) -> bool:
    """Whether a library is here."""
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("float_type", [F64, F32], ids=named)
@pytest.mark.parametrize("case", KERNELS, ids=named)
def test_it_agrees_with_the_oracle_and_with_llvm(case: KernelCase, float_type: Scalar) -> None:
    if case.name == "ragged":  # tensors of PyTorch and arrays of JAX show that it works
        with pytest.raises(ArgumentError, match="holds pointers, which must be the device's"):
            agree(case, "cuda", float_type)
        return
    agree(case, "cuda", float_type)
    assert max(row(case, "cuda", float_type)) <= BOUND[float_type]


@pytest.mark.parametrize(("order", "float_type"), [(1, F64), (2, F64), (3, F64), (1, F32)])
def test_random_kernels_agree_with_the_oracle(order: int, float_type: Scalar) -> None:
    checked, seed = 0, 77_000
    while checked < 24:
        count, found = judge(seed, order, "cuda", float_type)
        assert not found, found
        checked += max(count, 0)
        seed += 1


def test_ten_million_threads_add() -> None:
    _, lib = compile(TRAPS, target="cuda")
    rng = np.random.default_rng(1)
    x, s = rng.random(MANY, np.float32), np.zeros(1, "f")
    lib.total(x, s, MANY)
    assert abs(s[0] / x.sum(dtype="f8") - 1) < 1e-5
    k, counts = rng.integers(0, 7, MANY).astype("i4"), np.zeros(7, "i4")
    lib.histogram(k, counts, MANY)
    assert (counts == np.bincount(k, minlength=7)).all()
    _, lib = compile(SHARED, target="cuda")
    ga, gb, gx, gy = np.zeros(1, "f"), np.zeros(1, "f"), np.zeros(MANY, "f"), np.ones(MANY, "f")
    lib.r_line(2.0, ga, 1.0, gb, x, gx, gy, MANY)
    assert abs(ga[0] / np.sin(x.astype("f8")).sum() - 1) < 1e-5 and gb[0] == MANY


def test_a_thread_that_stops_itself_raises_with_file_and_line() -> None:
    _, lib = compile(TRAPS, target="cuda", file="traps.py")
    a, b, c = np.arange(100, dtype="i4"), np.ones(100, "i4"), np.zeros(100, "i4")
    b[57] = 0
    with pytest.raises(RunError, match="traps.py:5: integer division by zero"):
        lib.divide(a, b, c, 100)
    b[57] = 1
    lib.divide(a, b, c, 100)
    assert (c == a).all()


@pytest.mark.parametrize(("index", "said"), CASES)
def test_debug_mode_checks_indices_divisions_and_assertions(index: int, said: str) -> None:
    checks("cuda", index, said)


def test_lengths_are_checked_in_debug_mode() -> None:
    lengths("cuda")


@pytest.mark.skipif(not has("cupy"), reason="CuPy is not installed")
def test_errors_of_calls_that_do_not_wait() -> None:
    import cupy

    _, lib = compile(TRAPS, target="cuda", file="traps.py")
    a, c = cupy.arange(100, dtype="i4"), cupy.zeros(100, "i4")
    b = cupy.ones(100, "i4")
    b[57] = 0
    lib.divide(a, b, c, 100)
    with pytest.raises(RunError, match="traps.py:5: integer division by zero"):
        lib.divide.wait()
    lib.divide(a, b, c, 100)
    cupy.cuda.runtime.deviceSynchronize()
    with pytest.raises(RunError, match="traps.py:5: integer division by zero"):
        lib.divide(a, cupy.ones(100, "i4"), c, 100)
    lib.divide(a, cupy.ones(100, "i4"), c, 100)
    lib.divide.wait()
    assert (c == a).all()


def test_memory_that_runs_out_is_an_exception_and_the_next_call_works() -> None:
    _, lib = compile(SHARED, target="cuda")
    huge = np.zeros(3 * 10**10, "f")  # pages that nobody touches
    x, y = np.ones(8, "f"), np.zeros(8, "f")
    with pytest.raises(MemoryError, match="the GPU has no memory left"):
        lib.line(2.0, 1.0, huge, y, 8)
    lib.line(2.0, 1.0, x, y, 8)
    assert np.allclose(y, 2 * np.sin(1) + 1)


def test_tapes_grow_as_far_as_they_must() -> None:
    structs, lib = compile(LOOP, target="cuda", float_type="f64")
    ball, back = structs["Ball"](1e9, 3.0), structs["Ball"]()
    drag, gdrag, ones = np.full(1000, 1e-3), np.zeros(1000), np.ones(1000)
    lib.r_drop(ball, back, drag, gdrag, 100_000, np.zeros(1, "i4"), ones, 1000)
    assert np.isfinite(gdrag).all() and gdrag[0] != 0 and (gdrag == gdrag[0]).all()


ARRAYS = [getattr(arrays, n) for n in dir(arrays) if n.startswith("test_")]


@pytest.mark.skipif(not has("cupy"), reason="CuPy is not installed")
@pytest.mark.parametrize("check", [
    f for f in ARRAYS if "cupy" in f.__code__.co_varnames[:f.__code__.co_argcount]
    and f.__name__ != "test_arrays_of_other_libraries"])
@pytest.mark.parametrize("own_stream", [False, True])
def test_arrays_of_cupy(check: Callable[[Any], None], own_stream: bool) -> None:
    import cupy

    with cupy.cuda.Stream(non_blocking=True) if own_stream else cupy.cuda.Stream.null:
        check(cupy)


@pytest.mark.skipif(not has("cupy"), reason="CuPy is not installed")
def test_arrays_that_say_where_they_lie() -> None:
    import cupy

    class ByInterface:
        def __init__(self, x: Any) -> None:
            self.x = x

        @property
        def __cuda_array_interface__(self) -> Any:
            return self.x.__cuda_array_interface__

    class ByDLPack:
        def __init__(self, x: Any) -> None:
            self.x = x

        def __dlpack_device__(self) -> Any:
            return self.x.__dlpack_device__()

        def __dlpack__(self, **options: Any) -> Any:
            return self.x.__dlpack__(**options)

    _, lib = compile(SHARED, target="cuda")
    for form in (ByInterface, ByDLPack):
        x, y = cupy.linspace(0, 1, 9, dtype="f"), cupy.zeros(9, "f")
        lib.line(2.0, 1.0, form(x), form(y), 9)
        assert cupy.allclose(y, 2 * cupy.sin(x) + 1, rtol=1e-6)
        found = arrays.waves(2.0, form(x))
        assert isinstance(found, cupy.ndarray) and cupy.allclose(found, y - 1, atol=1e-6)


# PyTorch and JAX: the same kernels as on the CPU, to second order.


def cases() -> Iterator[Any]:
    """The kernels of the tests of PyTorch and JAX."""
    from interop.fake_gpu import kernels
    from interop.programs import CASES

    yield from kernels(CASES)


@pytest.mark.skipif(not has("torch"), reason="PyTorch is not installed")
@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_tensors_of_torch(case: Any) -> None:
    import torch

    f = case.outputs(lambda x: torch.tensor(x).cuda() if isinstance(x, np.ndarray) else x)
    x = [torch.tensor(x, device="cuda", requires_grad=True) for x in case.leaves()]
    cpu = case.outputs(lambda x: torch.tensor(x) if isinstance(x, np.ndarray) else x)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for a, b in zip(f(*x), cpu(*[t.detach().cpu() for t in x]), strict=True):
            assert a.is_cuda and torch.allclose(a.cpu(), b, rtol=1e-12)
        assert torch.autograd.gradcheck(f, x, check_forward_ad=True)
        assert torch.autograd.gradgradcheck(f, x)
        batch = [torch.stack([t, 0.9 * t]).detach() for t in x]
        for k, found in enumerate(zip(*torch.func.vmap(f)(*batch))):
            for a, b in zip(found, f(*(t[k] for t in batch))):
                torch.testing.assert_close(a, b)


@pytest.mark.skipif(not has("jax"), reason="JAX is not installed")
@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_arrays_of_jax(case: Any) -> None:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    try:
        f = case.outputs(lambda x: jnp.asarray(x) if isinstance(x, np.ndarray) else x)
        x = [jnp.asarray(x) for x in case.leaves()]
        out = f(*x)
        assert all(d.platform == "gpu" for y in out for d in y.devices())
        compiled = () if case.name == "rows" else jax.jit(f)(*x)  # the host has no pointers
        for a, b in zip(compiled, out):
            np.testing.assert_allclose(a, b, rtol=1e-14)
        check_grads(lambda *x: f(*map(jnp.asarray, x)), x, order=2, modes=["fwd", "rev"])
    finally:
        jax.config.update("jax_enable_x64", False)
