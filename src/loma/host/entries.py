"""Machine code for calls of one shape: from the disk cache or made, and loaded."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

from loma.backends.cache import Cache, key
from loma.backends.llvm import identity
from loma.backends.llvm.flat_object import load_flat
from loma.host.build import compiler_version


def fetched(
    kind: str, shape: Hashable, compiled: Callable[[Any], bytes], *names: str
) -> tuple[dict[str, int], object]:
    """The addresses of symbols of a fresh copy of the code, and what keeps it alive."""
    store = Cache()
    name = key(kind, repr(shape), compiler_version(), *identity())
    code = store.get(name)
    if code is None:
        code = compiled(shape)
        store.put(name, code)
    return load_flat(code, *names)


@lru_cache(maxsize=2048)
def entry(
    kind: str, shape: Hashable, compiled: Callable[[Any], bytes], name: str
) -> tuple[int, object]:
    """The address of one symbol of the code, which all calls of the shape share."""
    addresses, keep = fetched(kind, shape, compiled, name)
    return addresses[name], keep
