"""`loma hunt`: where a number stops being finite."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from loma.cli.files import (
    Float,
    FloatOption,
    FunctionArgument,
    PathOption,
    ThreadsOption,
    one_function,
    program,
    split,
)
from loma.cli.screen import screen
from loma.host.calls import bound
from loma.host.hunt import hunted
from loma.host.literals import parse_arguments
from loma.host.requests import signature_of


def hunt(
    target: FunctionArgument,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="ARGUMENTS", show_default=False, help="For instance [b]'1.0, n=3'[/b]."
        ),
    ] = "",
    threads: ThreadsOption = None,
    float_type: FloatOption = Float.F32,
    path: PathOption = None,
) -> None:
    """Find the first operation, of a function or its gradient, whose result is not finite."""
    file, named = split(target)
    loaded = program(file, float_type, path)
    function = one_function(target, loaded, named)
    signature = signature_of(loaded, function)
    operands = bound(function, signature, parse_arguments(at), loaded.structs, threads)
    texts = {**loaded.files.texts, loaded.file: loaded.source}
    found = hunted(loaded, function, operands, texts)
    screen().print(
        Text("the value and the gradient are finite" if found is None else str(found)),
        soft_wrap=True,
    )
