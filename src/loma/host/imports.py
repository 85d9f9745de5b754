"""What the cache must know of imported files: their texts, and that no other file comes first.

A program that was compiled before is found without parsing it. So the files that it imports are
remembered beside it, with digests of their texts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from loma.backends.cache import Cache, key
from loma.diagnostics import Files

Seen: TypeAlias = Sequence[Sequence[str]]
WORD: Final = "import"


def context(text: str, file: str, path: tuple[str, ...], version: Callable[[], str]) -> str:
    """The name under which the imports of a program are remembered; nothing for one without."""
    if WORD not in text:
        return ""
    named = os.environ.get("LOMA_PATH", "")
    return key("imports", text, file, os.getcwd(), *path, named, version())


def current(store: Cache, name: str) -> tuple[str, ...] | None:
    """The imported files as parts of a key, if they are as they were; None if that is not known."""
    if not name:
        return ()
    entry = store.get(name)
    if entry is None:
        return None
    seen: Seen = json.loads(entry)
    if all(_digest(Path(file)) == digest for file, digest in seen):
        return flat(seen)
    return None


def remember(store: Cache, name: str, files: Files) -> tuple[str, ...]:
    """Keeps what a program imports; gives it as parts of a key."""
    seen = [[file, digest] for file, digest in files.read]
    if name:
        store.put(name, json.dumps(seen).encode())
    return flat(seen)


def flat(seen: Seen) -> tuple[str, ...]:
    """Files and digests in one row."""
    return tuple(part for pair in seen for part in pair)


def _digest(file: Path) -> str:
    """A digest of a file's text; nothing when there is no such file."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return "unreadable"
