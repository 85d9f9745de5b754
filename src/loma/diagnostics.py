"""Source spans, diagnostics with carets, and the root of every error that a user can cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of source text: lines are 1-based, columns 0-based, the end is exclusive."""

    file: str = "<loma>"
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    @property
    def lineno(self) -> int:
        """The line, under the name that Python's `ast` gives it."""
        return self.line

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column + 1}"


NOWHERE: Final = Span()
WIDTH: Final = 100
SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: the message states, the label points, the help repairs; how bad it is."""

    code: str
    message: str
    span: Span
    label: str = ""
    help: str = ""
    notes: tuple[tuple[Span, str], ...] = field(default=())
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a program that consists of several.

    `texts`: the text of each, imported ones first. `shown`: what a file calls a name that is
    another one in the program. `read`: each file that was read with a digest of its text; each
    that would have been read, had it existed, with nothing.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    read: tuple[tuple[str, str], ...] = ()


class CompileError(Exception):
    """A program that cannot be compiled; the parent of `UserError` and `InternalError`."""

    def to_string(self) -> str:
        """The message as one text."""
        return str(self)


class UserError(CompileError):
    """A program that its author can mend: carries rendered diagnostics.

    `diagnostics` lists all that were found, the first one first; `source` is the program's text,
    `texts` has the texts of its files when there are several.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...], source: str = "") -> None:
        super().__init__(diagnostics[0].message)
        self.diagnostics = diagnostics
        self.source = source
        self.texts: dict[str, str] = {}

    def to_string(self) -> str:
        """Every diagnostic with its source line and caret."""
        lines = {file: source_lines(text) for file, text in self.texts.items()}
        lines.setdefault("", source_lines(self.source))
        shown = [rendered(d, lines) for d in self.diagnostics[:SHOWN]]
        if len(self.diagnostics) > SHOWN:
            shown.append(f"... and {len(self.diagnostics) - SHOWN} more")
        return "\n\n".join(shown)

    def __str__(self) -> str:
        return self.to_string()


class InternalError(CompileError):
    """A fault of the compiler itself; the message asks the user to report it."""


class RunError(Exception):
    """A loma program stopped itself: division by zero, recursion too deep, tape too large ...

    `code` is the trap's name, `file` and `line` say where it happened.
    """

    def __init__(self, code: str, message: str, file: str, line: int) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.code = code
        self.file = file
        self.line = line


def source_lines(source: str) -> list[str]:
    """The lines of a text, numbered as Python numbers them."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def render(diagnostic: Diagnostic, source: str) -> str:
    """The diagnostic as text: header, place, source line with carets, notes, help."""
    return rendered(diagnostic, {"": source_lines(source)})


def rendered(diagnostic: Diagnostic, lines: Mapping[str, list[str]]) -> str:
    """The diagnostic as text, of files that are already cut into lines; "" stands for all others.
    """
    def of(span: Span) -> list[str]:
        return lines.get(span.file, lines.get("", []))

    out = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    out += excerpt(diagnostic.span, diagnostic.label, of(diagnostic.span))
    for where, text in diagnostic.notes:
        out.append(f"note: {text}")
        out += excerpt(where, "", of(where))
    if diagnostic.help:
        out.append(f"help: {diagnostic.help}")
    return "\n".join(out)


def excerpt(span: Span, label: str, lines: list[str]) -> list[str]:
    """The place of `span`, its source line, and carets below it; a long line is cut."""
    place = f"  --> {span}"
    if not 1 <= span.line <= len(lines):
        return [place]
    text = "".join([c if c.isprintable() else " " for c in lines[span.line - 1]])
    stop = span.end_column if span.end_line == span.line else len(text)
    column, width = span.column, max(1, min(stop, len(text)) - span.column)
    if len(text) > WIDTH:
        start = max(0, min(column - WIDTH // 4, len(text) - WIDTH))
        before, after = "..." if start else "", "..." if start + WIDTH < len(text) else ""
        text = f"{before}{text[start:start + WIDTH]}{after}"
        column += len(before) - start
        width = max(1, min(width, len(text) - len(after) - column))
    gutter = " " * len(str(span.line))
    carets = " " * column + "^" * width + (f" {label}" if label else "")
    return [place, f"{gutter} |", f"{span.line} | {text}".rstrip(), f"{gutter} | {carets}"]
