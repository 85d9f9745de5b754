"""Signatures as Python's `inspect` has them: for help, editors, and libraries that look."""

from __future__ import annotations

from inspect import Parameter
from inspect import Signature as PythonSignature
from typing import TYPE_CHECKING

from loma.ir.nodes import Argument, Direction
from loma.ir.signature_text import argument_type_text
from loma.ir.types import F64, type_text

if TYPE_CHECKING:
    from loma.host.function import Function


def python_signature(f: Function) -> PythonSignature:
    """The inputs in their order; the outputs, which may be left out, by name.

    AttributeError for generic functions, and where a name is not defined yet.
    """
    if not f.program.complete or f.program.template is not None:
        raise AttributeError(f"`{f.__name__}` has no signature that is known")
    s = f.signature
    inputs = [a for a in s.written if a.direction is not Direction.OUT]
    outputs = [a for a in s.written if a.direction is Direction.OUT]
    return PythonSignature(
        [*(_parameter(a, Parameter.POSITIONAL_OR_KEYWORD) for a in inputs),
         *(_parameter(a, Parameter.KEYWORD_ONLY) for a in outputs)],
        return_annotation=Parameter.empty if s.result is None else type_text(s.result, F64))


def _parameter(a: Argument, kind: object) -> Parameter:
    text = f"{a.direction.value}[{argument_type_text(a, F64)}]"
    default = ... if a.direction is Direction.OUT else Parameter.empty
    return Parameter(a.name, kind, annotation=text, default=default)  # type: ignore[arg-type]
