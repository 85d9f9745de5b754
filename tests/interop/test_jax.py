"""JAX arrays as arguments: values, both modes to second order, jit, vmap, errors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from interop import programs
from interop.programs import CASES, SIMPLE, Case
from jax.test_util import check_grads

import loma
from loma import In, Out, f64, float2int

IDS = [c.name for c in CASES]


@pytest.fixture(autouse=True)
def wide() -> Any:
    """64-bit numbers are on in these tests."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def arrays(case: Case) -> list[Any]:
    return [jnp.asarray(x) for x in case.leaves()]


def function(case: Case) -> Any:
    return case.outputs(lambda x: jnp.asarray(x) if isinstance(x, np.ndarray) else x)


@pytest.mark.parametrize("case", SIMPLE, ids=lambda c: c.name)
def test_values_are_those_of_numpy(case: Case) -> None:
    wanted = case.f(*case.args)
    for f in (function(case), jax.jit(function(case))):
        found = f(*arrays(case))
        for a, b in zip(found, wanted if isinstance(wanted, tuple) else [wanted]):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_check_grads(case: Case) -> None:
    check_grads(jax.jit(function(case)), arrays(case), order=2, modes=["fwd", "rev"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_vmap_is_a_loop(case: Case) -> None:
    f, x = function(case), arrays(case)
    batch = [jnp.stack([t, 0.9 * t, 1.05 * t]) for t in x]
    found = jax.jit(jax.vmap(f))(*batch)
    for k in range(3):
        for a, b in zip(found, f(*(t[k] for t in batch))):
            np.testing.assert_array_equal(a[k], b)
    mixed = jax.vmap(f, in_axes=(0, *(None for _ in x[1:])))
    check_grads(mixed, (batch[0], *x[1:]), order=2, modes=["fwd", "rev"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_hessians_by_any_order_of_modes(case: Case) -> None:
    f, x = function(case), arrays(case)
    every = tuple(range(len(x)))

    def number(*x: Any) -> Any:
        return sum((y * y).sum() for y in f(*x))

    modes = (jax.jacfwd, jax.jacrev)
    found = [outer(inner(number, every), every)(*x) for outer in modes for inner in modes]
    for other in found[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
                     found[0], other)


def test_gradient_of_gradient_under_jit_and_vmap() -> None:
    x = jnp.linspace(0.0, 1.0, 5)
    second = jax.jit(jax.vmap(jax.grad(jax.grad(lambda a, x: programs.waves(a, x).sum())),
                              (0, None)))
    a = jnp.array([0.5, 1.5])
    np.testing.assert_allclose(second(a, x), -(x * x * jnp.sin(a[:, None] * x)).sum(1))
    both = jax.vmap(jax.vmap(programs.waves, (None, 0)), (0, None))
    check_grads(both, (a, jnp.stack([x, x + 1, x + 2])), order=2, modes=["fwd", "rev"])


def test_control_flow_of_jax_around_it() -> None:
    def step(x: Any, _: None) -> Any:
        return programs.moved(x, x, 0.5), x.sum()

    def run(x: Any) -> Any:
        return jax.lax.scan(step, x, None, length=4)[0].sum()

    x = jnp.linspace(0.1, 0.9, 4)
    check_grads(run, (x,), order=2, modes=["fwd", "rev"])
    check_grads(jax.checkpoint(run), (x,), order=2, modes=["rev"])
    np.testing.assert_allclose(
        jax.vmap(jax.grad(run))(jnp.stack([x, 2 * x]))[1], jax.grad(run)(2 * x))


def test_linear_maps_and_their_transposes() -> None:
    x = jnp.linspace(0.1, 0.9, 4)
    y, push = jax.linearize(lambda x: programs.waves(2.0, x), x)
    np.testing.assert_allclose(push(x), 2 * x * jnp.cos(2 * x))
    (back,) = jax.linear_transpose(push, x)(x)
    np.testing.assert_allclose(back, 2 * x * jnp.cos(2 * x))
    many = jax.linear_transpose(jax.vmap(push), jnp.eye(4))
    np.testing.assert_allclose(many(jnp.eye(4))[0], jnp.diag(2 * jnp.cos(2 * x)))


def test_types_follow_the_arrays() -> None:
    x = jnp.linspace(0.0, 1.0, 4, dtype=jnp.float32)
    assert programs.waves(2.0, x).dtype == jnp.float32
    assert programs.waves(2.0, x.astype(jnp.float64)).dtype == jnp.float64
    jax.config.update("jax_enable_x64", False)
    assert jax.grad(lambda a: programs.product(a, 2.0))(1.0).dtype == jnp.float32
    with pytest.raises(loma.ArgumentTypeError, match="`wide_only` takes 64-bit numbers"):
        wide_only(x[0], 1.0)


@loma.function
def wide_only(x: In[float], y: In[f64]) -> f64:
    return y


@loma.function
def counted(x: In[float], n: Out[int], y: Out[float]):
    n = float2int(x)
    y = x * x


def test_whole_numbers_among_the_outputs_have_no_gradient() -> None:
    n, y = counted(jnp.array(3.5))
    assert n == 3 and n.dtype == jnp.int32 and y == 12.25
    assert jax.grad(lambda x: counted(x).y)(3.5) == 7.0
    assert jax.jvp(lambda x: counted(x).y, (3.5,), (1.0,))[1] == 7.0


def test_peer_fault_gradients_through_members_of_a_struct() -> None:
    g = jax.grad(lambda v: programs.norm(v))({"x": 3.0, "y": jnp.array(4.0)})
    np.testing.assert_allclose([g["x"], g["y"]], [0.6, 0.8], rtol=1e-15)
    made = jax.jit(programs.turned)({"x": jnp.array(1.0), "y": 0.0}, 0.5)
    assert isinstance(made, programs.Vec)


def test_a_static_int_tells_a_length() -> None:
    x = jnp.ones(4)
    with pytest.raises(loma.ArgumentTypeError, match="`n` tells the length of an array"):
        jax.jit(programs.dot)(x, x, 4)
    assert jax.jit(programs.dot, static_argnums=2)(x, x, 4) == 4.0
    assert jax.jit(programs.dot, static_argnames="n")(x, x, 4) == 4.0
    for n in range(4):
        many = jax.vmap(lambda a, n=n: programs.ramp(n, a))(jnp.ones(2))
        assert many.tolist() == [list(range(n))] * 2
        assert jax.grad(lambda a, n=n: programs.ramp(n, a).sum())(2.0) == n * (n - 1) / 2


def test_a_number_of_python_is_weak_under_jit_too() -> None:
    x = jnp.arange(3.0, dtype=jnp.float32)
    assert jax.jit(programs.waves)(2, x).dtype == jnp.float32
    assert jax.jit(programs.waves)(2.0, x.astype(jnp.float64)).dtype == jnp.float64
    assert jax.jit(programs.steps)(2, 1.0) == programs.steps(2, 1.0)
    with pytest.raises(loma.ArgumentTypeError, match="`n` must be a number or an int32 array"):
        jax.jit(programs.steps)(2.0, 1.0)


ERRORS = (
    (lambda: programs.waves(1.0, jnp.zeros(3, jnp.int32)),
     "`waves`: argument `x` must be a float64 array of shape .n,., not an int32 array"),
    (lambda: programs.waves(1.0, jnp.zeros((3, 2), jnp.float32)),
     "argument `x` must be a float32 array of shape .n,., not a float32 array of shape .3, 2."),
    (lambda: programs.waves(jnp.zeros((), jnp.float64), jnp.zeros(3, jnp.float32)),
     "mix float32 and float64: `a` has float64, `x` has float32"),
    (lambda: programs.moved(jnp.zeros(3), jnp.zeros(4), 1.0),
     "argument `v` must have length 3, as argument `x` has, not 4"),
    (lambda: programs.waves(1.0, jnp.zeros(3), y=jnp.zeros(3)),
     "argument `y` is written, and a call with arrays writes none of them; leave it out"),
    (lambda: programs.norm(jnp.zeros(2)), "argument `v` must be a `Vec` with the members x, y"),
    (lambda: jax.jit(programs.filled)(1.0), r"`filled` indexes no input by .*filled\[n\]"),
)


@pytest.mark.parametrize("call, message", ERRORS, ids=[m[:40] for _, m in ERRORS])
def test_errors_are_one_sentence_with_the_argument(call: Any, message: str) -> None:
    with pytest.raises((loma.ArgumentTypeError, loma.ArgumentValueError), match=message):
        call()


@loma.function
def endless(x: In[float]) -> float:
    return endless(x + 1.0)


def test_a_trap_is_an_error_with_the_line() -> None:
    for _ in range(3):
        with pytest.raises(jax.errors.JaxRuntimeError, match=r"test_jax.py:\d+: recursion"):
            jax.block_until_ready(jax.jit(endless)(1.0))


def test_no_array_is_written() -> None:
    x = jnp.linspace(0.1, 0.9, 4)
    before = np.array(x)
    moved = programs.moved(x, x, 0.5)
    np.testing.assert_array_equal(x, before)
    assert np.all(np.asarray(moved) != before)


def test_a_function_maps_over_arrays() -> None:
    x, y = jnp.linspace(0.0, 1.0, 3)[:, None], jnp.array([0.5, 1.5])
    z = jax.jit(programs.product.map)(x, y)
    np.testing.assert_allclose(z, x * y + jnp.sin(x))
    check_grads(programs.product.map, (x, y), order=2, modes=["fwd", "rev"])
