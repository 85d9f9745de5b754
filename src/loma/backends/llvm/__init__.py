"""The embedded backend: LLVM through llvmlite."""

from loma.backends.llvm.backend import (
    LLVM,
    assembly,
    compile_object,
    load_object,
    optimised_text,
    text,
)
from loma.backends.llvm.machine import identity

__all__ = [
    "LLVM",
    "assembly",
    "compile_object",
    "identity",
    "load_object",
    "optimised_text",
    "text",
]
