"""Stacks: a growable array and the number of its elements in use, two variables under one name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.scope import Entry
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import methods as codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.codes.parallel import shared_written
from loma.frontend.errors import Finding
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.prims import arithmetic as prims
from loma.ir.prims.record import Prim
from loma.ir.types import BOOL, I32, ArrayType, Scalar, StructType, Type

if TYPE_CHECKING:
    from loma.frontend.check.expr import ExpressionChecker
    from loma.frontend.check.store import StackChecker
    from loma.frontend.check.types import Types

OPERATIONS: Final = ("push", "pop", "size")
EMPTY: Final = "pop from an empty stack"


def element(types: Types, e: surface.StackTypeExpr) -> Type | None:
    """What a stack holds: numbers or structs; None once something else is reported."""
    t = types.resolve(e.element)
    flat = isinstance(t, Scalar) or isinstance(t, StructType) and not _points(types, t)
    if t is not None and not flat:
        types.findings.append(codes.stack_element(e.element.span, types.text(t)))
        return None
    return t


def _points(types: Types, t: Type) -> bool:
    """Whether values of a type hold a pointer."""
    match t:
        case ArrayType(inner, size):
            return size is None or _points(types, inner)
        case StructType(name):
            return any(_points(types, m) for m in types.members(name).values())
        case _:
            return False


# Arguments.


def arguments(types: Types, a: surface.Arg, taken: set[str]) -> list[Argument] | None:
    """The two arguments that a stack is; None once something is reported."""
    assert isinstance(a.type, surface.StackTypeExpr), "asked for stacks only"
    t = element(types, a.type)
    if a.direction is not Direction.INOUT:
        types.findings.append(codes.stack_direction(a.type.span, a.name, a.direction.value))
        return None
    if t is None:
        return None
    size = f"{a.name}_size"
    while size in taken:
        size += "_"
    taken.add(size)
    return [Argument(a.name, ArrayType(t), a.direction, a.span, growable=True),
            Argument(size, I32, a.direction, a.span, counts=True)]


def paired(signature: Signature) -> list[tuple[Argument, Argument | None]]:
    """The arguments as the program writes them: a stack with its size."""
    found: list[tuple[Argument, Argument | None]] = []
    for a in signature.written:
        if a.counts:
            found[-1] = found[-1][0], a
        else:
            found.append((a, None))
    return found


def reversible(
    d: surface.Derivative, signature: Signature, findings: list[Finding]
) -> Signature | None:
    """The signature, unless `rev_diff` cannot be asked for: nobody could pass a stack's adjoints.
    """
    if not any(a.counts for a in signature.arguments):
        return signature
    findings.append(codes.stack_adjoint(d.primal_span, d.primal))
    return None


def entry_of(c: ExpressionChecker, e: surface.Expr) -> Entry | None:
    """The declaration of a stack, if an expression is the name of one."""
    entry = c.scope.find(e.name) if isinstance(e, surface.Name) else None
    return entry if entry is not None and entry.count is not None else None


def operand(c: ExpressionChecker, e: surface.Expr) -> typed.Expr | None:
    """An operand of a call; a stack is the name of its elements."""
    entry = entry_of(c, e)
    if entry is None or entry.symbol is None:
        return c.expr(e)
    return typed.Name(entry.symbol, span=e.span)


def spread(
    c: ExpressionChecker, e: surface.Call, signature: Signature,
    values: Sequence[typed.Expr | None],
) -> tuple[list[surface.Expr], list[typed.Expr | None]] | None:
    """The operands with two for each stack; None once something is reported."""
    operands: list[surface.Expr] = []
    found: list[typed.Expr | None] = []
    for (a, size), x, v in zip(paired(signature), e.args, values, strict=True):
        entry = entry_of(c, x)
        same = v is None or size is None or v.type == a.type
        if v is not None and ((entry is None) != (size is None) or not same):
            wanted = f"Stack[{c.types.text(_held(a))}]" if size else c.types.text(a.type)
            given = c.types.text(v.type) if entry is None else f"Stack[{c.types.text(_held(v))}]"
            c.report(call_codes.mismatch(e, x.span, a.name, wanted, given))
            return None
        operands.append(x)
        found.append(v)
        if size is not None:
            count = None if entry is None else entry.count
            operands.append(x)
            found.append(None if count is None else typed.Name(count, span=x.span))
    return operands, found


def _held(x: Argument | typed.Expr) -> Type | None:
    return x.type.element if isinstance(x.type, ArrayType) else None


# Variables.


def declare(c: StackChecker, s: surface.Declare, e: surface.StackTypeExpr) -> (
    typed.Stmt | None
):
    """s : Stack[T]: an empty one."""
    t = element(c.types, e)
    if s.value is not None:
        c.report(codes.stack_value(s.value.span, s.name))
    symbol = None if t is None else typed.Symbol(s.name, ArrayType(t), s.span, growable=True)
    size = typed.Symbol(f"{s.name}_size", I32, s.span)
    c.declare(s.name, Entry(symbol, s, count=size), s.span)
    if symbol is None or s.value is not None:
        return None
    c.ahead.append(typed.Declare(size, span=s.span))
    return typed.Declare(symbol, growable=True, span=s.span)


# Operations.


def operation(
    c: StackChecker, e: surface.MethodCall, entry: Entry
) -> typed.Expr | None:
    """s.size() or s.pop()."""
    if not _checked(c, e, []) or entry.symbol is None or entry.count is None:
        return None
    c.read.add(entry.symbol)
    if e.name == "size":
        return typed.Name(entry.count, span=e.span)
    if not _own(c, e, entry):
        return None
    if e.name == "pop" and c.hoisting:
        return _pop(c, entry.symbol, entry.count, e.span)
    c.report(codes.stack_statement(e.span, e.name))
    return None


def _own(c: StackChecker, e: surface.MethodCall, entry: Entry) -> bool:
    """Whether the stack may change here; one that all rounds of a loop share is reported."""
    if entry.symbol is None or not c.scope.is_shared(entry.symbol):
        return True
    assert isinstance(entry.symbol.type, ArrayType), "a stack is an array"
    kind = f"Stack[{c.types.text(entry.symbol.type.element)}]"
    c.report(shared_written(e.span, entry.symbol.name, kind))
    return False


def statement(c: StackChecker, e: surface.MethodCall, entry: Entry) -> typed.Stmt | None:
    """s.push(x), or s.pop() for what it does alone."""
    found = [c.right_side(x) for x in e.args]
    if not _checked(c, e, found) or entry.symbol is None or entry.count is None:
        return None
    if not _own(c, e, entry):
        return None
    if e.name == "push":
        return _push(c, e, entry.symbol, entry.count, found[0])
    if e.name == "pop":
        _pop(c, entry.symbol, entry.count, e.span)
        return c.ahead.pop()
    c.report(call_codes.unused(_shown(e)))
    return None


def _shown(e: surface.MethodCall) -> surface.Call:
    return surface.Call(f"Stack.{e.name}", e.args, span=e.span)


def _checked(
    c: StackChecker, e: surface.MethodCall, found: Sequence[typed.Expr | None]
) -> bool:
    """Whether the operation exists and has its operands."""
    for k in e.keywords:
        c.report(syntax_codes.keyword_operand(k.span, k.name))
    wanted = 1 if e.name == "push" else 0
    if e.name not in OPERATIONS:
        c.report(codes.no_method(e, e.span, "Stack", OPERATIONS, builtin=False))
    elif len(e.args) != wanted:
        shown = "Stack.push(x)" if wanted else f"Stack.{e.name}()"
        c.report(call_codes.arity(_shown(e), wanted, len(e.args), shown))
    else:
        return None not in found and not e.keywords
    return False


def _push(
    c: StackChecker, e: surface.MethodCall, symbol: typed.Symbol, size: typed.Symbol,
    value: typed.Expr | None,
) -> typed.Stmt | None:
    assert isinstance(symbol.type, ArrayType) and value is not None
    span, t = e.span, symbol.type.element
    ready = c.operand_as(_shown(e), e.args[0], value, Argument("x", t))
    if ready is None:
        return None
    place = typed.Index(typed.Name(symbol, span=span), typed.Name(size, span=span), t, span=span)
    c.ahead.append(typed.Assign(place, ready, span=span))
    return _step(size, prims.ADD, span)


def _pop(
    c: StackChecker, symbol: typed.Symbol, size: typed.Symbol, span: Span
) -> typed.Expr:
    """The last element, in a variable of its own."""
    assert isinstance(symbol.type, ArrayType)
    c.effects += 1
    count, t = typed.Name(size, span=span), symbol.type.element
    zero = typed.Literal(0, I32, span=span)
    c.ahead.append(typed.Assert(
        typed.Apply(prims.GT, (count, zero), BOOL, span=span), (EMPTY,), span=span))
    c.ahead.append(_step(size, prims.SUB, span))
    held = typed.Symbol("popped", t, span)
    last = typed.Index(typed.Name(symbol, span=span), count, t, span=span)
    c.ahead.append(typed.Declare(held, last, span=span))
    return typed.Name(held, span=span)


def _step(size: typed.Symbol, prim: Prim, span: Span) -> typed.Stmt:
    count, one = typed.Name(size, span=span), typed.Literal(1, I32, span=span)
    return typed.Assign(count, typed.Apply(prim, (count, one), I32, span=span), span=span)


def alone(c: ExpressionChecker, e: surface.Name) -> bool:
    """Whether a name is a stack that is used as a value, which is reported."""
    if entry_of(c, e) is None:
        return False
    c.report(codes.stack_alone(e.span, e.name))
    return True


