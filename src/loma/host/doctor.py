"""What works on this machine, found by trying it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from loma import driver
from loma.backends.base import Options
from loma.backends.cache import Cache
from loma.backends.llvm import machine
from loma.backends.targets import DEVICES
from loma.backends.toolchain import find_compiler
from loma.frontend import load
from loma.host.calls import Compiled, Operands
from loma.ir.types import F64

OPTIONAL: Final = (
    ("matplotlib", "loma demo: pip install 'loma-lang[demo]'"),
    ("pillow", "loma demo: pip install 'loma-lang[demo]'"),
    ("ziglang", "a C compiler from PyPI: pip install 'loma-lang[zig]'"),
)
PROGRAM: Final = """
def f(x : In[float]) -> float:
    return x * x
r_f = rev_diff(f)
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that works or does not; without a `needed` one, nothing runs."""

    name: str
    works: bool
    detail: str
    needed: bool = False


def examine() -> list[Finding]:
    """Everything, what is needed first."""
    return [*_needed(), *_compilers(), *_targets(), *_packages()]


def _needed() -> Iterator[Finding]:
    yield Finding(
        "python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        needed=True,
    )
    yield _tried("llvmlite", _llvm, needed=True)
    yield _tried("numpy", lambda: importlib.metadata.version("numpy"), needed=True)
    yield _tried("compile, differentiate, run", _self_test, needed=True)
    yield _cache()


def _tried(name: str, action: Callable[[], str], needed: bool = False) -> Finding:
    """The outcome of an action, or the first line of what went wrong."""
    try:
        return Finding(name, True, action(), needed)
    except Exception as e:
        said = str(e).strip() or type(e).__name__
        return Finding(name, False, said.split("\n")[0], needed)


def _llvm() -> str:
    version, llvm, triple, processor, features = machine.identity()
    vector = next(
        (v for v in ("avx512f", "avx2", "avx", "sse2", "neon") if f"+{v}" in features), "no vectors"
    )
    return (
        f"{version}, LLVM {llvm.strip('()').replace(', ', '.')}, {triple}, {processor} ({vector})"
    )


def _self_test() -> str:
    """Compiles, differentiates and runs a small program."""
    begun = time.perf_counter()
    compiled = Compiled(load(PROGRAM, "<doctor>", F64), Options(cache=False))
    outcome = compiled.call("r_f", Operands((3.0, 0.0, 1.0)))
    spent = 1e3 * (time.perf_counter() - begun)
    if outcome.data[1] != 6.0:
        raise ArithmeticError(f"the derivative of x * x at 3 came out as {outcome.data[1]}")
    return f"in {spent:.0f} ms"


def _cache() -> Finding:
    stats = Cache().stats()
    amount = f"{size_text(stats.bytes)} of at most {size_text(stats.limit)}"
    held = f"{stats.directory}: {stats.entries} entries, {amount}"
    why = unwritable(stats.directory)
    return Finding(
        "cache", not why, f"{stats.directory}: {why}; every run compiles anew" if why else held
    )


def unwritable(directory: Path) -> str:
    """Why nothing can be written into a folder that may not be there yet; empty when it can."""
    there = directory
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        return f"{there} is no folder"
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as e:
        return (e.strerror or str(e)).lower()


def _compilers() -> Iterator[Finding]:
    chosen = find_compiler()
    for name in ("gcc", "clang", "cc"):
        path = shutil.which(name)
        used = chosen is not None and path is not None and chosen.command[0] == path
        yield Finding(
            name,
            path is not None,
            f"{path}{' (used)' if used else ''}" if path else "not on the path",
        )
    if compiler := os.environ.get("CC"):
        yield Finding("CC", shutil.which(compiler) is not None, compiler)


def _targets() -> Iterator[Finding]:
    for name in sorted(driver.BACKENDS):
        if name == "c" and find_compiler() is None:
            yield Finding(
                "target c",
                False,
                "no C compiler: install gcc or clang, or pip install 'loma-lang[zig]'",
            )
        else:
            yield Finding(f"target {name}", True, "ready")
    for name in DEVICES:
        yield _tried(f"target {name}", import_module(f"loma.backends.{name}_load").describe)


def _packages() -> Iterator[Finding]:
    for name, use in OPTIONAL:
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, False, f"not installed ({use})")


def size_text(count: int) -> str:
    """A number of bytes for people."""
    if count < 1024:
        return f"{count} B"
    amount = count / 1024
    for unit in ("KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
