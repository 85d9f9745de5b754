"""Lowers loops: what is carried, and what becomes of `break` and `return` inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loma.frontend.lower.env import Exits
from loma.frontend.lower.flow import Flow, mentioned
from loma.frontend.lower.range import rounds
from loma.frontend.lower.stmt import Statements
from loma.frontend.typed import (
    Apply,
    Break,
    Declare,
    Expr,
    For,
    If,
    Literal,
    Logical,
    Return,
    Stmt,
    Symbol,
    While,
)
from loma.ir import nodes as core
from loma.ir.analysis.alias import same
from loma.ir.builder import const, type_of
from loma.ir.nodes import Const, Operand, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import Scalar


class Loops(Statements):
    """Lowers loops, and with them every statement."""

    def loop(self, s: While | For, exits: Exits) -> None:
        """Lowers a loop."""
        match s:
            case While():
                self._while(s, exits)
            case For(parallel=True) if Return not in self.facts.flow.leaves_block(s.body):
                self._parallel(s, exits)
            case For():
                go = self._flag(s.body, exits)
                if go is None:
                    self._for(s, exits)
                else:
                    self._interrupted_for(s, go, exits)

    def _flag(self, body: Sequence[Stmt], exits: Exits) -> Symbol | None:
        """The variable that holds while nothing in the body has left the loop, if anything can."""
        kinds = self.facts.flow.leaves_block(body)
        if Break not in kinds and Return not in kinds:
            return None
        if Break not in kinds and exits.on_return:
            return exits.on_return[-1]
        return self.raise_flag("go")

    def _carried(self, body: Sequence[Stmt], go: Symbol | None, exits: Exits) -> list[Symbol]:
        """The variables from outside that the body may assign."""
        found = dict(self.facts.flow.assigned(body))
        if Return in self.facts.flow.leaves_block(body):
            if isinstance(self.result, Symbol):
                found[self.result] = None
            found |= dict.fromkeys(exits.on_return)
        if go is not None:
            found[go] = None
        return [symbol for symbol in found if symbol in self.env]

    def _bind(self, carried: Sequence[Symbol]) -> tuple[Var, ...]:
        args = tuple(Var(c.name, type_of(self.env[c])) for c in carried)
        self._assume(carried, args)
        return args

    def _assume(self, carried: Sequence[Symbol], values: Sequence[Operand]) -> None:
        for symbol, value in zip(carried, values, strict=True):
            self.env[symbol] = value

    # While.

    def _while(self, s: While, exits: Exits) -> None:
        prefix, cond, body = leading_break(s, self.facts.flow)
        go = self._flag(body, exits)
        if prefix and go is not None:  # what comes before the condition must not run in vain
            prefix, cond, body = (), s.cond, s.body
            go = self._flag(body, exits)
        always = isinstance(cond, Literal) and bool(cond.value)

        def test() -> Operand:
            if go is not None:
                self.b.span = s.span
                return self.env[go] if always else self._logical("and", self.env[go], cond)
            self.block(prefix, exits)
            return self.value(cond)

        self._emit_while(
            s, self._carried(body, go, exits), test, lambda: self.block(body, exits.looped(go))
        )

    def _emit_while(
        self,
        s: While | For,
        carried: list[Symbol],
        test: Callable[[], Operand],
        body: Callable[[], None],
    ) -> None:
        inits = tuple(self.env[c] for c in carried)
        with self.b.nested() as cond_ops, self.env.branch():
            cond_args = self._bind(carried)
            cond = test()
        with self.b.nested() as body_ops, self.env.branch():
            body_args = self._bind(carried)
            body()
            yields = tuple(self.env[c] for c in carried)
        outs = self._bind(carried)
        self.b.span = s.span
        self.b.emit(
            core.While(
                inits,
                self.b.region(cond_ops, (cond,), cond_args),
                self.b.region(body_ops, yields, body_args),
                outs,
                span=s.span,
            )
        )

    # For.

    def _for(self, s: For, exits: Exits) -> None:
        start, count, step = rounds(self, s)
        carried = self._carried(s.body, None, exits)
        inits = tuple(self.env[c] for c in carried)
        index = Var(s.symbol.name, step.type)
        with self.b.nested() as ops, self.env.branch():
            args = self._bind(carried)
            self.env[s.symbol] = index
            self.block(s.body, exits.looped(None))
            yields = tuple(self.env[c] for c in carried)
        outs = self._bind(carried)
        body = self.b.region(ops, yields, (index, *args))
        self.b.emit(core.For(start, count, step, inits, body, outs, span=s.span))

    def _parallel(self, s: For, exits: Exits) -> None:
        """A loop that carries nothing: a scalar that its rounds add to lies in memory."""
        start, count, step = rounds(self, s)
        cells: dict[Symbol, Var] = {}
        for symbol in self._carried(s.body, None, exits):
            assert isinstance(symbol.type, Scalar), "scalars are values"
            cells[symbol] = self.local(symbol.type, symbol.name)
            if not same(self.env[symbol], const(0, symbol.type)):
                self.b.store(cells[symbol], (), self.env[symbol])
        index = Var(s.symbol.name, step.type)
        self.roots |= cells
        with self.env.hidden(cells), self.b.nested() as ops, self.env.branch():
            self.env[s.symbol] = index
            self.block(s.body, exits.looped(None))
        body = self.b.region(ops, (), (index,))
        self.b.emit(core.For(start, count, step, (), body, (), span=s.span, parallel=True))
        self.b.span = s.span
        for symbol, cell in cells.items():
            del self.roots[symbol]
            self.env[symbol] = self.b.load(cell, (), symbol.name)

    def _interrupted_for(self, s: For, go: Symbol, exits: Exits) -> None:
        start, count, step = rounds(self, s)
        trip = Symbol("trip", step.type)
        self.env[trip] = const(0, step.type)

        def test() -> Operand:
            self.b.span = s.span
            more = self.b.apply(A.LT, self.env[trip], count)
            return self.b.apply(A.AND, self.env[go], more)

        def body() -> None:
            self.b.span = s.span
            k = self.env[trip]
            index = k if step.value == 1 else self.b.mul(k, step)
            zero = isinstance(start, Const) and start.value == 0
            self.env[s.symbol] = index if zero else self.b.add(start, index)
            self.block(s.body, exits.looped(go))
            self.b.span = s.span
            self.env[trip] = self.b.add(k, const(1, step.type))

        self._emit_while(s, [trip, *self._carried(s.body, go, exits)], test, body)


def leading_break(s: While, flow: Flow) -> tuple[tuple[Stmt, ...], Expr, tuple[Stmt, ...]]:
    """The loop with a leading `if stop: break` made part of its condition.

    Before the break there may be declarations that only serve its condition, and change nothing:
    they are given first.
    """
    always = isinstance(s.cond, Literal) and bool(s.cond.value)
    k = 0
    while k < len(s.body) and _only_declares(s.body[k], flow):
        k += 1
    match s.body[k : k + 1]:
        case (If(stop, (Break(),), ()),):
            pass
        case _:
            return (), s.cond, s.body
    prefix, rest = s.body[:k], s.body[k + 1 :]
    private = {d.symbol for d in prefix if isinstance(d, Declare)}
    if prefix and not (always and private.isdisjoint(mentioned(rest))):
        return (), s.cond, s.body
    goes_on = _negated(stop)
    cond = goes_on if always else Logical("and", s.cond, goes_on, span=s.cond.span)
    return prefix, cond, rest


def _only_declares(s: Stmt, flow: Flow) -> bool:
    return isinstance(s, Declare) and not flow.written_by(s.value)


def _negated(cond: Expr) -> Expr:
    match cond:
        case Apply(prim, (x,)) if prim is A.NOT:
            return x
        case _:
            return Apply(A.NOT, (cond,), Scalar.BOOL, span=cond.span)
