"""The core IR on a few screens: structured SSA.

    Module    = structs, functions, float_type
    Function  = name, params: Var*, body: Region, signature
    Region    = args: Var*, ops: Op*, yields: Operand*          control nests; no basic blocks
    Operand   = Var | Const
    Op        = Apply(prim, args) -> out                         a pure scalar operation
              | Load(root, path) -> out | Store(root, path, value) | Accum(root, path, value)
              | View(root, path) -> out                          a root inside a root
              | Window(root, path) -> out                        the array that begins at an element
              | LoadRef(root, path) -> out | StoreRef(root, path, value)   pointers in memory
              | Alloc(count?) -> out                             zeroed, lives as long as its region
              | Push(tape, values) | Pop(tape) -> outs
              | Check(cond, trap, message, text, within?)        traps when cond is false
              | Print(text)                                      shows text to the user
              | Call(function, args) -> outs
              | If(cond, then, orelse) -> outs
              | For(count, start, step, inits, body) -> outs   a parallel one carries nothing
              | While(inits, cond, body) -> outs
              | Parallel(count, body) -> outs                    outs are sums over the iterations

Values are scalars. A `Var` of a `Scalar` type is a value; a `Var` of a `Ref` type is a *root*:
memory that is accessed by a path of indices (operands) and fields (names). A path stays inside
one allocation: `Array[T]` (no size) inside a struct or an array is a pointer, crossed only by
`LoadRef`. Variables are compared by identity; names are hints, made unique only by printers.

Core parameters of a signature, in order:
    In scalar                -> a value                In struct, In array   -> a Ref
    Out, InOut of any type   -> a Ref                  Tape                  -> Ref(TAPE)
    result: struct           -> a trailing Ref `_return`; scalar -> the region's one yield
    simd                     -> a trailing I32 `_threads`; the body is one Parallel
An In struct is private by value: who lowers a body that writes it, copies it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from loma.diagnostics import NOWHERE, Span
from loma.ir.prims.record import Prim
from loma.ir.types import Ref, Scalar, StructDef, Type


@dataclass(frozen=True, slots=True, eq=False)
class Var:
    """A name for one value or root; two variables are the same only if they are one object."""

    name: str
    type: Scalar | Ref

    @property
    def scalar(self) -> Scalar:
        """The type of a value."""
        assert isinstance(self.type, Scalar), f"{self.name} is a root, not a value"
        return self.type

    @property
    def content(self) -> Type:
        """The type of what a root holds."""
        assert isinstance(self.type, Ref), f"{self.name} is a value, not a root"
        return self.type.content


@dataclass(frozen=True, slots=True)
class Const:
    """A literal; floats are already rounded to their type."""

    value: float | int | bool
    type: Scalar


Operand: TypeAlias = Var | Const
Path: TypeAlias = tuple[Operand | str, ...]
Text: TypeAlias = tuple[Operand | str, ...]
"""What is shown to a person: strings, and scalars by their values (of an array its length)."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A list of operations; `args` are bound at entry, `yields` are what it hands on."""

    args: tuple[Var, ...]
    ops: tuple[Op, ...]
    yields: tuple[Operand, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Any operation; `span` is the primal source that it stems from."""

    span: Span = field(default=NOWHERE, kw_only=True, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Apply(Node):
    """A pure scalar operation from the table of primitives."""

    prim: Prim
    args: tuple[Operand, ...]
    out: Var


@dataclass(frozen=True, slots=True, eq=False)
class Load(Node):
    """The scalar at a place."""

    root: Var
    path: Path
    out: Var


@dataclass(frozen=True, slots=True, eq=False)
class Store(Node):
    """Overwrites the scalar at a place."""

    root: Var
    path: Path
    value: Operand


@dataclass(frozen=True, slots=True, eq=False)
class Accum(Node):
    """Adds to the scalar at a place; atomic where iterations of a Parallel may run at once."""

    root: Var
    path: Path
    value: Operand


@dataclass(frozen=True, slots=True, eq=False)
class View(Node):
    """A root for a part of a root (a row of a sized array, a member struct): no memory access."""

    root: Var
    path: Path
    out: Var


@dataclass(frozen=True, slots=True, eq=False)
class Window(Node):
    """A root for the array that begins at an element of an array: no memory access.

    The last `depth` steps of the path are indices: the one that says where it begins, then zeros,
    each into an inner array of known length, whose elements follow each other in memory.
    """

    root: Var
    path: Path
    out: Var
    depth: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class LoadRef(Node):
    """Reads the pointer at a place whose type is an array without a size."""

    root: Var
    path: Path
    out: Var


@dataclass(frozen=True, slots=True, eq=False)
class StoreRef(Node):
    """Overwrites a pointer in memory (struct assignment shares pointer members)."""

    root: Var
    path: Path
    value: Var


@dataclass(frozen=True, slots=True, eq=False)
class Alloc(Node):
    """A zeroed local root. Content `Array[T]` without a size: `count` elements, or growable."""

    out: Var
    count: Operand | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Push(Node):
    """Pushes scalars onto a tape, as one frame."""

    tape: Var
    values: tuple[Operand, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pop(Node):
    """Pops the frame of scalars that the matching Push left; types and order are the same."""

    tape: Var
    outs: tuple[Var, ...]


class Trap(Enum):
    """Why a program stops itself."""

    DIVISION = "integer division by zero"
    OVERFLOW = "integer division overflows (the most negative integer by -1)"
    DEPTH = "recursion is too deep"
    MEMORY = "out of memory for a tape or a local array"
    LIMIT = "the tape grew beyond its limit"
    ASSERT = "assertion failed"
    INDEX = "index out of bounds"
    SIZE = "the sizes of arrays do not fit"
    DOMAIN = "an operand is outside of the domain of an operation"
    NONFINITE = "a result is not finite"
    CANCELLED = "cancelled"
    EMPTY = "the smallest or largest of an empty range"
    UNWRITTEN = "an Out element is read before it is written: declare the argument InOut"


@dataclass(frozen=True, slots=True, eq=False)
class Check(Node):
    """Leaves the program through the error channel when `cond` is false.

    The message is `message`, else `text` with the values at that moment, else that of the trap.
    `within`: an array, and an index; it traps also if the host knows it to be beyond the end.
    """

    cond: Operand
    trap: Trap
    message: str = ""
    text: Text = ()
    within: tuple[Var, Operand] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Print(Node):
    """Shows text at once; never left out, repeated, or moved past another effect."""

    text: Text


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """Calls a function of the module; `outs` binds its scalar result, if any."""

    function: str
    args: tuple[Operand, ...]
    outs: tuple[Var, ...]


@dataclass(frozen=True, slots=True, eq=False)
class If(Node):
    """Runs one of two regions (neither has args); `outs` binds what it yields."""

    cond: Operand
    then: Region
    orelse: Region
    outs: tuple[Var, ...]


@dataclass(frozen=True, slots=True, eq=False)
class For(Node):
    """Runs `body` max(count, 0) times; body.args = (index, *carried), index = start + k * step.

    `count`, `start` have the index's type; `step` is a nonzero literal of it. The body yields the
    next carried values. An `independent` loop has no nested loop, and no iteration reads or writes
    what another one writes. A `short` one runs a few times, a `long` one perhaps millions, a
    `block` of one some hundred. Iterations of a `parallel` one may run in any order: it carries no
    values, starts at 0, steps by 1, and what iterations share they only read or add to.
    """

    start: Operand
    count: Operand
    step: Const
    inits: tuple[Operand, ...]
    body: Region
    outs: tuple[Var, ...]
    independent: bool = field(default=False, kw_only=True)
    short: bool = field(default=False, kw_only=True)
    long: bool = field(default=False, kw_only=True)
    block: bool = field(default=False, kw_only=True)
    parallel: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class While(Node):
    """Runs `body` while `cond` yields true; both take the carried values as args."""

    inits: tuple[Operand, ...]
    cond: Region
    body: Region
    outs: tuple[Var, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Parallel(Node):
    """Runs `body` for body.args = (index,), index = 0 .. count-1, in no order, perhaps at once;
    `outs` are the sums of what the iterations yield (floats only)."""

    count: Operand
    body: Region
    outs: tuple[Var, ...]


Op: TypeAlias = (
    Apply
    | Load
    | Store
    | Accum
    | View
    | Window
    | LoadRef
    | StoreRef
    | Alloc
    | Push
    | Pop
    | Check
    | Print
    | Call
    | If
    | For
    | While
    | Parallel
)


class Direction(Enum):
    """How an argument of a signature passes data."""

    IN = "In"
    OUT = "Out"
    INOUT = "InOut"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a signature, with its surface type.

    `growable`: an InOut array that grows. `counts`: the size of the stack before it. `nodiff`: no
    derivative is taken by it. `shape`: the sizes, by name or number, of an array of named size,
    whose type is one of its elements, row by row. `hidden`: such a size; these come last.
    """

    name: str
    type: Type
    direction: Direction = Direction.IN
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    growable: bool = False
    shape: tuple[str | int, ...] = ()
    hidden: bool = False
    counts: bool = False
    nodiff: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What callers see of a function."""

    arguments: tuple[Argument, ...]
    result: Type | None = None
    simd: bool = False

    @property
    def written(self) -> tuple[Argument, ...]:
        """The arguments that callers in loma write."""
        return tuple(a for a in self.arguments if not a.hidden)

    @property
    def sizes(self) -> tuple[Argument, ...]:
        """The hidden arguments."""
        return tuple(a for a in self.arguments if a.hidden)


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function: `params` follow `signature` by the rule in this module's docstring.

    What is not `exported` (the halves of a split derivative) is called from loma code only. The
    array parameters of a `distinct` one are different memory, without pointers inside. `fast` names
    a distinct twin, called where no written array argument starts where another argument does. A
    `cold` one is not worth optimising. A `part` of a long function is never inlined.
    """

    name: str
    params: tuple[Var, ...]
    body: Region
    signature: Signature
    span: Span = field(default=NOWHERE, repr=False)
    exported: bool = True
    distinct: bool = False
    fast: str = ""
    cold: bool = False
    part: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """All structs and functions; `float_type` is what the surface's `float` stands for."""

    structs: Mapping[str, StructDef]
    functions: Mapping[str, Function]
    float_type: Scalar
    file: str = "<loma>"
