"""Core IR -> imperative tree: values that are read once move into the expression that reads them.

An operation waits (`_Waiting`) until its one reader comes. It stops waiting, and becomes a `Let`,
where a statement would change what it reads, where its reader lies in another region, or where the
expression would grow too heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from loma.diagnostics import NOWHERE, Span
from loma.ir import imperative as T
from loma.ir.analysis.alias import Aliases
from loma.ir.analysis.effects import Effects, Memory
from loma.ir.builder import place_type
from loma.ir.coalesce import GENERIC
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Call,
    Check,
    Const,
    Direction,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Parallel,
    Path,
    Pop,
    Print,
    Push,
    Region,
    Store,
    StoreRef,
    Text,
    Var,
    View,
    While,
    Window,
)
from loma.ir.types import ArrayType, Ref, Scalar
from loma.ir.unssa_effects import NamedEffects
from loma.ir.uses import Uses, by_value, held_pointers

HEAVIEST: Final = 22
NAMED_HEAVIEST: Final = 1
Simple: TypeAlias = Store | Accum | StoreRef | Alloc | Push | Pop | Check | Print


@dataclass(frozen=True, slots=True)
class Style:
    """What a target language wants.

    `implied_checks`: its integer division checks itself. `plain_bounds`: the bounds of its counted
    loops are evaluated again and again, so they must be variables.
    """

    implied_checks: bool = False
    plain_bounds: bool = False


@dataclass(slots=True)
class _Waiting:
    var: Var
    value: T.Expr
    reads: tuple[Memory, ...] = ()
    call: Effects | None = None
    span: Span = NOWHERE


def imperative(f: Function, module: Module, style: Style) -> T.Body:
    """The function's body as statements."""
    return _Unssa(f, module, style).body()


