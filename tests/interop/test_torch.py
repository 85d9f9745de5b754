"""PyTorch tensors as arguments: values, derivatives of every kind, errors, speed."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from interop import programs
from interop.programs import CASES, SIMPLE, Case

import loma
from loma import Array, In, Out, f32, f64, float2int, thread_id
from loma.backends.llvm import tensor_call

IDS = [c.name for c in CASES]


def tensors(case: Case) -> list[torch.Tensor]:
    return [torch.tensor(x, requires_grad=True) for x in case.leaves()]


def function(case: Case) -> Any:
    return case.outputs(lambda x: torch.tensor(x) if isinstance(x, np.ndarray) else x)


@pytest.mark.parametrize("case", SIMPLE, ids=lambda c: c.name)
def test_values_are_those_of_numpy(case: Case) -> None:
    wanted = case.f(*case.args)
    found = function(case)(*tensors(case))
    for a, b in zip(found, wanted if isinstance(wanted, tuple) else [wanted]):
        np.testing.assert_array_equal(a.detach().numpy(), np.asarray(b))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradcheck(case: Case) -> None:
    f, x = function(case), tensors(case)
    assert torch.autograd.gradcheck(f, x, check_forward_ad=True)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradgradcheck(case: Case) -> None:
    f, x = function(case), tensors(case)
    assert torch.autograd.gradgradcheck(f, x, check_fwd_over_rev=True, check_rev_over_rev=True)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_transforms_of_functions(case: Case) -> None:
    f, x = function(case), [t.detach() for t in tensors(case)]
    every = tuple(range(len(x)))
    forward = torch.func.jacfwd(f, argnums=every)(*x)
    reverse = torch.func.jacrev(f, argnums=every)(*x)
    for a, b in zip(_flat(forward), _flat(reverse)):
        torch.testing.assert_close(a, b)

    def number(*x: torch.Tensor) -> torch.Tensor:
        return sum((y * y).sum() for y in f(*x))

    one = torch.func.hessian(number, argnums=every)(*x)
    two = torch.func.jacrev(torch.func.jacfwd(number, argnums=every), argnums=every)(*x)
    for a, b in zip(_flat(one), _flat(two)):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_vmap_is_a_loop(case: Case) -> None:
    f, x = function(case), [t.detach() for t in tensors(case)]
    batch = [torch.stack([t, 0.9 * t, 1.05 * t]) for t in x]
    found = torch.func.vmap(f)(*batch)
    for k in range(3):
        for a, b in zip(found, f(*(t[k] for t in batch))):
            torch.testing.assert_close(a[k], b, rtol=0, atol=0)
    first = (0, *(None for _ in x[1:]))
    mixed = torch.func.vmap(f, in_dims=first)(batch[0], *x[1:])
    for a, b in zip(mixed, f(batch[0][2], *x[1:])):
        torch.testing.assert_close(a[2], b, rtol=0, atol=0)


def _flat(x: Any) -> list[torch.Tensor]:
    return [y for part in x for y in _flat(part)] if isinstance(x, tuple | list) else [x]


def test_nested_vmap_and_its_gradient() -> None:
    a = torch.tensor([0.5, 1.5], dtype=torch.float64)
    x = torch.rand(3, 4, dtype=torch.float64)
    one = torch.func.vmap(programs.waves, in_dims=(None, 0))
    both = torch.func.vmap(one, in_dims=(0, None))
    torch.testing.assert_close(both(a, x), torch.sin(a[:, None, None] * x))
    g = torch.func.grad(lambda a: both(a, x).sum())(a)
    torch.testing.assert_close(g, (x * torch.cos(a[:, None, None] * x)).sum((1, 2)))
    each = torch.func.vmap(torch.func.grad(lambda a, x: programs.waves(a, x).sum()), (0, None))
    torch.testing.assert_close(each(a, x[0]), (x[0] * torch.cos(a[:, None] * x[0])).sum(1))


def test_flags_of_the_tensors_decide() -> None:
    a, x = torch.tensor(0.7), torch.rand(4, requires_grad=True)
    y = programs.waves(a, x)
    assert y.requires_grad and y.dtype == torch.float32
    y.sum().backward()
    assert a.grad is None and x.grad is not None
    torch.testing.assert_close(x.grad, 0.7 * torch.cos(0.7 * x))
    assert not programs.waves(a, x.detach()).requires_grad
    with torch.no_grad():
        assert not programs.waves(a, x).requires_grad


def test_peer_fault_gradients_through_members_of_a_struct_of_double_tensors() -> None:
    v = {"x": torch.tensor(3.0, dtype=torch.float64, requires_grad=True),
         "y": torch.tensor(4.0, dtype=torch.float64, requires_grad=True)}
    programs.norm(v).backward()
    assert v["x"].grad.item() == pytest.approx(0.6, rel=1e-15)
    assert v["y"].grad.item() == pytest.approx(0.8, rel=1e-15)
    made = programs.turned(programs.Vec(v["x"], v["y"]), 0.5)
    assert isinstance(made, programs.Vec) and made.x.dtype == torch.float64


def test_numbers_and_calls_by_name_mix_with_tensors() -> None:
    x = torch.rand(4, dtype=torch.float64)
    for a in (2.0, 2, torch.tensor(2.0, dtype=torch.float64), 3.0, -0.0):
        torch.testing.assert_close(programs.waves(a, x), torch.sin(a * x))
        torch.testing.assert_close(programs.waves(x=x, a=a), torch.sin(a * x))
    a, b = programs.two(torch.tensor(1.0))
    assert a.dtype == torch.float32 and b == a
    named = programs.two(torch.tensor(1.0))
    torch.testing.assert_close(named.p, named.q)


def test_in_and_out_policy_no_tensor_is_written() -> None:
    x, v = torch.rand(4), torch.rand(4)
    before = x.clone()
    moved = programs.moved(x, v, 0.5)
    assert torch.equal(x, before) and not torch.equal(moved, before)
    with pytest.raises(loma.ArgumentTypeError, match="argument `y` is written.*leave it out"):
        programs.waves(1.0, x, y=torch.zeros(4))


def test_an_input_modified_before_backward_is_an_error() -> None:
    x = torch.rand(4, requires_grad=True)
    y = x * 1
    z = programs.waves(2.0, y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


@pytest.mark.parametrize("round", range(2))
def test_any_layout_of_memory_is_right(round: int) -> None:
    x = torch.rand(8, dtype=torch.float64, requires_grad=True)
    for t in (x[::2], x.flip(0), x[1:2].expand(5), x.reshape(2, 4).t()[1], x[:0], x[1:]):
        y = programs.waves(2.0, t)
        torch.testing.assert_close(y, torch.sin(2 * t))
        (g,) = torch.autograd.grad(y.sum(), x)
        (h,) = torch.autograd.grad(torch.sin(2 * t).sum(), x)
        torch.testing.assert_close(g, h)
    neg = torch.conj(torch.complex(x, x)).imag
    assert neg.is_neg()
    torch.testing.assert_close(programs.waves(2.0, neg), torch.sin(-2 * x))


ERRORS = (
    (lambda: programs.waves(1.0, torch.zeros(3, dtype=torch.int64)),
     "`waves`: argument `x` must be a float64 tensor of shape .n,., not an int64 tensor"),
    (lambda: programs.waves(1.0, torch.zeros(3, 2)),
     "argument `x` must be a float32 tensor of shape .n,., not a float32 tensor of shape .3, 2."),
    (lambda: programs.waves(torch.zeros(3), torch.zeros(3)),
     "argument `a` must be a number or a float32 tensor without dimensions"),
    (lambda: programs.waves(torch.zeros((), dtype=torch.float64), torch.zeros(3)),
     "mix float32 and float64: `a` has float64, `x` has float32"),
    (lambda: programs.moved(torch.zeros(3), torch.zeros(4), 1.0),
     "argument `v` must have length 3, as argument `x` has, not 4"),
    (lambda: programs.dot(torch.zeros(3), torch.zeros(3), 5),
     "argument `x` must have length 5, as argument `n` has, not 3"),
    (lambda: programs.ramp(-1, torch.ones(())), "`n` tells the length of an array, and is -1"),
    (lambda: torch.func.vmap(lambda n: programs.ramp(n, torch.ones(())))(
        torch.ones(2, dtype=torch.int32)), "`n` tells the length of an array, which `vmap`"),
    (lambda: programs.waves[5](1.0, torch.zeros(3)), "`x` must have at least length 5, one for"),
    (lambda: programs.waves(1.0, torch.zeros(3, dtype=torch.float16)), "not a float16 tensor"),
    (lambda: programs.columns(torch.zeros(3, 4)),
     "argument `p` must be a float32 tensor of shape .n, 3., not a float32 tensor"),
    (lambda: programs.waves(1.0, torch.zeros(3, device="meta")),
     "argument `x` must be on the CPU, not on meta; `.cpu"),
    (lambda: programs.waves(1.0, torch.zeros(3).to_sparse()),
     "argument `x` must be a dense tensor"),
    (lambda: programs.norm(torch.zeros(2)),
     "argument `v` must be a `Vec` with the members x, y, not a float32 tensor"),
    (lambda: programs.norm({"x": torch.zeros(())}), "argument `v` must be a `Vec`"),
    (lambda: programs.waves(torch.zeros(())), "missing argument `x`"),
    (lambda: programs.filled(torch.zeros(())), r"`filled` indexes no input by .*filled\[n\]"),
    (lambda: programs.waves("a", torch.zeros(3)), "argument `a` must be a number of type `float`"),
    (lambda: programs.rows([torch.zeros(3), torch.zeros(2)], 2, torch.zeros(2)),
     "argument `a` is a list of tensors whose lengths differ"),
)


@pytest.mark.parametrize("call, message", ERRORS, ids=[m[:40] for _, m in ERRORS])
def test_errors_are_one_sentence_with_the_argument(call: Any, message: str) -> None:
    for _ in range(2):
        with pytest.raises((loma.ArgumentTypeError, loma.ArgumentValueError), match=message) as e:
            call()
        assert e.value.diagnostics[0].span.file == __file__


@loma.function
def element(x: In[loma.Array[float, "n"]], i: In[int]) -> float:
    if i < 0:
        return x[0] / 0.0
    return x[i]


@loma.function
def endless(x: In[float]) -> float:
    return endless(x + 1.0)


def test_a_trap_is_an_error_with_the_line() -> None:
    for _ in range(5):
        with pytest.raises(loma.RunError) as e:
            endless(torch.tensor(1.0))
        assert e.value.file == __file__


def test_a_number_that_tells_a_length_costs_no_compilation(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOMA_CACHE_DIR", str(tmp_path))
    made: list[object] = []

    def compiled(call: Any) -> bytes:
        made.append(call)
        return tensor_call.compile_tensor_call(call)

    monkeypatch.setattr("loma.host.interop.tensor_call.compile_tensor_call", compiled)
    for n in range(5):
        x = torch.tensor(2.0, requires_grad=True)
        y = programs.ramp(n, x)
        assert y.tolist() == [2.0 * i for i in range(n)]
        y.sum().backward()
        assert x.grad == n * (n - 1) / 2
    assert len(made) == 2


@loma.function
def half(x: In[f32], y: In[float]) -> f32:
    return x * 0.5


def test_explicit_types_stay() -> None:
    y = half(torch.tensor(1.0), torch.tensor(1.0, dtype=torch.float64))
    assert y.dtype == torch.float32


@loma.function
def counted(x: In[float], n: Out[int], y: Out[float]):
    n = float2int(x)
    y = x * x


def test_whole_numbers_among_the_outputs_have_no_gradient() -> None:
    for _ in range(4):
        x = torch.tensor(3.5, requires_grad=True)
        n, y = counted(x)
        assert n == 3 and n.dtype == torch.int32 and not n.requires_grad
        y.backward()
        assert x.grad == 7.0


def test_a_program_that_changes_is_compiled_again() -> None:
    x = torch.tensor(2.0)
    for value in (2.0, 3.0):
        globals()["FACTOR"] = value
        for _ in range(5):
            assert times(x) == 2.0 * value


FACTOR = 1.0


@loma.function
def times(x: In[float]) -> float:
    return FACTOR * x


def test_compile_computes_the_same() -> None:
    x = torch.rand(4, requires_grad=True)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return (programs.waves(2.0, x * 2) * 3).sum()

    compiled = torch.compile(loss, backend="aot_eager")
    for _ in range(4):
        (g,) = torch.autograd.grad(compiled(x), x)
        torch.testing.assert_close(g, 12 * torch.cos(4 * x))


def test_a_function_maps_over_tensors() -> None:
    x = torch.rand(3, 1, dtype=torch.float64, requires_grad=True)
    y = torch.rand(2, dtype=torch.float64)
    z = programs.product.map(x, y)
    torch.testing.assert_close(z, x * y + torch.sin(x))
    (g,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(g, y.sum() + 2 * torch.cos(x))
    with pytest.raises(loma.ArgumentValueError, match="do not fit together"):
        programs.product.map(x[:, 0], y)


def test_derivatives_of_loma_itself_are_for_numpy() -> None:
    with pytest.raises(loma.ArgumentTypeError, match="for NumPy arrays; .*torch.func"):
        loma.grad(programs.product)(torch.tensor(1.0), 2.0)


def test_eight_threads_at_once() -> None:
    def work(k: int) -> torch.Tensor:
        a = torch.tensor(0.1 * k, dtype=torch.float64, requires_grad=True)
        x = torch.linspace(0.0, 1.0, 1000, dtype=torch.float64)
        for _ in range(50):
            (g,) = torch.autograd.grad(programs.waves(a, x).sum(), a)
        return g - (x * torch.cos(a * x)).sum()

    with ThreadPoolExecutor(8) as pool:
        assert all(abs(d.item()) < 1e-9 for d in pool.map(work, range(16)))


T = TypeVar("T", f32, f64)


@loma.kernel
def squares(a: In[T], x: In[Array[T]], y: Out[Array[T]]):
    i: int = thread_id()
    y[i] = a * x[i] * x[i]


def test_generic_functions_take_their_types_from_tensors() -> None:
    for dtype in (torch.float32, torch.float64):
        a, x = torch.tensor(2.0, dtype=dtype), torch.rand(3, dtype=dtype, requires_grad=True)
        y = squares(a, x)
        assert y.dtype == dtype
        torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], 4 * x)


def test_forward_mode_at_tensors_out_of_order_when_calls_have_become_quick() -> None:
    x = torch.linspace(0, 1, 8)
    for _ in range(5):
        programs.waves(2.0, x)
    other = torch.stack([x, x], 1)[:, 0]
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore")
        dual = forward_ad.make_dual(other, torch.ones_like(other))
        value, rate = forward_ad.unpack_dual(programs.waves(2.0, dual))
    torch.testing.assert_close(value, torch.sin(2 * x))
    torch.testing.assert_close(rate, 2 * torch.cos(2 * x))
