"""The disk cache: whole entries or none, whatever other processes or a bad disk do."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from loma.backends.cache import Cache, CacheWarning, default_directory, key


def files(folder: Path) -> list[Path]:
    """Every file in the cache."""
    return [p for p in folder.rglob("*") if p.is_file()]


def test_what_is_put_is_got(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.get(key("a")) is None
    cache.put(key("a"), b"one")
    cache.put(key("a"), b"two")
    assert cache.get(key("a")) == b"two"
    assert (cache.stats().entries, cache.stats().limit) == (1, 512 * 1024 * 1024)
    cache.clear()
    assert cache.get(key("a")) is None
    assert files(tmp_path) == []


def test_keys_know_where_a_part_ends() -> None:
    assert key("ab", "c") != key("a", "bc")
    assert key("ab") == key(b"ab")


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 500])
def test_a_damaged_entry_is_a_miss(tmp_path: Path, damage: bytes) -> None:
    cache = Cache(tmp_path)
    cache.put(key("a"), b"content" * 50)
    files(tmp_path)[0].write_bytes(damage)
    with pytest.warns(CacheWarning, match="damaged"):
        assert cache.get(key("a")) is None
    cache.put(key("a"), b"again")
    assert cache.get(key("a")) == b"again"


def test_a_cache_that_cannot_be_written_warns(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache = Cache(blocked / "cache")
    with pytest.warns(CacheWarning, match="cannot write"):
        cache.put(key("a"), b"content")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cache.get(key("a")) is None


def test_the_oldest_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=3 * 1032)
    for i, name in enumerate("abc"):
        cache.put(key(name), bytes(1000))
        os.utime(cache._path(key(name)), (i, i))
    assert cache.get(key("a")) is not None  # now the newest
    cache.put(key("d"), bytes(1000))
    cache.trim()
    assert [cache.get(key(name)) is not None for name in "abcd"] == [True, False, True, True]
    assert cache.stats().bytes <= 3 * 1032


def test_the_directory_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOMA_CACHE_DIR", "/chosen")
    assert default_directory() == Path("/chosen")
    monkeypatch.delenv("LOMA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_directory() == Path("/x/loma")


RACER = """
import sys, warnings
from pathlib import Path
from loma.backends.cache import Cache, key
warnings.simplefilter("error")
cache = Cache(Path(sys.argv[1]), limit=200_000)
for round in range(100):
    for name in range(8):
        found = cache.get(key(str(name)))
        assert found is None or found == bytes([name]) * 20_000
        cache.put(key(str(name)), bytes([name]) * 20_000)
"""


def test_processes_may_race(tmp_path: Path) -> None:
    racers = [subprocess.Popen([sys.executable, "-c", RACER, str(tmp_path)]) for _ in range(4)]
    assert [r.wait(timeout=60) for r in racers] == [0] * 4
    assert not [p for p in files(tmp_path) if p.name.startswith(".new")]
