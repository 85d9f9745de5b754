"""What one builtin is: a single record from which checking, both derivatives and every backend
follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from loma.ir.nodes import Operand

    Partials: TypeAlias = Callable[..., tuple[Operand | None, ...]]
    Meaning: TypeAlias = Callable[..., complex | bool]
    Expand: TypeAlias = Callable[..., Operand]


class Operands(Enum):
    """Which types the operands of a primitive may have; all have the same one."""

    FLOAT = "float"
    INT = "int"
    NUMBER = "float or int"
    BOOL = "bool"
    ANY = "any scalar"
    CHOICE = "a bool, then two of one type"


class Result(Enum):
    """The type of a primitive's result."""

    SAME = "the operands' type"
    BOOL = "bool"
    GIVEN = "stated by the operation (casts)"


@dataclass(frozen=True, slots=True, eq=False)
class Prim:
    """One builtin.

    `meaning` takes Python numbers (complex too, where it is differentiable) and is the reference.
    `partials(b, out, *args)` emits, with builder `b`, the partial derivative by each operand
    (None where it is zero by structure). A `singular` one, or its partials, may be infinite at
    finite points: a tangent or an adjoint that is exactly 0 contributes exactly 0 through it.
    Through a `choice`, whose partials are selected, what was not chosen contributes exactly 0,
    however large its tangent or its adjoint is. No derivative flows through a `flat` one. `domain`
    is where the row's own test draws its operands. `expand(b, *args)` emits the same in other
    primitives, for what no backend has. `cost`: add, mul 1; div, sqrt 4; transcendental 20.
    `symbol` is the infix operator and `precedence` its binding.
    """

    name: str
    arity: int
    operands: Operands
    result: Result
    meaning: Meaning
    partials: Partials | None = None
    domain: tuple[float, float] = (-2.0, 2.0)
    singular: bool = False
    choice: bool = False
    flat: bool = False
    cost: int = 1
    surface: bool = False
    symbol: str = ""
    precedence: int = 0
    speculatable: bool = True
    spelling: Mapping[str, str] = field(default_factory=dict)
    expand: Expand | None = None

    def __repr__(self) -> str:
        return self.name
