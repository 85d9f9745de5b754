"""What docs/coming_from.md says of JAX, PyTorch, Warp and Taichi, executed in these systems."""

from __future__ import annotations

import importlib.util
import linecache
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import loma
from loma import Array, In, InOut

PAGE = Path(__file__).parents[2] / "docs" / "coming_from.md"
FORCES = [-5.0, 10.0, -5.0]
HEADS = {
    "jax": "import jax, jax.numpy as jnp\nx = jnp.array([0.0, 1.5, 2.0])\n",
    "torch": "import torch\n",
    "warp": """
import warp as wp
x = wp.array([0.0, 1.5, 2.0], dtype=float, requires_grad=True, device="cpu")
total = wp.zeros(1, dtype=float, requires_grad=True, device="cpu")
""",
    "taichi": """
import taichi as ti
ti.init(arch=ti.cpu, log_level=ti.ERROR, offline_cache=False)
n = 3
x = ti.field(float, shape=n, needs_grad=True)
total = ti.field(float, shape=(), needs_grad=True)
for i, value in enumerate((0.0, 1.5, 2.0)):
    x[i] = value
""",
}
OVERWRITING = {
    "warp": """
import warp as wp
wp.config.verify_autograd_array_access = {checked}
x = wp.array([3.0], dtype=float, requires_grad=True, device="cpu")
total = wp.zeros(1, dtype=float, requires_grad=True, device="cpu")

@wp.kernel
def square(x: wp.array(dtype=float)):
    i = wp.tid()
    x[i] = x[i] * x[i]

@wp.kernel
def sum_of(x: wp.array(dtype=float), total: wp.array(dtype=float)):
    wp.atomic_add(total, 0, x[wp.tid()])

with wp.Tape() as tape:
    wp.launch(square, dim=1, inputs=[x], device="cpu")
    wp.launch(square, dim=1, inputs=[x], device="cpu")
    wp.launch(sum_of, dim=1, inputs=[x], outputs=[total], device="cpu")
tape.backward(loss=total)
found = float(x.grad.numpy()[0])
""",
    "taichi": """
import taichi as ti
ti.init(arch=ti.cpu, log_level=ti.ERROR, offline_cache=False, debug={checked})
x = ti.field(float, shape=1, needs_grad=True)
total = ti.field(float, shape=(), needs_grad=True)
x[0] = 3.0

@ti.kernel
def square():
    for i in x:
        x[i] = x[i] * x[i]

@ti.kernel
def sum_of():
    for i in x:
        total[None] += x[i]

with ti.ad.Tape(loss=total, validation={checked}):
    square()
    square()
    sum_of()
found = x.grad[0]
""",
}
LOOPS = {
    "warp": """
import warp as wp
x = wp.array([1.1], dtype=float, requires_grad=True, device="cpu")
total = wp.zeros(1, dtype=float, requires_grad=True, device="cpu")

@wp.kernel
def powers(x: wp.array(dtype=float), n: int, total: wp.array(dtype=float)):
    t = x[0]
    for i in range(n):
        t = t * t
    total[0] = t

with wp.Tape() as tape:
    wp.launch(powers, dim=1, inputs=[x, 3], outputs=[total], device="cpu")
tape.backward(loss=total)
found = float(x.grad.numpy()[0])
has_forward = any("jvp" in name or "fwd" in name.lower() for name in dir(wp))
vectors = wp.vec3
functions = wp.func
""",
    "taichi": """
import taichi as ti
ti.init(arch=ti.cpu, log_level=ti.ERROR, offline_cache=False)
x = ti.field(float, shape=1, needs_grad=True)
total = ti.field(float, shape=(), needs_grad=True)
x[0] = 1.1

@ti.kernel
def powers(n: int):
    for i in x:
        t = x[i]
        j = 0
        while j < n:
            t = t * t
            j += 1
        total[None] += t

with ti.ad.Tape(loss=total):
    powers(3)
""",
}


