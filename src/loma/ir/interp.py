"""A small interpreter of core IR, for tests and pass-by-pass checks.

    run(module, "f", [1.5, [1.0, 2.0], {"x": 0.0}, [0.0]])

A scalar argument is a number. Memory is a list for an array, a dict for a struct, a list of one
number for an Out scalar, a list (at first empty) for a tape; it is changed in place, and one object
passed twice is one memory. Arrays inside memory are lists, those without a size too (pointers; None
is the null pointer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from loma.ir.interp_frame import Cells
from loma.ir.interp_ops import Compiled, stop
from loma.ir.interp_values import CONVERT, Memory, fitted, zero
from loma.ir.nodes import Module, Trap, Var
from loma.ir.types import Ref, Scalar


class Interpreter:
    """Runs the functions of one module; compiles each at its first call.

    With `counting`, `cost` adds up the weighted operations that were executed. `write` is given
    what the program prints.
    """

    def __init__(
        self,
        module: Module,
        counting: bool = False,
        write: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.module = module
        self.write = write
        self.structs = module.structs
        self.counting = counting
        self.cost = 0
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, name: str) -> Compiled:
        """The compiled form of a function."""
        if name not in self._compiled:
            self._compiled[name] = Compiled(self.module.functions[name], self)
        return self._compiled[name]

    def run(self, name: str, args: Sequence[Memory]) -> Memory:
        """Calls a function; gives its scalar or struct result, if it has one.

        `args` follow the core parameters; a trailing `_return` may be left out.
        """
        f = self.module.functions[name]
        given = list(args)
        result = f.signature.result
        if result is not None and not isinstance(result, Scalar) and len(given) < len(f.params):
            given.append(zero(result, self.structs))
        assert len(given) == len(f.params), (
            f"{name} takes {len(f.params)} arguments, not {len(given)}"
        )
        compiled = self.compiled(name)
        values, roots = compiled.frame()
        for param, slot, x in zip(f.params, compiled.params, given, strict=True):
            self._bind(param, slot, x, values, roots)
        try:
            compiled.run(values, roots)
        except RecursionError:
            raise stop(Trap.DEPTH, f.span) from None
        if compiled.results:
            return values[compiled.results[0]]
        return None if result is None else given[-1]

    def _bind(
        self, param: Var, slot: int, x: Memory, values: list[float], roots: list[Cells]
    ) -> None:
        if isinstance(param.type, Scalar):
            assert isinstance(x, float | int), f"{param.name} takes a number, not {x!r}"
            values[slot] = CONVERT[param.type](x)
            return
        roots[slot] = cast(Cells, self._fit(param.type, x))

    def _fit(self, type: Ref, x: Memory) -> Memory:
        if isinstance(type.content, Scalar):
            assert isinstance(x, list) and len(x) == 1, f"an Out scalar is a list of one, not {x!r}"
            x[0] = fitted(x[0], type.content, self.structs)
            return x
        return fitted(x, type.content, self.structs)


def run(module: Module, function: str, args: Sequence[Memory]) -> Memory:
    """Calls a function of a module once."""
    return Interpreter(module).run(function, args)