class _Unssa:
    def __init__(self, f: Function, module: Module, style: Style) -> None:
        self._f = f
        self._structs = module.structs
        self._functions = module.functions
        self._style = style
        self._aliases = Aliases(f, module)
        held = held_pointers(f, module, self._aliases)
        self._uses = Uses(f, style.implied_checks, style.plain_bounds, held)
        self._effects = NamedEffects(self._aliases, f)
        self._same_as: dict[Var, Var] = {}
        self._region = f.body
        self._out: list[T.Stmt] = []
        self._waiting: dict[Var, _Waiting] = {}
        self._taken: list[_Waiting] = []

    def body(self) -> T.Body:
        """The whole function."""
        self._run(self._f.body)
        result = self._take(self._f.body.yields[0]) if self._f.body.yields else None
        return T.Body(tuple(self._out), result)

    def _run(self, region: Region) -> None:
        for op in region.ops:
            if op not in self._uses.dead:
                self._taken = []
                self._op(op)

    def _block(self, region: Region, into: Sequence[Var], masked: bool = False) -> T.Block:
        """A nested region as statements that end by assigning what it yields."""
        outer = self._region, self._out, self._waiting
        self._region, self._out, self._waiting = region, [], {}
        self._run(region)
        self._taken = []
        pairs = tuple(
            (v, self._take(y))
            for v, y in zip(into, region.yields, strict=True)
            if not masked or self._uses.used(v)
        )
        self._copy(pairs)
        block = tuple(self._out)
        self._region, self._out, self._waiting = outer
        return block

    # Operands.

    def _take(self, x: Operand) -> T.Expr:
        """An operand as an expression: what waits for it stops waiting."""
        if isinstance(x, Const):
            return x
        waiting = self._waiting.pop(x, None)
        if waiting is None:
            return self._same_as.get(x, x)
        self._taken.append(waiting)
        return waiting.value

    def _place(self, root: Var, path: Path) -> T.Place:
        content = place_type(root.content, path, self._structs)
        crossed = False
        parts = [path]
        windows: list[Window | None] = [None]
        while root in self._uses.views:
            windows.append(self._uses.windows.get(root))
            root, prefix, pointer = self._uses.views[root]
            parts.append(prefix)
            crossed = crossed or pointer
        steps: list[T.Expr | str] = []
        for part, window in zip(reversed(parts), reversed(windows), strict=True):
            depth = 0 if window is None else window.depth
            steps += [s if isinstance(s, str) else self._take(s) for s in part[: len(part) - depth]]
            if window is not None:
                steps.append(self._from(window))
        return T.Place(root, tuple(steps), content, crossed)

    def _from(self, window: Window) -> T.From:
        content, start = window.out.content, window.path[len(window.path) - window.depth]
        assert isinstance(content, ArrayType) and not isinstance(start, str), "part of an array"
        return T.From(self._take(start), content, window.depth)

    def _operand(self, x: Operand) -> T.Expr:
        if isinstance(x, Var) and isinstance(x.type, Ref):
            return self._place(x, ())
        return self._take(x)

    def _read_by(self, root: Var, path: Path) -> tuple[Memory, ...]:
        """The memory that reading a place reads, pointers on the way included."""
        found: list[Memory] = [self._aliases.place(root, path)]
        while root in self._uses.views:
            outer, prefix, pointer = self._uses.views[root]
            if pointer:
                found.append(self._aliases.place(outer, prefix))
            root = outer
        return tuple(found)

    # Waiting.

    def _define(
        self,
        var: Var,
        value: T.Expr,
        span: Span,
        reads: tuple[Memory, ...] = (),
        call: Effects | None = None,
    ) -> None:
        """Lets a value wait for its reader, or binds it at once."""
        for w in self._taken:
            reads = (*reads, *w.reads)
            call = w.call if call is None else call
        waiting = _Waiting(var, value, reads, call, span)
        if self._uses.once(var, self._region) and self._may_move(var, value):
            self._waiting[var] = waiting
        else:
            self._bind(waiting)

    def _may_move(self, var: Var, value: T.Expr) -> bool:
        if var.name == GENERIC or not isinstance(value, T.Operation):
            return True
        return T.weight(value) <= NAMED_HEAVIEST

    def _bind(self, w: _Waiting) -> None:
        self._out.append(T.Let(w.var, w.value, span=w.span))

    def _settle(self, effects: Effects, calls: bool = True) -> None:
        """Binds all that waits and may not pass a statement with these effects."""
        for w in list(self._waiting.values()):
            moved = any(self._effects.writes_any(effects, r) for r in w.reads)
            if moved or (calls and w.call is not None):
                self._bind(self._waiting.pop(w.var))

    def _emit(self, s: T.Stmt, effects: Effects) -> None:
        self._settle(effects)
        self._out.append(s)

    def _copy(self, pairs: tuple[tuple[Var, T.Expr], ...]) -> None:
        if pairs:
            self._out.append(T.Copy(pairs, span=self._f.span))

    def _lighten(self, args: list[T.Expr], span: Span) -> None:
        """Binds the heaviest operands by name until the expression is light enough to read."""
        while sum(T.weight(a) for a in args) >= HEAVIEST:
            k = max(range(len(args)), key=lambda i: T.weight(args[i]))
            w = next((w for w in self._taken if w.value is args[k]), None)
            if w is None or T.weight(args[k]) == 1:
                return
            self._taken.remove(w)
            self._bind(replace(w, span=span))
            args[k] = w.var

    # Operations.

    def _op(self, op: Op) -> None:  # noqa: C901, PLR0915 - one dispatch
        match op:
            case Apply(prim, args, out):
                taken = [self._take(x) for x in args]
                self._lighten(taken, op.span)
                self._define(out, T.Operation(prim, tuple(taken), out.scalar), op.span)
            case Load(root, path, out):
                reads = self._read_by(root, path)
                self._settle_calls(reads)
                self._define(out, self._place(root, path), op.span, reads)
            case View() | Window():
                pass
            case LoadRef(root, path, out):
                if out not in self._uses.views:
                    held = T.Hold(out, self._place(root, path), span=op.span)
                    self._emit(held, self._effects.op(op))
            case Call():
                self._call(op)
            case If():
                self._if(op)
            case For():
                self._for(op)
            case While():
                self._while(op)
            case Parallel():
                self._parallel(op)
            case _:
                self._emit(self._simple(op), self._effects.op(op))

    def _simple(self, op: Simple) -> T.Stmt:  # noqa: C901 - one dispatch
        span = op.span
        match op:
            case Store(root, path, value):
                taken = self._take(value)
                return T.Assign(self._place(root, path), taken, span=span)
            case Accum(root, path, value):
                taken = self._take(value)
                return T.Add(self._place(root, path), taken, span=span)
            case StoreRef(root, path, value):
                return T.Bind(self._place(root, path), self._place(value, ()), span=span)
            case Alloc(out, count):
                return T.Local(out, None if count is None else self._take(count), span=span)
            case Push(tape, values):
                return T.Push(
                    self._place(tape, ()), tuple(self._take(x) for x in values), span=span
                )
            case Pop(tape, outs):
                return T.Pop(self._place(tape, ()), outs, span=span)
            case Check(cond, trap, message, text):
                return T.Assert(self._take(cond), trap, message, self._text(text), span=span)
            case Print(text):
                return T.Print(self._text(text), span=span)
            case _:
                assert_never(op)

    def _text(self, text: Text) -> T.Text:
        return tuple(p if isinstance(p, str) else self._take(p) for p in text)

    def _settle_calls(self, reads: tuple[Memory, ...]) -> None:
        """Binds a call that waits and may write what is read now."""
        for w in list(self._waiting.values()):
            if w.call is not None and any(self._effects.writes_any(w.call, r) for r in reads):
                self._bind(self._waiting.pop(w.var))

    def _call(self, op: Call) -> None:
        args, effects = tuple(self._operand(x) for x in op.args), self._effects.op(op)
        self._settle(effects, calls=not by_value(op))
        if op.outs and self._uses.used(op.outs[0]):
            out = op.outs[0]
            if self._writes_operands(op):
                self._emit(
                    T.Let(out, T.Result(op.function, args, out.scalar), span=op.span), effects
                )
                return
            self._define(out, T.Result(op.function, args, out.scalar), op.span, call=effects)
        else:
            self._emit(T.CallStmt(op.function, args, span=op.span), effects)

    def _writes_operands(self, op: Call) -> bool:
        callee = self._functions.get(op.function)
        return callee is None or any(
            a.direction is not Direction.IN for a in callee.signature.arguments
        )

    # Control.

    def _if(self, op: If) -> None:
        cond = self._take(op.cond)
        taken = self._taken
        self._settle(self._effects.op(op))
        then = self._block(op.then, op.outs, masked=True)
        orelse = self._block(op.orelse, op.outs, masked=True)
        logical = T.logical(op.outs, cond, then, orelse)
        self._taken = taken
        if logical is not None:
            effects = self._effects.op(op)
            self._define(
                op.outs[0],
                logical,
                op.span,
                tuple(effects.reads),
                effects if effects.stops else None,
            )
        else:
            self._out.append(T.Branch(cond, then, orelse, span=op.span))

    def _enter(self, op: For | While, carried: tuple[Var, ...]) -> None:
        """Gives the carried variables their first values, and the results the same variables."""
        pairs = tuple((v, self._take(x)) for v, x in zip(carried, op.inits, strict=True))
        self._settle(self._effects.op(op))
        self._copy(pairs)
        self._same_as |= dict(zip(op.outs, carried, strict=True))

    def _for(self, op: For) -> None:
        index, *carried = op.body.args
        stop = self._uses.stops.get(op)
        start = self._take(op.start)
        count = Const(0, index.scalar) if stop is not None else self._bound(op.count)
        last = None if stop is None else self._bound(stop)
        self._enter(op, tuple(carried))
        body = self._block(op.body, carried)
        step = int(op.step.value)
        self._out.append(T.Count(index, start, count, step, body, last, op.parallel,
                                 op.independent, span=op.span))

    def _bound(self, x: Operand) -> T.Expr:
        """A loop bound: a variable or a literal where the target evaluates it at each trip."""
        taken = self._take(x)
        if not self._style.plain_bounds or isinstance(taken, Const | Var):
            return taken
        bound = Var("n", T.scalar_type(taken))
        self._out.append(T.Let(bound, taken, span=NOWHERE))
        return bound

    def _while(self, op: While) -> None:
        carried = op.cond.args
        self._enter(op, carried)
        self._same_as |= dict(zip(op.body.args, carried, strict=True))
        *test, last = self._block(op.cond, (Var("go", Scalar.BOOL),))
        assert isinstance(last, T.Copy), "a test ends in its condition"
        body = self._block(op.body, carried)
        self._out.append(T.Loop(tuple(test), last.pairs[0][1], body, span=op.span))

    def _parallel(self, op: Parallel) -> None:
        count = self._bound(op.count)
        self._settle(self._effects.op(op))
        body = self._block(op.body, op.outs)
        sums: tuple[tuple[Var, T.Expr], ...] = ()
        if op.outs:
            last = body[-1]
            assert isinstance(last, T.Copy), "an iteration ends in its share of the sums"
            body, sums = body[:-1], last.pairs
        self._out.append(T.Threads(op.body.args[0], count, body, sums, span=op.span))
