"""From source text to callable machine code, by way of the disk cache where it can be.

A program that was compiled before is loaded with neither parsing nor differentiating it: its entry
in the cache holds the object code and the interface.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from loma import driver
from loma.backends.base import Loaded, Options
from loma.backends.cache import Cache, key
from loma.backends.interface import Interface
from loma.backends.llvm import LLVM, compile_object, identity, load_object
from loma.frontend import load, no_collection, typed
from loma.host import imports
from loma.host.printing import connected
from loma.ir.nodes import Module
from loma.ir.types import Scalar

LENGTH: Final = 8  # bytes of the length of the interface, which an entry begins with


@dataclass(frozen=True, slots=True)
class Source:
    """A program's text, what its file is called, the scalar that `float` stands for, and folders
    of files that it may import.
    """

    text: str
    file: str
    float_type: Scalar
    path: tuple[str, ...] = ()


def build(
    source: Source, target: str, options: Options, *, callees: bool = True
) -> tuple[Interface, Loaded]:
    """The program's functions and their machine code; raises UserError for a wrong program.

    `callees`: with the derivatives of called functions that nobody asked for by name.
    """

    def checked() -> typed.Module:
        return load(source.text, source.file, source.float_type, source.path)

    def core(program: typed.Module) -> Module:
        return driver.differentiated(
            program, strict=options.strict, callees=callees, debug=options.debug)

    if target != LLVM.name or options.output is not None or not options.cache:
        with no_collection():
            module = core(checked())
        return Interface.of(module), connected(driver.BACKENDS[target].build(module, options))
    store = Cache()
    parts = ("program", source.text, source.file, source.float_type.value, str(options.strict),
             str(options.debug),
             str(callees), compiler_version(), *identity())
    context = imports.context(source.text, source.file, source.path, compiler_version)
    known = imports.current(store, context)
    if known is not None and (entry := store.get(key(*parts, *known))) is not None:
        with suppress(ValueError):
            return _unpacked(entry)
    with no_collection():
        program = checked()
        name = key(*parts, *imports.remember(store, context, program.files))
        module = core(program)
        interface, code = Interface.of(module), compile_object(module, options)
    head = interface.to_bytes()
    store.put(name, len(head).to_bytes(LENGTH, "little") + head + code)
    return interface, connected(load_object(code))


def _unpacked(entry: bytes) -> tuple[Interface, Loaded]:
    stop = LENGTH + int.from_bytes(entry[:LENGTH], "little")
    return Interface.from_bytes(entry[LENGTH:stop]), connected(load_object(entry[stop:]))


@cache
def compiler_version() -> str:
    """A digest that changes whenever the compiler's own files do."""
    digest = hashlib.sha256()
    root = str(Path(driver.__file__).parent)
    for path, size, changed in sorted(_files(root)):
        digest.update(f"{path.removeprefix(root)} {size} {changed}\n".encode())
    return digest.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """The programs in a folder and those inside it: path, size, time of the last change."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".loma")):
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _files(entry.path)
