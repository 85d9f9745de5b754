"""Whether derivatives that a program writes itself are those of its functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from loma.diagnostics import UserError
from loma.frontend import typed
from loma.host.calls import Compiled, Operands
from loma.host.function import Function
from loma.host.inputs import Draw, Sizes
from loma.host.judges import Values, by_path, float_paths, of_outcome, root
from loma.host.refusals import ArgumentTypeError
from loma.host.requests import requested, signature_of, sliced
from loma.host.verify import (
    TOLERANCE,
    Check,
    Method,
    Target,
    adjoint_names,
    difference,
    moved_path,
)
from loma.ir.derived import DVAL, Mode
from loma.ir.nodes import Direction
from loma.ir.types import F64

WORDS: Final = {Mode.FORWARD: "forward", Mode.REVERSE: "reverse"}


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """How far the derivatives of a function are off, relative to their size; None: there is none.

    `forward` and `reverse`: from complex steps or, where these give nothing, finite differences.
    `apart`: how far the products <J v, w> and <v, J' w>, by the two modes, differ.
    """

    function: str
    written: tuple[str, ...]
    forward: float | None
    reverse: float | None
    apart: float | None
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether everything that could be compared agrees."""
        found = (self.forward, self.reverse, self.apart)
        return all(x is None or x <= self.tolerance for x in found)

    def __str__(self) -> str:
        parts = [self._mode("forward", self.forward), self._mode("reverse", self.reverse)]
        if self.apart is not None:
            parts.append(f"the two differ by {self.apart:.1e}")
        verdict = "right" if self.passed else "wrong"
        return f"the derivatives of `{self.function}` are {verdict}: {'; '.join(parts)}"

    def _mode(self, name: str, off: float | None) -> str:
        kind = "rule" if name in self.written else "derivative"
        return f"no {name} {kind}" if off is None else f"the {name} {kind} is off by {off:.1e}"


def check_rule(
    f: Function, *, samples: int = 3, seed: int = 0, size: int | Mapping[str, int] = 4
) -> RuleCheck:
    """Compares the rules of a function with each other, and with derivatives found without them.

    At random inputs; `size` is the length of arrays and the value of ints, or these by name.
    """
    program = f.program.checked(f.program.fixed_type or F64)
    name = f.program.name
    rules = [r for r in program.rules if r.primal == name]
    if not rules:
        raise ArgumentTypeError(
            f"`{name}` has no rules", "write `@custom_fwd` or `@custom_rev` above one")
    written = tuple(WORDS[r.mode] for r in rules)
    sizes = Sizes(named=dict(size)) if isinstance(size, Mapping) else Sizes(size)
    rng = Random(f"{seed} {name}")
    found = _Sides(program, name)
    off: dict[str, float] = {}
    for _ in range(samples):
        for what, x in found.sample(Draw(program.structs, sizes, rng)).items():
            off[what] = max(off.get(what, 0.0), x)
    return RuleCheck(name, written, off.get("forward"), off.get("reverse"), off.get("apart"),
                     max(TOLERANCE[program.float_type], 1e-6))


class _Sides:
    """Both derivatives of a function, as far as there are any."""

    def __init__(self, program: typed.Module, name: str) -> None:
        self.checks: dict[Mode, Check] = {}
        self.signature = signature_of(program, name)
        for mode in Mode:
            program, derived = requested(program, mode, name)
            target = Target(derived, mode, name)
            try:
                compiled = Compiled(sliced(program, name, derived))
            except UserError:
                continue
            self.checks[mode] = Check(program, compiled, target, self.signature)

    def sample(self, draw: Draw) -> dict[str, float]:
        """How far apart things are at one input."""
        off: dict[str, float] = {}
        operands: Operands | None = None
        for mode, check in self.checks.items():
            operands = operands or check.runnable(draw)
            made = check.sample(draw, operands)
            exact = made.worst.get(Method.STEP, made.worst.get(Method.FINITE))
            if exact is not None:
                off[WORDS[mode]] = exact
        if operands is not None and len(self.checks) == len(Mode):
            off["apart"] = self.products(draw, operands)
        return off

    def products(self, draw: Draw, operands: Operands) -> float:
        """The difference of <J v, w> by forward mode and <v, J' w> by reverse mode."""
        pushed, pulled = self.checks[Mode.FORWARD], self.checks[Mode.REVERSE]
        tangents, adjoints = (
            draw.forward(self.signature, operands), draw.reverse(self.signature, operands))
        v, out = self.run(pushed, tangents)
        w, found = self.run(pulled, adjoints)
        names = adjoint_names(self.signature)
        arguments = self.signature.arguments
        replaced = {a.name for a in arguments if a.direction is Direction.INOUT}
        inputs = {a.name for a in arguments if a.direction is Direction.IN}
        left = [
            x * w[moved_path(path.removesuffix(f".{DVAL}"), names)]
            for path, x in out.items()
            if path.endswith(f".{DVAL}") and root(path) not in inputs
        ]
        right = []
        for path in float_paths(self.signature, operands, pushed.program.structs):
            place = moved_path(path, names)
            before = 0.0 if root(path) in replaced else w[place]
            right.append(v[f"{path}.{DVAL}"] * (found[place] - before))
        scale = max(map(abs, (*left, *right)), default=0.0)
        return difference(math.fsum(left), math.fsum(right), scale)

    def run(self, check: Check, inputs: Operands) -> tuple[Values, Values]:
        """What goes into a derivative and what comes out, by path."""
        structs = check.program.structs
        signature = signature_of(check.program, check.target.name)
        given = {k: x.real for k, x in by_path(signature, inputs.data, None, structs).items()}
        outcome = check.compiled.call(check.target.name, inputs)
        return given, dict(of_outcome(signature, outcome, structs))



