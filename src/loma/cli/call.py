"""`loma run` and `loma grad`: calls with arguments from the command line."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from loma.backends.base import Options
from loma.cli.check import warned
from loma.cli.files import (
    DebugOption,
    FileArgument,
    Float,
    FloatOption,
    FunctionArgument,
    PathOption,
    StrictOption,
    ThreadsOption,
    one_function,
    program,
    split,
)
from loma.cli.screen import put, screen, table
from loma.host import gradient
from loma.host.calls import Compiled, bound, outputs
from loma.host.guard import guard
from loma.host.literals import parse_arguments, parse_call
from loma.host.plain import text
from loma.host.requests import signature_of, sliced


def run(
    file: FileArgument,
    call: Annotated[
        str,
        typer.Option(
            "--call",
            metavar="CALL",
            show_default=False,
            help="For instance [b]'f(1.0, [1, 2, 3])'[/b]; lists for arrays, dicts or "
            "tuples for structs; Out arguments may be left out.",
        ),
    ],
    threads: ThreadsOption = None,
    float_type: FloatOption = Float.F32,
    path: PathOption = None,
    strict: StrictOption = False,
    debug: DebugOption = False,
) -> None:
    """Call a function, or a derivative that the program requests, and print what it gives."""
    wanted = parse_call(call)
    loaded = program(file, float_type, path)
    signature = signature_of(loaded, wanted.function)
    operands = bound(wanted.function, signature, wanted.arguments, loaded.structs, threads)
    if not debug:
        guard(loaded, wanted.function, operands)
    compiled = Compiled(sliced(loaded, wanted.function), Options(strict=strict, debug=debug))
    outcome = compiled.call(wanted.function, operands)
    console = screen()
    if signature.result is not None and outcome.result is not None:
        console.print(Text(text(outcome.result, signature.result, loaded.structs)), soft_wrap=True)
    for a, x in outputs(signature, outcome):
        shown = text(x, a.type, loaded.structs)
        console.print(Text.assemble((a.name, "bold"), f" = {shown}"), soft_wrap=True)


def grad(
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
    strict: StrictOption = False,
    debug: DebugOption = False,
) -> None:
    """Value and gradient of a function, by reverse mode; the file need not request it."""
    file, named = split(target)
    loaded = program(file, float_type, path)
    function = one_function(target, loaded, named)
    signature = signature_of(loaded, function)
    operands = bound(function, signature, parse_arguments(at), loaded.structs, threads)
    if not debug:
        guard(loaded, function, operands)
    options = Options(strict=strict, debug=debug)
    found = gradient.value_and_gradient(loaded, function, operands, options)
    warned(loaded, [function])
    console = screen()
    for name, t, x in found.values:
        console.print(
            Text.assemble((name, "bold"), f" = {text(x, t, loaded.structs)}"), soft_wrap=True
        )
    if found.summed:
        console.print(Text(f"gradient of the sum of {found.summed}", "dim"))
    rows = table("argument", "at", "gradient")
    for argument, x, g in found.gradients:
        shown = (
            Text("-", "dim") if g is None else Text(text(g, argument.type, loaded.structs), "bold")
        )
        rows.add_row(Text(argument.name), Text(text(x, argument.type, loaded.structs)), shown)
    put(console, rows)
    console.print(Text(f"tape: {found.peak_tape_bytes} bytes at most", "dim"))
