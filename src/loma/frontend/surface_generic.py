"""Functions that stand for values, and instances, in the surface tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loma.diagnostics import Span
from loma.frontend.surface_types import Node, TypeExpr

if TYPE_CHECKING:
    from loma.frontend.surface import Expr, Function


@dataclass(frozen=True, slots=True, eq=False)
class Lambda(Node):
    """lambda params: body."""

    params: tuple[str, ...]
    body: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Specialised(Node):
    """function[types], as an operand."""

    function: str
    type_args: tuple[TypeExpr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class InnerFunction(Node):
    """A function inside a function."""

    function: Function


@dataclass(frozen=True, slots=True, eq=False)
class Instance(Node):
    """name = function[types], or another name for a function."""

    name: str
    function: str
    type_args: tuple[TypeExpr, ...]
    name_span: Span
