"""Programs compiled by LLVM, for tests."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

from loma import driver
from loma.backends.base import Options
from loma.backends.interface import Interface
from loma.backends.llvm import compile_object, load_object
from loma.backends.llvm.loaded import Jitted
from loma.host.marshal import Library, ctypes_structs
from loma.ir.nodes import Module
from loma.ir.types import F32, Scalar


@dataclass(frozen=True)
class Program:
    """A compiled program: its functions, its structs, its machine code and its core IR."""

    lib: Library
    structs: dict[str, type[ctypes.Structure]]
    loaded: Jitted
    module: Module


def compiled(
    source: str, float_type: Scalar = F32, strict: bool = False, output: Path | None = None,
) -> Program:
    """The program, which is called test.py; no cache is read or written."""
    module = driver.core_module(source, "test.py", float_type)
    loaded = load_object(compile_object(module, Options(strict=strict, output=output)))
    structs = ctypes_structs(module.structs)
    return Program(Library(Interface.of(module), loaded, structs), structs, loaded, module)
