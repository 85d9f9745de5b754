"""Surface statements -> typed statements."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check import lists
from loma.frontend.check import stacks as check_stacks
from loma.frontend.check.call import STATEMENTS
from loma.frontend.check.construct import fill, fill_array
from loma.frontend.check.each import bounds, each, reduction
from loma.frontend.check.generic_types import innermost
from loma.frontend.check.launch import launch
from loma.frontend.check.scope import Entry, FunctionValue
from loma.frontend.check.short import flag, keep
from loma.frontend.check.sizes import shape_expressions, size_symbols
from loma.frontend.check.stacks import paired
from loma.frontend.check.store import StackChecker
from loma.frontend.check.tapes import atomic_add, tape_statement
from loma.frontend.check.text import asserted, text
from loma.frontend.check.tuples import shaped, tuple_value
from loma.frontend.check.types import grows
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import flow as codes
from loma.frontend.codes import parallel as parallel_codes
from loma.frontend.codes import types as type_codes
from loma.frontend.flow import assigned_by, check_reachable, falls_through
from loma.ir.names import BUILTIN
from loma.ir.nodes import Argument, Signature
from loma.ir.prims import arithmetic as prims
from loma.ir.types import BOOL, I32, I64, TAPE, ArrayType, Scalar, Type


class FunctionChecker(StackChecker):
    """Checks one function."""

    def function(self, f: surface.Function, signature: Signature | None) -> typed.Function | None:
        """The typed function; None when its head has been reported."""
        self.result = None if signature is None else signature.result
        self.wants_value = f.result is not None
        self.headless = signature is None
        self.loops = 0
        params = self._params(f)
        self.open_job()
        body = self.block(f.body)
        self.check_read()
        check_reachable(f.body, self.context.findings)
        if f.result is not None and not f.simd and falls_through(f.body):
            shown = "value" if self.result is None else self.types.text(self.result)
            self.report(codes.missing_return(f.name_span, f.name, shown))
        if signature is None:
            return None
        ready = tuple([p for p in params if p is not None])
        whole = (*self.opening, *body)
        return typed.Function(f.name, ready, signature, whole, span=f.span)

    def _params(self, f: surface.Function) -> list[typed.Symbol | None]:
        params: list[typed.Symbol | None] = []
        signature = self.context.signatures.get(f.name)
        known: tuple[tuple[Argument | None, Argument | None], ...] = ((None, None),) * len(f.args)
        if signature is not None and len(paired(signature)) == len(f.args):
            known = tuple(paired(signature))
        sizes = {} if signature is None else size_symbols(signature)
        self.constant.update(sizes.values())
        for arg, (a, stacked) in zip(f.args, known, strict=True):
            symbol = None if a is None else sizes.get(arg.name) or typed.Symbol(
                arg.name, a.type, arg.span, a.growable,
                shape_expressions(a.shape, sizes, arg.span))
            count = None if stacked is None else typed.Symbol(stacked.name, I32, arg.span)
            params += [symbol] if count is None else [symbol, count]
            self.declare(arg.name, Entry(symbol, arg, size=arg.name in sizes, count=count),
                         arg.span)
        for size in () if signature is None else signature.sizes:
            params.append(sizes[size.name])
            node = surface.Node(span=size.span)
            self.declare(size.name, Entry(sizes[size.name], node, size=True), size.span)
        return params

    def block(self, stmts: tuple[surface.Stmt, ...]) -> tuple[typed.Stmt, ...]:
        """The statements of a block; those that were reported are left out."""
        done: list[typed.Stmt] = []
        before = self.ahead
        for s in stmts:
            self.ahead = []
            found = self.stmt(s)
            done += self.ahead
            if found is not None:
                done.append(found)
        self.ahead = before
        return tuple(done)

    def inner(self, stmts: tuple[surface.Stmt, ...]) -> tuple[typed.Stmt, ...]:
        """A block with a scope of its own."""
        visible = self.visible()
        with self.scope.block():
            done = self.block(stmts)
        self.hide(visible)
        return done

    def stmt(self, s: surface.Stmt) -> typed.Stmt | None:  # noqa: C901 - one dispatch
        """The typed statement; None once it has been reported."""
        match s:
            case surface.Declare():
                return self._declare(s)
            case surface.Assign():
                return self.assign(s)
            case surface.Augment():
                return self.augment(s)
            case surface.If():
                return self._if(s)
            case surface.While():
                return self._while(s)
            case surface.For():
                return self._for(s)
            case surface.Each():
                return each(self, s)
            case surface.Return():
                return self._return(s)
            case surface.Break():
                return self._jump(typed.Break(span=s.span), "break")
            case surface.Continue():
                return self._jump(typed.Continue(span=s.span), "continue")
            case surface.CallStmt(surface.Call() as call, threads) if threads is not None:
                return launch(self, call, threads, s.span)
            case surface.CallStmt(call):
                return self._call_statement(call, s.span)
            case surface.Assert():
                return asserted(self, s)
            case surface.Print(pieces):
                shown = text(self, pieces)
                return None if shown is None else typed.Print(shown, span=s.span)
            case surface.Keep():
                return keep(self, s)
            case surface.Flag():
                return flag(self, s)
            case surface.InnerFunction():
                self.inner_function(s)
                return None
            case surface.BadStmt():
                return None
            case _:
                assert_never(s)

    def declare_function(self, s: surface.InnerFunction, value: FunctionValue) -> None:
        """Makes a function inside the function visible."""
        self.declare(s.function.name, Entry(None, s, function=value), s.function.name_span)

    def _if(self, s: surface.If) -> typed.Stmt | None:
        test = self.condition(s.cond)
        fresh, own = self.open_slots(assigned_by(s))
        yes, no = self.inner(s.then), self.inner(s.orelse)
        self.close_slots(fresh, own)
        return None if test is None else typed.If(test, yes, no, span=s.span)

    def _while(self, s: surface.While) -> typed.Stmt | None:
        """A loop; where its condition needs statements, they begin each round."""
        test, steps = self.aside(lambda: self.condition(s.cond))
        body = self.looped(s.body)
        if test is None:
            return None
        if steps:
            stop = typed.Apply(prims.NOT, (test,), BOOL, span=test.span)
            leave = typed.If(stop, (typed.Break(span=test.span),), (), span=test.span)
            test, body = typed.Literal(True, BOOL, span=test.span), (*steps, leave, *body)
        return typed.While(test, body, s.max_iter, span=s.span)

    def looped(self, body: tuple[surface.Stmt, ...]) -> tuple[typed.Stmt, ...]:
        """The body of a loop."""
        self.loops += 1
        done = self.inner(body)
        self.loops -= 1
        return done

    def _jump(self, s: typed.Break | typed.Continue, word: str) -> typed.Stmt | None:
        if self.loops or (self.scope.fence and word == "continue"):
            return s
        report = parallel_codes.left if self.scope.fence else codes.outside_loop
        self.report(report(s.span, word))
        return None

    def _for(self, s: surface.For) -> typed.Stmt | None:
        index, (start, stop) = bounds(self, s.start, s.stop)
        symbol = typed.Symbol(s.name, index, s.span)
        self.constant.add(symbol)
        with self.scope.rounds() if s.parallel else self.scope.block():
            self.declare(s.name, Entry(symbol, s, counter=True), _first_line(s.span))
            body = self._rounds(s.body) if s.parallel else self.looped(s.body)
        if start is None or stop is None:
            return None
        return typed.For(symbol, start, stop, s.step, body, s.parallel, span=s.span)

    def _rounds(self, body: tuple[surface.Stmt, ...]) -> tuple[typed.Stmt, ...]:
        """The body of a parallel loop: loops around it cannot be left from there."""
        outer, self.loops = self.loops, 0
        done = self.inner(body)
        self.loops = outer
        return done

    def array_value(self, e: surface.List | surface.Comprehension) -> typed.Expr | None:
        """An array as it is written."""
        return lists.value(self, e)

    def list_assigned(
        self, s: surface.Assign, e: surface.List | surface.Comprehension
    ) -> typed.Stmt | None:
        """target = an array as it is written."""
        return lists.assigned(self, s, e)

    def reduction(self, e: surface.Reduce) -> typed.Expr | None:
        """A reduction of what a loop visits."""
        return reduction(self, e)

    def _declare(self, s: surface.Declare) -> typed.Stmt | None:
        if isinstance(s.type, surface.StackTypeExpr):
            return check_stacks.declare(self, s, s.type)
        if isinstance(s.value, surface.List | surface.Comprehension):
            return lists.declared(self, s, s.value)
        value = None if s.value is None else self.right_side(s.value)
        t, count, shape = self._declared(s)
        growable = grows(s.type)
        symbol = None if t is None else typed.Symbol(s.name, t, s.span, growable, shape)
        self.declare(s.name, Entry(symbol, s), _first_line(s.span))
        if symbol is None or (s.value is not None and value is None):
            return None
        if value is not None:
            value = self._initial(s, value, symbol.type)
            if value is None:
                return None
        elif self.types.has_default(innermost(symbol.type)) and not growable:
            return self._filled(symbol, count, s.span)
        return typed.Declare(symbol, value, count, growable, span=s.span)

    def _declared(
        self, s: surface.Declare
    ) -> tuple[Type | None, typed.Expr | None, tuple[typed.Expr, ...]]:
        """The type of a local variable; of an array, the length and the sizes if computed."""
        match s.type:
            case surface.ShapedTypeExpr():
                return self.dimensions(s.type) or (None, None, ())
            case surface.ArrayTypeExpr() as e if e.growable or _computed(e):
                t, count = self._dynamic(e)
                if count is None:
                    return t, None, ()
                count = self.kept(count, "length")
                return t, count, (count,)
            case _:
                return self._bounded(s, self.types.resolve(s.type)), None, ()

    def _filled(
        self, symbol: typed.Symbol, count: typed.Expr | None, span: Span
    ) -> typed.Stmt | None:
        """A declaration, then what gives members their defaults."""
        place, t = typed.Name(symbol, span=span), symbol.type
        if count is not None and isinstance(t, ArrayType):
            length = self.settled(count, I32 if count.type is not I64 else I64)
            assert length is not None and isinstance(length.type, Scalar), "a length is an integer"
            held = typed.Symbol("length", length.type, span)
            known = typed.Name(held, span=span)
            self.ahead.append(typed.Declare(held, length, span=span))
            self.ahead.append(typed.Declare(symbol, None, known, span=span))
            return fill_array(place, t, known, self.types, span)
        *first, last = fill(place, t, self.types, span)
        self.ahead += [typed.Declare(symbol, span=span), *first]
        return last

    def _dynamic(self, e: surface.ArrayTypeExpr) -> tuple[Type | None, typed.Expr | None]:
        """The type of a local array whose length is not a literal, and its length."""
        element = self.types.element(e)
        count = None if e.size is None else self.integer(e.size, "the length of an array")
        if element is None or (e.size is not None and count is None):
            return None, None
        return ArrayType(element), count

    def _bounded(self, s: surface.Declare, t: Type | None) -> Type | None:
        """The type of a local variable: no array in it lacks a length."""
        inner = t
        while isinstance(inner, ArrayType):
            if inner.size is None:
                self.report(type_codes.unbounded(s, s.type.span, self.types.text(inner)))
                return None
            inner = inner.element
        return t

    def _initial(self, s: surface.Declare, value: typed.Expr, t: Type) -> typed.Expr | None:
        if isinstance(t, ArrayType):
            self.report(type_codes.whole_array(s, value.span, initial=True))
            return None
        if isinstance(value.type, Scalar) and isinstance(t, Scalar):
            return self.settled(value, t)
        ready = shaped(self, value, t)
        if ready is None:
            return None
        value = ready
        if t is TAPE:
            self.copied_tape(value.span)
            return None
        if value.type == t:
            return value
        self.report(type_codes.declared(
            s, value.span, self.types.text(value.type), self.types.text(t)))
        return None

    def _return(self, s: surface.Return) -> typed.Stmt | None:
        if self.scope.fence:
            self.report(parallel_codes.left(s.span, "return"))
            return None
        value = None if s.value is None else self._returned(s.value)
        if s.value is not None and value is None:
            return None
        if self.headless or (self.wants_value and self.result is None):
            return None
        if value is None and self.result is None:
            return typed.Return(None, span=s.span)
        if value is not None and self.result is not None:
            if isinstance(value.type, Scalar) and isinstance(self.result, Scalar):
                value = self.settled(value, self.result)
                return None if value is None else typed.Return(value, span=s.span)
            if value.type == self.result:
                return typed.Return(value, span=s.span)
        found = "" if value is None else self.types.text(value.type)
        wanted = "" if self.result is None else self.types.text(self.result)
        span = s.span if value is None else value.span
        self.report(type_codes.returned(s, span, found, wanted))
        return None

    def _returned(self, e: surface.Expr) -> typed.Expr | None:
        if isinstance(e, surface.Tuple):
            return tuple_value(self, e, self.result)
        return shaped(self, self.right_side(e), self.result)

    def _call_statement(
        self, e: surface.Call | surface.MethodCall, span: Span
    ) -> typed.Stmt | None:
        e = self.object_call(e) or e if isinstance(e, surface.Call) else e
        if isinstance(e, surface.MethodCall):
            return self.method_statement(e, span)
        found = self.rebound(e)
        if found is None or (self.is_generic(found) and found.function not in self.types.declared):
            done = None if found is None else self.generic_call(found, statement=True)
            return None if done is None else typed.CallStmt(done, span=span)
        e = found
        if e.function in self.context.signatures:
            done = self.user_call(e, statement=True)
            return None if done is None else typed.CallStmt(done, span=span)
        e = replace(e, function=e.function.removeprefix(BUILTIN))
        if e.function == "atomic_add":
            return atomic_add(self, e, span)
        if e.function in STATEMENTS:
            return tape_statement(self, e, span)
        if self.call(e) is not None:
            self.report(call_codes.unused(e))
        return None


def _computed(e: surface.ArrayTypeExpr) -> bool:
    return e.size is not None and not isinstance(e.size, (surface.Number, surface.Unary))


def _first_line(span: Span) -> Span:
    if span.end_line == span.line:
        return span
    return Span(span.file, span.line, span.column, span.line, span.column + 3)
