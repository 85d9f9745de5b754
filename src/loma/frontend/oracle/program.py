"""The oracle: an interpreter of the typed surface tree that judges all other ways to run a program.

It shares nothing with lowering, with the table's partials or with the reverse transform.
`oracle_memory` says how host data is represented, `oracle_derivatives` what a derivative means.

    oracle = Oracle(module)
    y = Cell(0.0)
    oracle.call("f", [1.5, [1.0, 2.0], y])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loma.diagnostics import RunError
from loma.frontend import typed as T
from loma.frontend.oracle.derivatives import Forward, Operand, Order, Reverse, Routine, World
from loma.frontend.oracle.frame import OutOfSteps, Primal
from loma.frontend.oracle.memory import Array, Cell, Data, Host, Struct, Tape, cell
from loma.frontend.oracle.numbers import Dual, Number, Numbers
from loma.frontend.oracle.rules import Ruled
from loma.ir.derived import Mode, implicit_name
from loma.ir.nodes import Direction, Trap
from loma.ir.types import Scalar

__all__ = ["Cell", "Dual", "Oracle", "OutOfSteps", "Tape"]


class Oracle:
    """Runs functions of a checked module, their derivatives included.

    `precision`: 'f64' (doubles for every float type), 'exact' (f32 rounds), a number of digits
    (mpmath), or an arithmetic of one's own.
    `order`: which permutation of range(n) the threads of a kernel run in. `write` is given what
    the program prints.
    """

    def __init__(
        self,
        module: T.Module,
        precision: str | int | Numbers = "f64",
        *,
        order: Order = range,
        max_steps: int = 10_000_000,
        max_depth: int = 1000,
        write: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.module = module
        self._max_steps = max_steps
        numbers = precision if isinstance(precision, Numbers) else Numbers(precision)
        self._world = World(module.structs, numbers, module.float_type, module.file,
                            self.routine, order, max_steps, max_depth, write)
        self._routines: dict[str, Routine] = {}

    def call(self, name: str, arguments: Sequence[Data], threads: int = 0) -> Data:
        """Calls a function or derivative on host data, which is written in place."""
        self._world.steps_left = self._max_steps
        routine = self.routine(name)
        host = Host(self.module.structs, self._leaf)
        formal = routine.signature.arguments
        memory = [host.memory(x, a.type) for x, a in zip(arguments, formal, strict=True)]
        operands: list[Operand] = [
            cell(m).value if isinstance(a.type, Scalar) and a.direction is Direction.IN else m
            for m, a in zip(memory, formal, strict=True)]
        try:
            out = routine.run(operands, threads)
        except RecursionError:
            raise RunError(Trap.DEPTH.name, Trap.DEPTH.value, self.module.file, 0) from None
        for x, m, a in zip(arguments, memory, formal, strict=True):
            if a.direction is not Direction.IN or not isinstance(a.type, Scalar):
                host.write_back(x, m, a.type)
        result = routine.signature.result
        if result is None or not isinstance(out, Struct | Array):
            return out
        return host.result(out, result)

    def _leaf(self, x: float, t: Scalar) -> Number:
        return self._world.numbers.rounded(self._world.numbers.leaf(x), t)

    def routine(self, name: str) -> Routine:
        """The function or derivative of that name; raises KeyError for none."""
        if name not in self._routines:
            self._routines[name] = self._resolved(name)
        return self._routines[name]

    def _resolved(self, name: str) -> Routine:
        if name in self.module.functions:
            return self._function(name)
        for d in self.module.derivatives:
            if d.name == name:
                return self._derived(d.mode, d.primal, d.held)
        for mode in Mode:
            prefix = implicit_name("", mode)
            if name.startswith(prefix):
                return self._derived(mode, name.removeprefix(prefix))
        raise KeyError(name)

    def _function(self, name: str) -> Routine:
        primal = Primal(self._world, self.module.functions[name])
        rules = {r.mode: r.name for r in self.module.rules if r.primal == name}
        return Ruled(primal, self._world, rules) if rules else primal

    def _derived(
        self, mode: Mode, primal: str, held: frozenset[str] = frozenset()
    ) -> Routine:
        for rule in self.module.rules:
            if (rule.mode, rule.primal) == (mode, primal):
                return self.routine(rule.name)
        match mode:
            case Mode.FORWARD:
                return Forward(self.routine(primal), self._world, held)
            case Mode.REVERSE:
                return Reverse(self.routine(primal), self._world, held)
