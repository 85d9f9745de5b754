"""C compilers: which one is here, and how it is run."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loma.diagnostics import CompileError


class ToolchainError(CompileError):
    """A tool that is missing or that failed; carries its command, what it was given, and what it
    said."""

    def __init__(self, command: Sequence[str], source: str, stderr: str) -> None:
        super().__init__(f"{' '.join(command)}\n{stderr}".strip())
        self.command = tuple(command)
        self.source = source
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler: the start of its command line."""

    command: tuple[str, ...]

    @property
    def name(self) -> str:
        """The command as a person would write it."""
        return " ".join(self.command)


def find_compiler() -> Compiler | None:
    """The first C compiler that is found: gcc, clang, cc, or PyPI's ziglang."""
    for name in ("gcc", "clang", "cc"):
        path = shutil.which(name)
        if path is not None:
            return Compiler((path,))
    if importlib.util.find_spec("ziglang") is not None:
        return Compiler((sys.executable, "-m", "ziglang", "cc"))
    return None


def c_compiler() -> Compiler:
    """The C compiler, or a ToolchainError that says how to get one."""
    found = find_compiler()
    if found is None:
        raise ToolchainError(
            ("gcc",),
            "",
            "no C compiler was found: install gcc or clang, or `pip install ziglang`; "
            "target='llvm' needs none",
        )
    return found


def shared_library_suffix() -> str:
    """The platform's suffix of shared libraries."""
    match sys.platform:
        case "darwin":
            return ".dylib"
        case "win32":
            return ".dll"
        case _:
            return ".so"


def flags(strict: bool) -> tuple[str, ...]:
    """How generated C is compiled; without `strict`, products are contracted and reductions marked
    so reassociated."""
    arithmetic = ("-ffp-contract=off",) if strict else ("-ffp-contract=fast", "-fopenmp-simd")
    return (
        "-std=c11",
        "-O3",
        "-march=native",
        "-fwrapv",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fno-optimize-sibling-calls",
        *arithmetic,
    )


def shared_flags() -> tuple[str, ...]:
    """What makes the result a shared library that calls its own functions directly."""
    own = () if sys.platform in ("darwin", "win32") else ("-Wl,-Bsymbolic",)
    return ("-shared", "-fPIC", "-fno-semantic-interposition", *own)


def run(command: Sequence[str], source: str) -> None:
    """Runs a tool; a failure is a ToolchainError with what it said."""
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise ToolchainError(command, source, str(error)) from error
    if done.returncode != 0:
        raise ToolchainError(command, source, done.stderr.decode(errors="replace"))


def compile_shared(source: str, folder: Path, options: Sequence[str]) -> Path:
    """The shared library of a C program, in a folder that exists; `options` are flags for the
    compiler."""
    text, library = folder / "program.c", folder / f"program{shared_library_suffix()}"
    text.write_text(source)
    run([*c_compiler().command, *options, str(text), "-o", str(library), "-lm"], source)
    return library


def install(library: Path, output: Path) -> Path:
    """Copies a library to where it was asked for, in one step; the platform's suffix is
    appended."""
    target = output.with_name(output.name + shared_library_suffix())
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy:
        copy.write(library.read_bytes())
    os.chmod(copy.name, 0o755)
    os.replace(copy.name, target)
    return target


def fingerprint() -> str:
    """What machine code depends on beside the program and the flags: the compiler and the
    processor."""
    command = c_compiler().command
    path = Path(command[0])
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return "\n".join([*command, str(stamp), platform.machine(), _processor()])


def _processor() -> str:
    """The features of the processor, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
