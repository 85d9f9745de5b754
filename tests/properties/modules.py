"""Programs in several files: what comes first goes into modules, which the rest imports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from properties import orders, pointers
from properties.grids import helpers
from properties.recipes import needs

DEFINED: Final = re.compile(r"^(?:def|class) (\w+)|^(\w+) = ", re.MULTILINE)


def completed(lines: list[str], modules: Mapping[str, str]) -> list[str]:
    """The lines of a file, with what they use: definitions, and imports from the modules."""
    lines = lines + needs(lines)
    lines = lines + helpers(lines) + orders.helpers(lines)
    lines += pointers.helpers(lines)
    own, used = _defined("\n".join(lines)), set(re.findall(r"\w+", "\n".join(lines)))
    imports = []
    for name, text in modules.items():
        wanted = sorted((_defined(text) - own) & used)
        imports += [f"from {name} import {', '.join(wanted)}"] if wanted else []
    return imports + lines


def _defined(text: str) -> set[str]:
    return {a or b for a, b in DEFINED.findall(text)} - {"T"}


@contextmanager
def on_disk(modules: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Folders in which imports find the modules."""
    if not modules:
        yield ()
        return
    with TemporaryDirectory() as folder:
        for name, text in modules.items():
            (Path(folder) / f"{name}.loma").write_text(text)
        yield (folder,)
