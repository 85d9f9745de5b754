"""Lines of a printed program: indentation, and long lines broken inside brackets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loma.diagnostics import NOWHERE, Span

WIDTH: Final = 100
INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a printed program and the primal source that it stems from."""

    text: str
    span: Span = NOWHERE


def indented(lines: list[Line]) -> list[Line]:
    """The lines one level further in."""
    return [Line(INDENT + line.text if line.text else "", line.span) for line in lines]


def wrapped(line: Line, needs_brackets: bool = True) -> Iterator[Line]:
    """The line, broken where it is longer than the page is wide.

    `needs_brackets`: the language continues a line only inside brackets. A line for the
    preprocessor stays whole.
    """
    text = line.text
    if len(text) <= WIDTH or text.lstrip().startswith("#"):
        yield line
        return
    if needs_brackets:
        text = _bracketed(text)
    deeper = " " * (len(text) - len(text.lstrip())) + INDENT * 2
    breaks = _breaks(text, needs_brackets)
    start, indent = 0, ""
    while len(indent) + len(text) - start > WIDTH:
        end = start + WIDTH - len(indent)
        fitting = [b for b in breaks if start + 20 < b.at <= end]
        if not fitting:
            break
        best = min(fitting, key=lambda b: (b.cost, -b.at))
        yield Line(indent + text[start : best.at], line.span)
        start, indent = best.at + 1, deeper
    yield Line(indent + text[start:], line.span)


@dataclass(frozen=True, slots=True)
class _Break:
    """A blank at which a line may be broken, and how much that hurts."""

    at: int
    cost: int


def _breaks(text: str, needs_brackets: bool) -> list[_Break]:
    """The blanks after commas and before operators, cheaper the fewer brackets they are in."""
    found = []
    depth = 0
    quoted = False
    for i, c in enumerate(text):
        quoted ^= c == '"' and text[i - 1] != "\\"
        depth += (c in "([{") - (c in ")]}") if not quoted else 0
        if c != " " or quoted or (depth == 0 and needs_brackets) or not text[:i].strip():
            continue
        if text[i - 1] in "+-*/<>=:?&|!" or text[:i].endswith((" and", " or", "not", "return")):
            continue
        found.append(_Break(i, 2 * depth + (text[i - 1] != ",")))
    return found


def _bracketed(text: str) -> str:
    """The line with brackets around what it assigns or returns, if there is a blank outside of
    brackets in it."""
    indent = text[: len(text) - len(text.lstrip())]
    for start in (" = ", "return "):
        head, mark, value = text.partition(start)
        if (
            mark
            and (start == " = " or head == indent)
            and not text.endswith(":")
            and _spread(value)
        ):
            return f"{head}{mark}({value})"
    return text


def _spread(value: str) -> bool:
    depth = 0
    for c in value:
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 and c == " ":
            return True
    return False
