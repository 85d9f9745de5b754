"""The embedded backend: LLVM through llvmlite, no C compiler."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from loma.backends import cache
from loma.backends.base import Backend, Loaded, Options
from loma.backends.llvm import loaded, machine
from loma.backends.llvm.code import entry
from loma.backends.llvm.exports import plain_names
from loma.backends.llvm.link import write_library
from loma.backends.llvm.module import Emitted, emit
from loma.ir.nodes import Module


def _emitted(module: Module, options: Options) -> Emitted:
    return emit(module, machine.triple(), options.strict, shared=options.output is not None)


def text(module: Module, options: Options) -> str:
    """The module as LLVM text, before LLVM optimises it."""
    return _emitted(module, options).text


def optimised_text(module: Module, options: Options) -> str:
    """The module as LLVM text, after LLVM has optimised it."""
    return machine.optimised(_emitted(module, options).text)


def assembly(module: Module, options: Options) -> str:
    """The module as assembly of this machine."""
    return machine.assembly(_emitted(module, options).text)


def compile_object(module: Module, options: Options) -> bytes:
    """The module's object code with all that `load_object` needs; no cache is read or written."""
    return _bundle(_emitted(module, options)).to_bytes()


def _bundle(emitted: Emitted) -> loaded.Bundle:
    code = machine.compile_text(emitted.text)
    return loaded.Bundle(emitted.entries, emitted.sites, code, emitted.prints, emitted.extents)


def load_object(data: bytes) -> loaded.Jitted:
    """Loads what `compile_object` gave, in this or another process on the same kind of machine."""
    return loaded.load(loaded.Bundle.from_bytes(data))


def build(module: Module, options: Options) -> Loaded:
    """Compiles, or takes from the cache, and loads; writes the shared library that is asked for."""
    emitted = _emitted(module, options)
    bundle = _cached(emitted) if options.cache else _bundle(emitted)
    if options.output is not None:
        write_library(bundle.object, options.output, library_symbols(bundle))
    return loaded.load(bundle)


def library_symbols(bundle: loaded.Bundle) -> list[str]:
    """Every symbol that a shared library shows."""
    names = {*plain_names(bundle.entries).values(), *map(entry, bundle.entries)}
    names |= {"loma_last_error"} if any(bundle.entries.values()) else set()
    return sorted(names | ({"loma_print_to"} if bundle.prints else set()))


def _cached(emitted: Emitted) -> loaded.Bundle:
    """The bundle of an emitted module, from the disk cache where it has it."""
    store = cache.Cache()
    name = cache.key("llvm", emitted.text, repr(emitted.sites), *machine.identity())
    if (data := store.get(name)) is not None:
        with suppress(ValueError):
            return loaded.Bundle.from_bytes(data)
    bundle = _bundle(emitted)
    store.put(name, bundle.to_bytes())
    return bundle


LLVM: Final = Backend("llvm", text, build)
