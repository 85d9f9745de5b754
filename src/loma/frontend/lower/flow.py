"""What lowering asks ahead about typed statements: what they assign, where they leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from loma.diagnostics import InternalError
from loma.frontend import typed
from loma.frontend.lower.scan import subexpressions
from loma.frontend.typed import (
    Assign,
    AtomicAdd,
    Break,
    Call,
    CallStmt,
    Continue,
    Declare,
    Expr,
    For,
    If,
    Module,
    Name,
    Pop,
    Return,
    Stmt,
    Symbol,
    While,
)
from loma.ir.derived import derived_signature
from loma.ir.nodes import Direction, Signature
from loma.ir.types import Scalar


def signatures(module: Module) -> dict[str, Signature]:
    """The signature of every function and declared derivative of a file."""
    table = {name: f.signature for name, f in module.functions.items()}
    waiting = list(module.derivatives)
    while waiting:
        ready = [d for d in waiting if d.primal in table]
        if not ready:
            raise InternalError(f"derivatives without a primal: {[d.name for d in waiting]}")
        for d in ready:
            table[d.name] = derived_signature(
                table[d.primal], d.mode, module.float_type, d.width, d.held)
        waiting = [d for d in waiting if d.name not in table]
    return table


def nested(s: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The blocks of a statement."""
    match s:
        case If():
            return (s.then, s.orelse)
        case While() | For():
            return (s.body,)
        case _:
            return ()


def expressions(s: Stmt) -> tuple[Expr, ...]:  # noqa: C901 - one dispatch
    """The expressions directly in a statement (not those of its blocks), in order of evaluation."""
    match s:
        case Declare():
            return tuple(e for e in (s.value, s.count) if e is not None)
        case Assign() | AtomicAdd():
            return (s.value, s.target)
        case If() | While():
            return (s.cond,)
        case typed.Assert():
            return (s.cond, *typed.values(s.message))
        case typed.Print():
            return typed.values(s.text)
        case For():
            return (s.start, s.stop)
        case Return():
            return () if s.value is None else (s.value,)
        case CallStmt():
            return (s.call,)
        case typed.Push():
            return (s.tape, *s.values)
        case Pop():
            return (s.tape, *s.targets)
        case Break() | Continue():
            return ()


def statements(block: Iterable[Stmt]) -> Iterator[Stmt]:
    """Every statement of a block, nested ones too."""
    for s in block:
        yield s
        for inner in nested(s):
            yield from statements(inner)


def mentioned(block: Iterable[Stmt]) -> set[Symbol]:
    """Every variable that occurs in the expressions of a block."""
    return {
        e.symbol
        for s in statements(block)
        for e in subexpressions(*expressions(s))
        if isinstance(e, Name)
    }


class Flow:
    """Remembers what it found out about compound statements, so that nests stay linear."""

    def __init__(self, signatures: Mapping[str, Signature]) -> None:
        self.signatures = signatures
        self._assigned: dict[Stmt, dict[Symbol, None]] = {}
        self._leaves: dict[Stmt, frozenset[type[Stmt]]] = {}

    def assigned(self, block: Sequence[Stmt]) -> dict[Symbol, None]:
        """The scalar variables that a block may assign, in order (keys of a dict)."""
        found: dict[Symbol, None] = {}
        for s in block:
            found |= self._assigned_by(s)
        return found

    def _assigned_by(self, s: Stmt) -> dict[Symbol, None]:
        match s:
            case If() | While() | For():
                if s not in self._assigned:
                    self._assigned[s] = {v: None for b in nested(s) for v in self.assigned(b)}
                return self._assigned[s]
            case Assign() | AtomicAdd():
                targets: tuple[Expr, ...] = (s.target, *self.written_by(s.value))
            case Declare():
                targets = self.written_by(s.value)
            case Pop():
                targets = s.targets
            case CallStmt():
                targets = self.written_operands(s.call)
            case _:
                return {}
        return {
            t.symbol: None for t in targets if isinstance(t, Name) and isinstance(t.type, Scalar)
        }

    def written_by(self, value: Expr | None) -> tuple[Expr, ...]:
        """The operands that a whole right side writes."""
        return self.written_operands(value) if isinstance(value, Call) else ()

    def written_operands(self, call: Call) -> tuple[Expr, ...]:
        """The operands of Out and InOut arguments."""
        arguments = self.signatures[call.function].arguments
        return tuple(
            e for a, e in zip(arguments, call.args, strict=True) if a.direction is not Direction.IN
        )

    def leaves(self, s: Stmt) -> frozenset[type[Stmt]]:
        """Which of Return, Break, Continue may end the statement early and skip what follows it."""
        match s:
            case Return() | Break() | Continue():
                return frozenset((type(s),))
            case If() | While() | For():
                if s not in self._leaves:
                    kinds = frozenset(k for b in nested(s) for k in self.leaves_block(b))
                    self._leaves[s] = kinds if isinstance(s, If) else kinds & {Return}
                return self._leaves[s]
            case _:
                return frozenset()

    def leaves_block(self, block: Iterable[Stmt]) -> frozenset[type[Stmt]]:
        """Which of Return, Break, Continue may end a block early."""
        return frozenset(k for s in block for k in self.leaves(s))

    def never_completes(self, block: Sequence[Stmt]) -> bool:
        """Whether each way through a block ends in an exit."""
        match block[-1:]:
            case (Return() | Break() | Continue(),):
                return True
            case (If() as last,):
                return self.never_completes(last.then) and self.never_completes(last.orelse)
            case _:
                return False
