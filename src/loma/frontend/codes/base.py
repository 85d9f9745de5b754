"""What the constructors of findings share."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from loma.diagnostics import Diagnostic, Span
from loma.frontend.errors import Finding, ProgramError

LIKELY: Final = 300


def finding(
    code: str,
    message: str,
    span: Span,
    label: str = "",
    help: str = "",
    notes: tuple[tuple[Span, str], ...] = (),
    kind: type[ProgramError] = ProgramError,
    payload: dict[str, object] | None = None,
) -> Finding:
    """A finding: the message states, the label points, the help repairs."""
    return Finding(Diagnostic(code, message, span, label, help, notes), kind, payload or {})


def near(name: str, candidates: Iterable[str]) -> str:
    """The candidate that was probably meant, or the empty string."""
    likely = [c for c in candidates if c != name and abs(len(c) - len(name)) <= 3]
    likely.sort(key=lambda c: c[:1] != name[:1])
    found = get_close_matches(name, likely[:LIKELY], 1, 0.6)
    return found[0] if found else ""


def a(type_name: str) -> str:
    """The type's name in backquotes, with its article."""
    return f"{'an' if type_name[:1] in 'aeiouAEIO' else 'a'} `{type_name}`"


def did_you_mean(name: str, candidates: Iterable[str], otherwise: str) -> str:
    """A help line that offers the nearest candidate, or says `otherwise`."""
    guess = near(name, candidates)
    return f"did you mean `{guess}`?" if guess else otherwise
