"""Types as they are written: the part of the surface tree that annotations become."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from loma.diagnostics import NOWHERE, Span
from loma.ir.nodes import Direction
from loma.ir.types import Type

if TYPE_CHECKING:
    from loma.frontend.surface import Expr


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Any part of the tree."""

    span: Span = field(default=NOWHERE, kw_only=True, repr=False)

    @property
    def lineno(self) -> int:
        """The line, under the name that Python's `ast` gives it."""
        return self.span.line


@dataclass(frozen=True, slots=True, eq=False)
class NamedType(Node):
    """int, float, a struct ..."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class ArrayTypeExpr(Node):
    """Array[element], Array[element, size] or Array[element, ...] (growable)."""

    element: TypeExpr
    size: Expr | None = None
    growable: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SizeName(Node):
    """"n": a size that an argument has a name for."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class ShapedTypeExpr(Node):
    """Array[element, sizes ...]: a size has a name, or is computed and not the only one."""

    element: TypeExpr
    sizes: tuple[Expr | SizeName, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DiffTypeExpr(Node):
    """Diff[inner]."""

    inner: TypeExpr


@dataclass(frozen=True, slots=True, eq=False)
class TupleTypeExpr(Node):
    """tuple[elements]."""

    elements: tuple[TypeExpr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StackTypeExpr(Node):
    """Stack[element]."""

    element: TypeExpr


@dataclass(frozen=True, slots=True, eq=False)
class GenericTypeExpr(Node):
    """name[args]: a generic struct with its types."""

    name: str
    args: tuple[TypeExpr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CallableTypeExpr(Node):
    """Callable[[args], result]: an argument that is a function."""

    args: tuple[tuple[Direction, TypeExpr], ...]
    result: TypeExpr | None


@dataclass(frozen=True, slots=True, eq=False)
class KnownType(Node):
    """The type of a variable that a function captures."""

    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class BadType(Node):
    """A type that has already been reported."""


TypeExpr: TypeAlias = (
    NamedType | ArrayTypeExpr | ShapedTypeExpr | DiffTypeExpr | TupleTypeExpr | StackTypeExpr
    | GenericTypeExpr | CallableTypeExpr | KnownType
    | BadType
)


@dataclass(frozen=True, slots=True, eq=False)
class TypeParam(Node):
    """A name for a type; one of `choices`, if there are any."""

    name: str
    choices: tuple[TypeExpr, ...] = ()
