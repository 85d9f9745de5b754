"""The untyped surface tree: what the parser yields and the checker reads; each knows its span.

    Module   = structs, functions, derivatives           (in source order)
    TypeExpr = NamedType | ArrayTypeExpr | ShapedTypeExpr | DiffTypeExpr | TupleTypeExpr
             | StackTypeExpr | GenericTypeExpr | CallableTypeExpr | KnownType | BadType
    Expr     = Number | Name | Index | Subscript | Member | Unary | Binary | Comparison | Logical
             | Conditional | Call | MethodCall | Tuple | Reduce | Lambda | Specialised
             | Contains | Kept | List | Comprehension | Bad
    Stmt     = Declare | Assign | Augment | If | While | For | Each | Return | Break | Continue
             | CallStmt | Assert | Print | InnerFunction | Keep | Flag

`Bad` and `BadType` stand where the parser has already reported something. The parser has replaced
the names of constants by their values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from loma.diagnostics import NOWHERE, Files, Span
from loma.frontend.surface_generic import InnerFunction as InnerFunction
from loma.frontend.surface_generic import Instance as Instance
from loma.frontend.surface_generic import Lambda as Lambda
from loma.frontend.surface_generic import Specialised as Specialised
from loma.frontend.surface_short import Comprehension as Comprehension
from loma.frontend.surface_short import Contains as Contains
from loma.frontend.surface_short import Each as Each
from loma.frontend.surface_short import Flag as Flag
from loma.frontend.surface_short import Keep as Keep
from loma.frontend.surface_short import Kept as Kept
from loma.frontend.surface_short import List as List
from loma.frontend.surface_short import Over as Over
from loma.frontend.surface_short import Range as Range
from loma.frontend.surface_short import Reduce as Reduce
from loma.frontend.surface_types import ArrayTypeExpr as ArrayTypeExpr
from loma.frontend.surface_types import BadType as BadType
from loma.frontend.surface_types import CallableTypeExpr as CallableTypeExpr
from loma.frontend.surface_types import DiffTypeExpr as DiffTypeExpr
from loma.frontend.surface_types import GenericTypeExpr as GenericTypeExpr
from loma.frontend.surface_types import KnownType as KnownType
from loma.frontend.surface_types import NamedType as NamedType
from loma.frontend.surface_types import Node as Node
from loma.frontend.surface_types import ShapedTypeExpr as ShapedTypeExpr
from loma.frontend.surface_types import SizeName as SizeName
from loma.frontend.surface_types import StackTypeExpr as StackTypeExpr
from loma.frontend.surface_types import TupleTypeExpr as TupleTypeExpr
from loma.frontend.surface_types import TypeExpr as TypeExpr
from loma.frontend.surface_types import TypeParam as TypeParam
from loma.ir.derived import Mode
from loma.ir.nodes import Direction


@dataclass(frozen=True, slots=True, eq=False)
class Number(Node):
    """A number or truth value as written."""

    value: float | int | bool


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Index(Node):
    """base[index]."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Node):
    """low:high in an index."""

    low: Expr | None
    high: Expr | None


