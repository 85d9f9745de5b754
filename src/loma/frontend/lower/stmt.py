"""Lowers statements: variables become SSA values, early exits become structured ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, assert_never

from loma.frontend.lower import debug as lower_debug
from loma.frontend.lower.call import Calls, Facts
from loma.frontend.lower.env import Exits
from loma.frontend.lower.expr import Branch
from loma.frontend.lower.scan import mentions, same_place, subexpressions
from loma.frontend.typed import (
    Apply,
    Assert,
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
    Name,
    Pop,
    Print,
    Push,
    Return,
    Stmt,
    Symbol,
    Text,
    While,
    values,
)
from loma.ir import nodes as core
from loma.ir.builder import const
from loma.ir.nodes import Operand, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.shown import merged
from loma.ir.types import Scalar, Type

NESTED_EXITS: Final = 24


class Statements(Calls):
    """Lowers blocks of statements; loops are added by a subclass.

    `result` is where `return` puts a value: a variable for a scalar, a root for a struct.
    """

    def __init__(
        self, facts: Facts, shared: frozenset[Symbol], result: Symbol | Var | None
    ) -> None:
        super().__init__(facts, shared)
        self.result = result
        self.nested_exits = 0

    @abstractmethod
    def loop(self, s: While | For, exits: Exits) -> None:
        """Lowers a loop."""

    # Blocks and exits.

    def block(self, block: Sequence[Stmt], exits: Exits) -> None:
        """Lowers statements in order; what follows an exit runs only where that was not taken."""
        for k, s in enumerate(block):
            if k + 1 == len(block) or not self.facts.flow.leaves(s):
                self.statement(s, exits)
                continue
            if self.nested_exits >= NESTED_EXITS and hoistable(block[k + 1 :]):
                self._in_groups(block[k:], exits)
                return
            self.nested_exits += 1
            self._nest_rest(s, block[k + 1 :], exits)
            self.nested_exits -= 1
            return

    def _nest_rest(self, s: Stmt, rest: Sequence[Stmt], exits: Exits) -> None:
        """Lowers a statement that may leave, and the rest inside the branch that goes on."""
        flow = self.facts.flow
        if isinstance(s, If) and flow.never_completes(s.then):
            self.branch(s, s.then, (*s.orelse, *rest), exits)
        elif isinstance(s, If) and flow.never_completes(s.orelse):
            self.branch(s, (*s.then, *rest), s.orelse, exits)
        else:
            live = self.raise_flag("live")
            self.statement(s, exits.guarded(live))
            self._guarded(live, rest, exits)

    def _guarded(self, live: Symbol, block: Sequence[Stmt], exits: Exits) -> None:
        then = self._lowered(block, exits)
        self.b.span = block[0].span
        self.join(self.env[live], then, ([], {}))

    def _in_groups(self, block: Sequence[Stmt], exits: Exits) -> None:
        """Lowers a block with very many exits: groups, each up to an exit, guarded by one flag.

        What a group declares is declared ahead, since later groups see it.
        """
        live = self.raise_flag("live")
        for s in block:
            if isinstance(s, Declare):
                self._declare(replace(s, value=None))
        groups: list[list[Stmt]] = [[]]
        for s in block:
            groups[-1].append(s)
            if self.facts.flow.leaves(s):
                groups.append([])
        for group in groups:
            if group:
                self._guarded(live, group, exits.guarded(live))

    def raise_flag(self, name: str) -> Symbol:
        """A variable that is true from here until an exit is taken."""
        flag = Symbol(name, Scalar.BOOL)
        self.env[flag] = const(True, Scalar.BOOL)
        return flag

    def branch(self, s: If, then: Sequence[Stmt], orelse: Sequence[Stmt], exits: Exits) -> None:
        """Lowers an `if` with the given branches."""
        cond = self.value(s.cond)
        branches = self._lowered(then, exits), self._lowered(orelse, exits)
        self.b.span = s.span
        self.join(cond, *branches)

    def _lowered(self, block: Sequence[Stmt], exits: Exits) -> Branch:
        with self.b.nested() as ops, self.env.branch() as changed:
            self.block(block, exits)
        return ops, changed

    def leave(self, flags: tuple[Symbol, ...]) -> None:
        """Marks that the rest, up to the target of an exit, is skipped."""
        for flag in flags:
            self.env[flag] = const(False, Scalar.BOOL)

    # Statements.

    def statement(self, s: Stmt, exits: Exits) -> None:  # noqa: C901, PLR0915 - one dispatch
        """Lowers one statement."""
        self.b.span = s.span
        match s:
            case Declare():
                self._declare(s)
            case Assign():
                self._assign(s)
            case If():
                self.branch(s, s.then, s.orelse, exits)
            case While() | For():
                self.loop(s, exits)
            case Return():
                self._return(s)
                self.leave(exits.on_return)
            case Break():
                self.leave(exits.on_break)
            case Continue():
                self.leave(exits.on_continue)
            case CallStmt():
                self.call(s.call)
            case AtomicAdd():
                self._accumulate(s, s.target, self.value(s.value))
            case Push():
                values = tuple(self.value(v) for v in s.values)
                self.b.emit(core.Push(self.operand_root(s.tape), values, span=s.span))
            case Pop():
                self._pop(s)
            case Assert():
                self._assert(s)
            case Print():
                text = self._text(s.text)
                self.b.emit(core.Print(text, span=s.span))
            case _:
                assert_never(s)

    def _assert(self, s: Assert) -> None:
        cond = self.value(s.cond)
        plain = "".join(p for p in s.message if isinstance(p, str))
        more = lower_debug.assertion(self, s) if self.debug else ()
        if not values(s.message) and not more:
            self.b.span = s.span
            self.check(cond, Trap.ASSERT, plain)
            return
        self._when_false(cond, lambda: core.Check(
            const(False, Scalar.BOOL), Trap.ASSERT, text=self._asserted(s, more), span=s.span))

    def _asserted(self, s: Assert, more: core.Text) -> core.Text:
        return merged((*(self._text(s.message) or (Trap.ASSERT.value,)), *more))

    def _when_false(self, cond: Operand, make: Callable[[], core.Op]) -> None:
        """Emits an operation, with what it reads, for the case that a condition fails."""
        with self.b.nested() as ops, self.env.branch():
            self.b.emit(make())
        otherwise = self.b.region([], ())
        self.b.emit(core.If(cond, otherwise, self.b.region(ops, ()), (), span=self.b.span))

    def _text(self, text: Text) -> core.Text:
        return tuple(p if isinstance(p, str) else self.value(p) for p in text)

    def _declare(self, s: Declare) -> None:
        name, type = s.symbol.name, s.symbol.type
        if isinstance(type, Scalar):
            self.env[s.symbol] = const(0, type) if s.value is None else self.value(s.value, name)
            return
        root = self.roots.get(s.symbol)
        if root is None:  # else it was declared ahead
            count = None if s.count is None else self.value(s.count)
            self.b.span = s.span
            root = self.roots[s.symbol] = self.b.alloc(type, name, count, s.growable)
            if count is not None:
                self.counts[root] = count
        if isinstance(s.value, Call):
            self.call(s.value, into=root)
        elif s.value is not None:
            self._copy(s, root, s.value)

    def _copy(self, s: Stmt, root: Var, value: Expr) -> None:
        source = self.place(value)
        self.b.span = s.span
        self.copy((root, ()), source)

    def _assign(self, s: Assign) -> None:
        if not isinstance(s.target.type, Scalar):
            self._assign_aggregate(s)
        elif isinstance(s.target, Name) and s.target.symbol not in self.roots:
            self.env[s.target.symbol] = self.value(s.value, s.target.symbol.name)
        elif (addend := self._addend(s)) is not None:
            self._accumulate(s, s.target, self._signed(*addend))
        else:
            self.put(s.target, self.value(s.value), s)

    def put(self, target: Expr, value: Operand, s: Stmt) -> None:
        """Assigns a scalar to a place."""
        if isinstance(target, Name) and target.symbol not in self.roots:
            self.env[target.symbol] = value
            return
        root, path = self.place(target)
        self.b.span = s.span
        self.b.store(root, path, value)

    def _assign_aggregate(self, s: Assign) -> None:
        if isinstance(s.value, Call) and (own := self.owned(s.target, s.value)) is not None:
            self.call(s.value, into=own)
            return
        source = self.place(s.value)
        target = self.place(s.target)
        self.b.span = s.span
        self.copy(target, source)

    # Accumulation.

    def _addend(self, s: Assign) -> tuple[Expr, bool] | None:
        """What `place = place +- e` adds to a float in memory, and whether it is negated."""
        match s.value:
            case Apply(prim, (x, y)) if prim is A.ADD or prim is A.SUB:
                pass
            case _:
                return None
        if not (isinstance(s.target.type, Scalar) and s.target.type.is_float):
            return None
        if same_place(s.target, x) and self._independent(s.target, y):
            return y, prim is A.SUB
        if prim is A.ADD and same_place(s.target, y) and self._independent(s.target, x):
            return x, False
        return None

    def _independent(self, target: Expr, e: Expr) -> bool:
        """Whether evaluating `e` neither reads the root of `target` nor writes any memory."""
        own = [
            x.symbol
            for x in subexpressions(target)
            if isinstance(x, Name) and x.symbol in self.roots
        ]
        writes = self.facts.writes.positions
        calls = (x for x in subexpressions(e) if isinstance(x, Call))
        return not any(mentions(v, e) for v in own) and not any(writes[c.function] for c in calls)

    def _signed(self, e: Expr, negated: bool) -> Operand:
        value = self.value(e)
        return self.b.neg(value) if negated else value

    def _accumulate(self, s: Stmt, target: Expr, value: Operand) -> None:
        if isinstance(target, Name) and target.symbol in self.env:
            self.b.span = s.span
            self.env[target.symbol] = self.b.add(self.env[target.symbol], value)
            return
        root, path = self.place(target)
        self.b.span = s.span
        self.b.accum(root, path, value)

    # Returns and tapes.

    def _return(self, s: Return) -> None:
        match self.result, s.value:
            case Symbol() as variable, value if value is not None:
                self.env[variable] = self.value(value)
            case Var() as root, Call() as call:
                self.call(call, into=root)
            case Var() as root, value if value is not None:
                self._copy(s, root, value)
            case _:
                pass

    def _pop(self, s: Pop) -> None:
        tape = self.operand_root(s.tape)
        outs = tuple(
            Var(t.symbol.name if isinstance(t, Name) else "t", _scalar(t.type)) for t in s.targets
        )
        self.b.emit(core.Pop(tape, outs, span=s.span))
        for target, out in zip(s.targets, outs, strict=True):
            self.put(target, out, s)


def _scalar(t: Type | None) -> Scalar:
    assert isinstance(t, Scalar), f"a tape holds scalars, not {t}"
    return t


def hoistable(block: Sequence[Stmt]) -> bool:
    """Whether what a block declares directly can be declared ahead of it."""
    return not any(isinstance(s, Declare) and s.count is not None for s in block)
