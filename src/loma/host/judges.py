"""Derivatives by other ways than ours: dual numbers, complex steps, finite differences.

Everything speaks of scalars by path: `x[2].pos`, `return.dval`.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from loma.diagnostics import RunError
from loma.frontend import typed
from loma.frontend.oracle.numbers import Numbers
from loma.frontend.oracle.program import Cell, Oracle
from loma.host.calls import Operands, Outcome
from loma.host.plain import Plain, leaves
from loma.ir.nodes import Direction, Signature
from loma.ir.prims.choice import CHOICE
from loma.ir.prims.elementary import ELEMENTARY
from loma.ir.prims.rounding import ROUNDING
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type

Values: TypeAlias = dict[str, float]
STEP = 1e-30
FINITE_STEPS = (1e-5, 1e-4, 1e-6, 1e-3)
MAX_STEPS = 400_000
RESULT = "return"


class Complex(complex):
    """A complex number that compares and converts by its real part: programs branch as usual."""

    def __lt__(self, other: float) -> bool:
        return self.real < other.real

    def __le__(self, other: float) -> bool:
        return self.real <= other.real

    def __gt__(self, other: float) -> bool:
        return self.real > other.real

    def __ge__(self, other: float) -> bool:
        return self.real >= other.real

    def __float__(self) -> float:
        return self.real

    def __int__(self) -> int:
        return int(self.real)


class ComplexNumbers(Numbers):
    """Complex doubles: for real operands the real functions, elsewhere nothing."""

    def __init__(self) -> None:
        super().__init__("f64")
        self._leaf = Complex  # type: ignore[assignment]  # a Complex stands wherever a float may
        self._functions = FUNCTIONS

    def _plain(self, name: str, args: tuple[object, ...]) -> float:
        return Complex(super()._plain(name, args))  # type: ignore[arg-type, return-value]


def _real_domain(function: Callable[[complex], complex]) -> Callable[..., float]:
    def safe(z: complex) -> float:
        if z.real < 0:
            return math.nan
        try:
            return function(z)  # type: ignore[return-value]
        except (ValueError, OverflowError, ZeroDivisionError):
            return -math.inf if z.real == 0 else math.nan

    return safe


def _everywhere(function: Callable[[complex], complex]) -> Callable[..., float]:
    def safe(z: complex) -> float:
        try:
            return function(z)  # type: ignore[return-value]
        except (ValueError, OverflowError):
            return math.nan

    return safe


def _power(x: complex, y: complex) -> float:
    if x.real < 0 and y.real != int(y.real):
        return math.nan
    try:
        return complex(x) ** complex(y)  # type: ignore[return-value]
    except (ZeroDivisionError, OverflowError):
        return math.nan


def _of_the_table(meaning: Callable[..., complex | bool]) -> Callable[..., float]:
    """A builtin's meaning; nan outside its domain, the real value at its poles."""

    def safe(*args: complex) -> float:
        real = meaning(*(a.real for a in args))
        if real != real:
            return math.nan
        try:
            return meaning(*map(complex, args))  # type: ignore[return-value]
        except (ValueError, OverflowError, ZeroDivisionError):
            return real  # type: ignore[return-value]

    return safe


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    **{p.name: _of_the_table(p.meaning) for p in (*ELEMENTARY, *ROUNDING, *CHOICE)},
    "sin": _everywhere(cmath.sin),
    "cos": _everywhere(cmath.cos),
    "exp": _everywhere(cmath.exp),
    "sqrt": _real_domain(cmath.sqrt),
    "log": _real_domain(cmath.log),
    "pow": _power,
}


class Judge:
    """The oracle at one precision: runs a function or derivative on plain data."""

    def __init__(
        self,
        program: typed.Module,
        precision: str | Numbers = "f64",
        max_steps: int = MAX_STEPS,
    ) -> None:
        self.structs: Structs = program.structs
        self._oracle = Oracle(program, precision, max_steps=max_steps)

    def values(
        self,
        name: str,
        signature: Signature,
        operands: Operands,
        moved: Mapping[str, complex] | None = None,
    ) -> dict[str, complex]:
        """Every scalar after a call; inputs at the paths in `moved` are displaced by that much."""
        structs = self.structs
        data: list[object] = []
        for x, a in zip(operands.data, signature.arguments, strict=True):
            here = displaced(x, a.type, structs, a.name, moved or {})
            boxed = isinstance(a.type, Scalar) and a.direction is not Direction.IN
            data.append(Cell(here) if boxed else here)  # type: ignore[arg-type]
        result = self._oracle.call(name, data, operands.threads)
        plain = [x.value if isinstance(x, Cell) else x for x in data]
        return by_path(signature, plain, result, structs)


