"""What programs print goes to Python's standard output, where notebooks and tests see it."""

from __future__ import annotations

import ctypes
import sys
from typing import Final, TypeVar

from loma.backends.base import Loaded

Code = TypeVar("Code", bound=Loaded)


def _write(address: int, size: int) -> None:
    sys.stdout.write(ctypes.string_at(address, size).decode("utf-8", "replace"))


WRITE: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(_write)


def connected(loaded: Code) -> Code:
    """The code, printing to `sys.stdout` from now on."""
    address = ctypes.cast(WRITE, ctypes.c_void_p).value
    assert address is not None, "a callback has an address"
    loaded.print_to(address)
    return loaded
