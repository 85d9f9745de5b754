"""`loma build`: a program as C that is shipped: source, header, shared library, and an example that
calls it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loma import driver
from loma.backends import toolchain
from loma.backends.base import Options
from loma.backends.c import c_text
from loma.diagnostics import CompileError
from loma.frontend import load
from loma.host.build_example import example
from loma.ir.nodes import Function, Module
from loma.ir.types import F32, Scalar


class BuildError(CompileError):
    """The target cannot be built as files."""


@dataclass(frozen=True, slots=True)
class Built:
    """The files that were written, and the command that compiles the example, run in their
    folder."""

    source: Path
    header: Path
    example: Path
    library: Path
    command: str

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        return (self.source, self.header, self.example, self.library)


def build(
    source: str,
    file: str,
    target: str = "c",
    out_dir: str | Path = ".",
    float_type: Scalar = F32,
    *,
    strict: bool = False,
    name: str | None = None,
    path: Sequence[str] = (),
) -> Built:
    """Writes a program's C, header, library and example into a folder, which is made; `name` is
    their stem; `path`: where imported files are looked for."""
    if target != "c":
        raise BuildError(f"only the target 'c' is built as files, not {target!r}")
    program = load(source, file, float_type, path)
    module = driver.differentiated(program)
    asked = [d.name for d in program.derivatives if d.exported]
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    stem = name or Path(file).stem.strip("<>") or "program"
    text = c_text(module, strict=strict, header=f"{stem}.h")
    built = Built(
        folder / f"{stem}.c",
        folder / f"{stem}.h",
        folder / f"{stem}_example.c",
        folder / f"{stem}{toolchain.shared_library_suffix()}",
        _command(stem, strict),
    )
    built.source.write_text(text.source)
    built.header.write_text(text.header)
    built.example.write_text(example(_first(asked, file, module), module, text, f"{stem}.h"))
    driver.BACKENDS["c"].build(module, Options(strict=strict, output=folder / stem))
    return built


def _first(asked: list[str], file: str, module: Module) -> Function:
    """The function to show: the first derivative that the program asks for, else its first
    function."""
    exported = [f for f in module.functions.values() if f.exported]
    if not exported:
        raise BuildError(f"{file} has no function")
    return next((module.functions[name] for name in asked), exported[0])


def _command(stem: str, strict: bool) -> str:
    """The command line that compiles the example with the program."""
    flags = " ".join(toolchain.flags(strict))
    name = shlex.quote(stem)
    return f"cc {flags} {name}_example.c {name}.c -lm -o {name}_example"
