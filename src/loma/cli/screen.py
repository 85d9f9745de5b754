"""What the terminal shows: code and diagnostics with colours there, plain text elsewhere."""

from __future__ import annotations

import re
from typing import Final

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH: Final = 160
STYLES: Final = (
    (re.compile(r"^(error(\[[\w.]+\])?:)(.*)$", re.M), ("bold red", None, "bold")),
    (re.compile(r"^(warning:)", re.M), ("bold yellow",)),
    (re.compile(r"^(remark\[\w+\]:)(.*)$", re.M), ("bold yellow", "bold")),
    (re.compile(r"^(help:)", re.M), ("bold cyan",)),
    (re.compile(r"^(note:)", re.M), ("bold green",)),
    (re.compile(r"^( +--> )(.*)$", re.M), ("blue", "dim")),
    (re.compile(r"^( *\d* \|)", re.M), ("blue",)),
    (re.compile(r"^ +\| +(\^+.*)$", re.M), ("red",)),
    (re.compile(r"^ +(\^)$", re.M), ("red",)),
)


def screen(stderr: bool = False) -> Console:
    """The console of standard output or standard error."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, soft_wrap=False, width=PLAIN_WIDTH)
    return console


def coloured(message: str) -> Text:
    """Rendered diagnostics with colours."""
    text = Text(message)
    for pattern, styles in STYLES:
        for found in pattern.finditer(message):
            for group, style in enumerate(styles, start=1):
                if style is not None and found.group(group) is not None:
                    text.stylize(style, *found.span(group))
    return text


def show_code(console: Console, code: str, language: str) -> None:
    """Prints source text: highlighted on a terminal, as it is elsewhere."""
    if not console.is_terminal:
        console.out(code.rstrip("\n"), highlight=False)
        return
    syntax = Syntax(code, language, theme="ansi_dark", background_color="default")
    console.print(syntax.highlight(code.rstrip("\n")), soft_wrap=True)


def table(*columns: str, title: str = "") -> Table:
    """A table without lines; its cells are never taken for markup."""
    made = Table(
        *columns,
        box=None,
        pad_edge=False,
        padding=(0, 3, 0, 0),
        header_style="dim",
        title=Text(title) if title else None,
        title_justify="left",
        title_style="bold",
    )
    for column in made.columns:
        column.overflow = "fold"
    return made


def put(console: Console, rows: Table) -> None:
    """Prints a table; elsewhere than on a terminal, without blanks at line ends."""
    if console.is_terminal:
        console.print(rows)
        return
    with console.capture() as captured:
        console.print(rows)
    console.out(
        "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")),
        highlight=False,
    )


def mark(good: bool | None) -> Text:
    """A sign for yes, no, or neither."""
    if good is None:
        return Text("-", "yellow")
    return Text("ok", "bold green") if good else Text("no", "bold red")
