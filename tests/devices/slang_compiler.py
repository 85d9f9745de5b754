"""Slang's own compiler, which lies beside slangpy: turns Slang into other languages."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any


class Refused(Exception):
    """What the compiler says of a text that it does not take."""


@cache
def library() -> Any:
    """The compiler's library."""
    spec = importlib.util.find_spec("slangpy")
    assert spec is not None and spec.origin is not None, "slangpy is here"
    (found,) = sorted(Path(spec.origin).parent.glob("libslang-compiler.so*"))[:1]
    made = ctypes.CDLL(str(found))
    pointer = ctypes.c_void_p
    made.spCreateSession.restype = pointer
    made.spCreateSession.argtypes = [ctypes.c_char_p]
    made.spCreateCompileRequest.restype = pointer
    made.spCreateCompileRequest.argtypes = [pointer]
    made.spDestroyCompileRequest.argtypes = [pointer]
    made.spProcessCommandLineArguments.argtypes = [
        pointer, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int]
    made.spCompile.argtypes = [pointer]
    made.spGetDiagnosticOutput.argtypes = [pointer]
    made.spGetDiagnosticOutput.restype = ctypes.c_char_p
    made.spGetEntryPointCode.argtypes = [pointer, ctypes.c_int, ctypes.POINTER(ctypes.c_size_t)]
    made.spGetEntryPointCode.restype = pointer
    made.spGetTargetCodeBlob.argtypes = [pointer, ctypes.c_int, ctypes.POINTER(pointer)]
    return made


@cache
def session() -> Any:
    """One session of the compiler."""
    return library().spCreateSession(None)


def translated(source: Path, entry: str, target: str) -> bytes:
    """An entry point of a file, in another language."""
    lib = library()
    request = lib.spCreateCompileRequest(session())
    words = [str(source), "-entry", entry, "-stage", "compute", "-target", target]
    given = (ctypes.c_char_p * len(words))(*(w.encode() for w in words))
    failed = lib.spProcessCommandLineArguments(request, given, len(words))
    failed = failed or lib.spCompile(request)
    said = (lib.spGetDiagnosticOutput(request) or b"").decode()
    if failed:
        lib.spDestroyCompileRequest(request)
        raise Refused(said)
    text = _code(lib, request)
    lib.spDestroyCompileRequest(request)
    return text


def _code(lib: Any, request: Any) -> bytes:
    """The code that a request has made. Some comes as an `ISlangBlob`, whose fourth and fifth
    methods tell where its bytes are, and how many."""
    count = ctypes.c_size_t()
    code = lib.spGetEntryPointCode(request, 0, ctypes.byref(count))
    if count.value:
        return ctypes.string_at(code, count.value)
    blob = ctypes.c_void_p()
    failed = lib.spGetTargetCodeBlob(request, 0, ctypes.byref(blob))
    assert not failed and blob.value, "there is code"
    methods = ctypes.cast(blob, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    start = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(methods[3])(blob.value)
    size = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(methods[4])(blob.value)
    return ctypes.string_at(start, size)