@dataclass(frozen=True, slots=True, eq=False)
class Subscript(Node):
    """base[items]: several indices, or slices."""

    base: Expr
    items: tuple[Expr | Slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Member(Node):
    """base.field."""

    base: Expr
    field: str


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    """`-operand` or `not operand`."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """Arithmetic or comparison."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Comparison(Node):
    """a < b <= c: two or more comparisons, each operand evaluated once."""

    operators: tuple[str, ...]
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Logical(Node):
    """`and` or `or` of two or more operands."""

    operator: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    """then if cond else orelse."""

    cond: Expr
    then: Expr
    orelse: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Keyword(Node):
    """name=value in a call."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """function(args, keywords)."""

    function: str
    args: tuple[Expr, ...]
    keywords: tuple[Keyword, ...] = ()
    type_args: tuple[TypeExpr, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class Tuple(Node):
    """a, b: as a value, or as the target of an assignment."""

    elements: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MethodCall(Node):
    """base.name(args, keywords); `base` may be the name of a class."""

    base: Expr
    name: str
    args: tuple[Expr, ...]
    keywords: tuple[Keyword, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Bad(Node):
    """An expression that has already been reported."""


Expr: TypeAlias = (
    Number | Name | Index | Subscript | Member | Unary | Binary | Comparison | Logical
    | Conditional | Call | Reduce | MethodCall | Tuple | Lambda | Specialised | Contains | Kept
    | List | Comprehension | Bad
)
Text: TypeAlias = tuple[Expr | str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Declare(Node):
    """name : type [= value]."""

    name: str
    type: TypeExpr
    value: Expr | None


@dataclass(frozen=True, slots=True, eq=False)
class Assign(Node):
    """target = value."""

    target: Expr
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Augment(Node):
    """target operator= value."""

    target: Expr
    operator: str
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class If(Node):
    """if / elif / else; `elif` is an If in orelse."""

    cond: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class While(Node):
    """while, with the hint `max_iter` where it was written."""

    cond: Expr
    body: tuple[Stmt, ...]
    max_iter: int | None


@dataclass(frozen=True, slots=True, eq=False)
class For(Node):
    """for name in range(start, stop, step), or in parallel(stop)."""

    name: str
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
    """A call as a statement; one with `threads` launches a kernel."""

    call: Call | MethodCall
    threads: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Assert(Node):
    """assert cond [, "message"]."""

    cond: Expr
    message: Text


@dataclass(frozen=True, slots=True, eq=False)
class Print(Node):
    """print(...): the text that is shown, separators and the end included."""

    text: Text


@dataclass(frozen=True, slots=True, eq=False)
class BadStmt(Node):
    """A statement that has already been reported; it may do anything."""


Stmt: TypeAlias = (
    Declare | Assign | Augment | If | While | For | Return | Break | Continue
    | Each | CallStmt | Assert | Print | InnerFunction | Keep | Flag | BadStmt
)


@dataclass(frozen=True, slots=True, eq=False)
class Arg(Node):
    """An argument of a function; `nodiff` for In[NoDiff[T]]."""

    name: str
    direction: Direction
    type: TypeExpr
    nodiff: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Function(Node):
    """def; `name_span` is where its name stands, `rules` the derivatives that it is."""

    name: str
    args: tuple[Arg, ...]
    result: TypeExpr | None
    body: tuple[Stmt, ...]
    simd: bool
    name_span: Span
    type_params: tuple[TypeParam, ...] = field(default=(), kw_only=True)
    rules: tuple[Derivative, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class StructMember(Node):
    """name : type [= default] inside a class."""

    name: str
    type: TypeExpr
    default: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Struct(Node):
    """class; `name_span` is where its name stands, `static` are methods without `self`."""

    name: str
    members: tuple[StructMember, ...]
    name_span: Span
    methods: tuple[Function, ...] = ()
    static: frozenset[str] = frozenset()
    type_params: tuple[TypeParam, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class Derivative(Node):
    """name = fwd_diff(primal) or rev_diff(primal); of a method, primal is `Class.method`.

    `held`: arguments that are constants to it.
    """

    name: str
    mode: Mode
    primal: str
    primal_span: Span
    type_args: tuple[TypeExpr, ...] = field(default=(), kw_only=True)
    name_span: Span = field(default=NOWHERE, kw_only=True)
    held: frozenset[str] = field(default=frozenset(), kw_only=True)


Definition: TypeAlias = Function | Struct | Derivative | Instance


@dataclass(frozen=True, slots=True, eq=False)
class Module(Node):
    """A program's definitions, in source order; `internal` are those of imported files."""

    definitions: tuple[Definition, ...]
    internal: frozenset[str] = frozenset()
    files: Files = field(default=Files(), repr=False)
