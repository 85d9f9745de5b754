"""`loma check`: everything that is wrong with a program, refused derivatives included."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

import typer
from rich.text import Text

from loma import driver
from loma.cli.files import Float, FloatOption, PathOption, program
from loma.cli.report import complain, explained
from loma.cli.screen import coloured, mark, screen
from loma.diagnostics import CompileError, Diagnostic, UserError, render
from loma.frontend import typed
from loma.host.requests import own_functions


def check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="loma programs.", show_default=False)
    ],
    float_type: FloatOption = Float.F32,
    path: PathOption = None,
) -> None:
    """Say everything that is wrong with programs and with the derivatives that they request."""
    failed = False
    for file in files:
        try:
            checked = program(file, float_type, path)
            refused = refusals(checked)
            if refused:
                error = UserError(tuple(refused), checked.source)
                error.texts = dict(checked.files.texts)
                raise error
        except CompileError as e:
            failed = True
            complain(explained(e))
        else:
            screen().print(Text.assemble(mark(True), "  ", (file, "bold"), f": {summary(checked)}"))
            shown(checked.remarks, checked)
            remarks(checked)
            warned(checked, {d.primal for d in checked.derivatives if d.exported})
    if failed:
        raise typer.Exit(1)


def refusals(checked: typed.Module) -> list[Diagnostic]:
    """What differentiation refuses, for every derivative that is requested."""
    try:
        driver.differentiated(checked)
        return []
    except UserError as e:
        found = dict.fromkeys(e.diagnostics)
    for d in checked.derivatives:
        others = tuple(o for o in checked.derivatives if o is not d)
        try:
            driver.differentiated(replace(checked, derivatives=(d, *others)))
        except UserError as e:
            found |= dict.fromkeys(e.diagnostics)
    return sorted(found, key=lambda d: (d.span.line, d.span.column))


def remarks(checked: typed.Module) -> None:
    """Prints what is taken for granted about kernels because it cannot be decided."""
    for d in driver.assumptions(checked):
        text = checked.files.texts.get(d.span.file, checked.source)
        remark = render(d, text).replace("error[", "remark[", 1)
        screen().print(coloured(remark), soft_wrap=True)


def warned(checked: typed.Module, functions: Iterable[str]) -> None:
    """Prints the derivatives of functions that are zero everywhere."""
    for function in sorted(functions):
        shown(driver.zero_gradients(checked, function).values(), checked)


def shown(found: Iterable[Diagnostic], checked: typed.Module) -> None:
    """Prints warnings about a program."""
    for d in found:
        text = checked.files.texts.get(d.span.file, checked.source)
        screen().print(coloured(render(d, text)), soft_wrap=True)


def summary(checked: typed.Module) -> str:
    """What a program holds, in a few words."""
    derivatives = sum(1 for d in checked.derivatives if d.exported)
    counts = [(len(own_functions(checked)), "function"), (derivatives, "derivative")]
    return ", ".join(f"{n} {what}" if n == 1 else f"{n} {what}s" for n, what in counts)
