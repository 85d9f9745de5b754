"""Value and gradient of a function at one point, by reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loma.backends.base import Options
from loma.frontend import typed
from loma.host.calls import Compiled, Operands, outputs
from loma.host.literals import CallError
from loma.host.plain import Plain, alike, leaves
from loma.host.requests import requested, signature_of, sliced
from loma.ir.derived import Mode
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type, has_float


@dataclass(frozen=True, slots=True)
class Gradient:
    """Every output by name; every input with its gradient (None for one that has no float part).

    `summed` names the outputs whose sum was differentiated, when there is more than one number.
    """

    values: tuple[tuple[str, Type, Plain], ...]
    gradients: tuple[tuple[Argument, Plain, Plain | None], ...]
    summed: str
    peak_tape_bytes: int


def value_and_gradient(
    program: typed.Module, function: str, operands: Operands, options: Options | None = None,
    make: Callable[[typed.Module, Options | None], Compiled] = Compiled,
) -> Gradient:
    """The outputs at a point, and the gradient of the sum of their floats by every input.

    `make` compiles the program.
    """
    signature = signature_of(program, function)
    program, name = requested(program, Mode.REVERSE, function)
    compiled = make(sliced(program, function, name), options)
    value = compiled.call(function, operands)
    values = [(a.name, a.type, x) for a, x in outputs(signature, value)]
    if signature.result is not None and value.result is not None:
        values.insert(0, (function, signature.result, value.result))
    numbers = [n for n, t, x in values for _, s, _ in leaves(x, t, program.structs) if s.is_float]
    if not numbers:
        raise CallError(f"`{function}` has no float output: there is nothing to differentiate")
    seeds = reverse_operands(signature, operands, value.result, program.structs)
    swept = compiled.call(name, Operands(tuple(seeds), operands.threads))
    gradients = tuple(_gradients(signature, operands, swept.data, program.structs))
    summed = ", ".join(f"`{n}`" for n in dict.fromkeys(numbers)) if len(numbers) > 1 else ""
    return Gradient(tuple(values), gradients, summed, swept.peak_tape_bytes)


def reverse_operands(
    signature: Signature, operands: Operands, result: Plain | None, structs: Structs
) -> list[Plain]:
    """Operands of the reverse derivative: 1 for every float output, 0 for every adjoint output."""
    data: list[Plain] = []
    for x, a in zip(operands.data, signature.written, strict=False):
        match a.direction:
            case Direction.IN:
                data += [x] if a.nodiff else [x, alike(x)]
            case Direction.OUT:
                data.append(_ones(x, a.type, structs))
            case Direction.INOUT:
                data += [x, _ones(x, a.type, structs)]
    if signature.result is not None and result is not None:
        data.append(_ones(result, signature.result, structs))
    return [*data, *operands.data[len(signature.written) :]]


def _ones(x: Plain, t: Type, structs: Structs) -> Plain:
    match t, x:
        case Scalar(), _:
            return 1.0 if t.is_float else 0
        case StructType(name), dict():
            return {m: _ones(x[m], mt, structs) for m, mt in structs[name].members}
        case ArrayType(element), list():
            return [_ones(i, element, structs) for i in x]
        case _:
            raise AssertionError(f"{x!r} is not a {t}")


def _gradients(
    signature: Signature, operands: Operands, swept: tuple[Plain, ...], structs: Structs
) -> list[tuple[Argument, Plain, Plain | None]]:
    """Each input with its adjoint."""
    rest = iter(swept)
    found: list[tuple[Argument, Plain, Plain | None]] = []
    for x, a in zip(operands.data, signature.written, strict=False):
        adjoint = next(rest)
        if a.direction is not Direction.OUT:
            has_adjoint = not a.nodiff and has_float(a.type, structs)
            adjoint = adjoint if a.nodiff else next(rest)
            found.append((a, x, adjoint if has_adjoint else None))
    return found
