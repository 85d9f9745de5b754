"""`loma build`: a program as files that work without loma."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from loma import driver
from loma.backends.base import Options
from loma.backends.targets import DEVICES
from loma.backends.toolchain import shared_library_suffix
from loma.cli.files import (
    FileArgument,
    Float,
    FloatOption,
    PathOption,
    StrictOption,
    one_of,
    program,
    read,
)
from loma.cli.screen import screen
from loma.host import ship

TARGETS: Final = ("c", "llvm", *DEVICES)


def build(
    file: FileArgument,
    target: Annotated[
        str,
        typer.Option(
            "--target", metavar="|".join(TARGETS), callback=one_of(TARGETS),
            help="c: source, header, library and an example; llvm: a library; "
            f"{', '.join(DEVICES)}: the text of the kernels.",
        ),
    ] = "c",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder; it is made.")
    ] = Path("."),
    float_type: FloatOption = Float.F32,
    path: PathOption = None,
    strict: StrictOption = False,
) -> None:
    """Build a program for use without Python."""
    console = screen()
    if target == "llvm":
        for made in _library(file, output, float_type, strict, path):
            console.print(Text(str(made)), soft_wrap=True)
        return
    if target != "c":
        console.print(Text(str(_kernels(file, target, output, float_type, strict, path))),
                      soft_wrap=True)
        return
    text = read(file)
    name = "program" if file == "-" else None
    built = ship.build(
        text, file, target, output, float_type.scalar, strict=strict, name=name,
        path=path or (),
    )
    for made in built.files:
        console.print(Text(str(made)), soft_wrap=True)
    console.print(
        Text.assemble(
            ("the example: ", "dim"), f"cd {shlex.quote(str(output))} && {built.command}"
        ),
        soft_wrap=True,
    )


def _kernels(
    file: str, target: str, output: Path, float_type: Float, strict: bool,
    path: list[str] | None,
) -> Path:
    """Writes the kernels in the language of a device; gives the file's path."""
    from loma.host.kernel_listing import listing

    module = driver.differentiated(program(file, float_type, path), strict=strict)
    output.mkdir(parents=True, exist_ok=True)
    stem = Path(file).stem.strip("-") or "program"
    made = output / f"{stem}{DEVICES[target].suffix}"
    made.write_text(listing(module, target, strict=strict))
    return made


def _library(
    file: str, output: Path, float_type: Float, strict: bool, path: list[str] | None
) -> list[Path]:
    """Writes a shared library by LLVM (an object file where nothing links); gives its path."""
    module = driver.differentiated(program(file, float_type, path), strict=strict)
    stem = output / (Path(file).stem.strip("-") or "program")
    output.mkdir(parents=True, exist_ok=True)
    driver.BACKENDS["llvm"].build(module, Options(strict=strict, output=stem))
    made = (stem.with_name(stem.name + suffix) for suffix in (shared_library_suffix(), ".o"))
    return [path for path in made if path.exists()][:1]
