"""Programs on disk, and the options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from loma.diagnostics import CompileError
from loma.frontend import load, typed
from loma.host.requests import own_functions
from loma.ir.types import Scalar

STDIN: Final = "-"


class Float(StrEnum):
    """What `float` stands for."""

    F32 = "f32"
    F64 = "f64"

    @property
    def scalar(self) -> Scalar:
        """The scalar type."""
        return Scalar(self.value)


FileArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="A loma program; `-` reads standard input.", show_default=False
    ),
]
FunctionArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE:FUNCTION", show_default=False, help="A loma program and a function in it."
    ),
]
FloatOption = Annotated[Float, typer.Option("--float", help="What `float` stands for.")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="No reassociation, no contraction of products.")
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Check every division, domain and index.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", show_default=False, help="How many threads of a kernel run."
    ),
]


PathOption = Annotated[
    list[str] | None,
    typer.Option(
        "--path", metavar="DIR", show_default=False,
        help="A folder of files that the program may import; may be repeated.",
    ),
]


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Lets an option be one of these names."""

    def known(value: str) -> str:
        if value not in names:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(names)}")
        return value

    return known


def read(file: str) -> str:
    """The text of a program; CompileError when there is none."""
    try:
        data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as e:
        raise CompileError(f"cannot read {file}: {(e.strerror or str(e)).lower()}") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise CompileError(
            f"cannot read {file}: it is not text in UTF-8 (byte {e.start})"
        ) from None


def program(file: str, float_type: Float, path: list[str] | None = None) -> typed.Module:
    """The checked program of a file."""
    shown = "<stdin>" if file == STDIN else file
    return load(read(file), shown, float_type.scalar, path or ())


def split(target: str) -> tuple[str, str | None]:
    """The file and the function of `FILE:FUNCTION`."""
    file, colon, function = target.rpartition(":")
    if colon and file and function.isidentifier() and not Path(target).exists():
        return file, function
    return target, None


def one_function(target: str, program: typed.Module, function: str | None) -> str:
    """The function that was named, or the only one there is."""
    own = own_functions(program)
    if function is None and len(own) == 1:
        return own[0]
    if function is None:
        raise CompileError(
            f"say which function: {target}:{own[0]}" if own else f"{target} has no function"
        )
    return function
