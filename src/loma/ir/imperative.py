"""The imperative tree: core IR with expressions and assignable variables, as printers want it.

    Expr  = Var | Const | Operation(prim, args) | Place(root, path) | Result(function, args)
          | From(start, content, depth), which is a step of a path
    Stmt  = Let(var, value) | Copy((var, value)*) | Assign(place, value) | Add(place, value)
          | Bind(place, place) | Hold(root, place) | Local(root, count?) | Push | Pop | Assert
          | Print | CallStmt | Branch(cond, then, orelse) | Count(index, start, count, step, body)
          | Loop(test, cond, body) | Threads(index, count, body)

`Copy` assigns all its variables at once. Views and pointers are gone: a place names a parameter or
a local.
Variables of one class (see `coalesce`) are one variable of the printed program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from loma.diagnostics import NOWHERE, Span
from loma.ir.nodes import Const, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim
from loma.ir.types import ArrayType, Scalar, Type


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A primitive on expressions; AND and OR evaluate their second operand only if needed."""

    prim: Prim
    args: tuple[Expr, ...]
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Memory that holds a `type`: read where it stands as an expression.

    `crossed`: the path leads through a pointer that lies in memory.
    """

    root: Var
    path: tuple[Expr | str, ...]
    type: Type
    crossed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The scalar result of a call; operands for roots are places."""

    function: str
    args: tuple[Expr, ...]
    type: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class From:
    """A step of a path: the array that begins at an element; its `depth` levels count as one."""

    start: Expr
    type: ArrayType
    depth: int


Expr: TypeAlias = Var | Const | Operation | Place | Result | From
Text: TypeAlias = tuple[Expr | str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Stmt:
    """Any statement; `span` is the primal source that it stems from."""

    span: Span = field(default=NOWHERE, kw_only=True, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Let(Stmt):
    """var = value, the only definition of `var`."""

    var: Var
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Copy(Stmt):
    """Assigns to all variables at once what the values were before."""

    pairs: tuple[tuple[Var, Expr], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Assign(Stmt):
    """place = value."""

    place: Place
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Add(Stmt):
    """place += value, atomically among threads."""

    place: Place
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Bind(Stmt):
    """Overwrites the pointer at a place with the address of another."""

    place: Place
    value: Place


@dataclass(frozen=True, slots=True, eq=False)
class Hold(Stmt):
    """Keeps the pointer at a place as a root, because the place will be overwritten."""

    root: Var
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Local(Stmt):
    """Declares zeroed local memory."""

    root: Var
    count: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Push(Stmt):
    """Pushes one frame onto a tape."""

    tape: Place
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pop(Stmt):
    """Pops one frame from a tape."""

    tape: Place
    targets: tuple[Var, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Assert(Stmt):
    """Traps when the condition is false."""

    cond: Expr
    trap: Trap
    message: str = ""
    text: Text = ()


@dataclass(frozen=True, slots=True, eq=False)
class Print(Stmt):
    """Shows text."""

    text: Text


@dataclass(frozen=True, slots=True, eq=False)
class CallStmt(Stmt):
    """A call whose result, if any, is not used."""

    function: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Branch(Stmt):
    """if / else."""

    cond: Expr
    then: Block
    orelse: Block


@dataclass(frozen=True, slots=True, eq=False)
class Count(Stmt):
    """A counted loop; `stop` is the excluded bound where the source shows one, else None.
    `independent`: as that of a `For`."""

    index: Var
    start: Expr
    count: Expr
    step: int
    body: Block
    stop: Expr | None = None
    parallel: bool = False
    independent: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Loop(Stmt):
    """Runs `test`, leaves if `cond` is then false, else runs `body` and starts again."""

    test: Block
    cond: Expr
    body: Block


@dataclass(frozen=True, slots=True, eq=False)
class Threads(Stmt):
    """Runs `body` once for each index, in no order; `sums` are added up over the iterations."""

    index: Var
    count: Expr
    body: Block
    sums: tuple[tuple[Var, Expr], ...]


Block: TypeAlias = tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A function's statements and the scalar that it returns."""

    block: Block
    result: Expr | None


def blocks(s: Stmt) -> tuple[Block, ...]:
    """The blocks nested directly in a statement."""
    match s:
        case Branch():
            return (s.then, s.orelse)
        case Count() | Threads():
            return (s.body,)
        case Loop():
            return (s.test, s.body)
        case _:
            return ()


def targets(s: Stmt) -> tuple[Var, ...]:
    """The variables that a statement assigns itself (not those inside its blocks)."""
    match s:
        case Let():
            return (s.var,)
        case Copy():
            return tuple(v for v, _ in s.pairs)
        case Pop():
            return s.targets
        case Count():
            return (s.index,)
        case Threads():
            return (s.index, *(v for v, _ in s.sums))
        case _:
            return ()


def expressions(s: Stmt) -> tuple[Expr, ...]:  # noqa: C901 - one dispatch
    """The expressions that a statement evaluates itself; a loop's test is among them."""
    match s:
        case Let():
            return (s.value,)
        case Copy():
            return tuple(e for _, e in s.pairs)
        case Assign() | Add() | Bind():
            return (s.place, s.value)
        case Hold():
            return (s.place,)
        case Local():
            return () if s.count is None else (s.count,)
        case Push():
            return (s.tape, *s.values)
        case Pop():
            return (s.tape,)
        case Assert():
            return (s.cond, *_values(s.text))
        case Print():
            return _values(s.text)
        case Branch() | Loop():
            return (s.cond,)
        case CallStmt():
            return s.args
        case Count():
            return (s.start, s.count) if s.stop is None else (s.start, s.count, s.stop)
        case Threads():
            return (s.count, *(e for _, e in s.sums))
        case _:
            raise AssertionError(f"unknown statement {s}")


def _values(text: Text) -> tuple[Expr, ...]:
    return tuple(p for p in text if not isinstance(p, str))


def children(e: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside an expression; a place's root is not one."""
    match e:
        case Var() | Const():
            return ()
        case Operation() | Result():
            return e.args
        case Place():
            return tuple(p for p in e.path if not isinstance(p, str))
        case From():
            return (e.start,)
        case _:
            assert_never(e)


def variables(e: Expr) -> Iterator[Var]:
    """Every variable that holds a value and is read in an expression."""
    if isinstance(e, Var):
        yield e
    for inner in children(e):
        yield from variables(inner)


def calls(e: Expr) -> bool:
    """Whether an expression calls a function."""
    return isinstance(e, Result) or any(calls(inner) for inner in children(e))


def weight(e: Expr) -> int:
    """How much there is to read in an expression."""
    return 1 + sum(weight(inner) for inner in children(e))


def scalar_type(e: Expr) -> Scalar:
    """The type of an expression that is a value."""
    match e:
        case Var():
            return e.scalar
        case Place():
            assert isinstance(e.type, Scalar), f"{e.root.name} holds no scalar there"
            return e.type
        case From():
            raise AssertionError("an array is no scalar")
        case _:
            return e.type


def logical(outs: tuple[Var, ...], cond: Expr, then: Block, orelse: Block) -> Expr | None:
    """`cond and e` or `cond or e`, where that is what a branch with these results computes."""
    if len(outs) != 1 or outs[0].scalar is not Scalar.BOOL:
        return None
    match then, orelse:
        case (Copy(((_, e),)),), (Copy(((_, Const(False)),)),):
            prim = A.AND
        case (Copy(((_, Const(True)),)),), (Copy(((_, e),)),):
            prim = A.OR
        case _:
            return None
    return Operation(prim, (cond, e), Scalar.BOOL)
