"""The typed surface tree: what checking yields, and what lowering and the oracle read.

Every name is a Symbol (an object: no capture), every expression has a type, every conversion is
explicit. An expression of an array or struct type is a place (Name, Index, Member, View) or a Call.
An array of several dimensions is one of its elements, row by row: an index into it is one number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from loma.diagnostics import NOWHERE, Diagnostic, Files, Span
from loma.ir.derived import Mode
from loma.ir.nodes import Signature
from loma.ir.prims.record import Prim
from loma.ir.types import ArrayType, Scalar, StructDef, Type


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """A declared variable or argument; compared by identity.

    `shape`: for an array whose type has no size, the sizes of its dimensions where they are known:
    literals, and variables that are never assigned again.
    """

    name: str
    type: Type
    span: Span = field(default=NOWHERE, repr=False)
    growable: bool = False
    shape: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Any part of the tree."""

    span: Span = field(default=NOWHERE, kw_only=True, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """A number or truth value, already rounded to its type."""

    value: float | int | bool
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    """A variable."""

    symbol: Symbol

    @property
    def type(self) -> Type:
        """The variable's type."""
        return self.symbol.type


@dataclass(frozen=True, slots=True, eq=False)
class Index(Node):
    """base[index]; base is a place of array type, or a call whose result holds one.

    `at`: the indices that were written, with the sizes of their dimensions, where `index` is made
    of them; they are inside, or the program is wrong.
    """

    base: Expr
    index: Expr
    type: Type
    at: At = ()


@dataclass(frozen=True, slots=True, eq=False)
class View(Node):
    """The elements of an array from one on: a row, a slice, an array in another shape.

    It begins at element `start` of `base`; its elements are those of `base`, or what these hold
    if they are arrays of known length. `shape`: its sizes (None: not known). The type has a size
    where an argument wants one.
    """

    base: Expr
    start: Expr
    type: ArrayType
    shape: tuple[Expr | None, ...]
    at: At = ()


@dataclass(frozen=True, slots=True, eq=False)
class Checked(Node):
    """A value; before, the program stops with a message unless the conditions hold."""

    value: Expr
    conditions: tuple[tuple[Expr, str], ...]
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Member(Node):
    """base.field; base is a place of struct type, or a call."""

    base: Expr
    field: str
    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class Apply(Node):
    """A primitive on operands of the types that it takes (conversions are already inserted).

    Integer division is `IDIV` and raises on zero and on overflow.
    """

    prim: Prim
    args: tuple[Expr, ...]
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Convert(Node):
    """A conversion between scalars, written (int2float, float2int) or inserted."""

    value: Expr
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Logical(Node):
    """`and` / `or` of two bools; the second is evaluated only if the first does not decide."""

    operator: str
    left: Expr
    right: Expr
    type: Scalar = Scalar.BOOL


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    """then if cond else orelse: two scalars or two structs of one type; one is evaluated."""

    cond: Expr
    then: Expr
    orelse: Expr
    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class Let(Node):
    """The body, in which a fresh scalar variable stands for a value that is evaluated once."""

    symbol: Symbol
    value: Expr
    body: Expr
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Reduce(Node):
    """kind(value for symbol in range(start, stop, step)); bounds are evaluated once.

    `sum`: of the value's type. `min` and `max`: the first best value; `argmin` and `argmax`: where
    it is. A NaN is better than any number. Of nothing, all but `sum` trap.
    """

    kind: str
    symbol: Symbol
    start: Expr
    stop: Expr
    step: int
    value: Expr
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class ThreadId(Node):
    """The index of the running thread."""

    type: Scalar = Scalar.I32


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """A call of a function of the file; operands of Out and InOut arguments are places."""

    function: str
    args: tuple[Expr, ...]
    type: Type | None


Expr: TypeAlias = (
    Literal
    | Name
    | Index
    | View
    | Checked
    | Member
    | Apply
    | Convert
    | Logical
    | Conditional
    | Let
    | Reduce
    | ThreadId
    | Call
)
Text: TypeAlias = tuple[Expr | str, ...]
At: TypeAlias = tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Declare(Node):
    """x : T [= value]; zeroed at each execution when there is no value.

    `count`: for a local array `Array[T, expression]` whose length is computed; its type has size
    None. `growable`: for a local array `Array[T, ...]` that grows as it is written; its type has
    size None.
    """

    symbol: Symbol
    value: Expr | None = None
    count: Expr | None = None
    growable: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Assign(Node):
    """place = value; structs are copied, their pointer members shared."""

    target: Expr
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class If(Node):
    """if / else; `elif` is an If in orelse. The condition is a bool."""

    cond: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class While(Node):
    """while; `max_iter` is a hint that never truncates."""

    cond: Expr
    body: tuple[Stmt, ...]
    max_iter: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class For(Node):
    """for symbol in range(start, stop, step): bounds are evaluated once; step is a nonzero literal.

    The symbol is a fresh variable; assigning to it in the body is an error. `parallel`: for symbol
    in parallel(stop); the rounds are unordered and assign no scalar from outside.
    """

    symbol: Symbol
    start: Expr
    stop: Expr
    step: int
    body: tuple[Stmt, ...]
    parallel: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Return(Node):
    """return [value]."""

    value: Expr | None


@dataclass(frozen=True, slots=True, eq=False)
class Break(Node):
    """break."""


@dataclass(frozen=True, slots=True, eq=False)
class Continue(Node):
    """continue."""


@dataclass(frozen=True, slots=True, eq=False)
class CallStmt(Node):
    """A call as a statement."""

    call: Call


@dataclass(frozen=True, slots=True, eq=False)
class AtomicAdd(Node):
    """atomic_add(target, value): target += value, atomically among threads."""

    target: Expr
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Push(Node):
    """push(tape, values ...): one frame."""

    tape: Expr
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pop(Node):
    """pop(tape, places ...): the frame that the matching push left, into places of the same
    types.
    """

    tape: Expr
    targets: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Assert(Node):
    """assert cond [, "message"]: traps when the condition is false."""

    cond: Expr
    message: Text = ()


@dataclass(frozen=True, slots=True, eq=False)
class Print(Node):
    """print(...): shows scalars with text around them."""

    text: Text


Stmt: TypeAlias = (
    Declare
    | Assign
    | If
    | While
    | For
    | Return
    | Break
    | Continue
    | CallStmt
    | AtomicAdd
    | Push
    | Pop
    | Assert
    | Print
)


def values(text: Text) -> tuple[Expr, ...]:
    """The expressions in a text."""
    return tuple([p for p in text if not isinstance(p, str)])


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A checked function; `params`: the symbols of its arguments. What is not `exported` is for
    other functions to call. `thread`: in a kernel's body, the number of the thread."""

    name: str
    params: tuple[Symbol, ...]
    signature: Signature
    body: tuple[Stmt, ...]
    span: Span = field(default=NOWHERE, repr=False)
    exported: bool = True
    thread: Symbol | None = None


@dataclass(frozen=True, slots=True)
class Derivative:
    """name = fwd_diff(primal) or rev_diff(primal), with so many tangents; `held` are constants."""

    name: str
    mode: Mode
    primal: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    exported: bool = True
    width: int = 1
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """A checked file. `structs` holds Diff structs too, once any derivative is requested;
    `make__dfloat`-style constructors appear as ordinary functions in `functions`. `rules` are
    derivatives that the program has written itself. `remarks` are warnings about it."""

    structs: Mapping[str, StructDef]
    functions: Mapping[str, Function]
    derivatives: tuple[Derivative, ...]
    float_type: Scalar
    file: str = "<loma>"
    source: str = ""
    files: Files = field(default=Files(), repr=False)
    rules: tuple[Derivative, ...] = ()
    remarks: tuple[Diagnostic, ...] = field(default=(), repr=False)
