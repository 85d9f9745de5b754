"""Functions on plain buffers, as other array libraries call them: values, laws of derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from interop.programs import CASES, SIMPLE, Case

from loma.host.function import Launch
from loma.host.interop.op import PRIMAL, Op
from loma.host.interop.trees import opened
from loma.host.matrices import DTYPES, NumPyArrays

RNG = np.random.default_rng(5)
IDS = [c.name for c in CASES]


def on_buffers(case: Case) -> tuple[Op, list[Any]]:
    """The function on buffers, and its arguments."""
    f, threads = case.f, None
    if isinstance(f, Launch):
        f, threads = f.function, f.threads
    inputs = [a.name for a in f.signature.written if a.direction.value != "Out"]
    return opened(NumPyArrays(), f, dict(zip(inputs, case.args)), threads)


def run(op: Op, given: list[Any]) -> list[Any]:
    """The outputs."""
    given = [np.array(x, DTYPES[b.leaf.type], order="C") for x, b in zip(given, op.inputs)]
    shapes = tuple(x.shape for x in given)
    made = [np.full(s, 7, DTYPES[b.leaf.type]) for s, b in zip(op.shapes(shapes), op.outputs)]
    op.run([x.ctypes.data for x in (*given, *made)], shapes)
    return made


@pytest.mark.parametrize("case", SIMPLE, ids=lambda c: c.name)
def test_values_are_those_of_numpy(case: Case) -> None:
    op, x = on_buffers(case)
    wanted = case.f(*case.args)
    for a, b in zip(run(op, x), wanted if isinstance(wanted, tuple) else [wanted]):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_forward_and_reverse_agree(case: Case) -> None:
    """<Jv, w> = <v, J'w>, and forward agrees with differences."""
    op, x = on_buffers(case)
    y = run(op, x)
    v = [RNG.normal(size=a.shape) if real else a for a, real in zip(x, op.floats)]
    w = [RNG.normal(size=b.shape) if real else np.zeros_like(b)
         for b, real in zip(y, op.float_outputs)]
    pushed = run(op.forward, [(x if kind == PRIMAL else v)[i] for kind, i in op.forward_inputs])
    pulled = run(op.reverse, [(x if kind == PRIMAL else w)[i] for kind, i in op.reverse_inputs])
    left = sum(float(np.sum(pushed[at] * b)) for at, b in zip(op.forward_tangents, w)
               if at is not None)
    right = sum(float(np.sum(pulled[at] * a)) for at, a in zip(op.adjoints, v) if at is not None)
    np.testing.assert_allclose(left, right, rtol=1e-11)
    moved = [run(op, [a + h * b if real else a for a, b, real in zip(x, v, op.floats)])
             for h in (1e-6, -1e-6)]
    for at, a, b in zip(op.forward_tangents, *moved):
        if at is not None:
            np.testing.assert_allclose((a - b) / 2e-6, pushed[at], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_batches_are_loops(case: Case) -> None:
    op, x = on_buffers(case)
    first = op.floats.index(True)
    for mask in (tuple(op.floats), tuple(i == first for i in range(len(x)))):
        many = [np.stack([a, 0.9 * a, 1.1 * a]) if m else a for a, m in zip(x, mask)]
        found = run(op.batched(mask), many)
        for k in range(3):
            single = run(op, [a[k] if m else a for a, m in zip(many, mask)])
            for a, b in zip(found, single):
                np.testing.assert_array_equal(a[k], b)
