"""Source text -> typed tree, or diagnostics."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from loma.frontend import surface, typed
from loma.frontend.check import check
from loma.frontend.errors import Finding, raise_all
from loma.frontend.parse import parse
from loma.frontend.source import open_source
from loma.ir.types import F32, Scalar


def load(source: str, file: str = "<loma>", float_type: Scalar = F32) -> typed.Module:
    """The checked program; raises a `UserError` that carries everything that is wrong with it."""
    opened = open_source(source, file)
    findings: list[Finding] = []
    with no_collection():
        module = check(parse(opened, findings), opened, float_type, findings)
    raise_all(findings, opened.text)
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
    parts: Sequence[surface.Definition], source: str, file: str, float_type: Scalar
) -> typed.Module:
    """The checked program that consists of definitions from several places.

    `source` and `file` are those of the one that is asked for.
    """
    findings: list[Finding] = []
    opened = open_source(source, file)
    with no_collection():
        module = check(surface.Module(tuple(parts)), opened, float_type, findings)
    raise_all(findings, opened.text)
    return module


def definitions(source: str, file: str) -> tuple[surface.Definition, ...]:
    """The definitions of a file, not yet checked; raises a UserError for what is no loma."""
    opened = open_source(source, file)
    findings: list[Finding] = []
    module = parse(opened, findings)
    raise_all(findings, opened.text)
    return module.definitions