def needs(system: str) -> None:
    """Skips, counted, where a system is not installed."""
    if importlib.util.find_spec(system) is None:
        pytest.skip(f"not installed: {system} (pip install -r tests/interop/requirements.txt)")


def block(system: str) -> str:
    found = re.search(rf"^```py {system}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert found is not None
    return found[1]


def executed(name: str, text: str, folder: Path) -> dict[str, Any]:
    """The names of a program; its file is there as long as kernels are compiled from it."""
    file = folder / f"{name}.py"
    file.write_text(text)
    linecache.checkcache(str(file))
    names: dict[str, Any] = {"__name__": name, "__file__": str(file)}
    exec(compile(text, str(file), "exec", dont_inherit=True), names)
    return names


@pytest.mark.parametrize("system", HEADS)
def test_the_program_of_the_page(system: str, tmp_path: Path) -> None:
    needs(system)
    lines = block(system).strip().split("\n")
    last = lines.pop()
    text = HEADS[system] + "\n".join([*lines, f"found = {last}"])
    found = executed(f"page_{system}", text, tmp_path)["found"]
    as_array = found.to_numpy() if system == "taichi" else (
        found.numpy() if system == "warp" else np.asarray(found))
    np.testing.assert_allclose(as_array, FORCES, rtol=1e-6)


def test_every_program_of_the_page_is_run() -> None:
    assert re.findall(r"^```py\b ?(.*)$", PAGE.read_text(), re.M) == list(HEADS)


# JAX.


def test_loops_of_jax() -> None:
    def while_loop(x: Any) -> Any:
        return jax.lax.while_loop(lambda c: c < 10.0, lambda c: c * c, x)

    def for_loop(x: Any, n: Any) -> Any:
        return jax.lax.fori_loop(0, n, lambda i, c: c * c, x)

    with pytest.raises(ValueError, match="[Rr]everse-mode differentiation"):
        jax.grad(while_loop)(2.0)
    with pytest.raises(ValueError, match="[Rr]everse-mode differentiation"):
        jax.jit(jax.grad(for_loop))(2.0, 3)

    @loma.function
    def loop(x: In[float], n: In[int]) -> float:
        y: float = x
        for i in range(n):
            y = y * y
        while y < 10.0:
            y = y * y
        return y

    assert jax.jit(jax.grad(loop))(2.0, 3) == 8 * 2.0**7
    assert jax.grad(loop)(2.0, 0) == 4 * 2.0**3


def test_branches_and_guards_of_jax() -> None:
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(lambda x: x if x > 0 else 0.0)(1.0)
    guarded = jax.grad(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0))
    assert np.isnan(guarded(0.0))

    @loma.function
    def root(x: In[float]) -> float:
        return loma.sqrt(x) if x > 0.0 else 0.0

    assert jax.grad(root)(0.0) == 0.0 and loma.grad(root, wrt="x")(0.0) == 0.0


def test_what_jax_has_for_what() -> None:
    @loma.function
    def poly(x: In[float], k: In[float]) -> float:
        return k * x**3

    def same(x: Any, k: Any) -> Any:
        return k * x**3

    with jax.enable_x64(True):
        x, k = jnp.float64(2.0), jnp.float64(5.0)
        assert loma.grad(poly, wrt="x")(2.0, 5.0) == jax.grad(same, argnums=0)(x, k)
        assert loma.jvp(poly, (2.0, 5.0), (1.0, 0.0)) == jax.jvp(same, (x, k), (x * 0 + 1, k * 0))
        assert tuple(loma.vjp(poly, 2.0, 5.0)[1](1.0)) == jax.vjp(same, x, k)[1](x * 0 + 1)
        np.testing.assert_allclose(
            loma.hessian(poly)(2.0, 5.0), np.array(jax.hessian(same, (0, 1))(x, k)))
        np.testing.assert_allclose(
            loma.jacobian(poly, wrt="x")(2.0, 5.0), jax.jacfwd(same)(x, k))
        xs = jnp.arange(3.0)
        np.testing.assert_allclose(poly.map(xs, k), jax.vmap(poly, (0, None))(xs, k))
        np.testing.assert_allclose(jax.jit(jax.grad(poly))(x, k), jax.grad(same)(x, k))
    assert jnp.zeros(2).at[1].set(3.0).tolist() == [0.0, 3.0]
    assert {"custom_jvp", "custom_vjp", "checkpoint"} <= set(dir(jax))
    assert hasattr(jax.lax, "stop_gradient")


