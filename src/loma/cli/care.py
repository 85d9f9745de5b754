"""`loma doctor` and `loma cache`: what works on this machine, and what is kept on its disk."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from loma.backends.cache import Cache
from loma.cli.screen import mark, put, screen, table
from loma.host import doctor as examination


def doctor() -> None:
    """What works here, and why the rest does not."""
    console = screen()
    findings = examination.examine()
    rows = table("", "", "")
    rows.show_header = False
    for f in findings:
        style = "" if f.works else "dim"
        rows.add_row(
            mark(f.works if f.works or f.needed else None),
            Text(f.name, "bold"),
            Text(f.detail, style),
        )
    put(console, rows)
    if any(f.needed and not f.works for f in findings):
        raise typer.Exit(1)


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove every entry.")] = False,
) -> None:
    """What the cache of compiled programs holds."""
    store = Cache()
    before = store.stats()
    if clear:
        store.clear()
    now = store.stats()
    console = screen()
    if clear:
        removed = before.entries - now.entries
        console.print(
            f"removed {removed} of {before.entries} entries, {size(before.bytes - now.bytes)}"
        )
    rows = table("", "")
    rows.show_header = False
    for name, value in (
        ("folder", str(now.directory)),
        ("entries", str(now.entries)),
        ("size", f"{size(now.bytes)} of at most {size(now.limit)}"),
    ):
        rows.add_row(Text(name, "dim"), Text(value))
    put(console, rows)
    if clear and now.entries:
        raise typer.Exit(1)


def size(count: int) -> str:
    """A number of bytes for people."""
    return examination.size_text(count)
