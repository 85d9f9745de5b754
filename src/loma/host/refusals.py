"""Errors of calls: one sentence that names the argument, and the place of the user's call."""

from __future__ import annotations

import itertools
import linecache
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Final

from loma.diagnostics import NOWHERE, Diagnostic, Span, UserError

LIBRARIES: Final = frozenset(("torch", "jax", "jaxlib", "functools"))
HOME: Final = str(Path(__file__).parents[1])


class ArgumentError(UserError):
    """A call with arguments that do not fit; the message is one sentence."""

    def __init__(self, message: str, help: str = "", code: str = "E0711") -> None:
        place = call_place()
        text = "".join(linecache.getlines(place.file))
        super().__init__((Diagnostic(code, message, place, help=help),), text)

    def __str__(self) -> str:
        first = self.diagnostics[0]
        return f"{first.message}; {first.help}" if first.help else first.message


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of a wrong type, dtype or number of dimensions; a missing or unknown one."""


class ArgumentValueError(ArgumentError, ValueError):
    """An argument of the right type with a wrong value: its shape, its memory, its size."""


class LomaWarning(UserWarning):
    """What is right, and probably not meant."""


class CopyWarning(LomaWarning):
    """An input was copied, because its memory is laid out in another way than loma needs."""


def of_adjoints(error: ArgumentError, outputs: Mapping[str, str]) -> ArgumentError:
    """The error of a derivative's call, which names the outputs that adjoints belong to."""
    first = error.diagnostics[0]
    message = first.message
    for adjoint, output in outputs.items():
        message = re.sub(rf"argument `{adjoint}(?=[`.\[])", f"the adjoint of `{output}", message)
    return type(error)(message, first.help, first.code)


def caller() -> FrameType | None:
    """The innermost frame of the user: not ours, and not of a library that calls us for him."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_between(frame):
        frame = frame.f_back
    return frame


def depth() -> int:
    """The stack level of the user's call, as `warnings.warn` counts for our caller."""
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and _is_between(frame):
        frame, level = frame.f_back, level + 1
    return level


def _is_between(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return frame.f_code.co_filename.startswith(HOME) or module in LIBRARIES


def in_words(d: Diagnostic) -> str:
    """A warning about a program as one line."""
    return f"{d.message}: {d.label} ({d.span.file}:{d.span.line}); {d.help}"


def remark(found: Iterable[str]) -> None:
    """Warns about a program, where the user's code defines or loads it."""
    for text in found:
        warnings.warn(text, LomaWarning, stacklevel=depth())


def announce_copy(function: str, argument: str, what: str = "") -> None:
    """Warns about a copy that costs time, once for each place in the user's program.

    `what`: it is not the argument itself but its tangent or adjoint.
    """
    which = f"the {what} of" if what else "argument"
    warnings.warn(
        f"`{function}`: {which} `{argument}` is copied: its elements do not lie side by side in "
        "memory", CopyWarning, stacklevel=depth())


def call_place() -> Span:
    """Where the user's code calls us."""
    frame = caller()
    if frame is None:
        return NOWHERE
    file, line = frame.f_code.co_filename, frame.f_lineno
    positions = frame.f_code.co_positions()
    found = next(itertools.islice(positions, frame.f_lasti // 2, None), (None,) * 4)
    start, stop, column, end = found
    if start is None or column is None or stop is None or end is None:
        return Span(file, line, 0, line, 0)
    text = linecache.getline(file, start)
    first = len(text.encode()[:column].decode(errors="ignore"))
    last = linecache.getline(file, stop)
    return Span(file, start, first, stop, len(last.encode()[:end].decode(errors="ignore")))