# PyTorch.


def test_in_place_operations_of_torch_are_limited() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 1.0
    z = y * y
    y.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()

    @loma.function
    def changed(x: In[float]) -> float:
        y: float = x
        z: float = y * y
        y += 1.0
        return z * y

    assert loma.grad(changed, wrt="x")(2.0) == 2 * 2 * 3 + 4


def test_the_graph_of_torch_is_recorded_in_each_run() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    steps = []
    for n in (2, 3):
        y = x
        for _ in range(n):
            y = y * 1.5
        found, node = 0, y.grad_fn
        while node is not None and node.next_functions:
            found, node = found + 1, node.next_functions[0][0]
        steps.append(found)
    assert steps == [2, 3]
    assert (x * x).grad_fn is not (x * x).grad_fn


def test_what_torch_has_for_what() -> None:
    @loma.function
    def poly(x: In[float]) -> float:
        return 5.0 * x**3

    x, one = torch.tensor(2.0, dtype=torch.float64), torch.ones((), dtype=torch.float64)

    def same(x: Any) -> Any:
        return 5.0 * x**3

    assert loma.jvp(poly, (2.0,), (1.0,))[1] == torch.func.jvp(same, (x,), (one,))[1]
    assert loma.vjp(poly, 2.0)[1](1.0).x == torch.func.vjp(same, x)[1](one)[0]
    np.testing.assert_allclose(loma.hessian(poly, wrt="x")(2.0), torch.func.hessian(same)(x))
    assert {"detach", "requires_grad", "backward", "grad"} <= set(dir(x))
    assert hasattr(torch, "no_grad") and hasattr(torch.autograd, "Function")


# Warp and Taichi.


@pytest.mark.parametrize("system", OVERWRITING)
def test_overwriting_what_was_read(
        system: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    needs(system)
    right = 4 * 3.0**3
    text = OVERWRITING[system]
    found = executed(f"{system}_quiet", text.format(checked=False), tmp_path)["found"]
    assert abs(found - right) > 1.0, "the system is silent, and wrong"
    if system == "taichi":
        with pytest.raises(AssertionError, match="[Oo]verwritten|breaks the global data access"):
            executed(f"{system}_checked", text.format(checked=True), tmp_path)
    else:
        try:
            executed(f"{system}_checked", text.format(checked=True), tmp_path)
            assert "overwriting" in "".join(capfd.readouterr())
        finally:
            importlib.import_module("warp").config.verify_autograd_array_access = False

    @loma.function
    def twice(x: InOut[Array[float, "n"]]):
        for k in range(2):
            for i in range(n):
                x[i] = x[i] * x[i]

    assert loma.vjp(twice, np.array([3.0]))[1](np.ones(1)).x == right


@pytest.mark.parametrize("system", LOOPS)
def test_loops(system: str, tmp_path: Path) -> None:
    needs(system)
    right = 8 * 1.1**7
    if system == "taichi":
        with pytest.raises(RuntimeError, match="Not supported"):
            executed("loop_taichi", LOOPS[system], tmp_path)
        taichi: Any = importlib.import_module("taichi")
        assert hasattr(taichi.ad, "FwdMode") and taichi.Vector and taichi.func
    else:
        names = executed("loop_warp", LOOPS[system], tmp_path)
        assert abs(names["found"] - right) > 1.0, "the system is silent, and wrong"
        assert not names["has_forward"] and names["vectors"] and names["functions"]

    @loma.function
    def powers(x: In[float], n: In[int]) -> float:
        t: float = x
        j: int = 0
        while j < n:
            t = t * t
            j += 1
        return t

    np.testing.assert_allclose(loma.grad(powers, wrt="x")(1.1, 3), right)
