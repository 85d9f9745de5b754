"""`loma demo`: fit a photograph by gradient descent, with a progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from loma.backends.targets import DEVICES
from loma.cli.files import one_of
from loma.cli.screen import screen
from loma.diagnostics import CompileError

QUICK: Final = (96, 120, 80)
TARGETS: Final = ("llvm", "c", *(name for name, d in DEVICES.items() if d.arrays))


def demo(
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]",
            show_default=False,
            help="Any photograph; without one, a picture from matplotlib.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PNG", help="The picture to write.")
    ] = Path("loma-demo.png"),
    splats: Annotated[int, typer.Option("--splats", metavar="N", help="How many Gaussians.")] = 400,
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", help="How many steps of descent.")
    ] = 500,
    size: Annotated[int, typer.Option("--size", metavar="PIXELS", help="The longer side.")] = 192,
    seed: Annotated[int, typer.Option("--seed", help="Where the Gaussians start.")] = 1,
    target: Annotated[
        str,
        typer.Option(
            "--target", metavar="|".join(TARGETS), callback=one_of(TARGETS),
            help="What draws and differentiates.",
        ),
    ] = "llvm",
    quick: Annotated[
        bool, typer.Option("--quick", help="A small picture, in a few seconds.")
    ] = False,
) -> None:
    """Fit a photograph through a renderer written in loma, differentiated by us."""
    from loma.demo import DemoError, Options, Step, run

    if quick:
        size, splats, steps = QUICK
    console = screen(stderr=True)
    columns = (
        TextColumn("fitting"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=steps, loss="-")

        def progress(step: Step) -> None:
            bar.update(task, completed=step.done, total=step.total, loss=f"{step.loss:.5f}")

        try:
            result = run(Options(image, output, size, splats, steps, seed, target), progress)
        except DemoError as e:
            raise CompileError(str(e)) from None
    screen().print(Text(result.summary()), soft_wrap=True)
