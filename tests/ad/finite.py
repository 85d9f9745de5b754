"""Reverse derivatives against finite differences of the primal, on the core interpreter in f64."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from loma.driver import core_module
from loma.ir.interp import Interpreter
from loma.ir.nodes import Module
from loma.ir.types import F64
from loma.ir.verify import verify

EPSILON = 1e-6


@dataclass(frozen=True)
class Given:
    """An argument of the primal: `kind` is a direction and a shape, e.g. `in`, `out[]`, `inout`."""

    kind: str
    value: Any

    @property
    def adjoint(self) -> bool:
        """Whether the derivative hands out an adjoint for it."""
        return not self.kind.startswith("out")

    @property
    def result(self) -> bool:
        """Whether the primal writes it."""
        return "out" in self.kind

    @property
    def is_int(self) -> bool:
        """Whether it holds integers."""
        first = self.value[0] if isinstance(self.value, list) else self.value
        return isinstance(first, int)


def results(module: Module, name: str, given: list[Given]) -> list[float]:
    """What the primal returns and writes, flat."""
    args = [copy.deepcopy(g.value if g.kind != "inout" else [g.value]) for g in given]
    returned = Interpreter(module).run(name, args)
    found = [] if returned is None else [returned]
    return found + [x for g, a in zip(given, args, strict=True) if g.result for x in a]


def reverse(
    module: Module, name: str, derivative: str, given: list[Given], seeds: list[float]
) -> list[Any]:
    """The adjoint of each argument, None where there is none."""
    left = list(seeds)
    last = [left.pop(0)] if module.functions[name].signature.result is not None else []
    args: list[Any] = []
    adjoints: list[Any] = []
    for g in given:
        n = len(g.value) if isinstance(g.value, list) else 1
        seed = [left.pop(0) for _ in range(n)] if g.result else [0 if g.is_int else 0.0] * n
        if not g.adjoint:
            args.append(seed if g.kind == "out[]" else seed[0])
            adjoints.append(None)
            continue
        args += [copy.deepcopy(g.value), seed]
        adjoints.append(None if g.is_int else seed)
    Interpreter(module).run(derivative, [*args, *last])
    return adjoints


def check(source: str, name: str, derivative: str, given: list[Given], fast: bool) -> None:
    """Asserts that the reverse derivative agrees with central differences."""
    module = core_module(source, float_type=F64, fast=fast)
    verify(module)
    seeds = [0.3 + 0.2 * i for i in range(len(results(module, name, given)))]
    adjoints = reverse(module, name, derivative, given, seeds)

    def at(k: int, j: int, h: float) -> float:
        moved = list(given)
        value = copy.deepcopy(given[k].value)
        if isinstance(value, list):
            value[j] += h
        else:
            value += h
        moved[k] = Given(given[k].kind, value)
        return sum(s * y for s, y in zip(seeds, results(module, name, moved), strict=True))

    for k, adjoint in enumerate(adjoints):
        for j, found in enumerate(adjoint or ()):
            expected = (at(k, j, EPSILON) - at(k, j, -EPSILON)) / (2 * EPSILON)
            assert abs(found - expected) <= 1e-5 * (1 + abs(expected)), (k, j, found, expected)