def displaced(
    x: Plain, t: Type, structs: Structs, path: str, moved: Mapping[str, complex]
) -> object:
    """A copy of data with some scalars displaced."""
    match t, x:
        case Scalar(), float() | int():
            return x + moved[path] if path in moved else x
        case StructType(name), dict():
            return {
                m: displaced(x[m], mt, structs, f"{path}.{m}", moved)
                for m, mt in structs[name].members
            }
        case ArrayType(element), list():
            return [displaced(i, element, structs, f"{path}[{k}]", moved) for k, i in enumerate(x)]
        case _:
            raise AssertionError(f"{x!r} is not a {t}")


def by_path(
    signature: Signature, data: Sequence[object], result: object, structs: Structs
) -> dict[str, complex]:
    """Every scalar of the arguments and of the result."""
    found: dict[str, complex] = {}
    for x, a in zip(data, signature.arguments, strict=True):
        _walk(x, a.type, structs, a.name, found)
    if signature.result is not None:
        _walk(result, signature.result, structs, RESULT, found)
    return found


def _walk(x: object, t: Type, structs: Structs, path: str, found: dict[str, complex]) -> None:
    match t, x:
        case StructType(name), dict():
            for m, mt in structs[name].members:
                _walk(x[m], mt, structs, f"{path}.{m}", found)
        case ArrayType(element), list():
            for i, item in enumerate(x):
                _walk(item, element, structs, f"{path}[{i}]", found)
        case _, float() | int() | complex():
            found[path] = x
        case _:
            pass  # a pointer that was never set


def of_outcome(signature: Signature, outcome: Outcome, structs: Structs) -> Values:
    """Every scalar that a compiled call left behind."""
    return {k: v.real for k, v in by_path(signature, outcome.data, outcome.result, structs).items()}


def written(signature: Signature, values: Mapping[str, complex]) -> dict[str, complex]:
    """Those of the scalars that are outputs."""
    outs = {a.name for a in signature.arguments if a.direction is not Direction.IN} | {RESULT}
    return {path: v for path, v in values.items() if root(path) in outs}


def root(path: str) -> str:
    """The argument that a path begins with."""
    return path.split(".", 1)[0].split("[", 1)[0]


def float_paths(signature: Signature, operands: Operands, structs: Structs) -> list[str]:
    """The paths of all float inputs."""
    return [
        path
        for x, a in zip(operands.data, signature.arguments, strict=True)
        if a.direction is not Direction.OUT and not a.nodiff
        for path, t, _ in leaves(x, a.type, structs, a.name)
        if t.is_float
    ]


class Steps:
    """Derivatives of a function's outputs along a direction, by displacing its inputs."""

    def __init__(self, program: typed.Module) -> None:
        self._real = Judge(program)
        self._complex = Judge(program, ComplexNumbers())

    def by_complex_step(
        self, name: str, signature: Signature, operands: Operands, direction: Mapping[str, float]
    ) -> Values:
        """The slopes by one complex step."""
        moved = {path: complex(0.0, STEP * v) for path, v in direction.items() if v}
        found = self._complex.values(name, signature, operands, moved)
        return {path: v.imag / STEP for path, v in written(signature, found).items()}

    def by_differences(
        self,
        name: str,
        signature: Signature,
        operands: Operands,
        direction: Mapping[str, float],
        step: float,
    ) -> Values | None:
        """The slopes by central differences; None when the program stops on the way."""
        ends: list[dict[str, complex]] = []
        for sign in (step, -step):
            try:
                ends.append(
                    self._real.values(
                        name,
                        signature,
                        operands,
                        {path: sign * v for path, v in direction.items() if v},
                    )
                )
            except RunError:
                return None
        ahead, behind = (written(signature, e) for e in ends)
        return {path: (ahead[path].real - behind[path].real) / (2 * step) for path in ahead}
