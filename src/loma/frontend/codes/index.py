"""One constructor per error code; its docstring is the code's page in the error index.

The first line of a docstring names the fault, the paragraphs after it explain and mend it, and the
indented block is a program with that fault.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass
from types import ModuleType

from loma.frontend.codes import (
    arrays,
    calls,
    constructs,
    derivatives,
    flow,
    generics,
    methods,
    modules,
    names,
    parallel,
    rules,
    seeing,
    short,
    syntax,
    types,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the error index."""

    code: str
    title: str
    text: str
    example: str


def index() -> tuple[Entry, ...]:
    """All codes, in order."""
    found: list[Entry] = []
    for module in (syntax, constructs, names, types, calls, flow, derivatives, methods,
                   modules, parallel, generics, rules, seeing, short, arrays):
        found += _entries(module)
    return tuple(sorted(found, key=lambda e: e.code))


def _entries(module: ModuleType) -> list[Entry]:
    found: list[Entry] = []
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or name.startswith("_"):
            continue
        parts = inspect.cleandoc(function.__doc__ or "").split("\n\n")
        codes = re.findall(r'"(E\d{4})"', inspect.getsource(function))
        if not codes:
            continue
        text = [p for p in parts[1:] if not p.startswith("    ")]
        example = [p for p in parts[1:] if p.startswith("    ")]
        found.append(Entry(codes[0], parts[0], "\n\n".join(text),
                           textwrap.dedent("\n\n".join(example)) + "\n"))
    return found
