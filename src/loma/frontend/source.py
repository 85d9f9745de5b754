"""Source text: how it is read, and where its parts stand."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from loma.diagnostics import Span
from loma.frontend.codes import syntax as codes
from loma.frontend.errors import Finding

ROOM: Final = 4_000
WRITTEN: Final = "loma_written"


class Located(Protocol):
    """A piece of Python's tree that knows its place."""

    lineno: int
    col_offset: int
    end_lineno: int | None
    end_col_offset: int | None


Placed: TypeAlias = Located | ast.pattern


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text with unified line ends, and the spans of its parts."""

    file: str
    text: str
    lines: tuple[str, ...]
    ascii: bool

    def span(self, node: Placed) -> Span:
        """Where a piece of Python's tree stands, in characters (Python counts bytes)."""
        line, end = node.lineno, node.end_lineno or node.lineno
        stop = node.end_col_offset
        return Span(self.file, line, self.column(line, node.col_offset),
                    end, self.column(end, node.col_offset + 1 if stop is None else stop))

    def column(self, line: int, offset: int) -> int:
        """The character at a byte offset of a line."""
        if self.ascii:
            return offset
        return len(self.lines[line - 1].encode()[:offset].decode(errors="ignore"))

    def named(self, node: Placed, name: str) -> Span:
        """Where `name` stands in the first line of a definition."""
        whole = self.span(node)
        name = getattr(node, WRITTEN, name)
        found = self.lines[whole.line - 1].find(name, whole.column + 3)
        if found < 0:
            return Span(self.file, whole.line, whole.column, whole.line, whole.column + 3)
        return Span(self.file, whole.line, found, whole.line, found + len(name))

    def excerpt(self, span: Span) -> str:
        """The text of a span that lies on one line, else nothing."""
        if span.line != span.end_line:
            return ""
        return self.lines[span.line - 1][span.column:span.end_column]


def open_source(text: str, file: str) -> Source:
    """The text without byte order mark and with plain line ends."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return Source(file, text, tuple(text.split("\n")), text.isascii())


def read(source: Source, report: list[Finding]) -> ast.Module:
    """Python's tree of the text; an empty one, and a finding, when it has none."""
    unreadable = _unreadable(source)
    if unreadable is not None:
        report.append(codes.unreadable(unreadable))
        return ast.Module([], [])
    try:
        with _room(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.text)
    except SyntaxError as error:
        report.append(_syntax(source, error))
    except (RecursionError, MemoryError):
        report.append(codes.too_deep(_longest(source)))
    return ast.Module([], [])


@contextmanager
def _room() -> Iterator[None]:
    """Lets Python build the trees of long sums: it counts their depth as recursion."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, ROOM))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _syntax(source: Source, error: SyntaxError) -> Finding:
    line = min(max(error.lineno or 1, 1), len(source.lines))
    start = max((error.offset or 1) - 1, 0)
    stop = error.end_offset - 1 if error.end_offset and error.end_lineno == line else start + 1
    span = Span(source.file, line, start, line, max(stop, start + 1))
    message = (error.msg or "").removeprefix("invalid syntax. ")
    if "too many nested" in message or "too many levels" in message:
        return codes.too_deep(span)
    return codes.syntax(span, _label(message), source.lines[line - 1])


def _label(message: str) -> str:
    """Python's message in our manner: lowercase, one line, no full stop."""
    if message.startswith("Exceeds the limit"):
        return "this number has too many digits"
    head = message.split("\n")[0].rstrip(".?")
    return head[:1].lower() + head[1:]


def _longest(source: Source) -> Span:
    """The longest line: Python does not say which expression was too much for it."""
    number = max(range(len(source.lines)), key=lambda n: len(source.lines[n]))
    return Span(source.file, number + 1, 0, number + 1, len(source.lines[number]))


def _unreadable(source: Source) -> Span | None:
    """The first character that no text file holds."""
    found = source.text.find("\0")
    if not source.ascii:
        try:
            source.text.encode()
        except UnicodeEncodeError as error:
            found = error.start if found < 0 else min(found, error.start)
    if found < 0:
        return None
    line, column = source.text.count("\n", 0, found), found - source.text.rfind("\n", 0, found) - 1
    return Span(source.file, line + 1, column, line + 1, column + 1)
