"""Long code cut into parts computes the same, traps included, and compiles in good time."""

from __future__ import annotations

import ctypes

import pytest
from opt.programs import HELPERS, PROGRAMS, STRUCTS, core, result
from opt.test_opt_random import FEATURES, cases, left
from properties.generator import generate

from loma import driver
from loma.frontend import load
from loma.frontend.lower.program import lower
from loma.host.course import compile
from loma.ir.nodes import Module
from loma.ir.types import F32, F64
from loma.ir.verify import verify
from loma.opt import outline


def cut(module: Module, monkeypatch: pytest.MonkeyPatch, large: int = 5, part: int = 2) -> Module:
    """The module cut into very small parts."""
    monkeypatch.setattr(outline, "LARGE", large)
    monkeypatch.setattr(outline, "PART", part)
    done = outline.run(module)
    verify(done)
    return done


@pytest.mark.parametrize("name", PROGRAMS)
def test_parts_compute_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, calls = PROGRAMS[name]
    module = core(STRUCTS + HELPERS + text)
    done = cut(module, monkeypatch)
    assert any(f.part for f in done.functions.values())
    for args in calls:
        assert result(done, "f", args) == result(module, "f", args)


@pytest.mark.parametrize("seed", range(25))
def test_parts_of_random_programs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program = generate(seed, 1, 6, FEATURES)
    typed = load(program.text, f"seed {seed}", F64 if seed % 2 else F32)
    module = lower(typed)
    done = cut(module, monkeypatch, 4 + seed % 7, 1 + seed % 4)
    for entry in program.entries:
        for case in cases(typed, seed, entry):
            assert left(done, case) == left(module, case)


def long_program(statements: int) -> str:
    """A function of many statements on locals, an array and an Out argument, and its gradient."""
    kinds = (
        "v{k} : float = sin(v{p}) * x",
        "v{k} : float = v{p} * 0.5 + a[{i}]",
        "v{k} : float = v{p} - v1 * x\n    a[{i}] = v{k}",
    )
    body = [kinds[k % 3].format(k=k, p=k - 1, i=k % 5) for k in range(2, statements)]
    lines = ["v0 : float = x", "v1 : float = x * x", *body, f"return v{statements - 1}"]
    head = "def f(x : In[float], a : InOut[Array[float]]) -> float:"
    return "\n    ".join([head, *lines]) + "\ng = rev_diff(f)\nd = fwd_diff(f)\n"


def test_a_long_function_and_its_derivatives() -> None:
    n = 3000
    structs, lib = compile(long_program(n), target="llvm", float_type="f64")
    array = ctypes.c_double * 5
    dual = structs["_dfloat"]

    def start(i: int = 0, e: float = 0.0) -> ctypes.Array[ctypes.c_double]:
        return array(*(0.1 * (k + 1) + e * (k == i) for k in range(5)))

    adjoint, dx = array(), ctypes.c_double()
    lib.g(0.8, ctypes.byref(dx), start(), adjoint, 1.0)
    duals = (dual * 5)(*(dual(0.1 * (k + 1), 0.0) for k in range(5)))
    forward = lib.d(dual(0.8, 1.0), duals)
    e = 1e-6
    slope = (lib.f(0.8 + e, start()) - lib.f(0.8 - e, start())) / (2 * e)
    assert forward.val == pytest.approx(lib.f(0.8, start()), rel=1e-12)
    assert dx.value == pytest.approx(forward.dval, rel=1e-9)
    assert dx.value == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_64_000_statements_compile() -> None:
    """How long that takes, the benchmarks tell."""
    source = long_program(48_000).split("\ng = ")[0] + "\n"
    assert source.count("\n") >= 64_000
    _, lib = compile(source, target="llvm")
    a = (ctypes.c_float * 5)(1, 2, 3, 4, 5)
    assert lib.f(0.5, a) == lib.f(0.5, (ctypes.c_float * 5)(1, 2, 3, 4, 5))


def test_parts_are_not_exported() -> None:
    module = driver.core_module(long_program(3000))
    assert not any(f.exported for f in module.functions.values() if f.part)
