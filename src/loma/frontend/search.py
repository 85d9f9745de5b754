"""Where imported files are looked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

Dotted: TypeAlias = tuple[str, ...]

SUFFIXES: Final = (".loma", ".py")
ENTRY: Final = "__init__"
PACKAGE: Final = Path(__file__).parents[1]
STANDARD: Final = ("loma", "std")
FOLDER: Final = str(PACKAGE / "std") + os.sep


def given_folders(path: Sequence[str | Path]) -> list[Path]:
    """The folders that were given, then those of the variable LOMA_PATH."""
    named = os.environ.get("LOMA_PATH", "")
    return [Path(p) for p in path] + [Path(p) for p in named.split(os.pathsep) if p]


def folder_of(file: str) -> Path:
    """The folder of a program; the current one for a text that has no file."""
    return Path() if file.startswith("<") else Path(file).parent


@dataclass(slots=True)
class Search:
    """Looks for modules; `missing` remembers the files that would have been taken before others.
    """

    given: Sequence[Path]
    missing: dict[Path, None] = field(default_factory=dict)

    def folders(self, name: Dotted, here: Path) -> list[Path]:
        """Where a module is looked for by a file in the folder `here`, in order."""
        if name[:2] == STANDARD:
            return [PACKAGE.parent]
        return [here, *self.given]

    def find(self, name: Dotted, folders: Sequence[Path]) -> Path | None:
        """The file of a module, or of a package its `__init__`."""
        passed: list[Path] = []
        for folder in folders:
            for file in candidates(folder.joinpath(*name)):
                if file.is_file():
                    self.missing |= dict.fromkeys(passed)
                    return file
                passed.append(file)
        self.missing |= dict.fromkeys(passed)
        return None


def candidates(stem: Path) -> Iterator[Path]:
    """The files that a module can be, in order."""
    for suffix in SUFFIXES:
        yield stem.with_name(stem.name + suffix)
    for suffix in SUFFIXES:
        yield stem / f"{ENTRY}{suffix}"


def is_package(file: Path) -> bool:
    """Whether a file stands for its folder."""
    return file.stem == ENTRY


def is_standard(file: str) -> bool:
    """Whether a file belongs to the standard library."""
    return file.startswith(FOLDER)
