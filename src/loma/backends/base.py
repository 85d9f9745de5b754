"""What a backend is: it turns a core module into something that can be loaded and called."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from loma.ir.nodes import Module

DEFAULT_STACK: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Options:
    """How to compile.

    `strict`: no reassociation, no contraction. `output`: where to write the shared library,
    without suffix (None: a private place). `cache`: whether compiled objects may be read from and
    written to the disk cache. `debug`: with checks of divisions, domains and indices.
    """

    strict: bool = False
    debug: bool = False
    output: Path | None = None
    cache: bool = True


@dataclass(frozen=True, slots=True)
class TrapRecord:
    """What a program left in the error channel when it stopped itself."""

    trap: str
    file: str
    line: int
    message: str = ""


def stack_bytes() -> int:
    """The bytes of a recursive program's stack; the variable LOMA_STACK, in bytes, sets them."""
    try:
        return int(os.environ["LOMA_STACK"])
    except (KeyError, ValueError):
        return DEFAULT_STACK


class Loaded(Protocol):
    """Machine code in this process."""

    def address(self, function: str) -> int:
        """The address of an exported function: C convention, `extern "C"`."""
        ...

    def may_trap(self, function: str) -> bool:
        """Whether a call of the function can leave a record in the error channel."""
        ...

    @property
    def stopped(self) -> Sequence[int]:
        """One number, which is not 0 once a call has left a record in the error channel."""
        ...

    def take_error(self) -> TrapRecord | None:
        """The calling thread's record, which is cleared; None when the last call went well."""
        ...

    def set_stack(self, size: int) -> None:
        """Bounds the stack on which a recursive program runs, for threads yet to call it."""
        ...

    def print_to(self, address: int) -> None:
        """Hands what the program prints to a C function of text and its length."""
        ...

    def peak_tape_bytes(self) -> int:
        """The most bytes of tapes and local heap arrays alive at once in the calling thread's
        last call.
        """
        ...


Build = Callable[[Module, Options], Loaded]


@dataclass(frozen=True, slots=True)
class Backend:
    """A target: `text` shows the generated code, `build` compiles and loads it."""

    name: str
    text: Callable[[Module, Options], str]
    build: Build
