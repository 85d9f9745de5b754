"""Names that are declared, and calls of the methods of stacks."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check import stacks as check_stacks
from loma.frontend.check.assign import Assignments
from loma.frontend.check.scope import Entry
from loma.frontend.codes import names as name_codes


class StackChecker(Assignments):
    """Checks calls of methods, those of stacks among them."""

    def declare(self, name: str, entry: Entry, span: Span) -> None:
        """Makes a name visible, unless it is already taken."""
        first = self.scope.find(name)
        if first is None or (first.symbol is None and first.view is None):
            self.scope.declare(name, entry)
        else:
            self.missing.add(name)
            self.report(name_codes.duplicate_variable(
                name, first.declaration, entry.declaration, span))

    def named_derivative(self, s: surface.Assign, name: str) -> None:
        """name = fwd_diff(g): from here on the name is that function."""
        value = self.known_function(s.value)
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
