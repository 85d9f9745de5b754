"""`loma build`: a program as files that work without loma."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from loma import driver
from loma.backends.base import Options
from loma.backends.toolchain import shared_library_suffix
from loma.cli.files import FileArgument, Float, FloatOption, PathOption, StrictOption, program, read
from loma.cli.screen import screen
from loma.host import ship


class Target(StrEnum):
    """What is built."""

    C = "c"
    LLVM = "llvm"
    CUDA = "cuda"
    OPENCL = "opencl"
    SLANG = "slang"
    WGSL = "wgsl"
    ISPC = "ispc"


def build(
    file: FileArgument,
    target: Annotated[
        Target,
        typer.Option(
            "--target", help="c: source, header, library and an example; llvm: a library; "
            "cuda, opencl, slang, wgsl, ispc: the text of the kernels.",
        ),
    ] = Target.C,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder; it is made.")
    ] = Path("."),
    float_type: FloatOption = Float.F32,
    path: PathOption = None,
    strict: StrictOption = False,
) -> None:
    """Build a program for use without Python."""
    console = screen()
    if target is Target.LLVM:
        for made in _library(file, output, float_type, strict, path):
            console.print(Text(str(made)), soft_wrap=True)
        return
    if target is not Target.C:
        console.print(Text(str(_kernels(file, target, output, float_type, strict, path))),
                      soft_wrap=True)
        return
    text = read(file)
    name = "program" if file == "-" else None
    built = ship.build(
        text, file, target.value, output, float_type.scalar, strict=strict, name=name,
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
    file: str, target: Target, output: Path, float_type: Float, strict: bool,
    path: list[str] | None,
) -> Path:
    """Writes the kernels in the language of a device; gives the file's path."""
    from loma.host.kernel_listing import SUFFIXES, listing

    module = driver.differentiated(program(file, float_type, path), strict=strict)
    output.mkdir(parents=True, exist_ok=True)
    stem = Path(file).stem.strip("-") or "program"
    made = output / f"{stem}{SUFFIXES[target.value]}"
    made.write_text(listing(module, target.value, strict=strict))
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
