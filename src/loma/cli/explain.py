"""`loma explain`: what the gradient of a function stores and computes again."""

from __future__ import annotations

from typing import Annotated

import typer

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
from loma.host.calls import Operands, bound
from loma.host.explain import explained
from loma.host.guard import guard
from loma.host.literals import parse_arguments
from loma.host.requests import signature_of


def explain(
    target: FunctionArgument,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="ARGUMENTS", show_default=False,
            help="Measure a call, for instance [b]'1.0, n=3'[/b].",
        ),
    ] = None,
    threads: ThreadsOption = None,
    float_type: FloatOption = Float.F32,
    path: PathOption = None,
) -> None:
    """Tell, line by line, what the gradient of a function stores and computes again, and why."""
    file, named = split(target)
    loaded = program(file, float_type, path)
    function = one_function(target, loaded, named)
    signature = signature_of(loaded, function)
    operands: Operands | None = None
    if at is not None:
        operands = bound(function, signature, parse_arguments(at), loaded.structs, threads)
        guard(loaded, function, operands)
    texts = {**loaded.files.texts, loaded.file: loaded.source}
    screen().out(repr(explained(loaded, function, operands, texts)), highlight=False)
