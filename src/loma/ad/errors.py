"""What differentiation refuses."""

from __future__ import annotations

from loma.diagnostics import Span


class NotDifferentiable(Exception):
    """A function that has no derivative in the asked mode; the driver shows it as a diagnostic."""

    def __init__(self, function: str, span: Span, reason: str, help: str) -> None:
        super().__init__(f"{function}: {reason}")
        self.function = function
        self.span = span
        self.reason = reason
        self.help = help
