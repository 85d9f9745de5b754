"""What lowering asks ahead about typed expressions: what they mention, where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from loma.frontend.typed import (
    Apply,
    Call,
    Checked,
    Conditional,
    Convert,
    Expr,
    Index,
    Let,
    Literal,
    Logical,
    Member,
    Name,
    Reduce,
    Symbol,
    ThreadId,
    View,
)
from loma.ir.prims import arithmetic as A
from loma.ir.types import ArrayType

SPECULATED_COST: Final = 8
SUMS: Final = frozenset({A.ADD, A.SUB, A.NEG, A.SELECT})


def children(e: Expr) -> tuple[Expr, ...]:  # noqa: C901 - one dispatch
    """The operands of an expression."""
    match e:
        case Literal() | Name() | ThreadId():
            return ()
        case Index(base, index) | View(base, index):
            return (base, index)
        case Checked(value, conditions):
            return (value, *(cond for cond, _ in conditions))
        case Member(base):
            return (base,)
        case Apply(_, args) | Call(_, args):
            return args
        case Convert(value):
            return (value,)
        case Logical(_, left, right):
            return (left, right)
        case Conditional(cond, then, orelse):
            return (cond, then, orelse)
        case Let(_, value, body):
            return (value, body)
        case Reduce(_, _, start, stop, _, value):
            return (start, stop, value)
        case _:
            assert_never(e)


def subexpressions(*roots: Expr) -> Iterator[Expr]:
    """Every expression inside the given ones, themselves included."""
    todo = list(roots)
    while todo:
        e = todo.pop()
        yield e
        todo.extend(children(e))


def mentions(symbol: Symbol, *roots: Expr) -> bool:
    """Whether a variable occurs in the expressions."""
    return any(isinstance(e, Name) and e.symbol is symbol for e in subexpressions(*roots))


def speculatable(e: Expr, in_memory: Mapping[Symbol, object]) -> bool:
    """Whether an expression is pure and so cheap that it may be evaluated for nothing."""
    cost = 0
    for x in subexpressions(e):
        match x:
            case Index() | Member() | Call() | Reduce() | View() | Checked():
                return False
            case Name(symbol) if symbol in in_memory:
                return False
            case Apply(prim) if not prim.speculatable:
                return False
            case Apply(prim):
                cost += prim.cost
            case _:
                pass
    return cost <= SPECULATED_COST


def tame(e: Expr) -> bool:
    """Whether no derivative through an expression has a factor that may be infinite where the
    program did not choose it: sums, choices and factors that are literals.
    """
    return all(
        x.prim in SUMS or x.prim.choice or x.prim.flat or _by_literal(x)
        for x in subexpressions(e)
        if isinstance(x, Apply) and x.type.is_float
    )


def _by_literal(e: Apply) -> bool:
    match e:
        case Apply(A.MUL, (Literal(), _) | (_, Literal())):
            return True
        case Apply(A.DIV, (_, Literal(value))):
            return value != 0
        case _:
            return False


def base_of(place: Expr) -> tuple[Symbol | None, bool]:
    """The variable that a place lies in (None: a call's result), and whether behind a pointer."""
    crossed = False
    while True:
        pointer = isinstance(place.type, ArrayType) and place.type.size is None
        crossed = crossed or (pointer and not isinstance(place, Name | View))
        match place:
            case Index(base) | View(base):
                place = base
            case Member(base):
                place = base
            case Name(symbol):
                return symbol, crossed
            case _:
                return None, crossed


def same_place(a: Expr, b: Expr) -> bool:  # noqa: C901 - one dispatch
    """Whether two expressions are written alike and contain no call."""
    todo = [(a, b)]
    while todo:
        x, y = todo.pop()
        match x, y:
            case (Name(s), Name(t)):
                alike = s is t
            case (Literal(), Literal()) as pair:
                alike = pair[0].type is pair[1].type and repr(pair[0].value) == repr(pair[1].value)
            case (ThreadId(), ThreadId()) | (Index(), Index()) | (Conditional(), Conditional()):
                alike = True
            case (View(), View()) | (Checked(), Checked()):
                alike = len(children(x)) == len(children(y))
            case (Logical(o), Logical(p)):
                alike = o == p
            case (Member(_, m), Member(_, n)):
                alike = m == n
            case (Apply(f), Apply(g)):
                alike = f is g
            case (Convert(_, s), Convert(_, t)):
                alike = s is t
            case _:
                alike = False
        if not alike:
            return False
        todo.extend(zip(children(x), children(y), strict=True))
    return True
