"""Source text -> typed tree, or diagnostics."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loma.diagnostics import Files
from loma.frontend import surface, typed
from loma.frontend.check.program import check
from loma.frontend.errors import Finding, raise_all
from loma.frontend.modules import parse_program
from loma.frontend.source import open_source
from loma.ir.types import F32, Scalar


def load(
    source: str, file: str = "<loma>", float_type: Scalar = F32, path: Sequence[str | Path] = ()
) -> typed.Module:
    """The checked program; raises a `UserError` that carries everything that is wrong with it.

    `path`: folders in which imported files are looked for, after that of `file`.
    """
    opened = open_source(source, file)
    findings: list[Finding] = []
    with no_collection():
        parsed = parse_program(opened, path, findings)
        module = check(parsed, opened, float_type, findings)
    raise_all(findings, opened.text, parsed.files)
    return module


@contextmanager
def no_collection() -> Iterator[None]:
    """Holds the garbage collector back, which would walk the growing trees again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load_parts(
    parts: Sequence[surface.Definition], source: str, file: str, float_type: Scalar,
    internal: frozenset[str] = frozenset(), files: Files | None = None,
) -> typed.Module:
    """The checked program that consists of definitions from several places.

    `source` and `file` are those of the one that is asked for. `internal` are those of imported
    files.
    """
    findings: list[Finding] = []
    opened = open_source(source, file)
    with no_collection():
        program = surface.Module(tuple(parts), internal, files or Files())
        module = check(program, opened, float_type, findings)
    raise_all(findings, opened.text, files)
    return module


def parsed(source: str, file: str, path: Sequence[str | Path] = ()) -> surface.Module:
    """A file with what it imports, not yet checked; raises a UserError for what is no loma."""
    opened = open_source(source, file)
    findings: list[Finding] = []
    module = parse_program(opened, path, findings)
    raise_all(findings, opened.text, module.files)
    return module
