"""Names that are declared, and calls of the methods of stacks."""

from __future__ import annotations

from collections.abc import Mapping

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check import stacks as check_stacks
from loma.frontend.check.assign import Assignments
from loma.frontend.check.scope import Entry, FunctionValue
from loma.frontend.check.sizes import shape_expressions, size_symbols
from loma.frontend.codes import flow as flow_codes
from loma.frontend.codes import names as name_codes
from loma.frontend.flow import check_reachable, falls_through
from loma.ir.nodes import Signature
from loma.ir.types import Type


class StackChecker(Assignments):
    """Checks calls of methods, those of stacks among them.

    `result`: what the function returns, if it `wants_value`; `headless`: that is not known.
    `loops`: how many are around.
    """

    result: Type | None = None
    wants_value: bool = False
    headless: bool = False
    loops: int = 0

    def declare(self, name: str, entry: Entry, span: Span) -> None:
        """Makes a name visible, unless it is already taken."""
        first = self.scope.find(name)
        if first is None or (first.symbol is None and first.view is None):
            self.scope.declare(name, entry)
        else:
            self.missing.add(name)
            self.report(name_codes.duplicate_variable(
                name, first.declaration, entry.declaration, span))

    def untyped(self, f: surface.Function, signature: Signature) -> None:
        """Checks a generic function without types; the signature has the arguments with a type."""
        self.without_types = self.headless = True
        self.wants_value = f.result is not None
        sizes = {a.name: typed.Symbol(a.name, a.type, a.span) for a in signature.sizes}
        sizes |= size_symbols(signature)
        self.constant.update(sizes.values())
        known = {a.name: typed.Symbol(a.name, a.type, a.span, a.growable,
                                      shape_expressions(a.shape, sizes, a.span))
                 for a in signature.written} | sizes
        for arg in f.args:
            entry = Entry(known.pop(arg.name, None), arg, size=arg.name in sizes)
            self.declare(arg.name, entry, arg.span)
        for name, symbol in known.items():
            self.declare(name, Entry(symbol, f, size=True), symbol.span)
        self.block(f.body)
        check_reachable(f.body, self.context.findings)
        if f.result is not None and falls_through(f.body):
            self.report(flow_codes.missing_return(f.name_span, f.name, "value"))

    def inside(self, body: tuple[surface.Stmt, ...], names: Mapping[str, surface.Node]) -> None:
        """Checks a function inside of one without an instance: what its names are is not known."""
        loops, self.loops = self.loops, 0
        with self.scope.block():
            for name, node in names.items():
                self.scope.declare(name, Entry(None, node))
            self.block(body)
        self.loops = loops

    def block(self, stmts: tuple[surface.Stmt, ...]) -> tuple[typed.Stmt, ...]:
        """The statements of a block."""
        raise NotImplementedError

    def named_function(self, s: surface.Assign, name: str) -> None:
        """name = fwd_diff(g) or a `lambda`: from here on the name is that function."""
        value = self.known_function(s.value)
        if isinstance(s.value, surface.Lambda) and not self.without_types:
            value = FunctionValue(name, (), len(s.value.params), body=s.value)
        self.declare(name, Entry(None, s, function=value), s.target.span)

    def method_call(self, e: surface.MethodCall, use: str = "value") -> typed.Expr | None:
        """A call of a method as a value; of a stack, too."""
        entry = check_stacks.entry_of(self, e.base)
        if entry is None:
            return super().method_call(e, use)
        return check_stacks.operation(self, e, entry)

    def method_statement(self, e: surface.MethodCall, span: Span) -> typed.Stmt | None:
        """A call of a method as a statement."""
        entry = check_stacks.entry_of(self, e.base)
        if entry is not None:
            return check_stacks.statement(self, e, entry)
        called = self.method_call(e, "statement")
        return typed.CallStmt(called, span=span) if isinstance(called, typed.Call) else None
