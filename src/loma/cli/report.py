"""Errors as messages: nothing that a user can do ends in a traceback."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TextIO

import typer
from typer.core import TyperGroup

from loma.cli.screen import coloured, screen
from loma.diagnostics import (
    CompileError,
    InternalError,
    RunError,
    Span,
    UserError,
    excerpt,
    source_lines,
)

INTERRUPTED = 130


class Reporting(TyperGroup):
    """The group of commands; it turns errors into messages on standard error and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Runs a command."""
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt:
                complain("interrupted")
                raise typer.Exit(INTERRUPTED) from None
            except (CompileError, RunError, OSError) as e:
                if isinstance(e, BrokenPipeError):
                    raise
                complain(explained(e))
                raise typer.Exit(1) from None
            except (RecursionError, MemoryError) as e:
                complain(f"error: the program is too large for this machine ({type(e).__name__})")
                raise typer.Exit(1) from None
            except Exception as e:
                if _is_usage(e) or os.environ.get("LOMA_DEBUG"):
                    raise
                complain(_fault(e))
                raise typer.Exit(1) from None


def _is_usage(e: Exception) -> bool:
    """Whether an exception belongs to the command line itself: wrong usage, or an exit."""
    return isinstance(e, typer.Exit | typer.Abort) or hasattr(e, "exit_code")


def _fault(e: Exception) -> str:
    what = str(e).split("\n")[0]
    return (
        f"error: a fault in loma itself: {type(e).__name__}: {what}\n"
        "help: please report it with the program; LOMA_DEBUG=1 shows where it happened"
    )


def explained(e: CompileError | RunError | OSError) -> str:
    """An error as the text that a person sees."""
    match e:
        case UserError():
            return e.to_string()
        case InternalError():
            return f"error: a fault in loma itself: {e}\nhelp: please report it with the program"
        case RunError():
            return _stopped(e)
        case OSError():
            return f"error: {e.strerror or e}" + (f": {e.filename}" if e.filename else "")
        case _:
            return f"error: {e}"


def _stopped(e: RunError) -> str:
    """A program's own stop, with the line where it happened."""
    message = str(e).removeprefix(f"{e.file}:{e.line}: ")
    head = f"error[{e.code}]: the program stopped: {message}"
    try:
        lines = source_lines(Path(e.file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{head}\n  --> {e.file}:{e.line}"
    if not 1 <= e.line <= len(lines):
        return f"{head}\n  --> {e.file}"
    text = lines[e.line - 1]
    start = len(text) - len(text.lstrip())
    return "\n".join(
        [head, *excerpt(Span(e.file, e.line, start, e.line, len(text.rstrip())), "", lines)]
    )


def complain(message: str) -> None:
    """Prints to standard error."""
    screen(stderr=True).print(coloured(message), soft_wrap=True)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    complain(f"warning: {message}")
