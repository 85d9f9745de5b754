"""A cache of bytes on disk: shared by processes, bounded, and never a reason to fail.

Every entry is one file that is written beside its final place and then renamed, so readers see
all of it or nothing. It begins with a digest of its content: a damaged entry is a miss.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_LIMIT: Final = 512 * 1024 * 1024
SUFFIX: Final = ".bin"
DIGEST: Final = 32
CHECK_EVERY: Final = 64  # of so many writes, one looks at the size of the whole cache


class CacheWarning(UserWarning):
    """The disk cache could not be used; compilation went on without it."""


def default_directory() -> Path:
    """The platform's place for caches; LOMA_CACHE_DIR names another one."""
    if chosen := os.environ.get("LOMA_CACHE_DIR"):
        return Path(chosen)
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "loma"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "loma" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "loma"
    return Path.home() / ".cache" / "loma"


def default_limit() -> int:
    """The most bytes to keep; LOMA_CACHE_LIMIT, in bytes, sets another bound."""
    try:
        return int(os.environ["LOMA_CACHE_LIMIT"])
    except (KeyError, ValueError):
        return DEFAULT_LIMIT


def key(*parts: str | bytes) -> str:
    """The name of an entry: a digest of everything that its content depends on."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Stats:
    """What the cache holds."""

    directory: Path
    entries: int
    bytes: int
    limit: int


class Cache:
    """Bytes by key, in a directory; the least recently used go when there are too many."""

    def __init__(self, directory: Path | None = None, limit: int | None = None) -> None:
        self.directory = default_directory() if directory is None else directory
        self.limit = default_limit() if limit is None else limit
        self._writes = 0

    def get(self, key: str) -> bytes | None:
        """The entry, or None when there is none that is sound."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            self._warn("read", e)
            return None
        content = data[DIGEST:]
        if hashlib.sha256(content).digest() != data[:DIGEST]:
            warnings.warn(
                f"the cached file {path} is damaged; it is compiled again", CacheWarning,
                stacklevel=2)
            self._remove(path)
            return None
        self._touch(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keeps an entry; a failure is a warning."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(content).digest())
                    file.write(content)
                os.replace(temporary, path)
            except BaseException:
                self._remove(Path(temporary))
                raise
        except OSError as e:
            self._warn("write", e)
            return
        if self._writes % CHECK_EVERY == 0 or len(content) * CHECK_EVERY > self.limit:
            self.trim()
        self._writes += 1

    def clear(self) -> None:
        """Removes every entry."""
        for path in self._files():
            self._remove(path)

    def stats(self) -> Stats:
        """How many entries and bytes there are."""
        sizes = [size for _, size, _ in self._ages()]
        return Stats(self.directory, len(sizes), sum(sizes), self.limit)

    def trim(self) -> None:
        """Removes the least recently used entries until the rest is within the limit."""
        files = sorted(self._ages(), reverse=True)
        room = self.limit
        for _, size, path in files:
            room -= size
            if room < 0:
                self._remove(path)

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key[2:]}{SUFFIX}"

    def _files(self) -> Iterator[Path]:
        try:
            yield from self.directory.glob(f"??/*{SUFFIX}")
        except OSError:
            return

    def _ages(self) -> Iterator[tuple[float, int, Path]]:
        for path in self._files():
            try:
                found = path.stat()
            except OSError:  # another process removed it
                continue
            yield found.st_mtime, found.st_size, path

    def _touch(self, path: Path) -> None:
        try:
            os.utime(path)
        except OSError:  # removed by another process, or not ours to touch
            return

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return

    def _warn(self, verb: str, error: OSError) -> None:
        warnings.warn(
            f"cannot {verb} the cache in {self.directory}: {error.strerror or error}",
            CacheWarning, stacklevel=3)
