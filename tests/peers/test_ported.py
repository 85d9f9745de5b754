"""What people differentiate elsewhere, ported: each program has the sum of its outputs with some
weights, and the first and second derivative of that in some direction, from the same program run
by mpmath with 60 digits. All modes and their nestings give these numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import count
from math import cos, sin
from typing import Any

import peers.ported_control
import peers.ported_memory
import peers.ported_numerics
import peers.ported_sequences  # noqa: F401
import pytest
from peers.ported import PROGRAMS, Ported
from properties.inputs import leaves
from subjects import COMPILED, Subject, on

from loma.ir.derived import DVAL, VAL
from loma.ir.nodes import Direction, Signature
from loma.ir.types import F64

DERIVATIVES = """
d = fwd_diff(f)
r = rev_diff(f)
fr = fwd_diff(r)
rr = rev_diff(r)
"""
CASES = [(name, k) for name, p in PROGRAMS.items() for k in range(len(p.points))]


def direction() -> Iterator[float]:
    """The direction of all inputs, one after the other."""
    return (cos(1.7 * i + 0.4) for i in count())


def weights() -> Iterator[float]:
    """The weights of all outputs."""
    return (sin(0.9 * i + 1.0) for i in count())


def like(x: Any, numbers: Iterator[float]) -> Any:
    """The same shape with other floats."""
    if isinstance(x, dict):
        return {k: like(v, numbers) for k, v in x.items()}
    if isinstance(x, list):
        return [like(v, numbers) for v in x]
    return next(numbers) if isinstance(x, float) else 0


def zeros(x: Any) -> Any:
    """The same shape, all 0."""
    return like(x, iter(lambda: 0.0, 1.0))


def dual(x: Any, dx: Any) -> Any:
    """The same shape with a tangent beside each float."""
    if isinstance(x, dict):
        return {k: dual(v, dx[k]) for k, v in x.items()}
    if isinstance(x, list):
        return [dual(v, w) for v, w in zip(x, dx, strict=True)]
    return {VAL: x, DVAL: dx} if isinstance(x, float) else x


def dot(numbers: Iterator[float], x: Any) -> float:
    """The sum of all floats inside, weighted."""
    return sum(v * next(numbers) for _, v in leaves(x) if isinstance(v, float))


def tangents(x: Any) -> list[float]:
    """The tangents of all floats inside, in order."""
    return [v for path, v in leaves(x) if path.endswith("." + DVAL)]


class Call:
    """A call of a function: its operands, their tangents, and what it returns."""

    def __init__(
        self, signature: Signature, data: list[Any], moved: list[Any], result: Any
    ) -> None:
        self.signature, self.data, self.moved, self.result = signature, data, moved, result

    def forward(self) -> list[Any]:
        """The operands of the forward derivative."""
        return [dual(x, dx) for x, dx in zip(self.data, self.moved, strict=True)]

    def reverse(self, signature: Signature, seeds: Iterator[float]) -> Call:
        """A call of the reverse derivative; nothing moves but what moved before."""
        data: list[Any] = []
        moved: list[Any] = []
        written = self.signature.written
        for a, x, dx in zip(written, self.data, self.moved, strict=False):
            adjoint = zeros(x) if a.direction is Direction.IN else like(x, seeds)
            data += [adjoint] if a.direction is Direction.OUT else [x, adjoint]
            moved += [zeros(x)] if a.direction is Direction.OUT else [dx, zeros(x)]
        if self.signature.result is not None:
            data.append(like(self.result, seeds))
            moved.append(zeros(self.result))
        rest = self.data[len(written):]
        return Call(signature, data + rest, moved + [0] * len(rest), None)

    def along(self, adjoints: list[Any]) -> float:
        """The adjoints of all inputs times their tangents."""
        written = zip(self.signature.written, self.moved, strict=False)
        moved = [dx for a, dx in written if a.direction is not Direction.OUT]
        pairs = zip(moved, adjoints, strict=True)
        return sum(dot((v for _, v in leaves(dx) if isinstance(v, float)), x) for dx, x in pairs)


@cache
def made(name: str, how: str) -> Subject:
    """A program with its derivatives."""
    return on(how, PROGRAMS[name].text + DERIVATIVES, F64)


def call(program: Ported, run: Subject, point: list[Any]) -> Call:
    """The call of the program, all inputs moving."""
    signature, numbers = run.signature("f"), direction()
    moved = [
        zeros(x) if a.direction is Direction.OUT else like(x, numbers)
        for x, a in zip(point, signature.arguments, strict=True)
    ]
    _, result = run.call("f", point, program.threads)
    return Call(signature, point, moved, result)


@pytest.mark.parametrize("how", ["plain", *COMPILED])
@pytest.mark.parametrize("name, k", CASES)
def test_ported(name: str, k: int, how: str) -> None:
    program, run = PROGRAMS[name], made(name, how)
    point, (value, slope, curvature) = program.points[k]
    threads = program.threads

    def near(x: float) -> Any:
        return pytest.approx(x, rel=1e-7, abs=1e-9)

    assert dot(weights(), run.outputs("f", point, threads)) == near(value)
    primal = call(program, run, point)
    pushed = tangents(run.outputs("d", primal.forward(), threads))
    assert dot(weights(), pushed) == near(slope)
    back = primal.reverse(run.signature("r"), weights())
    assert primal.along(run.outputs("r", back.data, threads)) == near(slope)
    mixed = tangents(run.outputs("fr", back.forward(), threads))
    assert dot(direction(), mixed) == near(curvature)
    again = back.reverse(run.signature("rr"), direction())
    assert back.along(run.outputs("rr", again.data, threads)) == near(curvature)
