"""The application: its commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

import loma
from loma.cli import build, call, care, check, demo, explain, hunt, show, verify
from loma.cli.report import Reporting
from loma.cli.screen import screen

app = typer.Typer(
    cls=Reporting,
    help="loma: a differentiable language, compiled.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (
    check.check,
    show.show,
    call.run,
    call.grad,
    verify.verify,
    hunt.hunt,
    explain.explain,
    build.build,
    demo.demo,
    care.doctor,
    care.cache,
):
    app.command()(command)


def _version(asked: bool) -> None:
    if asked:
        screen().print(f"loma {loma.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """loma: a differentiable language, compiled."""


def main() -> None:
    """Runs the command line; exits with 1 for an error in what was asked, 2 for wrong usage."""
    app(prog_name="loma")
